"""What an embedded store looks like on disk, and how its file is opened.

A citation's id is its place in the order of import: it is never used again (AUTOINCREMENT), and pages go by it.
``citation_scan`` holds what scans need and nothing else: over a million citations they read some 40 MB, not the texts.
"""

from __future__ import annotations

from pathlib import Path

import apsw

from citefidelity.errors import StoreError, StoreMissing

APPLICATION_ID = 0x43464944  # "CFID"
SCHEMA_VERSION = 1
BUSY_TIMEOUT_MS = 10_000

_FULL = 2
_TABLES = """
CREATE TABLE store (store_id TEXT NOT NULL) STRICT;
INSERT INTO store SELECT lower(hex(randomblob(16)));

CREATE TABLE citation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    reference_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    qualified INTEGER NOT NULL,
    context_count INTEGER NOT NULL,
    fields BLOB NOT NULL,
    contexts BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX citation_key ON citation (source_id, target_id, reference_id);
CREATE INDEX citation_scan ON citation (id, qualified, context_count, digest);

CREATE TABLE screening (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    spec TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE screening_journal (
    screening_id INTEGER NOT NULL,
    journal_id TEXT NOT NULL,
    host TEXT NOT NULL,
    path TEXT NOT NULL,
    part INTEGER NOT NULL,
    of INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    PRIMARY KEY (screening_id, journal_id)
) STRICT;

CREATE TABLE delivered (
    screening_id INTEGER NOT NULL,
    citation_id INTEGER NOT NULL,
    classified_at TEXT NOT NULL,
    run TEXT NOT NULL,
    outcome_count INTEGER NOT NULL,
    PRIMARY KEY (screening_id, citation_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE outcome (
    screening_id INTEGER NOT NULL,
    citation_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    instance_id TEXT NOT NULL,
    state TEXT NOT NULL,
    category TEXT,
    citation_type TEXT,
    confidence REAL,
    justification TEXT,
    failure_kind TEXT,
    failure TEXT,
    answer TEXT,
    input_hash TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX outcome_place ON outcome (screening_id, citation_id, position);
CREATE INDEX outcome_category ON outcome (screening_id, state, category);
"""


def open_writer(path: Path, *, create: bool) -> apsw.Connection:
    """The connection that writes; makes the store where told to.

    Raises:
        StoreMissing: there is none, and it is not to be made.
        StoreError: the file is something else, or was made by a newer version.
    """
    _expect_file(path, create=create)
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    connection = _connect(path, flags)
    if not _is_ours(connection, path):
        if not create:
            raise _missing(path)
        _make(connection, path)
    return connection


def open_reader(path: Path) -> apsw.Connection:
    """A connection that only reads, and so never waits for the writer."""
    connection = _connect(path, apsw.SQLITE_OPEN_READWRITE)
    connection.pragma("query_only", 1)
    return connection


def _expect_file(path: Path, *, create: bool) -> None:
    if path.is_dir():
        raise StoreError(f"The store {path} is a directory.", "Give the file: --store sqlite:///FILE.")
    if path.exists():
        return
    if not create:
        raise _missing(path)
    if not path.parent.is_dir():
        raise StoreError(f"There is no directory {path.parent} to make the store in.", "Make it, or give another path.")


def _missing(path: Path) -> StoreMissing:
    return StoreMissing(
        f"There is no store at {path}.",
        "Import citations first: `citefidelity import FILE`. Another store is named by --store sqlite:///FILE.",
    )


def _connect(path: Path, flags: int) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=flags)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.pragma("trusted_schema", 0)
    connection.pragma("synchronous", _FULL)
    if connection.pragma("synchronous") != _FULL:
        raise StoreError(f"SQLite does not promise to put commits to {path} on disk.")
    return connection


def _is_ours(connection: apsw.Connection, path: Path) -> bool:
    """False for a new, empty file."""
    application, version = connection.pragma("application_id"), connection.pragma("user_version")
    if application == APPLICATION_ID:
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"The store {path} was made by a newer version of citefidelity (store format {version}, "
                f"this program knows {SCHEMA_VERSION}). It was not changed.",
                "Upgrade citefidelity.",
            )
        return True
    if application == 0 and connection.pragma("schema_version") == 0:
        return False
    raise StoreError(
        f"{path} is a SQLite database, but no citefidelity store. It was not changed.", "Give another --store."
    )


def _make(connection: apsw.Connection, path: Path) -> None:
    if connection.pragma("journal_mode", "wal") != "wal":
        raise StoreError(
            f"SQLite cannot keep a write-ahead log beside {path}.", "Put the store on a disk of this machine."
        )
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have made it since we looked.
    if not _is_ours(connection, path):
        connection.execute(_TABLES)
        connection.pragma("application_id", APPLICATION_ID)
        connection.pragma("user_version", SCHEMA_VERSION)
    connection.execute("COMMIT")
