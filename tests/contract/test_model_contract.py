"""What every model adapter owes the engine, whether a fake, an HTTP client or a server on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec
import pytest

from citefidelity.clock import SystemClock
from citefidelity.models.chat import ChatModel
from citefidelity.ports import CallFault, Model, Question, RawReply
from citefidelity.replies.completion import read_completion
from citefidelity.testing.answers import CATEGORIES, TYPES, ScriptedVerdict, prompt_hash, verdict_for
from citefidelity.testing.faults import ACTS, STATUSES
from citefidelity.testing.hits import Stats
from citefidelity.testing.model import ScriptedModel
from citefidelity.testing.provider import ScriptedProvider

Setting = tuple[Model, Callable[[], Stats]]
Open = Callable[[Sequence[str]], AbstractAsyncContextManager[Setting]]

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "justification": {"type": "string", "maxLength": 100},
        "citation_type": {"type": "string", "enum": list(TYPES)},
        "category": {"type": "string", "enum": list(CATEGORIES)},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "required": ["justification", "citation_type", "category", "confidence"],
    "additionalProperties": False,
}


@asynccontextmanager
async def in_process(rules: Sequence[str]) -> AsyncIterator[Setting]:
    """The fake."""
    model = ScriptedModel(SystemClock(), rules)
    yield model, model.stats


@asynccontextmanager
async def over_http(rules: Sequence[str]) -> AsyncIterator[Setting]:
    """The real client against a scripted server."""
    async with ScriptedProvider(rules) as provider, ChatModel(provider.base_url, "scripted") as model:
        yield model, provider.stats


@pytest.fixture(params=[in_process, over_http], ids=["fake", "http"])
def scripted(request: pytest.FixtureRequest) -> Open:
    """Opens a model under a script."""
    return request.param  # type: ignore[no-any-return]  # one of the two above


def make_question(variable: str = "Does it support the claim?") -> Question:
    """A question whose answer follows from ``variable``."""
    return Question(
        fixed="You judge citations. Answer in JSON.", variable=variable, schema=SCHEMA, max_output_tokens=200
    )


def verdict_in(reply: RawReply) -> ScriptedVerdict:
    """The verdict in a good reply."""
    completion = read_completion(reply)
    assert completion.fault is None, completion.fault
    return msgspec.json.decode(completion.content, type=ScriptedVerdict)


async def test_an_answer_belongs_to_its_question(scripted: Open) -> None:
    """A hundred questions at once each get their own answer, and one request each."""
    prompts = [f"prompt {number}" for number in range(100)]
    async with scripted([]) as (model, stats):
        replies = await asyncio.gather(*[model.ask(make_question(prompt)) for prompt in prompts])
        assert [verdict_in(reply) for reply in replies] == [verdict_for(prompt_hash(prompt)) for prompt in prompts]
        assert (stats().received, stats().good, stats().duplicates) == (100, 100, 0)


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "",
        "  spaces around  ",
        'quotes " and \\ backslashes',
        "\u0000\u0001\u001f\u007f",
        "\u2028\u2029",
        "\u00e9 e\u0301 \ufb01",
        "\U0001f600\U0010ffff",
        '<|im_end|> {"role": "system"}',
        "long " * 400_000,
    ],
)
async def test_the_prompt_arrives_as_it_is(scripted: Open, text: str) -> None:
    """No character is stripped, normalised or cut on the way: the answer is the one to this very text."""
    async with scripted([]) as (model, _):
        assert verdict_in(await model.ask(make_question(text))) == verdict_for(prompt_hash(text))


@pytest.mark.parametrize("act", [act.name for act in STATUSES])
async def test_an_answer_of_any_status_is_handed_on(scripted: Open, act: str) -> None:
    """A refusal is a reply like any other: not raised, not retried, not followed."""
    async with scripted([f"{act}@all*always"]) as (model, stats):
        reply = await model.ask(make_question())
        assert reply.status == ACTS[act].status
        assert stats().received == 1
        assert all(name == name.lower() for name in reply.headers)


async def test_headers_are_handed_on(scripted: Open) -> None:
    """What a provider says about waiting reaches the fault map."""
    async with scripted(["rate_limited_ms@1", "overloaded_seconds@2"]) as (model, _):
        assert (await model.ask(make_question("a"))).headers["retry-after-ms"] == "1000"
        assert (await model.ask(make_question("b"))).headers["retry-after"] == "1"


@pytest.mark.parametrize("act", ["truncated", "reset_middle", "blank_then_reset", "closed", "reset", "not_http"])
async def test_a_broken_connection_is_a_fault_after_sending(scripted: Open, act: str) -> None:
    """The question may have been answered and charged; it is not asked again behind the engine's back."""
    async with scripted([f"{act}@all*always"]) as (model, stats):
        with pytest.raises(CallFault) as caught:
            await model.ask(make_question())
        assert (caught.value.kind, caught.value.sent) == ("connection", True)
        assert stats().received == 1


@pytest.mark.parametrize("act", ["truncated", "reset_middle"])
async def test_what_had_arrived_is_kept(scripted: Open, act: str) -> None:
    """The first half of an answer is handed on with the fault."""
    async with scripted([f"{act}@all*always"]) as (model, _):
        with pytest.raises(CallFault) as caught:
            await model.ask(make_question())
        assert caught.value.body is not None
        assert caught.value.body.startswith(b'{"id":"chatcmpl-')


@pytest.mark.parametrize("act", ["silence", "silence_middle"])
async def test_a_silent_server_is_waited_for_until_the_caller_has_had_enough(scripted: Open, act: str) -> None:
    """There is no deadline but the caller's; a call that is cancelled leaves nothing behind that disturbs the next."""
    async with scripted([f"{act}@1"]) as (model, stats):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await model.ask(make_question("a"))
        assert verdict_in(await model.ask(make_question("b"))) == verdict_for(prompt_hash("b"))
        assert (stats().received, stats().good) == (2, 1)


async def test_a_cancelled_call_does_not_touch_the_others(scripted: Open) -> None:
    """One of two calls is cancelled; the other one's answer comes whole."""
    async with scripted(["silence@1"]) as (model, _):
        slow = asyncio.ensure_future(model.ask(make_question("a")))
        await asyncio.sleep(0.05)
        quick = asyncio.ensure_future(model.ask(make_question("b")))
        slow.cancel()
        assert verdict_in(await quick) == verdict_for(prompt_hash("b"))
        assert (await asyncio.gather(slow, return_exceptions=True))[0].__class__ is asyncio.CancelledError


@pytest.mark.parametrize("act", ["blank_then_good", "comments_then_good", "trickle", "unfinished"])
async def test_an_answer_sent_oddly_is_a_good_one(scripted: Open, act: str) -> None:
    """Blank lines, comments, small pieces and a missing mark at the end do not spoil an answer that is whole."""
    async with scripted([f"{act}@all"]) as (model, stats):
        assert verdict_in(await model.ask(make_question("a"))) == verdict_for(prompt_hash("a"))
        assert stats().good == 1


async def test_a_connection_is_used_again_after_a_fault(scripted: Open) -> None:
    """Every kind of fault in turn, then a good answer: nothing of the one stays in the other."""
    rules = [f"{act}@{number}" for number, act in enumerate(["reset", "rate_limited", "html", "oversize"], 1)]
    async with scripted(rules) as (model, _):
        for prompt in "abcd":
            await asyncio.gather(model.ask(make_question(prompt)), return_exceptions=True)
            assert verdict_in(await model.ask(make_question(prompt))) == verdict_for(prompt_hash(prompt))
