"""What can follow from one attempt."""

from __future__ import annotations

from typing import NamedTuple

from citefidelity.facts import Ended, Settled
from citefidelity.pacing.calls import CallEnd, Halt


class Settle(NamedTuple):
    """The context has ended, for good or (a transient failure) for this run."""

    settled: Settled


class Again(NamedTuple):
    """Ask again after ``delay`` seconds."""

    delay: float


class PushBack(NamedTuple):
    """The provider asked to slow down: no attempt is used up, and all calls wait."""

    retry_after: float | None


class Leave(NamedTuple):
    """The attempts are used up, but the provider was not well: nothing is held against the context."""


Next = Settle | Again | PushBack | Leave | Halt


class Ruling(NamedTuple):
    """What is noted of an attempt, what it tells about the provider, and what comes next."""

    ended: Ended
    end: CallEnd
    next: Next
