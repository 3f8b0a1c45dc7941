"""Units of work on a graph: what is tried again, how often, and when it is given up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Self, cast

import neo4j
import pytest
from neo4j.exceptions import IncompleteCommit, ServiceUnavailable, TransientError

from citefidelity.config.secret import Secret
from citefidelity.errors import StoreUnavailable
from citefidelity.ports import PoolUse
from citefidelity.stores.neo4j_graph import Graph, Limits, Tx

LIMITS = Limits(patience_s=60.0, tries=4)


class CountedClock:
    """Time passes only in sleeps, and they take none."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def wall(self) -> float:
        """As the monotonic time."""
        return self.now

    def monotonic(self) -> float:
        """The sum of all sleeps."""
        return self.now

    @property
    def sleep(self) -> Callable[[float], Awaitable[None]]:
        """Note it, and let the time pass."""

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.now += seconds

        return sleep


class FakeDriver:
    """Begins transactions that do nothing, and raises on commit what it was given."""

    def __init__(self, on_commit: list[Exception]) -> None:
        self.on_commit = on_commit

    @asynccontextmanager
    async def session(self, **_: Any) -> AsyncIterator[FakeDriver]:
        """Itself."""
        yield self

    async def begin_transaction(self, timeout: float) -> FakeTransaction:  # noqa: ASYNC109 - the driver's parameter
        """One that commits as this driver says."""
        del timeout
        return FakeTransaction(self.on_commit)


class FakeTransaction:
    """One transaction of the fake."""

    def __init__(self, on_commit: list[Exception]) -> None:
        self._on_commit = on_commit

    async def __aenter__(self) -> Self:
        """Nothing to begin."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to end."""

    async def commit(self) -> None:
        """As the driver was told."""
        if self._on_commit:
            raise self._on_commit.pop(0)


def make_graph(clock: CountedClock, on_commit: list[Exception] | None = None) -> Graph:
    """A graph on a fake driver."""
    return Graph(
        cast("neo4j.AsyncDriver", FakeDriver(on_commit or [])),
        database=None,
        address="bolt://somewhere",
        secrets=(Secret("hunter22"),),
        clock=clock,
        random=Random(1),  # noqa: S311 - a test
        limits=LIMITS,
    )


def raising(*errors: Exception) -> tuple[Callable[[Tx], Awaitable[str]], list[int]]:
    """Work that raises these one after the other and then succeeds, and a list that grows with each try."""
    waiting = list(errors)
    tries: list[int] = []

    async def work(tx: Tx) -> str:
        del tx
        tries.append(1)
        if waiting:
            raise waiting.pop(0)
        return "done"

    return work, tries


async def test_a_deadlock_is_tried_again_with_growing_waits() -> None:
    """Refused for now, a write is tried again; each wait is longer than the one before."""
    clock = CountedClock()
    work, tries = raising(TransientError("deadlock"), TransientError("deadlock"), TransientError("deadlock"))
    assert await make_graph(clock).write(work) == "done"
    assert len(tries) == 4
    assert clock.slept == sorted(clock.slept)


async def test_refusals_end_somewhere() -> None:
    """After so many tries the refusal is told."""
    work, tries = raising(*[TransientError("deadlock")] * 9)
    with pytest.raises(StoreUnavailable):
        await make_graph(CountedClock()).write(work)
    assert len(tries) == LIMITS.tries


@pytest.mark.parametrize("error", [ServiceUnavailable("gone"), IncompleteCommit("cut"), TimeoutError()])
async def test_a_write_whose_end_is_unknown_is_never_repeated_here(error: Exception) -> None:
    """Only the caller can deliver again, because only a look tells what was written."""
    clock = CountedClock()
    work, tries = raising()
    with pytest.raises(StoreUnavailable):
        await make_graph(clock, on_commit=[error]).write(work)
    assert (len(tries), clock.slept) == (1, [])


@pytest.mark.parametrize("error", [ServiceUnavailable("gone"), TimeoutError()])
async def test_reading_waits_for_the_server(error: Exception) -> None:
    """A server that is back in time is read on; one that is not is given up when patience ends."""
    clock = CountedClock()
    work, tries = raising(*[error] * 10)
    assert await make_graph(clock).read(work) == "done"
    assert len(tries) == 11
    work, _ = raising(*[error] * 1_000)
    begun = clock.now
    with pytest.raises(StoreUnavailable):
        await make_graph(clock).read(work)
    assert LIMITS.patience_s <= clock.now - begun < LIMITS.patience_s + 6.0


async def test_the_password_is_in_no_message() -> None:
    """Even where a server repeats it."""
    work, _ = raising(ServiceUnavailable("cannot log in with hunter22"))
    with pytest.raises(StoreUnavailable) as told:
        await make_graph(CountedClock()).write(work)
    assert "hunter22" not in str(told.value)


async def test_the_pool_counts_the_units_of_work_under_way() -> None:
    """Each unit of work holds one connection while it lasts, and gives it back however it ends."""
    graph = make_graph(CountedClock())
    seen: list[PoolUse] = []

    async def outer(tx: Tx) -> str:
        del tx
        seen.append(graph.pool())
        return await graph.write(inner)

    async def inner(tx: Tx) -> str:
        del tx
        seen.append(graph.pool())
        raise StoreUnavailable("on purpose")

    with pytest.raises(StoreUnavailable):
        await graph.write(outer)
    assert [*seen, graph.pool()] == [PoolUse(1, 8), PoolUse(2, 8), PoolUse(0, 8)]
