"""What the journal holds: facts, each appended once and never changed.

Nothing is ever "in progress": what is still to do follows from what the store has to do and what is settled here.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from citefidelity.records import CitationKey, Outcome, Usage

Billed = Literal["yes", "no", "unknown"]


class Began(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A run began. ``spec`` is the whole spec of the screening as JSON. Times are seconds since the epoch."""

    run: str
    screening: str
    spec: str
    fingerprint: str
    program: str
    host: str
    pid: int
    at: float


class Stopped(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A run came to its end by itself; ``why`` is the ``stopped`` of its report."""

    run: str
    why: str
    at: float


class Asked(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An attempt is about to leave. ``prompt`` is the rendered variable part, kept once per input hash.

    ``manner`` says what differs from the spec's usual request (a larger token limit, no schema), or is None.
    """

    attempt: int
    run: str
    screening: str
    key: CitationKey
    instance_id: str
    input_hash: bytes
    prompt: str
    at: float
    manner: str | None = None


class Ended(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An attempt ended: with a reply (``status``, ``body`` as received) or a fault, or with both.

    ``fault`` is a failure kind or a provider fault, None when the reply was good. ``seconds`` is from the request
    to the end of the reply. ``sent`` is false when no byte of the request left.
    """

    attempt: int
    at: float
    seconds: float
    sent: bool = True
    status: int | None = None
    body: bytes | None = None
    fault: str | None = None
    message: str | None = None
    billed: Billed = "unknown"
    usage: Usage = Usage()
    cost_usd: float | None = None
    answering_model: str | None = None
    system_fingerprint: str | None = None
    finish_reason: str | None = None
    request_id: str | None = None


class Settled(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How a context ended. A transient failure is settled too, but does not count as usable.

    ``attempt`` is the last one, None when no call was made. ``flags`` name what looks odd in the text (an attack).
    """

    run: str
    screening: str
    key: CitationKey
    outcome: Outcome
    at: float
    attempt: int | None = None
    flags: tuple[str, ...] = ()


class Reopened(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A context's outcomes so far are set aside: those settled before this do not count any more."""

    screening: str
    key: CitationKey
    instance_id: str
    at: float
    why: str


class Delivered(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A citation's outcomes are in the store. For reports only: nothing is decided by it."""

    run: str
    screening: str
    key: CitationKey
    at: float
    result: Literal["written", "found"]


Fact = Began | Stopped | Asked | Ended | Settled | Reopened | Delivered


class Past(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the journal knows of one context under one input hash, since it was last reopened.

    ``outcome`` is the latest usable one. ``transient_runs`` counts the runs that ended in a transient failure.
    ``unreadable`` and ``truncated`` count replies that ended so, over all runs.
    """

    outcome: Outcome | None = None
    transient_runs: int = 0
    unreadable: int = 0
    truncated: int = 0


ContextPast = dict[tuple[str, bytes], Past]
"""Past by (instance id, input hash)."""
