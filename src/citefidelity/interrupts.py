"""Ctrl-C and SIGTERM: the first stops asking and keeps what is in flight, the second leaves at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

INTERRUPTED = 130


class Interrupts:
    """Counts the signals that have come, and acts on them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: Callable[[], None] = lambda: None

    def arrived(self) -> None:
        """A signal has come."""
        self.count += 1
        if self.count == 1:
            self.first()
        else:
            # As safe as kill -9, and as quick: nothing that is half done may look finished.
            os._exit(INTERRUPTED)


@asynccontextmanager
async def interrupts_handled(*, wanted: bool) -> AsyncIterator[Interrupts]:
    """Within it, SIGINT and SIGTERM stop a run gently; only in a program of its own, not in somebody's notebook."""
    interrupts = Interrupts()
    signals = (signal.SIGINT, signal.SIGTERM) if wanted else ()
    loop = asyncio.get_running_loop()
    for number in signals:
        loop.add_signal_handler(number, interrupts.arrived)
    try:
        yield interrupts
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
