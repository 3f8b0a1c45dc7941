"""An event loop whose clock jumps to the next timer: hours of waiting pass in milliseconds, in a repeatable order."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting for the next timer, moves the clock to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing will ever happen: every task waits for another")
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop over the jumping selector."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.now


class VirtualClock:
    """A :class:`citefidelity.ports.Clock` that tells the time of the running virtual loop."""

    EPOCH = 1_800_000_000.0

    def wall(self) -> float:
        """Seconds since the epoch; the loop began at a fixed moment."""
        return self.EPOCH + asyncio.get_running_loop().time()

    def monotonic(self) -> float:
        """The loop's own time."""
        return asyncio.get_running_loop().time()

    @property
    def sleep(self) -> Callable[[float], Awaitable[None]]:
        """Sleeps in virtual time."""
        return asyncio.sleep


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
