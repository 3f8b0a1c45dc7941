"""The status file beside the journal: the numbers of a live run, for whoever cannot or need not open the journal."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from citefidelity.clock import iso
from citefidelity.meter import Snapshot
from citefidelity.ports import Clock
from citefidelity.views.advice import Advice, advice
from citefidelity.views.history import History, Trail
from citefidelity.views.report import Started
from citefidelity.views.status_file import write_status

EVERY_S = 2.0

log = logging.getLogger(__name__)


class LiveStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the status file holds. ``running`` is false once the run has ended by itself.

    ``advice`` follows from ``numbers``; ``history`` is how some of them went since the run began.
    """

    running: bool
    updated_at: str
    host: str
    pid: int
    run: Started
    numbers: Snapshot
    advice: list[Advice] = []
    history: History = History()


def status_path(journal: Path) -> Path:
    """Where the status file of a journal lies."""
    return journal.with_name(f"{journal.name}.status.json")


class StatusFile:
    """Writes the numbers every two seconds and once more at the end; replaced as a whole each time."""

    def __init__(self, journal: Path, clock: Clock) -> None:
        self._path = status_path(journal)
        self._clock = clock
        self._told = False

    async def watch(self, started: Started, numbers: Callable[[], Snapshot], stopping: Callable[[], bool]) -> None:
        """Write until cancelled."""
        del stopping
        loop = asyncio.get_running_loop()
        trail = Trail()
        # A flush of a slow disk must not hold up a hundred calls.
        with ThreadPoolExecutor(1, "status-file") as thread:
            try:
                while True:
                    now = numbers()
                    trail.add(now)
                    await loop.run_in_executor(thread, self._write, self._status(started, now, trail, running=True))
                    await self._clock.sleep(EVERY_S)
            finally:
                last = numbers()
                trail.end(last)
                thread.submit(self._write, self._status(started, last, trail, running=False))

    def _status(self, started: Started, numbers: Snapshot, trail: Trail, *, running: bool) -> LiveStatus:
        return LiveStatus(
            running=running,
            updated_at=iso(self._clock.wall()),
            host=platform.node(),
            pid=os.getpid(),
            run=started,
            numbers=numbers,
            advice=advice(numbers),
            history=trail.history(),
        )

    def _write(self, status: LiveStatus) -> None:
        try:
            write_status(self._path, status)
        except OSError as err:
            # The next one may succeed, when room was made; the run goes on all the same.
            if not self._told:
                log.warning("%s cannot be written (%s): `status` lags behind until it can", self._path, err.strerror)
            self._told = True
        else:
            self._told = False
