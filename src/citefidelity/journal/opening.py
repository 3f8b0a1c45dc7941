"""Open a journal for writing, or say why not."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from citefidelity.errors import JournalError
from citefidelity.journal import schema
from citefidelity.journal.connection import in_our_words, log_ahead, open_for_writing
from citefidelity.journal.filesystem import (
    Detect,
    check_lock_and_flush,
    cloud_folder,
    is_there,
    network_filesystem,
    unwritable,
)
from citefidelity.journal.job_thread import JobThread
from citefidelity.journal.lock import take_lock
from citefidelity.journal.schema import Header
from citefidelity.journal.spill import Spill
from citefidelity.journal.sqlite import Opened, SqliteJournal
from citefidelity.journal.writer import Writer, last_attempt
from citefidelity.ports import Clock, Holder


def random_id() -> str:
    """A name that no other journal has."""
    return secrets.token_hex(16)


async def open_journal(  # noqa: PLR0913 - what a run has to give, and what only tests and far places change
    path: Path,
    *,
    store_id: str,
    holder: Holder,
    clock: Clock,
    create: bool = True,
    new_id: Callable[[], str] = random_id,
    detect: Detect = network_filesystem,
    migrations: Mapping[int, Sequence[str]] = schema.MIGRATIONS,
    spill_directory: Path | None = None,
    vfs: str | None = None,
) -> SqliteJournal:
    """The journal at ``path``, locked for ``holder`` until it is closed or the process ends.

    Args:
        path: the file.
        store_id: of the store that its verdicts go to.
        holder: who opens it, told to others who try.
        clock: for the time of its making.
        create: whether to make it where there is none.
        new_id: names a new journal.
        detect: tells a network file system.
        migrations: how older tables are brought up to date.
        spill_directory: where facts go that the journal's disk does not take.
        vfs: of SQLite, where it is not the system's own.

    Raises:
        StoreHeld: another process has it open; names its pid and host.
        JournalError: it cannot be opened, or belongs to another store.
    """
    thread = JobThread("journal")
    opening = _Opening(path.absolute(), store_id, holder, clock, new_id, detect, migrations, vfs)  # noqa: ASYNC240 - no look at the disk
    try:
        opened = await thread.run(lambda: opening.open(create=create))
    except BaseException:
        # Cancelled, the thread opens all the same: then it must close again.
        thread.submit(opening.undo, lambda _result, _error: None)
        thread.finish()
        raise
    return SqliteJournal(opening.path, thread, opened, Spill(spill_directory), clock.monotonic)


@dataclass
class _Opening:
    """One opening, step by step; a step that fails leaves everything as it was found."""

    path: Path
    store_id: str
    holder: Holder
    clock: Clock
    new_id: Callable[[], str]
    detect: Detect
    migrations: Mapping[int, Sequence[str]]
    vfs: str | None
    opened: Opened | None = None

    def undo(self) -> None:
        """Close what was opened for nobody."""
        if self.opened is not None:
            self.opened.connection.close()
            self.opened.lock.release()

    def open(self, *, create: bool) -> Opened:
        """Lock, look, connect, check."""
        if not is_there(self.path) and not create:
            raise JournalError(
                f"There is no journal at {self.path}.", "Name it with --journal.", kind="journal_missing"
            )
        lock = take_lock(self.path, self.holder)
        try:
            kind = self.detect(self.path.parent)
            if kind is not None:
                check_lock_and_flush(self.path, kind)
            # Looked for again: until the lock was ours, another may have made it.
            there = is_there(self.path)
            with in_our_words(self.path):
                if not there:
                    self._make()
                connection, header = self._connect(exclusive=kind is not None)
                writer, attempt = Writer(connection), last_attempt(connection)
        except BaseException:
            lock.release()
            raise
        self.opened = Opened(connection, writer, attempt, lock, header, _notes(self.path, kind))
        return self.opened

    def _connect(self, *, exclusive: bool) -> tuple[apsw.Connection, Header]:
        connection = open_for_writing(self.path, exclusive=exclusive, vfs=self.vfs)
        try:
            self._check(connection)
            log_ahead(connection, self.path)
            return connection, schema.read_header(connection)
        except BaseException:
            connection.close()
            raise

    def _check(self, connection: apsw.Connection) -> None:
        version = schema.check_identity(connection, self.path, oldest=schema.oldest_readable(self.migrations))
        if version == schema.VERSION:
            schema.check_tables(connection, self.path)
        self._check_store(connection)
        if version < schema.VERSION:
            log_ahead(connection, self.path)
            schema.migrate(connection, version, self.migrations)
            schema.check_tables(connection, self.path)

    def _check_store(self, connection: apsw.Connection) -> None:
        header = schema.read_header(connection)
        if header.store_id != self.store_id:
            raise JournalError(
                f"The journal {self.path} belongs to another store ({header.store_id}, not {self.store_id}). "
                "Nothing was asked, and it was not touched.",
                "Name the store it belongs to with --store, or another journal with --journal.",
                kind="journal_of_another_store",
            )

    def _make(self) -> None:
        header = Header(
            journal_id=self.new_id(), store_id=self.store_id, created_at=self.clock.wall(), version=schema.VERSION
        )
        try:
            schema.make(self.path, header)
        except OSError as err:
            raise unwritable(self.path, err) from err


def _notes(path: Path, network: str | None) -> tuple[str, ...]:
    notes = []
    if network is not None:
        notes.append(
            f"The journal lies on a network file system ({network}), so nobody else can read it while this run lives: "
            f"status and the live views have {path}.status.json only."
        )
    folder = cloud_folder(path)
    if folder is not None:
        notes.append(
            f"The journal lies in '{folder}', which a cloud service may copy or replace while it is written. "
            "A place outside of it is safer: --journal."
        )
    return tuple(notes)
