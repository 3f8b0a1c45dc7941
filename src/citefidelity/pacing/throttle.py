"""How much the provider takes: calls in flight (the level) and calls a second (the pace), learnt from its refusals.

Providers limit one or the other, and a refusal does not say which. Neither number can stand for both: no level keeps a
limit a minute (how many calls a level makes a minute depends on how long they take), and no pace keeps a limit in
flight. Experience tells them apart. A refusal while a higher level is on trial is the level's fault, and what held is
then known exactly: those in flight that were *not* refused. A refusal at a level that has carried calls before is the
pace's fault, and what held is what got through in the last minute.

Afterwards whichever holds calls back is tried a little higher: soon, and in growing steps while that works; more and
more rarely while it does not. Other faults lower nothing, and neither does a time in which everything is refused: that
is an overload, and says nothing about limits. Nor do refusals that come whatever the pace; see :mod:`.strays`.
"""

from __future__ import annotations

import math
from typing import Literal

from citefidelity.pacing.rate import MINUTE_S, Bucket, Recent
from citefidelity.pacing.strays import Cause, Strays

MARGIN = 0.97
"""Of what got through: it is counted late and coarsely, and a pace just above the limit is refused again and again."""

STEP = 0.05
"""A pace on trial is higher by this share, at first."""

LARGEST_STEP = 0.5
FLOOR = 0.4
"""Of the best minute: lower than that no pace goes, as no limit explains it. Where calls are counted by the minutes of
the clock, sixty seconds may hold twice as many as they ever will again; the rest is for doubt."""

BURST_S = 0.25
"""Calls that a coarse timer let wait are made up for within this time."""

SPREAD_S = 1.0
"""What a higher level adds goes out this much later: it is the level that is on trial, not two calls at one moment."""

REFUSAL_S = 4.0
"""A higher level is on trial for at least as long, that a slow refusal finds it so and is not held against the pace."""

IMPATIENT = 25
PATIENT = 800
"""Calls answered before something is tried: at first, and after trials that failed. A trial that fails costs a few
refusals, and they must stay far below one call in a hundred."""

PAUSES_BETWEEN = 0.05
"""Pauses, per call of patience, that must pass before something is tried: it must cost little time, too."""

Limit = Literal["level", "pace"]


class Throttle:
    """``level`` is how many calls may be in flight at present, from 1 to ``concurrency``."""

    def __init__(self, concurrency: int) -> None:
        self.level = concurrency
        self._concurrency = concurrency
        self._level_held = 0
        self._pace: Bucket | None = None
        self._pace_held = math.inf
        self._best = 0.0
        self._through = Recent()
        self._strays = Strays()
        self._spread_until = 0.0
        self._wanting: Limit | None = None
        """What holds calls back since the last change, if anything does."""
        self._trying: Limit | None = "level"
        self._lowering_level = False
        self._stride = 1
        self._patience = IMPATIENT
        self._answered = 0
        """Calls answered since the last change was complete."""
        self._due_calls = 2 * concurrency
        self._due_at = 0.0

    @property
    def pace(self) -> float:
        """Calls a second at present, infinity while no such limit has been met."""
        return self._pace.rate if self._pace else math.inf

    def wait(self, in_flight: int, now: float) -> float:
        """0.0 when a call may leave, seconds for the pace, infinity for the level."""
        if in_flight >= self.level:
            if self.level < self._concurrency:
                self._wanting = "level"
            return math.inf
        if now < self._spread_until and in_flight >= self._level_held:
            return self._spread_until - now
        if self._pace is None:
            return 0.0
        wait = self._pace.wait(1.0, now)
        if wait:
            self._wanting = "pace"
        return wait

    def left(self, now: float) -> None:
        """A call leaves for the provider."""
        self._through.begin(now)
        if self._pace is not None:
            self._pace.take(1.0)

    def answered(self, now: float) -> None:
        """The provider took a call and answered it."""
        self._through.add(now)
        self._strays.answered()
        if now < self._spread_until:
            return
        self._answered += 1
        if self._answered < self._due_calls or now < self._due_at:
            return
        self._trying = None
        if self._wanting is not None:
            self._try_more(self._wanting, now)

    def is_stray(self, in_flight: int) -> bool:
        """The provider refused a call, one of ``in_flight``: whether it does so now and then, whatever the pace."""
        return self._strays.refused(in_flight)

    def pushed_back(self, in_flight: int, now: float, pause: float | None, *, stray: bool = False) -> None:
        """The provider refused a call, one of ``in_flight``. ``pause`` is None within a pause that has begun.

        A stray teaches nothing, but within a pause all refusals are part of the lesson that it began with, if any.
        """
        if pause is not None:
            self._lowering_level = False
            if not stray:
                self._begin_lesson(in_flight, now, pause)
        if self._lowering_level:
            self.level = max(self._level_held, self.level - 1)
            if self.level == 0:
                # Everything was refused: an overload. The level is as unknown as before.
                self.level = self._concurrency
                self._trying = "level"

    def _begin_lesson(self, in_flight: int, now: float, pause: float) -> None:
        self._strays.heeded()
        failed, self._trying = self._trying, None
        self._lowering_level = failed == "level"
        if failed == "level":
            self.level = min(self.level, in_flight)
        elif failed == "pace":
            self._set_pace(self._pace_held)
        elif not self._answered or not self._slow_down(now):
            return
        if failed:
            self._patience = min(PATIENT, 2 * self._patience)
        self._stride = 1
        self._wait_for(self._patience, self._patience * PAUSES_BETWEEN * (pause + 1.0), now)

    def _slow_down(self, now: float) -> bool:
        """Lower the pace to what got through; False when that says nothing about limits."""
        through, whole_minute = self._through.a_second(now), self._through.whole_minute(now)
        if not through or (self._pace is None and not whole_minute and self._through.calls(now) < self.level):
            # Nothing has been answered, or less than flies at a time, so that how many a second is not known yet.
            return False
        if whole_minute:
            self._best = max(self._best, through)
        pace = through * MARGIN
        if self._pace is not None:
            # One refusal may be somebody else's doing: it takes back a little at least, and a half at most.
            pace = min(max(pace, self._pace.rate / 2), self._pace.rate * MARGIN)
        floor = self._best * FLOOR
        if pace > floor:
            self._strays.learnt()
        elif cause := self._strays.contradicted():
            self._begin_anew(cause)
            return True
        self._set_pace(max(pace, floor, 1 / MINUTE_S))
        return True

    def _begin_anew(self, cause: Cause) -> None:
        """Ask as fast as before any limit was met: those met last were none, or are not the same any more."""
        # What got through while it went so slowly says nothing of what would.
        self._pace, self._best, self._through = None, 0.0, Recent()
        # A pause at each refusal keeps their share low: a limit in flight that fell may pass for strays, until now.
        self._trying, self._level_held = "level", 0
        if cause == "less":
            self._patience = IMPATIENT

    def _try_more(self, limit: Limit, now: float) -> None:
        if limit == "level":
            self._level_held = self.level
            self.level = min(self._concurrency, self.level + min(self._stride, max(1, self.level // 2)))
            self._spread_until = now + SPREAD_S
            self._wait_for(2 * self.level, REFUSAL_S, now)
        else:
            self._pace_held = self.pace
            self._set_pace(self.pace * (1.0 + min(LARGEST_STEP, STEP * self._stride)))
            # Only two minutes show whether a limit a minute allows it: some count by the minutes of the clock.
            self._wait_for(0, 2 * MINUTE_S, now)
        self._trying = limit
        self._stride *= 2

    def _set_pace(self, rate: float) -> None:
        capacity = max(1.0, rate * BURST_S)
        if self._pace is None:
            self._pace = Bucket(rate, capacity, 0.0)
        self._pace.reset(rate, capacity)

    def _wait_for(self, calls: int, seconds: float, now: float) -> None:
        """Let so many calls be answered and so much time pass before anything is tried."""
        self._answered = 0
        self._due_calls = calls
        self._due_at = now + seconds
        self._wanting = None
