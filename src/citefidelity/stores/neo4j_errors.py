"""What a Neo4j server or its driver says, in our words: what happened, what it means for the data, what to do.

Everything the driver raises is translated here and nowhere else; a test holds its list of errors against this one.
"""

from __future__ import annotations

from neo4j.exceptions import (
    AuthError,
    ClientError,
    ConfigurationError,
    ConnectionPoolError,
    DriverError,
    Forbidden,
    ForbiddenOnReadOnlyDatabase,
    IncompleteCommit,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
    TransientError,
    UnsupportedServerProduct,
)

from citefidelity.errors import StoreError, StoreMissing, StoreUnavailable

TOO_LARGE_CODES = frozenset(
    {
        "Neo.ClientError.General.TransactionOutOfMemoryError",
        "Neo.TransientError.General.MemoryPoolOutOfMemoryError",
        "Neo.TransientError.General.OutOfMemoryError",
    }
)
"""Some of them are called transient, but the same transaction would meet them again."""

NOT_NOW_CODES = frozenset(
    {
        "Neo.ClientError.Transaction.LockClientStopped",
        "Neo.ClientError.Transaction.TransactionMarkedAsFailed",
        "Neo.ClientError.Transaction.TransactionNotFound",
        "Neo.ClientError.Transaction.TransactionTerminated",
        "Neo.ClientError.Transaction.TransactionTimedOut",
        "Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration",
    }
)
"""Errors of the client by name only: the server ended the transaction, and another try may go through."""

DELETED_MEANWHILE = "Neo.ClientError.Statement.EntityNotFound"
"""Another client deleted what we had matched and waited to lock; the next try does not match it any more."""

NO_DATABASE = "Neo.ClientError.Database.DatabaseNotFound"
READ_ONLY_CODES = frozenset(
    {
        "Neo.ClientError.General.ForbiddenOnReadOnlyDatabase",
        "Neo.ClientError.General.WriteOnReadOnlyAccessDatabase",
        "Neo.ClientError.Database.WriteOnReadOnlyAccessDatabase",
    }
)

_PERMISSIONS = (
    "Ask the administrator. In Enterprise edition a role needs, on the graph, MATCH {*}, CREATE, DELETE, "
    "SET PROPERTY {*} and SET LABEL, on the database ACCESS, SHOW INDEX and the creation of new names, and for the "
    "first opening CREATE INDEX and CREATE CONSTRAINT."
)
_AGAIN = "Run the same command again: what was written stands, the rest is still to do."
_ONLY_READ = "It was only being read: nothing in it was changed."
_UNKNOWN = "Whether the last write took effect is not known; looking before the next write settles it."


class TooMuchAtOnce(StoreError):
    """One transaction was larger than the server allows; a smaller one may go through."""

    default_kind = "too_large"


class Refused(StoreError):
    """The server refuses a query for what it holds, or for itself; ``about_data`` where a value is to blame."""

    default_kind = "neo4j_refused"
    about_data = False


class ValueRefused(Refused):
    """A value cannot be kept by the server, such as a key too long for an index."""

    about_data = True


def is_passing(err: Neo4jError | DriverError) -> bool:
    """Whether the server refused only for now, so that the same transaction is worth another try at once."""
    if isinstance(err, Neo4jError) and err.code == DELETED_MEANWHILE:
        return True
    return (
        isinstance(err, TransientError)
        and not isinstance(err, ForbiddenOnReadOnlyDatabase)
        and err.code not in TOO_LARGE_CODES
    )


def is_lost(err: Neo4jError | DriverError) -> bool:
    """Whether the connection broke or none could be had: reading again is right, writing again needs a look first."""
    return isinstance(err, (ServiceUnavailable, SessionExpired, ConnectionPoolError))


def in_our_words(
    err: Neo4jError | DriverError, address: str, *, reading: bool = False, anonymous: bool = False
) -> StoreError:
    """The error to raise ``from`` this one.

    ``reading``: what failed would have changed nothing. ``anonymous``: no password was given.
    """
    if isinstance(err, Neo4jError):
        return _from_server(err, address, anonymous=anonymous)
    return _from_driver(err, address, _ONLY_READ if reading else _UNKNOWN)


def no_answer(address: str, seconds: float, *, reading: bool = False) -> StoreUnavailable:
    """The server has had its time; ``reading`` as above."""
    return StoreUnavailable(
        f"The Neo4j server {address} did not answer within {seconds:g} s. {_ONLY_READ if reading else _UNKNOWN}",
        f"Look whether it is up, busy, or keeps a lock for another client. {_AGAIN}",
    )


def _from_server(  # noqa: PLR0911 - one line for each kind of refusal
    err: Neo4jError, address: str, *, anonymous: bool
) -> StoreError:
    code = err.code or ""
    said = f"({code}: {err.message})"
    if code in TOO_LARGE_CODES:
        return TooMuchAtOnce(
            f"One transaction is larger than the memory that the Neo4j server {address} allows {said}.",
            "Raise db.memory.transaction.max or dbms.memory.transaction.total.max in neo4j.conf.",
        )
    if code in READ_ONLY_CODES or isinstance(err, ForbiddenOnReadOnlyDatabase):
        return StoreError(
            f"The database at {address} is read-only, so nothing was written {said}.",
            "Make it writable (server.databases.read_only), or give another database. In a cluster, use neo4j://.",
            kind="neo4j_read_only",
        )
    if code == NO_DATABASE:
        return StoreMissing(
            f"There is no such database at {address} {said}.",
            "Name another: neo4j://HOST:PORT/DATABASE, or NEO4J_DATABASE.",
        )
    if isinstance(err, Forbidden):
        return StoreError(
            f"This user may not do what is needed at {address} {said}.",
            _PERMISSIONS,
            kind="neo4j_forbidden",
        )
    if isinstance(err, AuthError) or code.startswith("Neo.ClientError.Security."):
        wants = "wants a user and a password, and none was given" if anonymous else "refuses this user and password"
        return StoreError(
            f"The Neo4j server {address} {wants} {said}.",
            "Check NEO4J_USERNAME, and NEO4J_PASSWORD or NEO4J_PASSWORD_FILE.",
            kind="neo4j_auth",
        )
    if isinstance(err, TransientError) or code in NOT_NOW_CODES:
        return StoreUnavailable(f"The Neo4j server {address} cannot do it now {said}. Nothing was written.", _AGAIN)
    kind = ValueRefused if "too large to index" in (err.message or "") else Refused
    blame = "refuses a query" if isinstance(err, ClientError) else "has failed"
    return kind(
        f"The Neo4j server {address} {blame} {said}. Nothing was written.",
        "Look into the server's log; if the query is at fault, please report it.",
    )


def _from_driver(err: DriverError, address: str, effect: str) -> StoreError:
    if isinstance(err, IncompleteCommit):
        return StoreUnavailable(f"The connection to {address} broke during a commit ({err}). {_UNKNOWN}", _AGAIN)
    if is_lost(err):
        return StoreUnavailable(
            f"The Neo4j server {address} cannot be reached, or the connection to it broke ({err}). {effect}",
            f"Look whether it is up and the address is right. {_encryption(address)} {_AGAIN}",
        )
    if isinstance(err, UnsupportedServerProduct):
        return StoreError(f"{address} is no Neo4j server ({err}).", "Give another --store.", kind="neo4j_other")
    if isinstance(err, ConfigurationError):
        return StoreError(
            f"The driver cannot connect to {address} as it is told to ({err}).",
            "Check the scheme of the URL: +s is for a server with a certificate, +ssc for one signed by itself.",
            kind="neo4j_configuration",
        )
    return StoreError(
        f"The Neo4j driver failed at {address} ({type(err).__name__}: {err}). {effect}", _AGAIN, kind="neo4j_driver"
    )


def _encryption(address: str) -> str:
    """A server that expects the other way to connect just ends the connection, without a word."""
    if "+s" in address.partition("://")[0]:
        return "With +s it has to take encrypted connections: leave +s out for one that does not."
    return "One that takes encrypted connections only needs +s: neo4j+s://."
