"""One connection in one thread, and SQLite's errors in our words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import apsw

from citefidelity.errors import StoreError, StoreUnavailable
from citefidelity.one_thread import OneThread

P = ParamSpec("P")
T = TypeVar("T")

_AGAIN = "Run the same command again: what was written stands, the rest is still to do."


class Database:
    """Runs work on a connection that is opened when first needed, and opened anew after an I/O error.

    Args:
        path: of the file.
        connect: opens it.
    """

    def __init__(self, path: Path, connect: Callable[[], apsw.Connection]) -> None:
        self.path = path
        self.thread = OneThread("sqlite")
        self._connect = connect
        self._connection: apsw.Connection | None = None

    async def run(self, work: Callable[Concatenate[apsw.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``work`` returns, done in the thread.

        Raises:
            StoreError: SQLite refused, told in our words.
        """
        return await self.thread.run(lambda: self._run(lambda connection: work(connection, *args, **kwargs)))

    async def close(self) -> None:
        """Close after what was asked for is done; the last connection to a store folds its log into it."""
        try:
            await self.thread.surely(self._drop)
        finally:
            self.thread.stop()

    def _run(self, work: Callable[[apsw.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return work(self._connection)
        except (apsw.IOError, apsw.CorruptError) as err:
            # What the operating system has thrown away after a failed write, only a fresh look at the file can tell.
            self._drop()
            raise in_our_words(err, self.path) from err
        except apsw.Error as err:
            raise in_our_words(err, self.path) from err

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def rows(connection: apsw.Connection, sql: str, *bindings: apsw.SQLiteValue) -> Iterator[tuple[Any, ...]]:
    """The rows of one statement. The tables are STRICT, so that each column has the type it says."""
    return iter(connection.execute(sql, bindings))


@contextmanager
def writing(connection: apsw.Connection) -> Iterator[None]:
    """A transaction that has the write lock from the start; it is on disk when this ends, or it never was."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk rolls back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def reading(connection: apsw.Connection) -> Iterator[None]:
    """One state of the store for several reads."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")


def in_our_words(err: apsw.Error, path: Path) -> StoreError:
    """What SQLite says, what it means for the data, and what to do."""
    kind: type[StoreError] = StoreError
    hint = ""
    match err:
        case apsw.BusyError() | apsw.LockedError():
            kind, message = StoreUnavailable, f"Another process keeps the store {path} locked. Nothing was written."
            hint = _AGAIN
        case apsw.FullError():
            kind, message = StoreUnavailable, f"The disk is full: nothing more can be written to the store {path}."
            hint = f"Make room. {_AGAIN}"
        case apsw.IOError():
            kind, message = StoreUnavailable, f"The disk fails under the store {path} ({err})."
            hint = _AGAIN
        case apsw.NotADBError():
            message, hint = f"{path} is no SQLite database, so no citefidelity store.", "Give another --store."
        case apsw.CorruptError():
            message = f"The store {path} is damaged ({err})."
            hint = "Bring it back from a backup; what the backup lacks is delivered again from the journal."
        case apsw.CantOpenError() | apsw.PermissionsError() | apsw.ReadOnlyError() | apsw.AuthError():
            message = f"The store {path} cannot be opened for writing ({err}). Nothing was changed."
            hint = (
                "Check the rights on the file and on its directory: SQLite writes there even to read. Where they are "
                "to stay so, copy the file elsewhere and name the copy with --store."
            )
        case _:
            message = f"The store {path} cannot be used ({err})."
    return kind(message, hint)
