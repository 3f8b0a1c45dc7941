"""The fault map: every fault that a provider is known to commit ends in what the design says, and none is left out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import pytest

from citefidelity.kinds import FailureKind, ProviderFault
from citefidelity.ports import CallFault, RawReply
from citefidelity.replies.completion import Completion, read_completion
from citefidelity.replies.faults import PLAINLY, REMEDIES, Action, Fault, classify, retry_after
from citefidelity.replies.reply import UnreadableReply, read_reply
from citefidelity.specs.spec import builtin_spec
from citefidelity.testing.answers import Choices, verdict_for
from citefidelity.testing.faults import ACTS
from citefidelity.testing.hits import Hit

NOW = 1_790_000_000.0
F, P = FailureKind, ProviderFault

MADE_ELSEWHERE = {
    F.NO_EVIDENCE,  # before anything is asked
    F.TIMEOUT,  # by the deadline
    F.ABANDONED,  # when a run stops
    P.OUTAGE,  # by the breaker, from many faults
}


class End(NamedTuple):
    """How an act ends: kind, action, and whether it was billed as far as we can know."""

    kind: FailureKind | ProviderFault
    action: Action
    billed: str


GOOD = "good"
UNREADABLE = End(F.UNREADABLE_REPLY, "retry", "yes")
BAD_UNPAID = End(F.BAD_REPLY, "retry", "unknown")
BAD_PAID = End(F.BAD_REPLY, "retry", "yes")
BROKEN = End(F.CONNECTION, "retry", "unknown")
SILENT = "silent"

EXPECTED: dict[str, End | str] = {
    "bad_request": End(F.REJECTED, "fail_context", "no"),
    "too_long_openai": End(F.TOO_LONG, "fail_context", "no"),
    "too_long_vllm": End(F.TOO_LONG, "fail_context", "no"),
    "too_long_llamacpp": End(F.TOO_LONG, "fail_context", "no"),
    "format_refused": End(F.REJECTED, "degrade_format", "no"),
    "parameter_refused": End(P.PARAMETER_REFUSED, "stop_run", "no"),
    "filtered": End(F.REFUSED, "fail_context", "no"),
    "model_not_exist": End(P.UNKNOWN_MODEL, "stop_run", "no"),
    "key_rejected": End(P.KEY_REJECTED, "stop_run", "no"),
    "no_balance": End(P.NO_BALANCE, "stop_run", "no"),
    "forbidden": End(P.FORBIDDEN, "stop_run", "no"),
    "unknown_model": End(P.UNKNOWN_MODEL, "stop_run", "no"),
    "wrong_path": End(P.UNREACHABLE, "stop_run", "no"),
    "request_timeout": End(F.SERVER_ERROR, "retry", "unknown"),
    "conflict": End(F.SERVER_ERROR, "retry", "no"),
    "too_large": End(F.REJECTED, "fail_context", "no"),
    "unprocessable": End(F.REJECTED, "fail_context", "no"),
    "too_early": End(F.SERVER_ERROR, "retry", "no"),
    "rate_limited": End(F.RATE_LIMITED, "push_back", "no"),
    "rate_limited_seconds": End(F.RATE_LIMITED, "push_back", "no"),
    "rate_limited_ms": End(F.RATE_LIMITED, "push_back", "no"),
    "rate_limited_date": End(F.RATE_LIMITED, "push_back", "no"),
    "request_too_large_for_rate": End(F.TOO_LONG, "fail_context", "no"),
    "no_quota": End(P.NO_BALANCE, "stop_run", "no"),
    "spend_limit": End(P.NO_BALANCE, "stop_run", "no"),
    "server_error": End(F.SERVER_ERROR, "retry", "unknown"),
    "bad_gateway": End(F.SERVER_ERROR, "retry", "unknown"),
    "overloaded": End(F.SERVER_ERROR, "retry", "unknown"),
    "overloaded_seconds": End(F.RATE_LIMITED, "push_back", "no"),
    "gateway_timeout": End(F.SERVER_ERROR, "retry", "unknown"),
    "overloaded_529": End(F.SERVER_ERROR, "retry", "unknown"),
    "redirect": End(P.REDIRECTED, "stop_run", "no"),
    "redirect_away": End(P.REDIRECTED, "stop_run", "no"),
    "good": GOOD,
    "blank_then_good": GOOD,
    "comments_then_good": GOOD,
    "trickle": GOOD,
    "unfinished": GOOD,
    "huge_headers": GOOD,  # without a socket; over one, the client's limit ends it
    "blank_then_nothing": BAD_UNPAID,
    "blank_then_reset": BROKEN,
    "truncated": BROKEN,
    "reset_middle": BROKEN,
    "silence_middle": SILENT,
    "closed": BROKEN,
    "reset": BROKEN,
    "silence": SILENT,
    "not_http": BROKEN,
    "refused_connection": End(F.CONNECTION, "retry", "no"),
    "html": BAD_UNPAID,
    "empty": BAD_UNPAID,
    "only_spaces": BAD_UNPAID,
    "error_object": BAD_UNPAID,
    "not_json": BAD_UNPAID,
    "json_list": BAD_UNPAID,
    "json_text": BAD_UNPAID,
    "half_json": BAD_UNPAID,
    "bad_utf8": BAD_UNPAID,
    "deep_json": BAD_UNPAID,
    "huge_number": BAD_UNPAID,
    "oversize": BAD_UNPAID,
    "gzip_bomb": BAD_UNPAID,
    "choices_null": BAD_PAID,
    "choices_empty": BAD_PAID,
    "choices_text": BAD_PAID,
    "choice_null": BAD_PAID,
    "message_null": BAD_PAID,
    "content_null": BAD_PAID,
    "content_list": BAD_PAID,
    "content_number": BAD_PAID,
    "no_usage": GOOD,
    "odd_usage": GOOD,
    "length": End(F.TRUNCATED, "retry", "yes"),
    "length_blank": End(F.TRUNCATED, "retry", "yes"),
    "content_filter": End(F.REFUSED, "fail_context", "yes"),
    "refusal": End(F.REFUSED, "fail_context", "yes"),
    "no_resource": End(F.SERVER_ERROR, "retry", "yes"),
    "other_model": GOOD,
    "blank": BAD_PAID,
    "code_fence": GOOD,
    "trailing_text": UNREADABLE,
    "leading_text": UNREADABLE,
    "half_verdict": UNREADABLE,
    "plain_refusal": UNREADABLE,
    "unknown_category": UNREADABLE,
    "wrong_case": UNREADABLE,
    "unknown_type": UNREADABLE,
    "list_for_text": UNREADABLE,
    "missing_field": UNREADABLE,
    "extra_field": UNREADABLE,
    "nan_confidence": UNREADABLE,
    "high_confidence": UNREADABLE,
    "text_confidence": UNREADABLE,
    "duplicate_keys": UNREADABLE,
    "long_justification": UNREADABLE,
    "verdict_list": UNREADABLE,
    "echo_key": UNREADABLE,
    "echo_key_refused": End(P.KEY_REJECTED, "stop_run", "no"),
    "echo_key_escaped": End(F.REJECTED, "fail_context", "no"),
    "echo_key_header": End(F.SERVER_ERROR, "retry", "unknown"),
    "echo_key_redirect": End(P.REDIRECTED, "stop_run", "no"),
    "echo_key_not_http": BROKEN,
    "echo_key_cut": BROKEN,
}


def make_hit(variable: str = "Is this supported?") -> Hit:
    """A hit with one prompt, the first of all."""
    hit = Hit(fixed="You judge.", variable=variable, model="m", choices=Choices(), arrived=0.0)
    hit.total = hit.number = hit.prompt_number = 1
    return hit


def end_of(outcome: RawReply | CallFault) -> End | str:
    """What the program makes of an outcome, from the status to the verdict."""
    fault = classify(outcome, now=NOW)
    if fault is None and isinstance(outcome, RawReply):
        completion = read_completion(outcome)
        fault = completion.fault or unreadable(completion)
    return GOOD if fault is None else End(fault.kind, fault.action, fault.billed)


def unreadable(completion: Completion) -> Fault | None:
    """The fault of a content that is no verdict."""
    try:
        read_reply(completion.content, builtin_spec())
    except UnreadableReply:
        return Fault(F.UNREADABLE_REPLY, "retry", billed="yes")
    return None


@pytest.mark.parametrize("name", ACTS)
def test_each_fault_ends_as_the_map_says(name: str) -> None:
    """Every scripted fault ends in its kind, its action and its billing."""
    outcome = ACTS[name].outcome(make_hit())
    assert (SILENT if outcome is None else end_of(outcome)) == EXPECTED[name]


def test_the_map_leaves_nothing_out() -> None:
    """Every act is in the table, and every kind is reached by one or made in a place that is named."""
    assert set(ACTS) == set(EXPECTED)
    reached = {end.kind for end in EXPECTED.values() if isinstance(end, End)}
    assert reached | MADE_ELSEWHERE == {*FailureKind, *ProviderFault}
    assert not reached & MADE_ELSEWHERE


@pytest.mark.parametrize("status", [*range(300, 309), *range(400, 452), *range(500, 530), 100, 199, 600, 999])
def test_every_status_has_a_ruling(status: int) -> None:
    """No status that is no success goes unclassified, whatever comes with it."""
    fault = classify(RawReply(status, b"", {}), now=NOW)
    assert fault is not None
    assert str(status) in fault.message


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_a_success_status_is_no_fault_by_itself(status: int) -> None:
    """What a success holds is not the business of the fault map."""
    assert classify(RawReply(status, b"", {}), now=NOW) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e300"}, 86_400.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 86_400.0),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0.0),
        ({"retry-after": datetime.fromtimestamp(NOW + 9, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")}, 9.0),
        ({"retry-after": "Mon, 99 Foo 2001 00:00:00 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds and dates are understood, nonsense is ignored, and no wait is endless."""
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 65536 tokens. However, you requested 70000 tokens.",
        "max_tokens must be at least 1, got -186.",
        "The decoder prompt (length 9000) is longer than the maximum model length of 4096.",
        "the request exceeds the available context size. try increasing the context size or enable context shift",
        "the input length exceeds the context length",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ],
)
@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_a_prompt_that_is_too_long_is_known_by_many_words(message: str, status: int) -> None:
    """The messages of OpenAI, DeepSeek, vLLM, llama.cpp and Ollama all mean ``too_long``."""
    body = msgspec.json.encode({"error": {"message": message, "code": status}})
    fault = classify(RawReply(status, body, {}), now=NOW)
    assert fault is not None
    assert (fault.kind, fault.action) == (F.TOO_LONG, "fail_context")


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this "
                   "model.", "param": None}},
        {"error": {"message": "Invalid schema", "param": "response_format"}},
        {"error": {"message": "Failed to initialize samplers: failed to parse grammar", "code": 400}},
        {"detail": [{"loc": ["body", "response_format", "type"], "msg": "Input should be 'json_object'"}]},
        {"object": "error", "message": "guided_json is not supported", "type": "BadRequestError", "code": 400},
        {"error": "json_schema is unavailable now"},
        {"error": {"code": 400, "message": "Unable to generate parser for this template. Automatic parser generation "
                   "failed: JSON schema error at #/properties/a: unrecognized type x"}},
    ],
)  # fmt: skip
def test_a_refused_format_is_given_up(body: dict[str, object]) -> None:
    """An error that names the structured output is no fault of the context, in every dialect."""
    fault = classify(RawReply(400, msgspec.json.encode(body), {}), now=NOW)
    assert fault is not None
    assert fault.action == "degrade_format"


def test_messages_are_short_plain_and_without_the_prompt() -> None:
    """What a provider says is cut to one printable line, and a validation error's copy of the request is left out."""
    prompt = "The citing text that must not be repeated."
    loud = msgspec.json.encode({"error": {"message": "Bad\x1b[31m\nthing " + "x" * 5_000}})
    detail = [{"loc": ["body", "messages"], "msg": f"Wrong, input_value='{prompt}'", "input": prompt}]
    pydantic = msgspec.json.encode({"detail": detail})
    for body in (loud, pydantic, prompt.encode() * 100, b"<html>" + prompt.encode()):
        fault = classify(RawReply(400, body, {}), now=NOW)
        assert fault is not None
        assert fault.message.isprintable()
        assert len(fault.message) < 300
        assert prompt not in fault.message


def test_a_redirect_names_where_to_without_its_query() -> None:
    """The address may hold a session or an echo after its question mark."""
    fault = classify(RawReply(302, b"", {"location": "https://sso.example.org/in?token=abc"}), now=NOW)
    assert fault is not None
    assert "https://sso.example.org/in" in fault.message
    assert "token" not in fault.message


def test_what_stops_a_run_says_what_to_do() -> None:
    """Every fault of the provider as a whole has a remedy, and every kind that is found has plain words."""
    assert set(REMEDIES) == set(ProviderFault)
    found = {end.kind for end in EXPECTED.values() if isinstance(end, End)}
    assert set(ProviderFault) - {P.OUTAGE} <= set(PLAINLY)
    assert found & set(PLAINLY)


def test_the_good_answer_follows_from_the_prompt() -> None:
    """Two prompts have two answers, so that a swap shows; one prompt has one."""
    one, other = make_hit("a"), make_hit("b")
    assert verdict_for(one.prompt) == verdict_for(make_hit("a").prompt)
    assert verdict_for(one.prompt) != verdict_for(other.prompt)
