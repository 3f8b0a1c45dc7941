"""The scripted provider itself: what it counts must be right, for it is the witness in every other test."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import msgspec
import pytest

from citefidelity.clock import SystemClock
from citefidelity.config.secret import Secret
from citefidelity.models.chat import ChatModel
from citefidelity.ports import CallFault, Question, RawReply
from citefidelity.records import Usage
from citefidelity.testing.answers import prompt_hash
from citefidelity.testing.faults import ACTS
from citefidelity.testing.hits import Stats
from citefidelity.testing.model import ScriptedModel
from citefidelity.testing.provider import ScriptedProvider

KEY = "sk-canary-0123456789"


def make_question(variable: str) -> Question:
    """A question with a fixed part long enough to be cached."""
    return Question(fixed="You judge citations. " * 50, variable=variable, schema={}, max_output_tokens=100)


async def ask_all(model: ChatModel | ScriptedModel, prompts: str) -> list[RawReply | BaseException]:
    """One question after the other, one letter each."""
    return [(await asyncio.gather(model.ask(make_question(prompt)), return_exceptions=True))[0] for prompt in prompts]


async def test_it_counts_what_was_asked_answered_and_charged() -> None:
    """Hits by prompt, good answers, needless repeats, and the sum of what it charged."""
    async with ScriptedProvider(["server_error@2", "reset@3"]) as provider, ChatModel(provider.base_url, "m") as model:
        replies = await ask_all(model, "aabbcc")
        stats = provider.stats()
    assert (stats.received, stats.answered, stats.good, stats.prompts) == (6, 5, 4, 3)
    assert stats.duplicates == 1  # "a" was answered well twice
    assert stats.hits == {prompt_hash(prompt): 2 for prompt in "abc"}
    assert stats.good_hits == {prompt_hash("a"): 2, prompt_hash("b"): 1, prompt_hash("c"): 1}
    assert stats.acts == {"good": 4, "server_error": 1, "reset": 1}
    assert stats.billed_calls == 5  # the reset came after the work
    told = [json.loads(reply.body)["usage"] for reply in replies if isinstance(reply, RawReply) and reply.status == 200]
    assert len(told) == 4
    assert stats.billed_input_tokens == sum(usage["prompt_tokens"] for usage in told) * 5 // 4
    assert stats.first_arrival is not None
    assert stats.last_answer is not None
    assert stats.first_arrival <= stats.last_answer
    assert stats.in_flight == 0


async def test_the_cache_is_cold_once() -> None:
    """The first call pays the fixed part in full, the later ones find it in the cache."""
    async with ScriptedProvider() as provider, ChatModel(provider.base_url, "m") as model:
        await ask_all(model, "ab")
        billed = [hit.billed for hit in provider.hits]
    assert isinstance(billed[0], Usage)
    assert isinstance(billed[1], Usage)
    assert billed[0].cached_tokens == 0
    assert billed[1].cached_tokens == 256


async def test_the_fake_keeps_the_same_book() -> None:
    """In process and over HTTP, the same script leads to the same counts."""
    rules = ["server_error@2", "reset@3", "length@4"]
    fake = ScriptedModel(SystemClock(), rules)
    await ask_all(fake, "aabbccdd")
    async with ScriptedProvider(rules) as provider, ChatModel(provider.base_url, "m") as model:
        await ask_all(model, "aabbccdd")
        times: dict[str, None] = {"first_arrival": None, "last_answer": None}
        assert msgspec.structs.replace(provider.stats(), **times) == msgspec.structs.replace(fake.stats(), **times)


async def test_who_leaves_early_is_charged_and_not_counted_as_answered() -> None:
    """A provider does not take back the work on a call that was cancelled."""
    async with ScriptedProvider(latency=(0.1, 0.1)) as provider:
        async with ChatModel(provider.base_url, "m") as model:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await model.ask(make_question("a"))
            assert provider.stats().max_in_flight == 1
            await asyncio.sleep(0.15)
        stats = provider.stats()
    assert (stats.received, stats.answered, stats.billed_calls, stats.in_flight) == (1, 0, 1, 0)


async def test_it_sends_away_what_is_more_than_it_allows() -> None:
    """Beyond the calls in flight or within a window it says 429, and when to come again."""
    async with (
        ScriptedProvider(latency=(0.05, 0.05), in_flight=2) as provider,
        ChatModel(provider.base_url, "m") as model,
    ):
        replies = await asyncio.gather(*[model.ask(make_question(prompt)) for prompt in "abcde"])
        assert sorted(reply.status for reply in replies) == [200, 200, 429, 429, 429]
        assert {reply.headers.get("retry-after-ms") for reply in replies if reply.status == 429} == {"1001"}
    async with (
        ScriptedProvider(per_window=3, window=60, tell_when=False) as provider,
        ChatModel(provider.base_url, "m") as model,
    ):
        replies = await asyncio.gather(*[model.ask(make_question(prompt)) for prompt in "abcde"])
        assert sorted(reply.status for reply in replies) == [200, 200, 200, 429, 429]
        assert not any("retry-after-ms" in reply.headers for reply in replies)


async def test_it_wants_its_key() -> None:
    """Another key, or none, is refused."""
    async with ScriptedProvider(api_key=KEY) as provider:
        for key, status in ((Secret(KEY), 200), (Secret("sk-another"), 401), (None, 401)):
            async with ChatModel(provider.base_url, "m", api_key=key) as model:
                assert (await model.ask(make_question("a"))).status == status


async def test_its_log_has_a_line_for_each_request_and_no_key(tmp_path: Path) -> None:
    """Arrival, prompt, act, end and charge of each, whole lines at any time."""
    log = tmp_path / "hits.jsonl"
    async with (
        ScriptedProvider(["echo_key@2"], log=log) as provider,
        ChatModel(provider.base_url, "m", api_key=Secret(KEY)) as model,
    ):
        await ask_all(model, "ab")
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [line["prompt"] for line in lines] == [prompt_hash("a"), prompt_hash("b")]
    assert [line["act"] for line in lines] == ["good", "echo_key"]
    assert all(line["billed"]["input_tokens"] > 0 and line["arrived"] <= line["ended"] for line in lines)
    assert KEY not in log.read_text(encoding="utf-8")
    assert "user-agent" in lines[0]["headers"]


async def test_answers_take_the_time_they_are_told_to() -> None:
    """The latency lies between the two bounds, differs from prompt to prompt, and follows from the seed."""
    async with ScriptedProvider(latency=(0.02, 0.2), seed=1) as provider, ChatModel(provider.base_url, "m") as model:
        await asyncio.gather(*[model.ask(make_question(prompt)) for prompt in "abcdefgh"])
        taken = [hit.ended - hit.arrived for hit in provider.hits if hit.ended is not None]
    assert all(0.02 <= seconds < 1 for seconds in taken)
    assert len({round(seconds, 3) for seconds in taken}) > 4


async def test_a_question_that_is_none_is_refused() -> None:
    """What is no chat gets 400, what is nowhere 404, and neither is counted."""
    async with ScriptedProvider() as provider:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(provider.base_url.split(":")[2][:-3]))
        for request, status in (
            (b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 2\r\n\r\n[]", b"400"),
            (b"GET /v1/nothing HTTP/1.1\r\n\r\n", b"404"),
        ):
            writer.write(request)
            assert status in await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"}}")
        assert provider.stats().received == 0
        writer.close()


@contextmanager
def process(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The provider as a process of its own: its base URL, and the process."""
    command = [sys.executable, "-m", "citefidelity.testing.provider", "--with-parent", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        yield json.loads(running.stdout.readline())["base_url"], running
        running.stdin.close()


async def test_it_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    """It prints where it is, answers, tells its numbers to anyone who asks, and ends on SIGTERM."""
    log = tmp_path / "hits.jsonl"
    with process("--fault", "overloaded@2", "--log", str(log)) as (address, running):
        async with ChatModel(address, "m") as model:
            assert [getattr(reply, "status", 0) for reply in await ask_all(model, "ab")] == [200, 503]
        with urlopen(address.replace("/v1", "/stats")) as page:  # noqa: S310, ASYNC210 - on this machine, and quick
            stats = msgspec.json.decode(page.read(), type=Stats)
        assert (stats.received, stats.answered, stats.good) == (2, 2, 1)
        running.send_signal(signal.SIGTERM)
        assert running.wait(5) == 0
    assert len(log.read_text(encoding="utf-8").splitlines()) == 2


def test_it_ends_with_its_parent() -> None:
    """When whoever started it is gone, so is it."""
    with process() as (_, running):
        assert running.stdin is not None
        running.stdin.close()
        assert running.wait(5) == 0


async def test_it_answers_thousands_a_second() -> None:
    """It is no bottleneck for what it measures: a thousand answers cost it far less than a second."""
    async with ScriptedProvider() as provider, ChatModel(provider.base_url, "m") as model:
        began = time.process_time()
        for _ in range(10):
            await asyncio.gather(*[model.ask(make_question(str(number))) for number in range(100)])
        assert time.process_time() - began < 2
        assert provider.stats().good == 1_000


def test_every_act_says_something_or_breaks_the_connection() -> None:
    """An act that is meant to be a whole reply has a status, and its name is its key."""
    for name, act in ACTS.items():
        assert act.name == name
        assert 200 <= act.status < 600


async def test_the_fake_can_refuse_a_connection() -> None:
    """The one fault that no server can commit."""
    fake = ScriptedModel(SystemClock(), ["refused_connection@all"])
    with pytest.raises(CallFault) as caught:
        await fake.ask(make_question("a"))
    assert not caught.value.sent
    assert fake.stats().billed_calls == 0
