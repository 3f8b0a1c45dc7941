"""The tables of a journal, and how a file is known to be one.

Every fact takes a number from one sequence, ``seq``, so that "later than" has one meaning across all tables. Tables
that are scanned for totals hold short rows only; prompts, raw replies and outcomes lie in tables of their own.

Citations, screenings and runs are small integers. Numbers are given in order of first appearance, so that what one
run writes lies together and an index over a million citations is appended to, not scattered.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import apsw
import msgspec

from citefidelity.errors import JournalError
from citefidelity.journal.filesystem import flush_directory

VERSION = 1
"""Of the tables below; kept in the file as ``user_version``."""

APPLICATION_ID = 0x63_66_6A_6C
"""Marks an SQLite file as a journal of this program: "cfjl"."""

TABLES = """
CREATE TABLE journal (
    journal_id TEXT NOT NULL,
    store_id TEXT NOT NULL,
    created_at REAL NOT NULL
) STRICT;

CREATE TABLE screening (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE run (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE citation (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    source_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    reference_id TEXT NOT NULL
) STRICT;

CREATE TABLE spec (fingerprint TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT;

CREATE TABLE began (
    seq INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    screening INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    program TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    at REAL NOT NULL
) STRICT;

CREATE TABLE stopped (seq INTEGER PRIMARY KEY, run INTEGER NOT NULL, why TEXT NOT NULL, at REAL NOT NULL) STRICT;

CREATE TABLE prompt (id INTEGER PRIMARY KEY, input_hash BLOB NOT NULL UNIQUE, zstd BLOB NOT NULL) STRICT;

CREATE TABLE asked (
    attempt INTEGER PRIMARY KEY,
    screening INTEGER NOT NULL,
    run INTEGER NOT NULL,
    citation INTEGER NOT NULL,
    instance_id TEXT NOT NULL,
    input_hash BLOB NOT NULL,
    at REAL NOT NULL,
    manner TEXT
) STRICT;
CREATE INDEX asked_by_citation ON asked (screening, citation);

CREATE TABLE ended (
    attempt INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    screening INTEGER NOT NULL,
    at REAL NOT NULL,
    seconds REAL NOT NULL,
    sent INTEGER NOT NULL,
    fault TEXT,
    billed TEXT NOT NULL,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cached_tokens INTEGER,
    reasoning_tokens INTEGER,
    cost_usd REAL
) STRICT;

CREATE TABLE reply (
    seq INTEGER PRIMARY KEY,
    status INTEGER,
    message TEXT,
    answering_model TEXT,
    system_fingerprint TEXT,
    finish_reason TEXT,
    request_id TEXT,
    zstd BLOB
) STRICT;

CREATE TABLE settled (
    screening INTEGER NOT NULL,
    citation INTEGER NOT NULL,
    instance_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    run INTEGER NOT NULL,
    input_hash BLOB NOT NULL,
    usable INTEGER NOT NULL,
    result TEXT NOT NULL, -- verdict:SUPPORT, unassessable:no_evidence, failed:refused, transient:timeout
    attempt INTEGER,
    at REAL NOT NULL,
    PRIMARY KEY (screening, citation, instance_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE outcome (seq INTEGER PRIMARY KEY, json BLOB NOT NULL, flags BLOB) STRICT;

CREATE TABLE reopened (
    seq INTEGER PRIMARY KEY,
    screening INTEGER NOT NULL,
    citation INTEGER NOT NULL,
    instance_id TEXT NOT NULL,
    at REAL NOT NULL,
    why TEXT NOT NULL
) STRICT;
CREATE INDEX reopened_by_context ON reopened (screening, citation, instance_id);

CREATE TABLE delivered (
    seq INTEGER PRIMARY KEY,
    screening INTEGER NOT NULL,
    citation INTEGER NOT NULL,
    run INTEGER NOT NULL,
    at REAL NOT NULL,
    result TEXT NOT NULL
) STRICT;
CREATE INDEX delivered_by_citation ON delivered (screening, citation);
"""

NUMBERED = ("began", "stopped", "reply", "outcome", "reopened", "delivered")
"""Tables whose primary key is ``seq``; the rows of ``ended`` and ``settled`` share theirs with two of these."""

MIGRATIONS: Mapping[int, Sequence[str]] = {}
"""From each older version, the statements that lead to the next."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Whose journal a file is. ``created_at`` is in seconds since the epoch."""

    journal_id: str
    store_id: str
    created_at: float
    version: int


def make(path: Path, header: Header) -> None:
    """Make a new journal that only its owner can read. The file appears whole, or not at all.

    Raises:
        apsw.Error: it cannot be written.
        OSError: it cannot be made there.
    """
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    # Not left to SQLite, which would let others read it. Its log and shared memory take their mode from the file.
    os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    with closing(apsw.Connection(str(unfinished), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.pragma("synchronous", "full")
        connection.pragma("fullfsync", 1)  # macOS: a plain fsync stops in the drive's cache
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(TABLES)
        values = (header.journal_id, header.store_id, header.created_at)
        connection.execute("INSERT INTO journal VALUES (?, ?, ?)", values)
        connection.pragma("application_id", APPLICATION_ID)
        connection.pragma("user_version", header.version)
        connection.execute("COMMIT")
    unfinished.replace(path)
    flush_directory(path.parent)


def check_identity(connection: apsw.Connection, path: Path, *, oldest: int = VERSION) -> int:
    """The version of the journal's tables, found without changing anything.

    Raises:
        JournalError: this is no journal, or one that this program cannot read.
    """
    if connection.pragma("application_id") != APPLICATION_ID:
        raise JournalError(
            f"{path} is an SQLite file, but no journal of citefidelity. It was not touched.",
            "Give another --journal.",
            kind="not_a_journal",
        )
    version = int(str(connection.pragma("user_version")))
    if version > VERSION:
        raise JournalError(
            f"The journal {path} was written by a newer citefidelity (version {version} of its tables; this one knows "
            f"{VERSION}). It was not touched.",
            "Upgrade citefidelity.",
            kind="journal_too_new",
        )
    if version < oldest:
        raise JournalError(
            f"The journal {path} was written by an older citefidelity (version {version} of its tables; this one reads "
            f"{oldest} and later). It was not touched.",
            "Where `citefidelity run` cannot bring it up to date either, use the citefidelity that wrote it.",
            kind="journal_too_old",
        )
    return version


def migrate(connection: apsw.Connection, version: int, migrations: Mapping[int, Sequence[str]]) -> None:
    """Bring older tables up to date, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    for step in range(version, VERSION):
        for statement in migrations[step]:
            connection.execute(statement)
    connection.pragma("user_version", VERSION)
    connection.execute("COMMIT")


def oldest_readable(migrations: Mapping[int, Sequence[str]]) -> int:
    """The oldest version from which an unbroken row of migrations leads to ours."""
    version = VERSION
    while version - 1 in migrations:
        version -= 1
    return version


def check_tables(connection: apsw.Connection, path: Path) -> None:
    """See that the file holds our tables and nothing else: a trigger in a file from elsewhere would run as we write.

    Raises:
        JournalError: it does not.
    """
    with closing(apsw.Connection(":memory:")) as blank:
        blank.execute(TABLES)
        expected = _objects(blank)
    if _objects(connection) != expected:
        raise JournalError(
            f"The journal {path} does not hold the tables it should: somebody has changed it. It was not touched.",
            "Bring it back from a backup.",
            kind="journal_changed",
        )


def read_header(connection: apsw.Connection) -> Header:
    """Whose journal this is; the tables have been checked."""
    journal_id, store_id, created_at = connection.execute("SELECT journal_id, store_id, created_at FROM journal").get
    version = int(str(connection.pragma("user_version")))
    return Header(journal_id=journal_id, store_id=store_id, created_at=created_at, version=version)


def _objects(connection: apsw.Connection) -> set[tuple[str, str]]:
    # sqlite_stat tables are SQLite's own, and somebody's ANALYZE does no harm.
    rows = connection.execute("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'")
    return {(str(kind), str(name)) for kind, name in rows}
