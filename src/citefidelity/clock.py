"""The real clock: the one place where time is read."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import lru_cache


class SystemClock:
    """Time as the operating system tells it."""

    def wall(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never run backwards and, where the system offers it, go on while the machine sleeps.

        A claim in a store runs out while a laptop is closed; a clock that stands still in suspend would not notice.
        """
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.monotonic()

    @property
    def sleep(self) -> Callable[[float], Awaitable[None]]:
        """Waits that many seconds."""
        return asyncio.sleep


def iso(seconds: float) -> str:
    """Seconds since the epoch as UTC in ISO 8601, to the millisecond."""
    whole = math.floor(seconds)
    return f"{_to_the_second(whole)}.{int((seconds - whole) * 1_000):03d}Z"


@lru_cache(maxsize=4)
def _to_the_second(seconds: int) -> str:
    # Thousands of answers come within one second, and formatting a date is slow.
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
