"""Who may call, and when: the one place that every request passes on its way out and on its way back.

Pure: it holds no task and no timer. Who is sent away asks again after the seconds given, or when another call leaves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from citefidelity.kinds import ProviderFault
from citefidelity.pacing.breaker import LIKE_FAULTS, Breaker
from citefidelity.pacing.budget import Budget
from citefidelity.pacing.calls import CallEnd, CallOutcome, Halt, Load
from citefidelity.pacing.gate import LONGEST_WAIT_S, Gate
from citefidelity.pacing.rate import RateLimit
from citefidelity.pacing.throttle import Throttle

__all__ = ["Admission", "Budget", "CallEnd", "CallOutcome", "Halt", "Load"]

CLOSURES = 20
"""Pauses in a row that the provider asked for, without an answer in between: then it is away."""


class Admission:
    """Bounds calls in flight, requests and tokens a minute, and money; pauses and stops when the provider is unwell.

    Args:
        concurrency: calls in flight, at most.
        now: monotonic seconds.
        random: for the length of pauses.
        rpm: requests a minute, at most.
        tpm: tokens a minute, at most.
        budget: the caps on money and tokens.
    """

    def __init__(  # noqa: PLR0913 - a composition, called in one place
        self,
        *,
        concurrency: int,
        now: Callable[[], float],
        random: Random,
        rpm: int | None = None,
        tpm: int | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._now = now
        self._throttle = Throttle(concurrency)
        self._gate = Gate(random)
        self._breaker = Breaker(random)
        self._rate = RateLimit(rpm, tpm, now()) if rpm is not None or tpm is not None else None
        self._budget = budget
        self._halt: Halt | None = None
        self.in_flight = 0

    @property
    def allowed(self) -> int:
        """Calls that may be in flight at present: ``concurrency``, or what the provider has been found to take."""
        return self._throttle.level

    @property
    def pace(self) -> float | None:
        """Calls a second that leave at most, as the provider has been found to take; None while it took all."""
        return self._throttle.pace if self._throttle.pace < math.inf else None

    def try_enter(self, load: Load) -> float:
        """0.0: the call is admitted and counts as in flight. Else seconds after which to try again.

        Infinity: only when another call leaves (or never, see :meth:`halt`).
        """
        now = self._now()
        wait = self._wait(load, now)
        if wait:
            return wait
        self.in_flight += 1
        self._gate.passed(now)
        self._breaker.left()
        self._throttle.left(now)
        if self._rate is not None:
            self._rate.take(load)
        return 0.0

    def leave(self, load: Load, end: CallEnd) -> None:
        """A call that was admitted with this load has ended."""
        now = self._now()
        self._learn(end, now)
        self.in_flight -= 1
        if self._rate is not None:
            self._rate.correct(load, end)
        if self._budget is not None:
            self._budget.settle(load, end)

    def pause_seconds(self) -> float:
        """How long no call leaves at all, 0.0 when there is no such pause."""
        now = self._now()
        return max(self._gate.wait(now), self._breaker.pause(now))

    def halt(self) -> Halt | None:
        """Why the run must stop, None as long as it need not. Never taken back."""
        return self._halt

    def _wait(self, load: Load, now: float) -> float:
        if self._halt is not None:
            return math.inf
        wait = self._gate.wait(now) or self._breaker.wait(self.in_flight, now)
        if wait:
            return wait
        wait = self._throttle.wait(self.in_flight, now)
        if wait:
            return wait
        if self._rate is not None:
            wait = self._rate.wait(load, now)
            if wait:
                return wait
        if self._budget is not None:
            # Last, because it reserves where there is room: nothing may refuse the call after that.
            return self._reserve(self._budget, load)
        return 0.0

    def _reserve(self, budget: Budget, load: Load) -> float:
        room = budget.reserve(load)
        if room == "none":
            self._halt = Halt("budget", f"The budget of this screening is used up: {budget.spent()}.")
        return 0.0 if room == "enough" else math.inf

    def _learn(self, end: CallEnd, now: float) -> None:
        if end.outcome == "success":
            self._gate.answered()
            self._breaker.succeeded()
            self._throttle.answered(now)
        elif end.outcome == "fault":
            self._breaker.failed(end.kind, now)
            if self._breaker.dead:
                self._stop(f"{LIKE_FAULTS} calls in a row, and one more after a pause, ended with {end.kind}")
        elif end.outcome == "push_back":
            self._breaker.learnt_nothing()
            stray = self._throttle.is_stray(self.in_flight)
            pause = self._gate.pushed_back(now, end.retry_after, stray=stray)
            self._throttle.pushed_back(self.in_flight, now, pause, stray=stray)
            if end.retry_after is not None and end.retry_after > LONGEST_WAIT_S:
                self._stop(f"the provider wants no call for {end.retry_after:.0f} seconds")
            elif self._gate.closures >= CLOSURES:
                self._stop(f"the provider asked to slow down {CLOSURES} times in a row and answered nothing in between")
        else:
            self._breaker.learnt_nothing()

    def _stop(self, why: str) -> None:
        if self._halt is None:
            self._halt = Halt(ProviderFault.OUTAGE.value, why[0].upper() + why[1:] + ".")
