"""The numbers that the pages show: those of the status file, and those of ``citefidelity status``. Only reads.

Sampled once for all browsers, so that ten open pages cost a run no more than one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from citefidelity.errors import CitefidelityError
from citefidelity.meter import Snapshot
from citefidelity.ports import Clock
from citefidelity.views.observing import EVERY_S, LiveStatus, status_path
from citefidelity.views.status import Status

SAMPLES_KEPT = 900
"""Half an hour of them; of a longer run every second one is dropped, again and again."""
STATUS_EVERY_S = 10.0
SHARE_FOR_STATUS = 20
"""Taking stock of a large store takes its time: it is done in at most one part of so many."""

TakeStatus = Callable[[], Awaitable[Status]]


class Sample(NamedTuple):
    """The numbers of one moment, for the plots over time."""

    at: str
    numbers: Snapshot


class Watching:
    """What is known of the run, as of the last look.

    Attributes:
        live: what the status file held, of a run that goes on or of the last one that ended; None before any.
        samples: its numbers over time, oldest first.
        looks: grows with each change, so that a page knows whether there is anything new.
    """

    def __init__(self, journal: Path, take_status: TakeStatus, clock: Clock) -> None:
        self._path = status_path(journal)
        self._take_status = take_status
        self._clock = clock
        self._lock = asyncio.Lock()
        self._status: Status | str | None = None
        self._taken_at = self._took = 0.0
        self._due = True
        self.live: LiveStatus | None = None
        self.samples: deque[Sample] = deque()
        self.looks = 0

    async def watch(self) -> None:
        """Sample until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(EVERY_S)

    async def look(self) -> None:
        """Read the status file once."""
        live = await asyncio.to_thread(_read, self._path)
        if live is None or live == self.live:
            return
        if self.live is None or self.live.run.run_id != live.run.run_id:
            self.samples.clear()
        # The last numbers of a run come with its end: what the store holds is looked at anew.
        self._due = self._due or not live.running
        self.live = live
        self.samples.append(Sample(live.updated_at, live.numbers))
        if len(self.samples) > SAMPLES_KEPT:
            self.samples = deque(list(self.samples)[::2])
        self.looks += 1

    async def status(self) -> Status | str:
        """Where the screening stands, not much older than ten seconds; or why it cannot be told."""
        async with self._lock:
            age = self._clock.monotonic() - self._taken_at
            if self._status is None or self._due or age > max(STATUS_EVERY_S, SHARE_FOR_STATUS * self._took):
                await self._refresh()
            assert self._status is not None  # noqa: S101 - the line above has set it
            return self._status

    async def _refresh(self) -> None:
        began = self._clock.monotonic()
        self._due = False
        try:
            self._status = await self._take_status()
        except CitefidelityError as err:
            self._status = err.message
        self._taken_at = self._clock.monotonic()
        self._took = self._taken_at - began


def _read(path: Path) -> LiveStatus | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=LiveStatus)
    except (OSError, msgspec.MsgspecError):
        return None
