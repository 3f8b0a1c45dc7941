"""Reading a completion: strict about the answer, lenient about what stands beside it, and never raising."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citefidelity.kinds import FailureKind, ProviderFault
from citefidelity.ports import RawReply
from citefidelity.records import Usage
from citefidelity.replies.completion import read_completion


def make_document(**changes: Any) -> dict[str, Any]:
    """A whole, good completion as OpenAI sends it."""
    return {
        "id": "chatcmpl-1",
        "model": "gpt-x-2026-08-01",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "{}"}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 1_200,
            "completion_tokens": 80,
            "prompt_tokens_details": {"cached_tokens": 1_024},
            "completion_tokens_details": {"reasoning_tokens": 16},
        },
    } | changes


def make_reply(document: object, **headers: str) -> RawReply:
    """A success with this document as its body."""
    return RawReply(
        200, msgspec.json.encode(document), {name.replace("_", "-"): text for name, text in headers.items()}
    )


def test_everything_that_an_answer_tells_is_kept() -> None:
    """Content, usage, the answering model, the fingerprint, the reason and the request id are read."""
    completion = read_completion(make_reply(make_document(), x_request_id="req_7"))
    assert completion.fault is None
    assert completion.content == "{}"
    assert completion.finish_reason == "stop"
    assert completion.usage == Usage(1_200, 80, 1_024, 16)
    assert completion.answering_model == "gpt-x-2026-08-01"
    assert completion.system_fingerprint == "fp_1"
    assert completion.request_id == "req_7"
    assert completion.refusal is None


def test_deepseek_counts_its_cache_in_its_own_field() -> None:
    """``prompt_cache_hit_tokens`` is the cached part where the other field is missing."""
    usage = {"prompt_tokens": 900, "completion_tokens": 50, "prompt_cache_hit_tokens": 832}
    assert read_completion(make_reply(make_document(usage=usage))).usage == Usage(900, 50, 832, None)


def test_the_completion_id_stands_in_for_a_request_id() -> None:
    """Without a header that names the request, its own id does."""
    assert read_completion(make_reply(make_document())).request_id == "chatcmpl-1"


@pytest.mark.parametrize("before", [b"\n\n\n", b"  \r\n", b": keep-alive\n\n: keep-alive\n\n", b"\n: wait\r\n\n"])
def test_what_a_provider_sends_while_one_waits_is_skipped(before: bytes) -> None:
    """Blank lines and comments before the JSON do not cost the answer."""
    assert read_completion(RawReply(200, before + msgspec.json.encode(make_document()), {})).fault is None


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage()),
        ([], Usage()),
        ("many", Usage()),
        ({"prompt_tokens": "12", "completion_tokens": True}, Usage()),
        ({"prompt_tokens": 12.0, "completion_tokens": 1.5}, Usage(12)),
        ({"prompt_tokens": -1, "completion_tokens": 10**40}, Usage()),
        ({"prompt_tokens": 12, "prompt_tokens_details": None, "completion_tokens_details": 3}, Usage(12)),
        ({"prompt_tokens": 12, "prompt_tokens_details": {"cached_tokens": 0}, "prompt_cache_hit_tokens": 9},
         Usage(12, None, 0)),
    ],
)  # fmt: skip
def test_a_wrong_usage_costs_no_answer(usage: object, expected: Usage) -> None:
    """What is no count is unknown, and the answer stands."""
    completion = read_completion(make_reply(make_document(usage=usage)))
    assert completion.fault is None
    assert completion.usage == expected


def test_a_bad_answer_keeps_what_it_cost() -> None:
    """An answer that cannot be used was billed all the same."""
    choices = [{"message": {"content": None}, "finish_reason": "stop"}]
    completion = read_completion(make_reply(make_document(choices=choices)))
    assert completion.usage.output_tokens == 80
    assert completion.fault is not None
    assert (completion.fault.kind, completion.fault.billed) == (FailureKind.BAD_REPLY, "yes")


def test_half_a_character_is_a_bad_reply_that_was_billed() -> None:
    """A lone surrogate cannot be written down; the usage beside it is still read."""
    body = msgspec.json.encode(make_document()).replace(b'"{}"', b'"\\ud83d"')
    completion = read_completion(RawReply(200, body, {}))
    assert completion.fault is not None
    assert completion.fault.kind is FailureKind.BAD_REPLY
    assert completion.fault.billed == "yes"
    assert completion.content == ""


def test_the_limit_counts_before_the_blank_content() -> None:
    """A model that spends the whole limit on thinking is truncated, not silent."""
    choices = [{"message": {"content": ""}, "finish_reason": "length"}]
    fault = read_completion(make_reply(make_document(choices=choices))).fault
    assert fault is not None
    assert fault.kind is FailureKind.TRUNCATED


def test_an_empty_account_is_seen_behind_a_success_status() -> None:
    """A gateway that wraps the upstream's refusal in a 200 stops the run all the same."""
    body = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    fault = read_completion(make_reply(body)).fault
    assert fault is not None
    assert (fault.kind, fault.action) == (ProviderFault.NO_BALANCE, "stop_run")


def test_names_that_others_chose_stay_short_and_on_one_line() -> None:
    """A model name of a megabyte, or one with control characters, does no harm in a report."""
    completion = read_completion(make_reply(make_document(model="m" * 100_000, system_fingerprint="a\x1b[2J\nb")))
    assert completion.answering_model is not None
    assert len(completion.answering_model) <= 200
    assert completion.system_fingerprint is not None
    assert completion.system_fingerprint.isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(list(make_document())), inner),
    max_leaves=20,
)


@given(st.binary() | JSON.map(msgspec.json.encode))
def test_no_body_makes_it_raise(body: bytes) -> None:
    """Any bytes give a completion, and one without content has a fault."""
    completion = read_completion(RawReply(200, body, {}))
    assert (completion.fault is None) == bool(completion.content.strip())


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "choices": JSON | st.lists(st.fixed_dictionaries({}, optional={"message": JSON, "finish_reason": JSON})),
            "usage": JSON,
            "model": JSON,
            "id": JSON,
            "error": JSON,
        },
    )
)
def test_no_shape_makes_it_raise(changes: dict[str, Any]) -> None:
    """Any JSON in any place gives a completion, with a fault unless there is content."""
    completion = read_completion(make_reply(make_document(**changes)))
    assert completion.fault is not None or completion.content.strip()
