"""Flow over time: a bucket of tokens, the limits a minute that the user sets, and what got through of late."""

from __future__ import annotations

from citefidelity.pacing.calls import CallEnd, Load

MINUTE_S = 60.0
BURST = 1 / 50
"""Share of a minute's allowance that may leave at once: enough that a timer's coarseness costs nothing."""

EPSILON = 1e-9
"""A wait is computed in floating point; without this, the call that waited it out could be sent away again."""


class Bucket:
    """Tokens flow in at ``rate`` a second up to ``capacity``. Taking more than there is leaves a debt to work off."""

    __slots__ = ("_at", "_level", "capacity", "rate")

    def __init__(self, rate: float, capacity: float, now: float) -> None:
        self.rate = rate
        self.capacity = capacity
        self._level = capacity
        self._at = now

    def wait(self, amount: float, now: float) -> float:
        """Seconds until ``amount`` may be taken, 0.0 for now. More than the capacity is never waited for."""
        level = self._level + (now - self._at) * self.rate
        self._level = level = min(level, self.capacity)
        self._at = now
        lacking = min(amount, self.capacity) - level
        return lacking / self.rate if lacking > EPSILON else 0.0

    def take(self, amount: float) -> None:
        """Take it, or (a negative amount) give it back."""
        self._level -= amount

    def reset(self, rate: float, capacity: float) -> None:
        """Another rate from now on, beginning with nothing."""
        self.rate = rate
        self.capacity = capacity
        self._level = 0.0


class RateLimit:
    """``--rpm`` and ``--tpm``: no 60 seconds hold more requests than that, nor (by the estimate) more tokens."""

    def __init__(self, rpm: int | None, tpm: int | None, now: float) -> None:
        self._requests = _a_minute(rpm, now)
        self._tokens = _a_minute(tpm, now)

    def wait(self, load: Load, now: float) -> float:
        """Seconds until a call of this load may leave, 0.0 for now."""
        requests = self._requests.wait(1.0, now) if self._requests else 0.0
        tokens = self._tokens.wait(load.input_tokens + load.output_tokens, now) if self._tokens else 0.0
        return max(requests, tokens)

    def take(self, load: Load) -> None:
        """A call of this load leaves."""
        if self._requests:
            self._requests.take(1.0)
        if self._tokens:
            self._tokens.take(load.input_tokens + load.output_tokens)

    def correct(self, load: Load, end: CallEnd) -> None:
        """Replace the estimate by the usage reported; without a report the estimate stands."""
        used = end.tokens
        if self._tokens and used is not None:
            self._tokens.take(used - load.input_tokens - load.output_tokens)


def _a_minute(allowance: int | None, now: float) -> Bucket | None:
    """A bucket of which less than ``allowance`` + 1 can be taken within any 60 seconds, the burst included."""
    if allowance is None:
        return None
    burst = max(1.0, allowance * BURST)
    return Bucket((allowance + 1 - burst) / MINUTE_S, burst, now)


class Recent:
    """Counts what got through within about the last minute, in slots of one second."""

    __slots__ = ("_began", "_last", "_slots")

    def __init__(self) -> None:
        self._slots = [0] * int(MINUTE_S)
        self._last = 0
        self._began: float | None = None

    def begin(self, now: float) -> None:
        """The first call leaves: before that, there was no time to count in."""
        if self._began is None:
            self._began = now
            self._last = int(now)

    def add(self, now: float) -> None:
        """One more got through."""
        self._turn(now)
        self._slots[self._last % len(self._slots)] += 1

    def a_second(self, now: float) -> float:
        """How many a second got through, over the last minute or the time since the first call."""
        self._turn(now)
        span = len(self._slots) - 1 + now % 1.0
        if self._began is not None:
            span = min(span, max(1.0, now - self._began))
        return sum(self._slots) / span

    def calls(self, now: float) -> int:
        """How many got through."""
        self._turn(now)
        return sum(self._slots)

    def whole_minute(self, now: float) -> bool:
        """Whether the first call left at least a minute ago."""
        return self._began is not None and now >= self._began + MINUTE_S

    def _turn(self, now: float) -> None:
        """Clear the slots of the seconds in which nothing was counted."""
        second = int(now)
        for passed in range(max(self._last + 1, second - len(self._slots) + 1), second + 1):
            self._slots[passed % len(self._slots)] = 0
        self._last = max(self._last, second)
