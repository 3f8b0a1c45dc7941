"""The numbers that the pages show: those of the status file, and those of ``citefidelity status``. Only reads.

Looked at once for all browsers, so that ten open pages cost a run no more than one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from citefidelity.journal import current_holder
from citefidelity.ports import Clock
from citefidelity.views.observing import LiveStatus
from citefidelity.views.status import Status, read_last
from citefidelity.web.seldom import Seldom

LOOK_EVERY_S = 0.5
"""A run writes its numbers every two seconds: they are seen soon after."""

Course = Literal["none", "running", "ended", "killed"]


class Watching:
    """What is known of the run, as of the last look.

    Attributes:
        live: the last numbers that a run has left beside the journal; None before any.
        course: whether that run goes on, has ended by itself, or was killed.
        looks: grows with each change, so that a page knows whether there is anything new.
        status: where the screening stands.
    """

    def __init__(self, journal: Path, take_status: Callable[[], Awaitable[Status]], clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self.live: LiveStatus | None = None
        self.course: Course = "none"
        self.looks = 0
        self.status = Seldom(take_status, clock)

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Read the status file once."""
        live, course = await asyncio.to_thread(_look, self._journal)
        if (live, course) == (self.live, self.course):
            return
        if course != self.course:
            # A run has begun or ended: what the store holds is looked at anew, however short ago it was.
            self.status.expire()
        self.live, self.course = live, course
        self.looks += 1


def _look(journal: Path) -> tuple[LiveStatus | None, Course]:
    live = read_last(journal)
    if live is None:
        return None, "none"
    if not live.running:
        return live, "ended"
    return live, "running" if current_holder(journal) is not None else "killed"
