"""What a provider allows, and what it does to those who want more. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Limiter:
    """What a provider allows: so many in flight, so many within a window of time."""

    def __init__(self, now: Callable[[], float], in_flight: int | None, per_window: int | None, window: float) -> None:
        self._now = now
        self._in_flight = in_flight
        self._per_window = per_window
        self._window = window
        self._arrivals: deque[float] = deque()

    def wait(self, in_flight: int) -> float | None:
        """None: the request is let in, and counts. Else seconds after which another try may be."""
        now = self._now()
        if self._in_flight is not None and in_flight > self._in_flight:
            return 1.0
        if self._per_window is None:
            return None
        while self._arrivals and self._arrivals[0] <= now - self._window:
            self._arrivals.popleft()
        if len(self._arrivals) >= self._per_window:
            return self._arrivals[0] + self._window - now
        self._arrivals.append(now)
        return None
