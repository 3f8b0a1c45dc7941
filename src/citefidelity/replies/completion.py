"""Reads a chat completion out of a reply with a success status. Pure.

Strict about the shape of the answer, lenient about everything beside it: a wrong type in the usage must not cost an
answer that was paid for, and the usage is read even where the answer is not usable.
"""

from __future__ import annotations

from typing import Any

import msgspec

from citefidelity.facts import Billed
from citefidelity.kinds import FailureKind
from citefidelity.pacing.tokens import is_cut_short
from citefidelity.ports import RawReply
from citefidelity.records import Usage
from citefidelity.replies.complaint import complaint_in, parse, presentable, read_complaint
from citefidelity.replies.faults import Fault, account_fault

MOST_TOKENS = 2**53
REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-ds-trace-id")


class Completion(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a reply says. ``content`` can be used where ``fault`` is None; the rest is kept in any case."""

    content: str = ""
    finish_reason: str | None = None
    usage: Usage = Usage()
    answering_model: str | None = None
    system_fingerprint: str | None = None
    request_id: str | None = None
    refusal: str | None = None
    fault: Fault | None = None


def read_completion(reply: RawReply) -> Completion:
    """The completion in a reply with a success status; never raises, whatever the body is."""
    document = parse(reply.body)
    if not isinstance(document, dict):
        what = "JSON, but no object" if document is not None else read_complaint(reply.body).message
        return Completion(request_id=_request_id(reply, {}), fault=_bad(f"the body is {what}", "unknown"))
    choices = document.get("choices")
    choice = _dict(choices[0]) if isinstance(choices, list) and choices else {}
    message = _dict(choice.get("message"))
    content = message.get("content")
    completion = Completion(
        content=content if isinstance(content, str) and _is_text(content) else "",
        finish_reason=_name(choice.get("finish_reason")),
        usage=_usage(_dict(document.get("usage"))),
        answering_model=_name(document.get("model")),
        system_fingerprint=_name(document.get("system_fingerprint")),
        request_id=_request_id(reply, document),
        refusal=_name(message.get("refusal")),
    )
    billed: Billed = "unknown" if completion.usage == Usage() else "yes"
    fault = _fault(completion, content, billed) if choice else _without_choice(document, billed)
    return completion if fault is None else msgspec.structs.replace(completion, fault=fault)


def cut_short(completion: Completion, prompt: str) -> Fault | None:
    """The fault of a server that read only a part of the prompt: a verdict on a part is one on something else."""
    if not is_cut_short(completion.usage, prompt):
        return None
    message = (
        f"the server read no more than {completion.usage.input_tokens:,} tokens of the prompt, which has more: it cuts "
        "what is longer than its context without a word. Give the model a larger context (num_ctx)"
    )
    return Fault(FailureKind.TOO_LONG, "fail_context", message, billed="yes")


def added(one: Usage, other: Usage) -> Usage:
    """What two attempts used together, as far as it was told."""

    def add(a: int | None, b: int | None) -> int | None:
        return b if a is None else a if b is None else a + b

    if one == Usage():
        return other
    return msgspec.structs.replace(
        one,
        input_tokens=add(one.input_tokens, other.input_tokens),
        output_tokens=add(one.output_tokens, other.output_tokens),
        cached_tokens=add(one.cached_tokens, other.cached_tokens),
        reasoning_tokens=add(one.reasoning_tokens, other.reasoning_tokens),
    )


def _fault(completion: Completion, content: object, billed: Billed) -> Fault | None:
    reason = completion.finish_reason
    if reason == "content_filter" or completion.refusal:
        return Fault(FailureKind.REFUSED, "fail_context", f"declined: {completion.refusal or reason}", billed)
    if reason == "length":
        # Before the look at the content: a model that thinks may spend the whole limit and say nothing.
        return Fault(FailureKind.TRUNCATED, "retry", "the answer hit the token limit", billed)
    if reason in {"insufficient_system_resource", "error"}:
        return Fault(FailureKind.SERVER_ERROR, "retry", f"the provider broke off ({reason})", billed)
    if not isinstance(content, str):
        return _bad(f"the content is {type(content).__name__}, not text", billed)
    if not completion.content.strip():
        return _bad("the content holds half a character" if content.strip() else "the content is blank", billed)
    return None


def _without_choice(document: dict[Any, Any], billed: Billed) -> Fault:
    if document.get("error") is None:
        return _bad("it has no choices", billed)
    complaint = complaint_in(document)
    account = account_fault(complaint)
    words = complaint.message or complaint.code or complaint.type
    if account is not None:
        return Fault(account, "stop_run", f"an error with a success status: {words}", "no")
    return _bad(f"it is an error: {words}", billed)


def _bad(what: str, billed: Billed) -> Fault:
    return Fault(FailureKind.BAD_REPLY, "retry", f"a success status without a chat completion: {what}", billed)


def _usage(usage: dict[Any, Any]) -> Usage:
    cached = _count(_dict(usage.get("prompt_tokens_details")).get("cached_tokens"))
    return Usage(
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_count(usage.get("prompt_cache_hit_tokens")) if cached is None else cached,
        reasoning_tokens=_count(_dict(usage.get("completion_tokens_details")).get("reasoning_tokens")),
    )


def _count(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_TOKENS:
        return None
    return value


def _request_id(reply: RawReply, document: dict[Any, Any]) -> str | None:
    for header in REQUEST_ID_HEADERS:
        if header in reply.headers:
            return _name(reply.headers[header])
    return _name(document.get("id"))


def _name(value: object) -> str | None:
    """A name that someone else chose: short, one line, or none."""
    return presentable(value) or None if isinstance(value, str) else None


def _dict(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _is_text(content: str) -> bool:
    """Whether it can be written down: half of a surrogate pair cannot."""
    try:
        content.encode()
    except UnicodeEncodeError:
        return False
    return True
