"""The closed table of kinds: how a context can fail, why a citation cannot be delivered, what a call can run into.

``docs/failures.md`` shows the same table to people; a test holds the two together.
"""

from __future__ import annotations

from enum import StrEnum


class FailureKind(StrEnum):
    """How a context can end without a verdict."""

    NO_EVIDENCE = "no_evidence"
    """Unassessable: there is no passage of the cited article to judge by. No call was made."""
    UNREADABLE_REPLY = "unreadable_reply"
    """The model answered twice, and neither answer was the JSON object asked for."""
    REFUSED = "refused"
    """The model or the provider's filter declined to answer."""
    TOO_LONG = "too_long"
    """The prompt is longer than the model takes; the citing text is never cut."""
    TRUNCATED = "truncated"
    """The answer hit the token limit, and hit the larger one too."""
    REJECTED = "rejected"
    """The provider rejects this very request (400, 413, 422)."""
    TIMEOUT = "timeout"
    """No complete reply within the total deadline."""
    CONNECTION = "connection"
    """The connection could not be made, or broke before the reply was whole."""
    SERVER_ERROR = "server_error"
    """The provider reported a fault of its own (5xx)."""
    RATE_LIMITED = "rate_limited"
    """The provider asked to slow down (429)."""
    BAD_REPLY = "bad_reply"
    """A success status without a chat completion: HTML, no choices, cut off, blank."""
    ABANDONED = "abandoned"
    """The run stopped while the call was in flight, and did not wait for it."""


PERMANENT = frozenset(
    {
        FailureKind.UNREADABLE_REPLY,
        FailureKind.REFUSED,
        FailureKind.TOO_LONG,
        FailureKind.TRUNCATED,
        FailureKind.REJECTED,
    }
)
"""Kinds that another try would not mend. The others become permanent after three runs."""


class UndeliverableKind(StrEnum):
    """Why a citation cannot be brought to the store."""

    EDGE_GONE = "edge_gone"
    """The citation is no longer in the store."""
    EDGE_DOUBLED = "edge_doubled"
    """More than one edge has this key, so no write can name the right one."""
    TOO_LARGE = "too_large"
    """The store refuses so large a write."""
    UNREADABLE_RECORD = "unreadable_record"
    """The contexts in the store are not a list of contexts."""


class ProviderFault(StrEnum):
    """A fault of the provider as a whole: it stops the run and marks no context."""

    KEY_REJECTED = "key_rejected"
    FORBIDDEN = "forbidden"
    NO_BALANCE = "no_balance"
    UNKNOWN_MODEL = "unknown_model"
    OUTAGE = "outage"
    UNREACHABLE = "unreachable"
    REDIRECTED = "redirected"
    PARAMETER_REFUSED = "parameter_refused"
    """The model does not take a parameter of the spec, such as its temperature: no context would get through."""
