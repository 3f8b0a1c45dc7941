"""Connections to a journal's file, set up so that a commit is on disk, and SQLite's errors in our words."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from citefidelity.errors import JournalError, StoreError, StoreHeld

log = logging.getLogger(__name__)

FULL = 2
"""``PRAGMA synchronous``: in WAL mode, each commit is flushed to disk before it returns."""

# Others only read, and reading blocks no commit; what can make us wait is another's recovery after a crash.
BUSY_MS = 10_000
READER_BUSY_MS = 2_000
FOLDING_BUSY_MS = 200

# A checkpoint copies the log into the file and flushes both, inside some unlucky commit. SQLite's 1,000 pages come
# round every few hundred contexts; 4,000 write a tenth less in a quarter of the stalls (over 60,000 contexts: 746 MB,
# not 839). 16,000 save little more, and leave 64 MB to read through after a crash.
CHECKPOINT_PAGES = 4_000

# Enough that the inner pages of the indexes by hash stay in memory with a million contexts.
CACHE_KIB = 16_000


def open_for_writing(path: Path, *, exclusive: bool, vfs: str | None = None) -> apsw.Connection:
    """The one writing connection. The file exists. Nothing in it is changed before :func:`log_ahead`.

    ``exclusive`` keeps everybody else out and needs no shared memory: network file systems have none.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
    if exclusive:
        # Before the first access: afterwards SQLite would already have mapped shared memory.
        connection.pragma("locking_mode", "exclusive")
    connection.set_busy_timeout(BUSY_MS)
    _trust_nothing(connection)
    # After a failed flush the operating system may have dropped pages, and a checkpoint would flush again and believe
    # it. So only a clean close folds the log into the file.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    return connection


def log_ahead(connection: apsw.Connection, path: Path) -> None:
    """Set the connection up so that a commit is on disk when it returns, and see that it is.

    Raises:
        JournalError: SQLite will not have it so.
    """
    # Before journal_mode, so that the switch itself is flushed. One PRAGMA a call: of several in one string apsw runs
    # only the first, unless somebody reads the rows it returns.
    connection.pragma("synchronous", FULL)
    connection.pragma("fullfsync", 1)  # macOS: a plain fsync stops in the drive's cache
    connection.pragma("checkpoint_fullfsync", 1)
    connection.pragma("journal_mode", "wal")
    connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
    connection.pragma("cache_size", -CACHE_KIB)
    mode, synchronous = connection.pragma("journal_mode"), connection.pragma("synchronous")
    if (mode, synchronous) != ("wal", FULL):
        raise JournalError(
            f"SQLite does not write the journal {path} as it must (journal_mode {mode}, synchronous {synchronous}): "
            "an answer might be lost with the power. Nothing was asked.",
            "Put the journal on a local disk with --journal.",
            kind="journal_not_durable",
        )
    # What a killed run left in its log may be in memory only, where a flush had failed: it goes into the file, flushed
    # anew, before anything is built on it.
    _fold_log(connection, path)


def open_for_reading(path: Path) -> apsw.Connection:
    """A connection that cannot write and holds up nobody who does."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(READER_BUSY_MS)
    _trust_nothing(connection)
    return connection


def close_clean(connection: apsw.Connection, path: Path) -> None:
    """Fold the log into the file, so that copying the one file copies all, and close."""
    try:
        if _fold_log(connection, path):
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
    except apsw.Error as err:
        # All of it is on disk in the log; the next to open the journal goes on from there.
        log.warning("the log of %s could not be folded into it (%s); keep the file %s-wal with it", path, err, path)
    connection.close()


@contextmanager
def in_our_words(path: Path) -> Iterator[None]:
    """Translate what SQLite raises while it opens or reads the journal.

    Raises:
        StoreHeld: another process has the journal for itself alone.
        JournalError: anything else.
    """
    try:
        yield
    except apsw.Error as err:
        raise translate(err, path) from err


def translate(err: apsw.Error, path: Path) -> StoreError:
    """What SQLite says while the journal is opened or read, what it means, and what to do."""
    match err:
        case apsw.BusyError() | apsw.LockedError():
            return StoreHeld(
                f"Another process has the journal {path} for itself, as a run on a network file system must.",
                f"While that run lives, read {path}.status.json; or wait for its end.",
            )
        case apsw.NotADBError():
            return JournalError(
                f"{path} is no SQLite database, so no journal. It was not touched.",
                "Give another --journal.",
                kind="not_a_journal",
            )
        case apsw.CorruptError():
            return JournalError(
                f"The journal {path} is damaged ({err}).",
                "Bring it back from a backup. What the store already has is safe and is not asked again.",
                kind="journal_damaged",
            )
        case apsw.CantOpenError() | apsw.PermissionsError() | apsw.ReadOnlyError() | apsw.AuthError():
            return JournalError(
                f"The journal {path} cannot be opened ({err}).",
                "Check the rights on the file and its directory, or name another place with --journal.",
                kind="journal_unwritable",
            )
        case apsw.FullError():
            return JournalError(
                f"The disk is full: the journal {path} cannot be opened for writing. Nothing was asked.",
                "Make room and run the same command again.",
                kind="disk_full",
            )
        case _:
            return JournalError(
                f"The journal {path} cannot be used ({err}). What was acknowledged is in it.",
                "Look to the disk it lies on, then run the same command again.",
            )


def scalar(connection: apsw.Connection, sql: str, *bindings: apsw.SQLiteValue) -> Any:
    """The one value that ``sql`` yields, None where it yields no row."""
    return connection.execute(sql, bindings).get


@contextmanager
def one_state(connection: apsw.Connection) -> Iterator[None]:
    """One state of the journal for several reads."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def _fold_log(connection: apsw.Connection, path: Path) -> bool:
    """Whether all of the log could be moved into the file; not while somebody reads."""
    connection.set_busy_timeout(FOLDING_BUSY_MS)
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError:
        log.debug("somebody reads %s: its log stays beside it", path)
        return False
    finally:
        connection.set_busy_timeout(BUSY_MS)
    return True


def _trust_nothing(connection: apsw.Connection) -> None:
    # A journal may come from elsewhere: what its schema says must not make us run anything.
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
