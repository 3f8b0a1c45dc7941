"""The one gate that all calls pass: a provider that asks for a pause gets it from all of them.

Who is sent away a hundred times at once has been told one thing, not a hundred: the gate closes once, and what comes
back from the calls that were already under way only prolongs that pause. When the time is over, one call goes first;
the others follow when it was answered, or when it was not sent away at once: a refusal comes quickly, while an answer
may take a minute.
"""

from __future__ import annotations

import math
from random import Random

FIRST_PAUSE_S = 2.0
STRAY_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
IN_VAIN = 3
"""Pauses in a row of the length that was asked for. A gateway that says "1 second" whatever its limit would be asked
twenty times within the minute that the limit takes, and given up as away."""

FEELER_S = 1.0
"""How long the first call after a pause goes alone."""

LONGEST_WAIT_S = 600.0
"""A provider that asks for more is away, as far as this run is concerned."""


class Gate:
    """Open, closed for a time, or (the time being over) open to one call alone."""

    __slots__ = ("_closed", "_feeler_at", "_random", "_until", "closures")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._closed = False
        self._until = 0.0
        self._feeler_at: float | None = None
        self.closures = 0
        """How often it has closed since a call was last answered."""

    def wait(self, now: float) -> float:
        """Seconds until it is worth asking again, 0.0 when a call may pass."""
        if not self._closed:
            return 0.0
        if now < self._until:
            return self._until - now
        if self._feeler_at is None:
            return 0.0
        if now < self._feeler_at + FEELER_S:
            return self._feeler_at + FEELER_S - now
        self._closed = False
        return 0.0

    def passed(self, now: float) -> None:
        """A call has passed."""
        if self._closed and self._feeler_at is None:
            self._feeler_at = now

    def answered(self) -> None:
        """A call was answered."""
        self.closures = 0
        if self._feeler_at is not None:
            self._closed = False

    def pushed_back(self, now: float, retry_after: float | None, *, stray: bool = False) -> float | None:
        """The provider asked to slow down: the length of the pause that begins, None within one that has begun.

        ``stray``: it does so now and then whatever the pace, so the pause need not be long unless it asks for that.
        """
        asked = retry_after if retry_after is not None and 0.0 < retry_after < math.inf else None
        if self._closed and self._feeler_at is None:
            if asked is not None:
                self._until = max(self._until, now + asked)
            return None
        first = STRAY_PAUSE_S if stray else FIRST_PAUSE_S
        ceiling = min(LONGEST_PAUSE_S, first * 2.0 ** min(self.closures, 8))
        pause = self._random.uniform(ceiling / 2, ceiling)
        if asked is not None:
            pause = asked if self.closures < IN_VAIN else max(asked, pause)
        self.closures += 1
        self._closed = True
        self._until = now + pause
        self._feeler_at = None
        return pause
