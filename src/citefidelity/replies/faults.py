"""The fault map: what follows from an answer that is no success, or from none at all. Pure.

Every fault ends in one of five actions. ``retry``: the same question again, after a time. ``push_back``: as retry,
but all calls wait and no attempt is used up. ``fail_context``: this context ends with the kind. ``degrade_format``: as
retry, asking for JSON in a less demanding way. ``stop_run``: the provider as a whole refuses, nothing is marked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

from citefidelity.facts import Billed
from citefidelity.kinds import FailureKind, ProviderFault
from citefidelity.ports import CallFault, RawReply
from citefidelity.replies.complaint import Complaint, read_complaint

Action = Literal["retry", "push_back", "fail_context", "degrade_format", "stop_run"]
Kind = FailureKind | ProviderFault
Ruling = tuple[Kind, Action]

LONGEST_WAIT = 86_400.0
"""Seconds; a provider that asks for more than a day has a clock that is wrong, or means "never"."""

NO_MONEY = re.compile(
    r"insufficient_(?:user_)?quota|insufficient[_ ]balance|credit_balance_exhausted|billing_(?:hard_limit|not_active)"
    r"|_(?:spend|usage)_limit_(?:exceeded|reached)|out of credits|not enough credits",
    re.IGNORECASE,
)
BAD_KEY = re.compile(r"(?:invalid|incorrect) api[ _-]?key|api[ _-]?key not valid", re.IGNORECASE)
NO_MODEL = re.compile(
    r"model_not_(?:found|exist)|model[ _]not[ _](?:exist|found)"
    r"|\bmodel\b.{0,120}?\b(?:does not exist|not found|is not available|(?:was|has been) (?:retired|removed))",
    re.IGNORECASE,
)
TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size_error|context_window_exceeded|string_above_max_length|^input_tokens$"
    r"|maximum context length|context length is only|longer than the maximum model length"
    r"|exceeds? the (?:available |model'?s |maximum )?context (?:size|length|window)"
    r"|max_tokens must be at least 1, got -|\bprompt is too long|request too large for",
    re.IGNORECASE,
)
FORMAT = re.compile(
    r"response_?format|json[ _]schema|json_object|grammar|guided_json|structured_outputs", re.IGNORECASE
)
FILTERED = re.compile(
    r"content_filter|content_policy_violation|responsible ?ai ?policy|content exists risk|invalid_prompt", re.IGNORECASE
)
PARAMETER_CODES = frozenset({"unsupported_parameter", "unsupported_value", "unknown_parameter"})
PARAMETERS = frozenset(
    {"temperature", "top_p", "seed", "max_tokens", "max_completion_tokens", "reasoning_effort", "thinking", "model"}
)

WHOLE_PROVIDER: Mapping[int, ProviderFault] = {
    401: ProviderFault.KEY_REJECTED,
    402: ProviderFault.NO_BALANCE,
    403: ProviderFault.FORBIDDEN,
    407: ProviderFault.UNREACHABLE,
}
ABOUT_THE_REQUEST = frozenset({400, 413, 415, 422})
MISSING = frozenset({404, 405, 410})
PASSING = frozenset({408, 409, 425})

PLAINLY: Mapping[Kind, str] = {
    ProviderFault.KEY_REJECTED: "the provider does not accept the key",
    ProviderFault.FORBIDDEN: "the provider forbids this",
    ProviderFault.NO_BALANCE: "the account has no money or quota left",
    ProviderFault.UNKNOWN_MODEL: "the provider does not know this model",
    ProviderFault.UNREACHABLE: "no chat completions are offered at this address",
    ProviderFault.REDIRECTED: "the server points elsewhere, and a key does not follow",
    ProviderFault.PARAMETER_REFUSED: "the model does not take a parameter of the spec",
    FailureKind.TOO_LONG: "the prompt is longer than the model takes",
    FailureKind.REFUSED: "the provider's filter declined",
    FailureKind.REJECTED: "the provider rejects this request",
    FailureKind.RATE_LIMITED: "the provider asks to slow down",
    FailureKind.SERVER_ERROR: "the provider has a fault of its own",
}

REMEDIES: Mapping[ProviderFault, str] = {
    ProviderFault.KEY_REJECTED: "Check the key in the environment or its *_FILE, and that this provider issued it.",
    ProviderFault.FORBIDDEN: "Check what the key may do: its project, region and allowed addresses.",
    ProviderFault.NO_BALANCE: "Top up the account or raise its limit, then run again: what is answered is kept.",
    ProviderFault.UNKNOWN_MODEL: "Check --model against the provider's list; a model may have been retired.",
    ProviderFault.UNREACHABLE: "Check --base-url (most end in /v1), the network and the proxy.",
    ProviderFault.REDIRECTED: "Give the address it points to as --base-url, if you trust it.",
    ProviderFault.PARAMETER_REFUSED: "Change that parameter in the spec, under a new --screening.",
    ProviderFault.OUTAGE: "Nothing is lost and nothing is marked. `citefidelity doctor` tells how it answers now; "
    "when it is well, run again.",
}
"""What to do about a fault that stops a run."""


class Fault(msgspec.Struct, frozen=True, gc=False):
    """What went wrong with one attempt, and what follows.

    ``retry_after`` is the provider's wish in seconds. ``billed`` is whether the attempt was paid for, as far as one
    can tell. ``message`` is short and holds neither prompt nor key.
    """

    kind: Kind
    action: Action
    message: str = ""
    billed: Billed = "unknown"
    retry_after: float | None = None


def classify(answer: RawReply | CallFault, *, now: float) -> Fault | None:
    """The fault in an answer, None for a success status (what it holds is read by ``completion``).

    ``now`` is the wall clock in seconds, for a ``Retry-After`` that is a date.
    """
    if isinstance(answer, CallFault):
        billed: Billed = "unknown" if answer.sent else "no"
        return Fault(FailureKind(answer.kind), "retry", answer.message, billed)
    if answer.status // 100 == 2:  # noqa: PLR2004 - the class of success
        return None
    complaint = read_complaint(answer.body)
    wait = retry_after(answer.headers, now)
    kind, action = _ruling(answer.status, complaint, wait)
    return Fault(kind, action, _message(kind, answer, complaint), _billed(answer.status, action), wait)


def account_fault(complaint: Complaint) -> ProviderFault | None:
    """The fault of the account that a complaint names, whatever status it came with."""
    if complaint.says(NO_MONEY):
        return ProviderFault.NO_BALANCE
    return ProviderFault.KEY_REJECTED if complaint.says(BAD_KEY) else None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """How long the provider asks to wait, in seconds: ``retry-after-ms``, or ``retry-after`` as seconds or a date."""
    seconds = _number(headers.get("retry-after-ms"))
    seconds = seconds / 1_000 if seconds is not None else _number(headers.get("retry-after"))
    if seconds is None:
        try:
            seconds = parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _ruling(  # noqa: PLR0911 - one line for each rule, the first that fits counts
    status: int, complaint: Complaint, wait: float | None
) -> Ruling:
    account = account_fault(complaint)
    if account is not None:
        return account, "stop_run"
    if complaint.says(TOO_LONG):
        return FailureKind.TOO_LONG, "fail_context"
    if status == 429 or (status == 503 and wait is not None):  # noqa: PLR2004 - statuses are best read as numbers
        return FailureKind.RATE_LIMITED, "push_back"
    if status in WHOLE_PROVIDER:
        return WHOLE_PROVIDER[status], "stop_run"
    if 300 <= status < 400:  # noqa: PLR2004 - the class of redirects
        return ProviderFault.REDIRECTED, "stop_run"
    if status in ABOUT_THE_REQUEST:
        return _about_the_request(complaint)
    if status in MISSING:
        known = complaint.says(NO_MODEL) or complaint.param == "model"
        return ProviderFault.UNKNOWN_MODEL if known else ProviderFault.UNREACHABLE, "stop_run"
    if status in {500, 501} and complaint.says(FORMAT):
        return FailureKind.REJECTED, "degrade_format"
    if status >= 500 or status in PASSING:  # noqa: PLR2004 - the class of server faults
        return FailureKind.SERVER_ERROR, "retry"
    return FailureKind.REJECTED, "fail_context"


def _about_the_request(complaint: Complaint) -> Ruling:
    """400, 413, 422: the fault of this context, or of what all requests have in common."""
    if complaint.says(FORMAT):
        return FailureKind.REJECTED, "degrade_format"
    if complaint.says(FILTERED):
        return FailureKind.REFUSED, "fail_context"
    if complaint.says(NO_MODEL):
        return ProviderFault.UNKNOWN_MODEL, "stop_run"
    if complaint.code in PARAMETER_CODES or complaint.param in PARAMETERS:
        return ProviderFault.PARAMETER_REFUSED, "stop_run"
    return FailureKind.REJECTED, "fail_context"


def _message(kind: Kind, reply: RawReply, complaint: Complaint) -> str:
    words = complaint.message or complaint.code or complaint.type
    target = reply.headers.get("location") if kind is ProviderFault.REDIRECTED else None
    if target:
        words = "to " + target.partition("?")[0][:100]
    return f"{PLAINLY[kind]} (HTTP {reply.status}{': ' if words else ''}{words})"


def _billed(status: int, action: Action) -> Billed:
    """A refusal costs nothing; behind a gateway's fault, and behind a server's own, the model may have answered."""
    return "unknown" if (status >= 500 and action == "retry") or status == 408 else "no"  # noqa: PLR2004 - as above


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
