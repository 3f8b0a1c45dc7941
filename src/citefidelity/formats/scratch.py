"""Room on disk for what would not fit into memory while files are read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw

from citefidelity.errors import StoreError
from citefidelity.records import CitationKey


@contextmanager
def scratch(tables: str) -> Iterator[apsw.Connection]:
    """A database with these tables, which vanishes at the end.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        # SQLite keeps a database without a name in memory while it is small, else in a file that it removes itself.
        connection = apsw.Connection("")
        try:
            connection.execute(f"{tables}; BEGIN")
            yield connection
        finally:
            connection.close(force=True)
    except apsw.Error as err:
        raise StoreError(
            f"The temporary file that an import needs cannot be written ({err}).",
            "Make room, or name another directory in SQLITE_TMPDIR.",
        ) from err


class Seen:
    """Where each key stood first. A million keys would take 200 MB of memory.

    Args:
        connection: a scratch database made with :attr:`TABLES`.
    """

    TABLES = "CREATE TABLE seen (digest BLOB PRIMARY KEY, file BLOB, line INTEGER) WITHOUT ROWID"

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def before(self, key: CitationKey, file: str, line: int) -> tuple[str, int] | None:
        """Note the key; file and line where it stood before, if it did."""
        digest = key.digest()
        # Names of files are bytes, which need not be text.
        place = digest, os.fsencode(file), line
        self._connection.execute("INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT DO NOTHING", place)
        if self._connection.changes():
            return None
        row: Any = self._connection.execute("SELECT file, line FROM seen WHERE digest = ?", (digest,)).fetchone()
        return os.fsdecode(row[0]), row[1]
