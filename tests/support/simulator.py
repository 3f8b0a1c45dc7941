"""A provider and a hundred callers in simulated time: seconds of theirs cost microseconds of ours."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Protocol

from citefidelity.pacing.admission import Admission, CallEnd, Load

LOAD = Load(1000, 100)
SUCCESS = CallEnd("success")


class Limit(Protocol):
    """What a provider allows."""

    def refuses(self, now: float, in_flight: int) -> float | None:
        """None: the call is taken. Else the seconds after which to come back."""


class InFlight:
    """So many calls at a time."""

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed

    def refuses(self, now: float, in_flight: int) -> float | None:  # noqa: ARG002 - one shape for all limits
        """Refuse while so many are in flight."""
        return None if in_flight < self._allowed else 1.0


class FixedWindow:
    """So many calls in each minute of the clock."""

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed
        self._minute = -1
        self._used = 0

    def refuses(self, now: float, in_flight: int) -> float | None:  # noqa: ARG002 - one shape for all limits
        """Refuse for the rest of the minute."""
        if (minute := int(now // 60)) != self._minute:
            self._minute, self._used = minute, 0
        if self._used >= self._allowed:
            return (minute + 1) * 60 - now
        self._used += 1
        return None


class SlidingWindow:
    """So many calls in any 60 seconds."""

    def __init__(self, allowed: int) -> None:
        self._taken: deque[float] = deque([-math.inf] * allowed, maxlen=allowed)

    def refuses(self, now: float, in_flight: int) -> float | None:  # noqa: ARG002 - one shape for all limits
        """Refuse until the oldest is a minute old."""
        if now - self._taken[0] < 60:
            return self._taken[0] + 60 - now
        self._taken.append(now)
        return None


class TokenBucket:
    """So many calls a minute, and at most ``burst`` at once."""

    def __init__(self, allowed: int, burst: float) -> None:
        self._rate = allowed / 60
        self._burst = self._level = max(1.0, burst)
        self._at = 0.0

    def refuses(self, now: float, in_flight: int) -> float | None:  # noqa: ARG002 - one shape for all limits
        """Refuse until there is a token again."""
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
        if self._level < 1:
            return (1 - self._level) / self._rate
        self._level -= 1
        return None


@dataclass
class Tally:
    """What the provider saw, and what the callers did."""

    taken: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    most_in_flight: int = 0

    def settled(self, since: float, until: float) -> tuple[float, float]:
        """Calls taken a second, and the share of calls refused."""
        taken = sum(since <= at < until for at in self.taken)
        refused = sum(since <= at < until for at in self.refused)
        return taken / (until - since), refused / max(1, taken + refused)


class Simulation:
    """Callers that always have more to ask, against a provider with limits.

    ``latency`` draws the seconds of an answer; a refusal takes ``refusal_s``. ``retry_after``: the provider says it.
    """

    def __init__(
        self, *limits: Limit, latency: Callable[[], float], refusal_s: float = 0.05, retry_after: bool = False
    ) -> None:
        self._limits = limits
        self._latency = latency
        self._refusal_s = refusal_s
        self._retry_after = retry_after
        self._now = 0.0
        self._served = 0
        self._order = count()
        self._events: list[tuple[float, int, CallEnd]] = []
        self.tally = Tally()

    def now(self) -> float:
        """Simulated seconds."""
        return self._now

    def run(self, admission: Admission, until: float) -> Tally:
        """Go on until that time, or until admission says halt."""
        while self._now < until and admission.halt() is None:
            while not (wait := admission.try_enter(LOAD)):
                self._call()
                self.tally.most_in_flight = max(self.tally.most_in_flight, admission.in_flight)
            self._pass_time(admission, self._now + wait)
        return self.tally

    def _call(self) -> None:
        waits = [wait for limit in self._limits if (wait := limit.refuses(self._now, self._served)) is not None]
        if waits:
            self.tally.refused.append(self._now)
            retry_after = max(waits) if self._retry_after else None
            self._later(self._refusal_s, CallEnd("push_back", retry_after=retry_after, billed="no"))
        else:
            self.tally.taken.append(self._now)
            self._served += 1
            self._later(self._latency(), SUCCESS)

    def _later(self, seconds: float, end: CallEnd) -> None:
        heapq.heappush(self._events, (self._now + seconds, next(self._order), end))

    def _pass_time(self, admission: Admission, wake: float) -> None:
        if not self._events or wake < self._events[0][0]:
            assert wake < math.inf, f"nothing is in flight and nobody may call, at {self._now}"
            self._now = wake
            return
        self._now, _, end = heapq.heappop(self._events)
        self._served -= end.outcome == "success"
        admission.leave(LOAD, end)


def steady(seconds: float) -> Callable[[], float]:
    """Every answer takes as long."""
    return lambda: seconds


def uneven(seconds: float, random: Random) -> Callable[[], float]:
    """Answers take ``seconds`` on average, some several times that."""
    return lambda: random.lognormvariate(math.log(seconds) - 0.125, 0.5)
