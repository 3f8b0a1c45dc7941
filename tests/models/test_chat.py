"""The HTTP adapter: what it sends, what it never sends, and what it makes of the ways in which a call can fail."""

from __future__ import annotations

import asyncio
import json
import socket
import traceback
import tracemalloc
from typing import Any

import msgspec
import pytest

from citefidelity.config.secret import BLANK, Secret
from citefidelity.errors import UsageError
from citefidelity.models.chat import KEPT_OF_LARGER, ChatModel
from citefidelity.ports import CallFault, Question, RawReply
from citefidelity.testing.answers import prompt_hash
from citefidelity.testing.faults import ACTS
from citefidelity.testing.provider import ScriptedProvider

CANARY = "sk-canary-Qz81/wX7+Lm02_pR.44-ytHHaa"
KEY = Secret(CANARY)
SCHEMA: dict[str, object] = {"type": "object", "properties": {}, "additionalProperties": False}


def make_question(variable: str = "Is it so?", **changes: Any) -> Question:
    """A question, with another style or limit if told."""
    question = Question(fixed="Judge.", variable=variable, schema=SCHEMA, max_output_tokens=321)
    return msgspec.structs.replace(question, **changes)


async def sent_with(question: Question, **arguments: Any) -> dict[str, Any]:
    """The body that a provider receives, and the headers under ``headers``."""
    async with ScriptedProvider() as provider, ChatModel(provider.base_url, "m-1", **arguments) as model:
        await model.ask(question)
        return {**json.loads(provider.hits[0].request), "headers": dict(provider.hits[0].headers)}


async def outcome_of(model: ChatModel, question: Question) -> RawReply | CallFault:
    """The reply, or the fault as a value."""
    try:
        return await model.ask(question)
    except CallFault as fault:
        return fault


async def test_the_request_is_what_the_api_documents() -> None:
    """Model, two messages, limit, temperature, strict schema and nothing streamed."""
    sent = await sent_with(make_question(), api_key=KEY, temperature=0.0)
    headers = sent.pop("headers")
    assert sent == {
        "model": "m-1",
        "stream": False,
        "messages": [{"role": "system", "content": "Judge."}, {"role": "user", "content": "Is it so?"}],
        "max_tokens": 321,
        "temperature": 0.0,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "verdict", "strict": True, "schema": SCHEMA},
        },
    }
    assert headers["authorization"] == f"Bearer {CANARY}"
    assert headers["content-type"] == "application/json"
    assert headers["accept-encoding"] == "identity"


async def test_the_styles_ask_for_json_in_their_own_way() -> None:
    """A schema, the JSON mode, or nothing."""
    assert (await sent_with(make_question(style="json_object")))["response_format"] == {"type": "json_object"}
    assert "response_format" not in await sent_with(make_question(style="none"))


async def test_a_preset_shapes_the_request() -> None:
    """Another name of the limit, no temperature, and parameters of the provider's own."""
    sent = await sent_with(
        make_question(),
        limit_parameter="max_completion_tokens",
        extra_body={"thinking": {"type": "disabled"}, "stream": None},
    )
    assert sent["max_completion_tokens"] == 321
    assert sent["thinking"] == {"type": "disabled"}
    assert sent["stream"] is None
    assert not {"temperature", "max_tokens"} & set(sent)
    assert "authorization" not in sent["headers"]


async def test_a_changed_question_is_not_sent_in_an_old_frame() -> None:
    """What all requests share is prepared once, and prepared anew for another limit, style, schema or text."""
    changes: list[dict[str, Any]] = [
        {},
        {"max_output_tokens": 642},
        {"style": "none"},
        {"schema": {"type": "object"}},
        {"fixed": "Judge well."},
        {},
    ]
    async with ScriptedProvider() as provider, ChatModel(provider.base_url, "m") as model:
        for change in changes:
            await model.ask(make_question(**change))
        bodies = [json.loads(hit.request) for hit in provider.hits]
    assert [body["max_tokens"] for body in bodies] == [321, 642, 321, 321, 321, 321]
    assert "response_format" not in bodies[2]
    assert bodies[3]["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert bodies[4]["messages"][0]["content"] == "Judge well."
    assert bodies[5] == bodies[0]


async def test_many_kinds_of_questions_do_not_pile_up() -> None:
    """The prepared parts are bounded, and each question is still sent right."""
    async with ScriptedProvider() as provider, ChatModel(provider.base_url, "m") as model:
        for limit in range(1, 60):
            await model.ask(make_question(max_output_tokens=limit))
        assert [json.loads(hit.request)["max_tokens"] for hit in provider.hits] == list(range(1, 60))


async def test_no_more_connections_than_allowed() -> None:
    """Calls beyond the bound wait for a connection instead of opening one."""
    async with (
        ScriptedProvider(latency=(0.02, 0.02)) as provider,
        ChatModel(provider.base_url, "m", connections=3) as model,
    ):
        await asyncio.gather(*[model.ask(make_question(str(number))) for number in range(12)])
        assert provider.stats().max_in_flight == 3


@pytest.mark.parametrize("act", ["redirect", "redirect_away"])
async def test_a_redirect_is_not_followed(act: str) -> None:
    """Neither prompt nor key goes anywhere but to the address that was given."""
    async with (
        ScriptedProvider([f"{act}@all*always"]) as provider,
        ChatModel(provider.base_url, "m", api_key=KEY) as model,
    ):
        reply = await model.ask(make_question())
        assert reply.status == ACTS[act].status
        assert "location" in reply.headers
        assert provider.stats().received == 1


@pytest.mark.parametrize("act", ["oversize", "gzip_bomb"])
async def test_a_body_without_end_is_cut(act: str) -> None:
    """A reply of megabytes, or one that unpacks to them, is kept only in part."""
    async with ScriptedProvider([f"{act}@1"]) as provider, ChatModel(provider.base_url, "m") as model:
        reply = await model.ask(make_question("a"))
        assert 0 < len(reply.body) <= KEPT_OF_LARGER
        assert (await model.ask(make_question("b"))).status == 200


async def test_a_packed_bomb_is_not_unpacked() -> None:
    """Fifty megabytes in fifty kilobytes never stand in memory."""
    async with ScriptedProvider(["gzip_bomb@1"]) as provider, ChatModel(provider.base_url, "m") as model:
        tracemalloc.start()
        await model.ask(make_question())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 20_000_000


async def test_a_server_that_never_ends_is_left() -> None:
    """Reading stops at the cap, and the connection with it."""
    left = asyncio.Event()

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
        except OSError:
            left.set()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server, ChatModel(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "m") as model:
        async with asyncio.timeout(5):
            reply = await model.ask(make_question())
            await left.wait()
    assert len(reply.body) == KEPT_OF_LARGER


async def test_headers_without_end_are_refused() -> None:
    """A header of a hundred kilobytes is no HTTP that we read; the question had left all the same."""
    async with ScriptedProvider(["huge_headers@1"]) as provider, ChatModel(provider.base_url, "m") as model:
        fault = await outcome_of(model, make_question())
        assert isinstance(fault, CallFault)
        assert fault.sent
        assert "no HTTP" in fault.message


def free_port() -> int:
    """A port where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_refused_connection_sent_nothing() -> None:
    """Nothing left, so nothing was paid."""
    async with ChatModel(f"http://127.0.0.1:{free_port()}/v1", "m", api_key=KEY) as model:
        fault = await outcome_of(model, make_question())
    assert isinstance(fault, CallFault)
    assert (fault.kind, fault.sent, fault.body) == ("connection", False, None)


async def test_a_name_that_does_not_resolve_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No address, no request."""

    async def resolve(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", resolve)
    async with ChatModel("https://models.example.invalid/v1", "m", api_key=KEY) as model:
        fault = await outcome_of(model, make_question())
    assert isinstance(fault, CallFault)
    assert (fault.kind, fault.sent) == ("connection", False)
    assert "models.example.invalid" in fault.message


async def test_a_server_that_speaks_no_tls_was_sent_nothing() -> None:
    """The handshake fails before the first byte of the request."""
    async with ScriptedProvider() as provider:
        address = provider.base_url.replace("http://", "https://")
        async with ChatModel(address, "m", api_key=KEY) as model:
            fault = await outcome_of(model, make_question())
        assert provider.stats().received == 0
    assert isinstance(fault, CallFault)
    assert (fault.kind, fault.sent) == ("connection", False)


async def test_a_connection_that_takes_too_long_sent_nothing() -> None:
    """A server whose queue is full is given up after the time for connecting."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        async with ChatModel(f"http://127.0.0.1:{full.getsockname()[1]}", "m", connect_timeout=0.2) as model:
            fault = await outcome_of(model, make_question())
        for filler in fillers:
            filler.close()
    assert isinstance(fault, CallFault)
    assert (fault.kind, fault.sent) == ("connection", False)
    assert "connecting" in fault.message


SOMETHING_COMES_BACK = [name for name, act in ACTS.items() if act.manner not in {"silence", "cut_silence", "refused"}]


@pytest.mark.parametrize("act", SOMETHING_COMES_BACK)
async def test_the_key_is_in_nothing_that_comes_back(act: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the server does with the key, no reply, header, message, traceback or log holds it."""
    caplog.set_level("DEBUG")
    async with (
        ScriptedProvider([f"{act}@all*always"]) as provider,
        ChatModel(provider.base_url, "m", api_key=KEY) as model,
    ):
        outcome = await outcome_of(model, make_question())
        assert provider.hits[0].authorization == f"Bearer {CANARY}"
        shown = [caplog.text, repr(model), repr(vars(model).get("_blanker"))]
    if isinstance(outcome, RawReply):
        shown += [outcome.body.decode(errors="replace"), json.dumps(outcome.headers)]
    else:
        shown += [*traceback.format_exception(outcome), repr(outcome), str(outcome.body)]
        assert outcome.__cause__ is None
        assert outcome.__context__ is None
    escaped = "".join(f"\\u{ord(character):04x}" for character in CANARY)
    for text in shown:
        assert CANARY not in text
        assert CANARY[:12] not in text
        assert escaped not in text
    if act.startswith("echo_key"):
        assert any(BLANK in text for text in shown)


def test_an_address_that_may_not_be_asked_is_refused_at_once() -> None:
    """The adapter itself checks, whoever made the address."""
    for address in ("http://models.example.org/v1", "https://169.254.169.254/v1", "https://a:b@models.example.org"):
        with pytest.raises(UsageError):
            ChatModel(address, "m", api_key=KEY)


async def test_it_must_be_opened_first() -> None:
    """Outside its ``async with`` there is no connection, and closing twice is harmless."""
    model = ChatModel("http://localhost/v1", "m")
    with pytest.raises(RuntimeError, match="async with"):
        await model.ask(make_question())
    await model.close()
    async with model:
        pass
    await model.close()


async def test_other_pages_of_the_server_can_be_read() -> None:
    """The list of models and the balance, for ``doctor``."""
    async with ScriptedProvider() as provider, ChatModel(provider.base_url, "m", api_key=KEY) as model:
        assert b"scripted" in (await model.fetch("models")).body
        assert b"total_balance" in (await model.fetch("user/balance")).body


async def test_one_frame_serves_every_text() -> None:
    """The bytes around the prompt are the same in every request, so that a provider can serve them from its cache."""
    async with ScriptedProvider() as provider, ChatModel(provider.base_url, "m") as model:
        for text in ("a", "b" * 1_000, "é"):
            await model.ask(make_question(text))
        bodies = [hit.request for hit in provider.hits]
        assert [hit.prompt for hit in provider.hits] == [prompt_hash(text) for text in ("a", "b" * 1_000, "é")]
    begin = bodies[0].index(b'{"role":"user"')
    assert {body[:begin] for body in bodies} == {bodies[0][:begin]}
