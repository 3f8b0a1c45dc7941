"""An event loop that skips waits: real sockets and threads, but hours of pauses pass in milliseconds.

Unlike :mod:`support.virtual_time` it lets real things happen first: the time is the machine's, and only where nothing
at all has happened for a moment does it jump to the next timer. A server under test must live in the same loop, so
that a call whose answer is on its way is never taken for one that waits in vain.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

MOMENT_S = 0.005


class _SkippingSelector(selectors.DefaultSelector):
    """Waits a moment for sockets; then moves the clock to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            # Only a thread can bring something now: it is waited for.
            return list(super().select(None))
        ready = list(super().select(min(timeout, MOMENT_S)))
        if not ready and timeout > MOMENT_S:
            self.skipped += timeout - MOMENT_S
        return ready


class HastyLoop(asyncio.SelectorEventLoop):
    """A loop over the skipping selector."""

    def __init__(self) -> None:
        self._skipping = _SkippingSelector()
        super().__init__(self._skipping)

    def time(self) -> float:
        """The machine's monotonic seconds, and those skipped."""
        return time.monotonic() + self._skipping.skipped


class HastyClock:
    """A :class:`citefidelity.ports.Clock` that tells the time of the loop it is made in, to other threads too."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def wall(self) -> float:
        """Seconds since the epoch, ahead by what was skipped."""
        return time.time() - time.monotonic() + self.monotonic()

    def monotonic(self) -> float:
        """The loop's own time."""
        return self._loop.time()

    @property
    def sleep(self) -> Callable[[float], Awaitable[None]]:
        """Sleeps in the loop's time."""
        return asyncio.sleep


def run_hasty(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, without its waits."""
    with asyncio.Runner(loop_factory=HastyLoop) as runner:
        return runner.run(main)
