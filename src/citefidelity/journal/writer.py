"""The one writer: facts gather in the event loop while the thread commits those before them.

Under load a commit carries the facts of many calls, and costs one hand-over to the thread and one wake-up of the loop;
at rest a fact waits for nothing but its own flush.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw

from citefidelity.errors import JournalError
from citefidelity.facts import Asked, ContextPast, Ended, Fact
from citefidelity.journal import schema, spill
from citefidelity.journal.filesystem import Place, place_of
from citefidelity.journal.lock import JournalLock
from citefidelity.journal.recall import recall
from citefidelity.journal.recording import Numbered, Recorder
from citefidelity.one_thread import OneThread
from citefidelity.ports import Clock, Holder
from citefidelity.records import CitationKey

SEQUENCED = ("asked", "settled", "reopened", "delivered")


class _Batch:
    """Facts that are written together, and who waits for them."""

    __slots__ = ("facts", "waiters")

    def __init__(self) -> None:
        self.facts: list[Numbered] = []
        self.waiters: list[asyncio.Future[None]] = []


class SqliteJournal:
    """A journal in one SQLite file, held exclusively. Made by :func:`open_journal`."""

    def __init__(self, path: Path, lock: JournalLock, thread: OneThread, connection: apsw.Connection) -> None:
        self.path = path
        self._lock = lock
        self._thread = thread
        self._connection = connection
        self._recorder = Recorder(connection)
        self.journal_id, self.store_id = schema.header(connection)
        self._last = _last_number(connection)
        self._gathering = _Batch()
        self._writing = False
        self._scheduled = False
        self._broken: JournalError | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def backlog(self) -> int:
        """Facts that wait for the commit after the present one."""
        return len(self._gathering.facts)

    def number(self) -> int:
        """A fresh attempt number, larger than every earlier one."""
        self._last += 1
        return self._last

    async def append(self, facts: Sequence[Fact]) -> None:
        """Append all of ``facts`` or none; returns once they are on disk.

        Raises:
            JournalError: they are not, and the journal takes no more.
        """
        if not facts:
            return
        if self._broken is not None:
            raise self._unwritten(facts)
        loop = asyncio.get_running_loop()
        batch = self._gathering
        for fact in facts:
            # An attempt has its number already; everything else is numbered in the order in which it is appended.
            batch.facts.append((fact.attempt if isinstance(fact, Asked | Ended) else self.number(), fact))
        waiter = loop.create_future()
        batch.waiters.append(waiter)
        self._idle.clear()
        if not self._writing and not self._scheduled:
            # At the end of this turn of the loop: who else appends in it shares the commit.
            self._scheduled = True
            loop.call_soon(self._hand_over)
        # A cancelled waiter leaves; the batch is written all the same.
        await waiter

    async def recall(self, screening: str, keys: Sequence[CitationKey]) -> dict[CitationKey, ContextPast]:
        """What is known of these citations' contexts in ``screening``.

        Raises:
            JournalError: the journal cannot be read.
        """
        try:
            return await self._thread.run(recall, self._connection, screening, keys)
        except apsw.Error as err:
            raise schema.translated(err, self.path) from err

    async def close(self) -> None:
        """Wait for what is being written, fold the log into the file, let go of the lock. Safe to call twice."""
        await self._idle.wait()
        await self._thread.run(self._close)
        self._thread.stop()

    async def __aenter__(self) -> Self:
        """Open already."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    def _hand_over(self) -> None:
        self._scheduled = False
        self._writing = True
        batch, self._gathering = self._gathering, _Batch()
        loop = asyncio.get_running_loop()
        self._thread.submit(lambda: self._write(loop, batch))

    def _write(self, loop: asyncio.AbstractEventLoop, batch: _Batch) -> None:
        error: apsw.Error | OSError | None = None
        try:
            self._recorder.write(batch.facts)
        except (apsw.Error, OSError) as err:
            error = err
        loop.call_soon_threadsafe(self._written, batch, error)

    def _written(self, batch: _Batch, error: apsw.Error | OSError | None) -> None:
        self._writing = False
        if error is not None and self._broken is None:
            # After a failed flush the system may have thrown the pages away: this file is not written again.
            self._broken = schema.translated(error, self.path)
            self._broken.__cause__ = error
        if error is not None:
            refusal = self._unwritten([fact for _, fact in batch.facts])
            _settle(batch, refusal)
            _settle(self._gathering, refusal)
            spill.keep(self.path, [fact for _, fact in self._gathering.facts])
            self._gathering = _Batch()
        else:
            _settle(batch, None)
        if self._gathering.facts:
            self._hand_over()
        else:
            self._idle.set()

    def _unwritten(self, facts: Sequence[Fact]) -> JournalError:
        """The refusal of these facts; replies among them, which may be paid for, are kept elsewhere for people."""
        assert self._broken is not None, "only after a failed write"  # noqa: S101 - an invariant of the callers
        kept = spill.keep(self.path, facts)
        also = f" Replies that could not be written were kept in {kept}." if kept else ""
        error = JournalError(self._broken.message + also, self._broken.hint, kind=self._broken.kind)
        error.__cause__ = self._broken.__cause__
        return error

    def _close(self) -> None:
        try:
            if self._broken is None:
                # People copy the file alone; then nothing may be missing in it.
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error as err:
            # A reader holds it back, or the disk is full: the log stays beside the file and is as durable.
            if not isinstance(err, apsw.BusyError | apsw.FullError | apsw.IOError | apsw.LockedError):
                raise
        finally:
            self._connection.close()
            self._lock.release()


async def open_journal(  # noqa: PLR0913 - all but two by name
    path: Path,
    *,
    store_id: str,
    holder: Holder,
    clock: Clock,
    create: bool = True,
    place_at: Place | None = None,
    vfs: str | None = None,
) -> SqliteJournal:
    """Open a journal for writing, or make it.

    Args:
        path: of the file.
        store_id: of the store it belongs to.
        holder: who opens it, told to whoever is refused meanwhile.
        clock: unused by the journal itself; facts carry their times.
        create: whether it may be made.
        place_at: on what file system it lies; found out unless told.
        vfs: SQLite's name for the file system layer; the default unless told.

    Raises:
        StoreHeld: another process works with it.
        JournalError: it cannot be opened, or is the journal of another store.
    """
    del clock
    thread = OneThread("journal")
    lock = JournalLock(path)
    try:
        connection = await thread.run(_open, path, lock, store_id, holder, create, place_at, vfs)
    except BaseException:
        await thread.run(lock.release)
        thread.stop()
        raise
    return SqliteJournal(path, lock, thread, connection)


def _open(  # noqa: PLR0913, PLR0917 - the blocking half of open_journal
    path: Path,
    lock: JournalLock,
    store_id: str,
    holder: Holder,
    create: bool,
    place_at: Place | None,
    vfs: str | None,
) -> apsw.Connection:
    _look_at(path, create=create)
    place = place_at or place_of(path)
    lock.acquire(holder)
    is_new = not path.exists()
    connection: apsw.Connection | None = None
    try:
        if is_new:
            # Made here, so that nobody else can read it, not even for a moment.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        connection = schema.connect(path, vfs=vfs, exclusive=place.is_network)
        schema.prepare(connection, path, journal_id=uuid.uuid4().hex, store_id=store_id)
        if is_new:
            _flush_directory(path.parent)
    except (apsw.Error, OSError) as err:
        if connection is not None:
            connection.close()
        raise schema.translated(err, path) from err
    except JournalError:
        if connection is not None:
            connection.close()
        raise
    return connection


def _look_at(path: Path, *, create: bool) -> None:
    if path.is_symlink():
        raise JournalError(
            f"The journal {path} is a symbolic link; its lock and log would lie beside the link, not beside the file. "
            "Nothing was asked.",
            f"Name the file itself: --journal {path.resolve()}",
            kind="journal_is_link",
        )
    if path.is_dir():
        raise JournalError(f"The journal {path} is a directory. Nothing was asked.", "Name a file with --journal FILE.")
    if not create and not path.exists():
        raise JournalError(f"There is no journal {path}.", "Name the one that is there with --journal FILE.")
    if create and not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)


def _flush_directory(directory: Path) -> None:
    """The file's name is to survive a power cut, too."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _last_number(connection: apsw.Connection) -> int:
    largest = 0
    for table in SEQUENCED:
        row: Any = connection.execute(f"SELECT max(seq) FROM {table}").fetchone()  # noqa: S608 - a name from above
        largest = max(largest, row[0] or 0)
    return largest


def _settle(batch: _Batch, error: JournalError | None) -> None:
    for waiter in batch.waiters:
        if waiter.done():
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)
