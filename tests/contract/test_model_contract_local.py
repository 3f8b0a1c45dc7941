"""The part of the models' contract that needs no script, with the real llama.cpp server among those that keep it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from citefidelity.clock import SystemClock
from citefidelity.errors import UsageError
from citefidelity.kinds import FailureKind
from citefidelity.models.chat import ChatModel
from citefidelity.models.local import LOCAL_MODEL, find_weights, local_server
from citefidelity.ports import Model, Question
from citefidelity.replies.completion import Completion, read_completion
from citefidelity.replies.faults import classify
from citefidelity.replies.reply import read_reply, reply_schema
from citefidelity.specs.spec import builtin_spec
from citefidelity.testing.model import ScriptedModel
from citefidelity.testing.provider import ScriptedProvider

SPEC = msgspec.structs.replace(builtin_spec(), provider="local", model=LOCAL_MODEL)


def has_local_model() -> bool:
    """Whether the extra is installed."""
    try:
        find_weights()
    except UsageError:
        return False
    return True


NEEDS_LOCAL = pytest.mark.skipif(not has_local_model(), reason="the extra `local` is not installed")


@pytest.fixture(params=["fake", "http", pytest.param("llama.cpp", marks=NEEDS_LOCAL)])
async def model(request: pytest.FixtureRequest) -> AsyncIterator[Model]:
    """Each model in turn."""
    if request.param == "fake":
        yield ScriptedModel(SystemClock(), latency=(0.05, 0.05))
    elif request.param == "http":
        async with ScriptedProvider(latency=(0.05, 0.05)) as provider, ChatModel(provider.base_url, "m") as client:
            yield client
    else:
        async with local_server(context_tokens=1_024) as base_url, ChatModel(base_url, LOCAL_MODEL) as client:
            yield client


def make_question(variable: str, limit: int = 400) -> Question:
    """A question in the form that the program asks."""
    fixed = "Does the passage support the claim? Answer with one JSON object."
    return Question(fixed=fixed, variable=variable, schema=reply_schema(SPEC), max_output_tokens=limit)


async def answer(model: Model, variable: str, limit: int = 400) -> Completion:
    """The completion to one question; a fault of the provider fails the test."""
    reply = await model.ask(make_question(variable, limit))
    assert classify(reply, now=0.0) is None, reply
    return read_completion(reply)


async def test_an_answer_can_be_read_by_the_program(model: Model) -> None:
    """Asked with the program's own schema, it says a verdict, what it cost, why it ended and who answered."""
    completion = await answer(model, "Claim: aspirin lowers the risk. Passage: aspirin lowered the risk by 12 %.")
    assert completion.fault is None
    verdict = read_reply(completion.content, SPEC)
    assert verdict.category in SPEC.categories
    assert completion.finish_reason == "stop"
    assert completion.answering_model
    assert completion.request_id
    assert (completion.usage.input_tokens or 0) > 10
    assert (completion.usage.output_tokens or 0) > 10


async def test_a_cancelled_call_leaves_the_model_usable(model: Model) -> None:
    """One of two calls is given up; the other one and the next are answered."""
    given_up = asyncio.ensure_future(model.ask(make_question("Claim: one.")))
    kept = asyncio.ensure_future(answer(model, "Claim: two.", 30))
    await asyncio.sleep(0.02)
    given_up.cancel()
    assert (await kept).usage.output_tokens
    assert (await answer(model, "Claim: three.", 30)).usage.output_tokens
    assert isinstance((await asyncio.gather(given_up, return_exceptions=True))[0], asyncio.CancelledError)


@NEEDS_LOCAL
async def test_llama_cpp_speaks_as_the_fault_map_expects() -> None:
    """The real server's own words for a prompt that is too long, an answer that is cut, and a schema it cannot take."""
    async with local_server(context_tokens=512) as base_url, ChatModel(base_url, LOCAL_MODEL) as client:
        long = classify(await client.ask(make_question("word " * 3_000)), now=0.0)
        cut = await client.ask(make_question("Claim: one.", 5))
        odd_schema = msgspec.structs.replace(make_question("x"), schema={"properties": {"a": {"type": "odd"}}})
        odd = classify(await client.ask(odd_schema), now=0.0)
    assert long is not None
    assert (long.kind, long.action) == (FailureKind.TOO_LONG, "fail_context")
    truncated = read_completion(cut).fault
    assert truncated is not None
    assert truncated.kind is FailureKind.TRUNCATED
    assert odd is not None
    assert odd.action == "degrade_format"
