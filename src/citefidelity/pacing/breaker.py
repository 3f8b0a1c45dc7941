"""Tells an outage from bad luck: many like faults in a row stop the asking, and one call finds out."""

from __future__ import annotations

import math
from collections import Counter
from random import Random

LIKE_FAULTS = 20
SHORTEST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 10.0


class Breaker:
    """Closed as long as calls succeed now and then. Once open, one call goes out alone, when none is in flight.

    Waiting for those in flight is what makes the probe certain: their faults are old news, a success among them closes
    the breaker, and what the probe says cannot be mistaken for theirs.
    """

    __slots__ = ("_faults", "_open", "_probing", "_random", "_until", "dead")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._faults: Counter[str] = Counter()
        self._open = False
        self._until = 0.0
        self._probing = False
        self.dead = ""
        """The kind of fault that the probe met, once it has met one: the provider is away."""

    def wait(self, in_flight: int, now: float) -> float:
        """0.0 when a call may leave, seconds of pause, infinity while calls are in flight."""
        if not self._open:
            return 0.0
        if in_flight:
            return math.inf
        return max(0.0, self._until - now)

    def pause(self, now: float) -> float:
        """Seconds of pause that are left."""
        return max(0.0, self._until - now) if self._open else 0.0

    def left(self) -> None:
        """A call leaves: when the breaker is open, it is the probe."""
        self._probing = self._open

    def succeeded(self) -> None:
        """The provider answered a call: it is well."""
        if self._faults:
            self._faults.clear()
        self._open = False

    def failed(self, kind: str, now: float) -> None:
        """A call ended in a fault of this kind."""
        if self._probing:
            self.dead = kind
        elif not self._open:
            self._faults[kind] += 1
            if self._faults[kind] >= LIKE_FAULTS:
                self._open = True
                self._until = now + self._random.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S)

    def learnt_nothing(self) -> None:
        """A call ended without telling whether the provider is well; if it was the probe, another one follows."""
        self._probing = False
