"""One database, and units of work on it: each an explicit transaction with a deadline on both ends.

Connections are few and kept for short units only, so that nobody waits for one. What may be tried again is decided
here alone, never by the driver as well: a refusal for now (a deadlock, a leader that moved) at once, a broken
connection only for reading, because only looking tells what a write whose commit was not answered has done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from random import Random
from typing import Any, TypeVar

import msgspec
import neo4j
from neo4j.exceptions import DriverError, Neo4jError

from citefidelity.config.secret import Secret, blank_out
from citefidelity.errors import StoreError
from citefidelity.ports import Clock, PoolUse
from citefidelity.stores.neo4j_errors import in_our_words, is_lost, is_passing, no_answer

T = TypeVar("T")
Row = dict[str, Any]
Work = Callable[["Tx"], Awaitable[T]]

POOL_SIZE = 8
"""One writer, one reader, the claim, and room for commands that look meanwhile."""

ACQUIRE_S = 30.0
CONNECT_S = 10.0
IDLE_BEFORE_CHECK_S = 30.0
"""A connection that has rested so long is tried before use: firewalls forget idle ones without a word."""

LIFETIME_S = 900.0
"""Connections are renewed before load balancers cut them."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how often. Times are seconds."""

    transaction_s: float = 120.0
    """The server ends a transaction of ours that takes longer, and lets go of its locks."""
    margin_s: float = 15.0
    """We give up waiting so much later than the server, so that its word comes first."""
    patience_s: float = 120.0
    """Reading goes on when the server is back within this time."""
    tries: int = 8
    """For a transaction that the server refuses for now."""
    pool_size: int = POOL_SIZE


class Tx:
    """A transaction that runs queries and hands out plain rows."""

    def __init__(self, transaction: neo4j.AsyncTransaction) -> None:
        self._transaction = transaction

    async def rows(self, query: str, /, **parameters: object) -> list[Row]:
        """All rows of the answer."""
        result = await self._transaction.run(query, parameters)
        return [dict(zip(record.keys(), record.values(), strict=True)) async for record in result]

    async def one(self, query: str, /, **parameters: object) -> Row:
        """The only row of the answer."""
        (row,) = await self.rows(query, **parameters)
        return row

    async def change(self, query: str, /, **parameters: object) -> neo4j.SummaryCounters:
        """What the query changed, counted by the server."""
        result = await self._transaction.run(query, parameters)
        return (await result.consume()).counters


class Graph:
    """Runs units of work on one database.

    Args:
        driver: closed with this object.
        database: None is the user's home database.
        address: for messages.
        secrets: kept out of messages.
        clock: for waits between tries.
        random: spreads these waits.
        limits: how long and how often.
    """

    def __init__(  # noqa: PLR0913 - a composition, called in one place
        self,
        driver: neo4j.AsyncDriver,
        *,
        database: str | None,
        address: str,
        secrets: tuple[Secret, ...],
        clock: Clock,
        random: Random,
        limits: Limits,
    ) -> None:
        self._driver = driver
        self._database = database
        self._secrets = secrets
        self._random = random
        self._at_work = 0
        self.address = address
        self.clock = clock
        self.limits = limits

    async def read(self, work: Work[T]) -> T:
        """What ``work`` returns; while the server is away, tried again until patience ends.

        Raises:
            StoreError: it could not be read, told in our words.
        """
        return await self._run(work, self.limits.patience_s, reading=True)

    async def write(self, work: Work[T]) -> T:
        """What ``work`` returns, once committed. ``work`` may run more than once.

        Raises:
            StoreUnavailable: it is not known whether anything was written.
            StoreError: nothing was written.
        """
        return await self._run(work, 0.0, reading=False)

    async def schema(self, statement: str) -> None:
        """Run one statement in a transaction of its own, as statements about the schema want it."""
        await self.write(lambda tx: tx.change(statement))

    async def once(self, work: Work[T], within_s: float | None = None) -> T:
        """As :meth:`read`, without patience: for the first contact, where a mistake should show at once.

        ``within_s``: for work that may take longer than others.
        """
        return await self._run(work, 0.0, within_s, reading=True)

    def pool(self) -> PoolUse:
        """Units of work under way, each of which has a connection or waits for one; and how many connections."""
        return PoolUse(self._at_work, self.limits.pool_size)

    async def close(self) -> None:
        """Close all connections; safe to call twice."""
        await self._driver.close()

    async def _run(self, work: Work[T], patience_s: float, within_s: float | None = None, *, reading: bool) -> T:
        until = self.clock.monotonic() + patience_s
        for tried in count(1):
            try:
                return await self._once(work, within_s)
            except TimeoutError as err:
                if self.clock.monotonic() >= until:
                    waited = self.limits.transaction_s + self.limits.margin_s
                    raise no_answer(self.address, waited, reading=reading) from err
            except (Neo4jError, DriverError) as err:
                worth_it = tried < self.limits.tries if is_passing(err) else is_lost(err)
                if not worth_it or (is_lost(err) and self.clock.monotonic() >= until):
                    raise self._told(err, reading=reading) from err
            await self.clock.sleep(self._random.uniform(0.5, 1.0) * min(0.1 * 2**tried, 5.0))
        raise AssertionError("unreachable")

    async def _once(self, work: Work[T], within_s: float | None) -> T:
        seconds = within_s or self.limits.transaction_s
        self._at_work += 1
        try:
            # The driver waits for ever for an answer on an open connection: cancelling it is the only read timeout.
            async with (
                asyncio.timeout(seconds + self.limits.margin_s),
                self._driver.session(database=self._database, default_access_mode=neo4j.WRITE_ACCESS) as session,
                await session.begin_transaction(timeout=seconds) as transaction,
            ):
                result = await work(Tx(transaction))
                await transaction.commit()
                return result
        finally:
            self._at_work -= 1

    def _told(self, err: Neo4jError | DriverError, *, reading: bool) -> StoreError:
        told = in_our_words(err, self.address, reading=reading, anonymous=not self._secrets)
        return type(told)(blank_out(told.message, self._secrets), told.hint, kind=told.kind)


def make_driver(uri: str, auth: tuple[str, str] | None, limits: Limits) -> neo4j.AsyncDriver:
    """A driver that connects when first used.

    Raises:
        ConfigurationError: the address or the certificates cannot be used.
    """
    settings: Mapping[str, Any] = {
        "max_connection_pool_size": limits.pool_size,
        "connection_acquisition_timeout": ACQUIRE_S,
        "connection_timeout": CONNECT_S,
        "liveness_check_timeout": IDLE_BEFORE_CHECK_S,
        "max_connection_lifetime": LIFETIME_S,
        "keep_alive": True,
        # Notifications would repeat the text of queries in the log; what the driver measures stays here.
        "notifications_min_severity": "OFF",
        "telemetry_disabled": True,
    }
    return neo4j.AsyncGraphDatabase.driver(uri, auth=auth, **settings)
