"""Ctrl-C, SIGTERM and a closed terminal: the first stops asking gently, the second leaves at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

INTERRUPTED = 130
STDERR = 2
SHOW_CURSOR = b"\x1b[?25h"
"""A live view hides the cursor, and will not come to show it again."""


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
            if os.isatty(STDERR):
                os.write(STDERR, SHOW_CURSOR)
            os._exit(INTERRUPTED)


@asynccontextmanager
async def interrupts_handled(*, wanted: bool) -> AsyncIterator[Interrupts]:
    """Within it, these signals stop a run gently; only in a program of its own, not in somebody's notebook."""
    interrupts = Interrupts()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if wanted else ()
    loop = asyncio.get_running_loop()
    for number in signals:
        loop.add_signal_handler(number, interrupts.arrived)
    try:
        yield interrupts
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
