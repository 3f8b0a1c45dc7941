"""What a journal looks like on disk, and how its file is opened.

Facts only, each appended once. The tables that totals and look-ups scan are narrow; what is long (prompts, replies,
outcomes) lies in tables of its own, read by key. One sequence numbers all facts, so that "later" is well defined across
tables.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import apsw

from citefidelity.errors import JournalError

APPLICATION_ID = 0x4346494A  # "CFIJ"
SCHEMA_VERSION = 1
BUSY_TIMEOUT_MS = 10_000
WAL_PAGES = 4_000
"""The log is copied into the file whenever it has grown by so many pages (16 MB): pages that many commits touch are
copied once, and the log stays short enough to be read through at the start after a kill."""

_FULL = 2
_TABLES = """
CREATE TABLE header (journal_id TEXT NOT NULL, store_id TEXT NOT NULL) STRICT;

CREATE TABLE screening (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE spec (fingerprint TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE run (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, screening INTEGER NOT NULL, fingerprint TEXT NOT NULL,
    program TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, at REAL NOT NULL
) STRICT;
CREATE TABLE stopped (run INTEGER PRIMARY KEY, why TEXT NOT NULL, at REAL NOT NULL) STRICT;

CREATE TABLE citation (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE,
    source_id TEXT NOT NULL, target_id TEXT NOT NULL, reference_id TEXT NOT NULL
) STRICT;
CREATE TABLE input (hash BLOB PRIMARY KEY, prompt BLOB NOT NULL) STRICT;

CREATE TABLE asked (
    seq INTEGER PRIMARY KEY, screening INTEGER NOT NULL, run INTEGER NOT NULL, citation INTEGER NOT NULL,
    instance_id TEXT NOT NULL, input_hash BLOB NOT NULL, at REAL NOT NULL, manner TEXT
) STRICT;
CREATE INDEX asked_citation ON asked (citation);
CREATE TABLE ended (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, seconds REAL NOT NULL, sent INTEGER NOT NULL, status INTEGER,
    fault TEXT, billed TEXT NOT NULL, input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER,
    reasoning_tokens INTEGER, cost_usd REAL
) STRICT;
CREATE TABLE reply (
    seq INTEGER PRIMARY KEY, body BLOB, message TEXT, answering_model TEXT, system_fingerprint TEXT,
    finish_reason TEXT, request_id TEXT
) STRICT;

CREATE TABLE settled (
    seq INTEGER PRIMARY KEY, screening INTEGER NOT NULL, run INTEGER NOT NULL, citation INTEGER NOT NULL,
    instance_id TEXT NOT NULL, input_hash BLOB NOT NULL, at REAL NOT NULL, attempt INTEGER, state TEXT NOT NULL,
    usable INTEGER NOT NULL, category TEXT, kind TEXT, flags TEXT
) STRICT;
CREATE INDEX settled_citation ON settled (citation, screening);
CREATE TABLE outcome (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE reopened (
    seq INTEGER PRIMARY KEY, screening INTEGER NOT NULL, citation INTEGER NOT NULL, instance_id TEXT NOT NULL,
    at REAL NOT NULL, why TEXT NOT NULL
) STRICT;
CREATE INDEX reopened_citation ON reopened (citation, screening);
CREATE TABLE delivered (
    seq INTEGER PRIMARY KEY, screening INTEGER NOT NULL, run INTEGER NOT NULL, citation INTEGER NOT NULL,
    at REAL NOT NULL, result TEXT NOT NULL
) STRICT;
CREATE INDEX delivered_citation ON delivered (citation, screening);
"""

MIGRATIONS: Mapping[int, str] = {}
"""From each older version, the SQL that leads to the next one. Version 1 is the first."""


def connect(path: Path, *, vfs: str | None = None, exclusive: bool = False) -> apsw.Connection:
    """The writing connection. A commit has reached the disk when it returns.

    ``exclusive``: no shared memory beside the file, for network file systems; then nobody else can read meanwhile.
    """
    connection = apsw.Connection(str(path), vfs=vfs)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    if exclusive:
        connection.pragma("locking_mode", "exclusive")
    # Before the log is made: its very first commit must be as durable as the last.
    connection.pragma("synchronous", "full")
    if sys.platform == "darwin":
        # There, a plain flush does not reach the disk.
        connection.pragma("fullfsync", 1)
        connection.pragma("checkpoint_fullfsync", 1)
    mode = connection.pragma("journal_mode", "wal")
    connection.pragma("wal_autocheckpoint", WAL_PAGES)
    connection.pragma("trusted_schema", 0)
    if mode != "wal" or connection.pragma("synchronous") != _FULL:
        connection.close()
        raise JournalError(
            f"The journal {path} cannot be written durably here (mode {mode}). Nothing was asked.",
            "Put the journal on a local disk with --journal FILE.",
        )
    return connection


def prepare(
    connection: apsw.Connection,
    path: Path,
    *,
    journal_id: str,
    store_id: str,
    migrations: Mapping[int, str] = MIGRATIONS,
) -> None:
    """Make the tables in a new file; bring an older journal to this version; refuse what is none.

    Raises:
        JournalError: the file is no journal, belongs to another store, or is of a version that cannot be used.
    """
    version = _version(connection)
    if version == 0 and not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall():
        with connection:
            connection.pragma("application_id", APPLICATION_ID)
            connection.execute(_TABLES)
            connection.execute("INSERT INTO header VALUES (?, ?)", (journal_id, store_id))
            connection.pragma("user_version", SCHEMA_VERSION)
        return
    check(connection, path, migrations)
    for older in range(version, SCHEMA_VERSION):
        with connection:
            connection.execute(migrations[older])
            connection.pragma("user_version", older + 1)
    (_, owner) = header(connection)
    if owner != store_id:
        raise JournalError(
            f"The journal {path} belongs to another store (id {owner}). Nothing was asked.",
            "Give the journal of this store with --journal FILE, or leave --journal out for the default place.",
            kind="journal_of_another_store",
        )


def check(connection: apsw.Connection, path: Path, migrations: Mapping[int, str] = MIGRATIONS) -> None:
    """Refuse a file that is no journal, or whose format this program cannot use.

    Raises:
        JournalError: it is one of these.
    """
    version = _version(connection)
    if connection.pragma("application_id") != APPLICATION_ID:
        raise JournalError(
            f"{path} is an SQLite database, but no citefidelity journal. It was not changed.",
            "Give another --journal FILE.",
            kind="not_a_journal",
        )
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"The journal {path} was written by a newer citefidelity (format {version}; this one knows "
            f"{SCHEMA_VERSION}). It was not changed.",
            "Upgrade citefidelity, or use the version that wrote it.",
            kind="newer_journal",
        )
    if any(older not in migrations for older in range(version, SCHEMA_VERSION)):
        raise JournalError(
            f"The journal {path} has format {version}, older than this citefidelity can bring up to date. "
            "It was not changed.",
            "Finish its screening with the version that wrote it.",
            kind="older_journal",
        )


def header(connection: apsw.Connection) -> tuple[str, str]:
    """The journal's id and its store's."""
    rows = connection.execute("SELECT journal_id, store_id FROM header").fetchall()
    return str(rows[0][0]), str(rows[0][1])


def translated(err: apsw.Error | OSError, path: Path) -> JournalError:
    """What SQLite or the system says, what it means for the data, and what to do."""
    kept = "What was acknowledged before is safe."
    match err:
        case apsw.FullError():
            return JournalError(
                f"The disk is full: nothing more can be written to the journal {path}. {kept}",
                "Make room and run again.",
                kind="disk_full",
            )
        case apsw.NotADBError():
            return JournalError(
                f"{path} is no citefidelity journal. It was not changed.",
                "Give another --journal FILE.",
                kind="not_a_journal",
            )
        case apsw.CorruptError():
            return JournalError(
                f"The journal {path} is damaged ({err}).",
                "Keep the file; bring it back from a backup, or go on without it: --journal OTHER --new-journal.",
                kind="journal_damaged",
            )
        case apsw.BusyError() | apsw.LockedError():
            return JournalError(
                f"Another program keeps the journal {path} locked. {kept}", "Close it there and run again."
            )
        case apsw.CantOpenError() | apsw.PermissionsError() | apsw.ReadOnlyError() | apsw.AuthError() | OSError():
            return JournalError(
                f"The journal {path} cannot be opened for writing ({err}).",
                "Check the rights on the file and on its directory, or give another place with --journal FILE.",
                kind="journal_unwritable",
            )
        case _:
            return JournalError(
                f"The journal {path} cannot be written ({err}). {kept}",
                "Check the disk, and run again; if it goes on, give another place with --journal FILE.",
            )


def _version(connection: apsw.Connection) -> int:
    version = connection.pragma("user_version")
    assert isinstance(version, int), "SQLite says so"  # noqa: S101 - narrows the type
    return version
