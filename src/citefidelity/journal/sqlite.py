"""The journal of a run: facts appended to one SQLite file, in groups, each group on disk before it counts.

Facts gather in a list in the event loop while the thread commits those before them: however many callers there are,
each commit costs one wake-up of the thread and one of the event loop.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

import apsw

from citefidelity.durations import Durations
from citefidelity.errors import JournalError
from citefidelity.facts import ContextPast, Fact
from citefidelity.journal.connection import close_clean, in_our_words
from citefidelity.journal.job_thread import JobThread
from citefidelity.journal.lock import JournalLock
from citefidelity.journal.reader import JournalView
from citefidelity.journal.recall import recall
from citefidelity.journal.schema import Header
from citefidelity.journal.spill import Spill
from citefidelity.journal.writer import Writer
from citefidelity.machine import free_bytes
from citefidelity.records import CitationKey

T = TypeVar("T")

# Recall and commits share the thread. A page is recalled in slices, so that a commit waits for one slice at most.
RECALL_SLICE = 32

ROOM_EVERY_S = 5.0
"""How often to ask how much room the disk has."""


class Opened(NamedTuple):
    """What opening the file gave: everything that the thread works with."""

    connection: apsw.Connection
    writer: Writer
    last_attempt: int
    lock: JournalLock
    header: Header
    notes: tuple[str, ...]


class SqliteJournal:
    """A journal in a file, open for one run; made by :func:`~citefidelity.journal.open_journal`.

    Attributes:
        journal_id: the journal's random name.
        path: of the file.
        notes: what people should know of where it lies, such as a network file system.
        commits: how long commits took, in seconds.
        free_bytes: room on its disk, a few seconds ago; None where that is not told.
    """

    def __init__(self, path: Path, thread: JobThread, opened: Opened, spill: Spill, now: Callable[[], float]) -> None:
        self.journal_id = opened.header.journal_id
        self.path = path
        self.notes = opened.notes
        self.commits = Durations()
        self.free_bytes: int | None = None
        self._room_asked = -math.inf
        self._now = now
        self._thread = thread
        self._connection = opened.connection
        self._lock = opened.lock
        self._spill = spill
        self._loop = asyncio.get_running_loop()
        self._writer = opened.writer
        self._attempts = count(opened.last_attempt + 1)
        self._facts: list[Fact] = []
        self._waiters: list[asyncio.Future[JournalError | None]] = []
        self._handed_over = False
        self._failure: Exception | None = None
        self._closed = False

    @property
    def backlog(self) -> int:
        """Facts that wait for the commit after the present one."""
        return len(self._facts)

    def number(self) -> int:
        """A fresh attempt number, larger than every earlier one."""
        return next(self._attempts)

    async def append(self, facts: Sequence[Fact]) -> None:
        """Append all of ``facts`` or none; returns once they are on disk.

        Cancelled meanwhile, the facts are still appended.

        Raises:
            JournalError: they are not on disk. It is raised from then on always; nothing acknowledged is lost.
        """
        if self._closed:
            raise JournalError(f"The journal {self.path} is closed. These facts were not written.")
        if not facts:
            return
        self._facts.extend(facts)
        # A future for each caller, so that cancelling one touches nobody else; they are all resolved in one callback.
        waiter: asyncio.Future[JournalError | None] = self._loop.create_future()
        self._waiters.append(waiter)
        if not self._handed_over:
            self._handed_over = True
            # Not at once: whatever else this turn of the loop appends comes along.
            self._loop.call_soon(self._hand_over)
        failure = await waiter
        if failure is not None:
            raise JournalError(failure.message, failure.hint, kind=failure.kind) from failure.__cause__

    async def recall(self, screening: str, keys: Sequence[CitationKey]) -> dict[CitationKey, ContextPast]:
        """What is known of these citations' contexts in ``screening``; a key without any past is absent.

        Raises:
            JournalError: the journal cannot be read.
        """
        found: dict[CitationKey, ContextPast] = {}
        for start in range(0, len(keys), RECALL_SLICE):
            found |= await self._run(recall, screening, keys[start : start + RECALL_SLICE])
        return found

    async def look(self, question: Callable[[JournalView], T]) -> T:
        """What ``question`` answers, asked in the journal's own thread; works on a network file system too.

        Commits wait meanwhile. An iterator that the view gives must be used up inside.

        Raises:
            JournalError: the journal cannot be read.
        """
        return await self._run(lambda connection: question(JournalView(connection)))

    async def close(self) -> None:
        """Write what has been handed in, fold the log into the file and let go of it; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        # The thread keeps the order, so nothing here has to wait for a batch that is under way; and whoever cancels
        # this close stops none of it.
        self._hand_over()
        let_go = self._thread.run(self._let_go)
        self._thread.finish()
        await let_go

    async def __aenter__(self) -> Self:
        """Itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    def _hand_over(self) -> None:
        facts, self._facts = self._facts, []
        waiters, self._waiters = self._waiters, []
        self._handed_over = bool(facts)
        if not facts:
            return

        def done(failure: JournalError | None, error: BaseException | None) -> None:
            self._hand_over()
            for waiter in waiters:
                if waiter.done():
                    continue
                if error is None:
                    waiter.set_result(failure)
                else:
                    waiter.set_exception(error)

        self._thread.submit(lambda: self._commit(facts), done)

    def _commit(self, facts: list[Fact]) -> JournalError | None:
        if self._failure is None:
            began = self._now()
            try:
                self._writer.commit(facts)
            except Exception as err:  # noqa: BLE001 - a fault of ours must not lose paid replies either
                # Never again on this file: after a failed flush the next may succeed and prove nothing.
                self._failure = err
            else:
                self._note(began, self._now())
                return None
        kept = self._spill.keep(facts)
        return _given_up(self._failure, self.path, self._spill, kept=kept)

    def _note(self, began: float, ended: float) -> None:
        self.commits.add(ended - began)
        # Here, where a disk that does not answer holds up nobody whom it would not hold up anyway.
        if ended - self._room_asked >= ROOM_EVERY_S:
            self._room_asked = ended
            self.free_bytes = free_bytes(self.path.parent)

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        if self._closed:
            raise JournalError(f"The journal {self.path} is closed.")

        def job() -> T:
            with in_our_words(self.path):
                return work(self._connection, *args)

        return await self._thread.run(job)

    def _let_go(self) -> None:
        if self._failure is None:
            close_clean(self._connection, self.path)
        else:
            self._connection.close()
        self._lock.release()


def _given_up(failure: Exception, path: Path, spill: Spill, *, kept: bool) -> JournalError:
    full = isinstance(failure, apsw.FullError)
    if full:
        what, remedy = "The disk is full", "Make room"
    elif isinstance(failure, apsw.IOError):
        what, remedy = f"The disk fails ({failure})", "Look to the disk"
    else:
        what, remedy = f"Writing fails ({type(failure).__name__}: {failure})", "Report this"
    rest = f"What came after was put into {spill.path}" if spill.path else "What came after could be put nowhere else"
    if spill.path and not kept:
        rest = f"{rest}, until that place failed too"
    error = JournalError(
        f"{what}: the journal {path} takes no more. Everything acknowledged is in it. {rest}.",
        f"{remedy}, then run the same command again: only what was not acknowledged is asked again.",
        kind="disk_full" if full else "journal_failed",
    )
    error.__cause__ = failure
    return error
