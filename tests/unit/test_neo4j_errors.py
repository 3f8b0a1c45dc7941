"""Everything that the Neo4j driver can raise has words of ours."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from neo4j import exceptions
from neo4j.exceptions import DriverError, GqlError, Neo4jError

from citefidelity.errors import StoreError, StoreMissing, StoreUnavailable
from citefidelity.stores.neo4j_errors import (
    Refused,
    TooMuchAtOnce,
    ValueRefused,
    in_our_words,
    is_lost,
    is_passing,
    no_answer,
)

RAISED = [
    kind
    for _, kind in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(kind, (Neo4jError, DriverError)) and not kind.__name__.startswith("_")
]
CODES = [
    ("Neo.ClientError.Security.Unauthorized", StoreError, "neo4j_auth"),
    ("Neo.ClientError.Security.AuthenticationRateLimit", StoreError, "neo4j_auth"),
    ("Neo.ClientError.Security.TokenExpired", StoreError, "neo4j_auth"),
    ("Neo.ClientError.Security.Forbidden", StoreError, "neo4j_forbidden"),
    ("Neo.ClientError.Database.DatabaseNotFound", StoreMissing, "store_missing"),
    ("Neo.ClientError.General.ForbiddenOnReadOnlyDatabase", StoreError, "neo4j_read_only"),
    ("Neo.ClientError.General.TransactionOutOfMemoryError", TooMuchAtOnce, "too_large"),
    ("Neo.TransientError.General.MemoryPoolOutOfMemoryError", TooMuchAtOnce, "too_large"),
    ("Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration", StoreUnavailable, "store_unavailable"),
    ("Neo.ClientError.Transaction.LockClientStopped", StoreUnavailable, "store_unavailable"),
    ("Neo.TransientError.Transaction.DeadlockDetected", StoreUnavailable, "store_unavailable"),
    ("Neo.TransientError.General.DatabaseUnavailable", StoreUnavailable, "store_unavailable"),
    ("Neo.ClientError.Statement.SyntaxError", Refused, "neo4j_refused"),
    ("Neo.ClientError.Schema.ConstraintValidationFailed", Refused, "neo4j_refused"),
    ("Neo.DatabaseError.General.UnknownError", Refused, "neo4j_refused"),
]


def from_server(code: str, message: str = "said by the server") -> Neo4jError:
    """The error that the driver makes of what a server sends."""
    # Private, but the only way to the very class and code that a server's message becomes.
    return Neo4jError._hydrate_neo4j(code=code, message=message)  # noqa: SLF001 - as said


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.__name__)
def test_every_error_of_the_driver_is_told_in_our_words(kind: type[GqlError]) -> None:
    """Whatever class the driver adds: a message with the address, a hint, and the exit code of a store."""
    err = kind("what happened")
    assert isinstance(err, (Neo4jError, DriverError))
    told = in_our_words(err, "bolt://somewhere")
    assert isinstance(told, StoreError)
    assert "bolt://somewhere" in told.message
    assert told.hint
    assert told.exit_code == 5
    if is_lost(err):
        assert isinstance(told, StoreUnavailable), "reading may go on when it is back"


@pytest.mark.parametrize(("code", "kind", "name"), CODES)
def test_codes_of_the_server_are_told_apart(code: str, kind: type[StoreError], name: str) -> None:
    """What to do next depends on the code, not on the class that the driver gives it."""
    told = in_our_words(from_server(code), "bolt://somewhere")
    assert (type(told), told.kind) == (kind, name)
    assert code in told.message


@pytest.mark.parametrize(
    ("code", "passing"),
    [
        ("Neo.TransientError.Transaction.DeadlockDetected", True),
        ("Neo.ClientError.Statement.EntityNotFound", True),
        ("Neo.TransientError.General.MemoryPoolOutOfMemoryError", False),
        ("Neo.ClientError.General.ForbiddenOnReadOnlyDatabase", False),
        ("Neo.ClientError.Statement.SyntaxError", False),
    ],
)
def test_only_what_may_pass_is_tried_again(code: str, passing: bool) -> None:
    """A deadlock is worth another try at once; a limit that the same transaction would meet again is not."""
    assert is_passing(from_server(code)) is passing


def test_a_value_that_no_index_holds_is_the_values_fault() -> None:
    """One citation with a monstrous key must not look like a fault of the query."""
    err = from_server("Neo.ClientError.Statement.ArgumentError", "Property value is too large to index, please see")
    told = in_our_words(err, "bolt://somewhere")
    assert isinstance(told, ValueRefused)
    assert told.about_data


def test_an_unanswered_commit_says_that_looking_settles_it() -> None:
    """Whoever reads it learns that nothing is lost and nothing will be written twice."""
    for told in (in_our_words(exceptions.IncompleteCommit("cut"), "x"), no_answer("x", 3.0)):
        assert "looking before the next write settles it" in told.message


def test_reading_that_failed_has_changed_nothing() -> None:
    """Whoever only looked is not told of a last write whose effect is not known."""
    lost = exceptions.ServiceUnavailable("away")
    for told in (in_our_words(lost, "x", reading=True), no_answer("x", 3.0, reading=True)):
        assert "nothing in it was changed" in told.message
        assert "last write" not in told.message


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("neo4j+s://h:7687", "leave +s out"),
        ("bolt+ssc://h:7687", "leave +s out"),
        ("bolt://h:7687/a+s", "needs +s"),
    ],
)
def test_a_connection_that_ends_may_be_one_that_is_encrypted_otherwise(address: str, said: str) -> None:
    """Server and driver say nothing of it, so the hint tells to look at the scheme of the address."""
    assert said in in_our_words(exceptions.ServiceUnavailable("routing"), address).hint


def test_a_password_that_was_not_given_is_not_called_wrong() -> None:
    """Who has set none is told so; who has set one, that it is refused."""
    err = from_server("Neo.ClientError.Security.Unauthorized")
    assert "none was given" in in_our_words(err, "x", anonymous=True).message
    assert "refuses this user and password" in in_our_words(err, "x").message


def test_who_may_not_is_told_what_a_role_needs() -> None:
    """The hint, which is all that who has installed the package has, names every permission that the docs name."""
    page = (Path(__file__).parents[2] / "docs" / "neo4j.md").read_text()
    needed = re.search(r"In Enterprise edition a role needs.*?\n\n", page, re.DOTALL)
    assert needed
    hint = in_our_words(from_server("Neo.ClientError.Security.Forbidden"), "bolt://somewhere").hint
    assert [right for right in re.findall(r"`([^`]+)`", needed[0]) if right not in hint] == []
