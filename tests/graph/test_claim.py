"""The claim on a graph (G5): renewed while its owner lives, void when it is not, taken over with the journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from citefidelity.errors import StoreHeld
from citefidelity.records import WHOLE, Partition
from citefidelity.stores.neo4j import Neo4jStore
from citefidelity.stores.neo4j_claim import LIFE_S, RENEW_EVERY_S, SURE_S
from citefidelity.stores.neo4j_graph import Limits
from support.makers import make_holder
from support.neo4j_place import Neo4jPlace

THEIRS = make_holder(pid=99, journal_id="j2")
EXPIRE = "MATCH (c:FidelityClaim) SET c.until = c.until - $ms RETURN c.token AS token"
CLAIMS = "MATCH (c:FidelityClaim) RETURN c.pid AS pid, c.until - timestamp() AS left ORDER BY pid"


class HandClock:
    """A clock that a test moves; who sleeps is woken when it has moved far enough."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self._asleep = asyncio.Event()

    def wall(self) -> float:
        """As the monotonic time: nothing here depends on it."""
        return self.now

    def monotonic(self) -> float:
        """Where the test has put it."""
        return self.now

    @property
    def sleep(self) -> Callable[[float], Awaitable[None]]:
        """Wait for the test."""
        return self._sleep

    async def _sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, future))
        self._asleep.set()
        await future

    async def move(self, seconds: float) -> None:
        """Let so much time pass; whoever sleeps wakes up if it is time, and has gone to sleep again when this ends."""
        async with asyncio.timeout(20):
            await self._asleep.wait()
            self.now += seconds
            due = [one for one in self._sleepers if one[0] <= self.now]
            self._sleepers = [one for one in self._sleepers if one not in due]
            if due:
                self._asleep.clear()
                for _, future in due:
                    future.set_result(None)
                await self._asleep.wait()


@pytest.fixture
async def clock() -> HandClock:
    """Time in the hands of the test."""
    return HandClock()


@pytest.fixture
async def ours(place: Neo4jPlace, clock: HandClock) -> AsyncIterator[Neo4jStore]:
    """Our store, whose time the test moves."""
    store = await place.open(clock=clock, limits=Limits(tries=1))
    yield store
    await store.close()


@pytest.fixture
async def theirs(place: Neo4jPlace) -> AsyncIterator[Neo4jStore]:
    """Somebody else's connection."""
    store = await place.open()
    yield store
    await store.close()


async def test_a_claim_is_renewed_in_time(place: Neo4jPlace, ours: Neo4jStore, clock: HandClock) -> None:
    """It is surely ours for half its life after each renewal, which comes well before that."""
    claim = await ours.claim("main", WHOLE, make_holder())
    assert claim.holds_until() == clock.now + SURE_S
    assert RENEW_EVERY_S < SURE_S <= LIFE_S / 2
    await place.query(EXPIRE, ms=20_000)
    for _ in range(3):
        await clock.move(RENEW_EVERY_S)
        assert claim.holds_until() == clock.now + SURE_S
    ((pid, left),) = [(row["pid"], row["left"]) for row in await place.query(CLAIMS)]
    assert pid == 4711
    assert LIFE_S * 1_000 - 10_000 < left <= LIFE_S * 1_000, "by the server's clock"
    await claim.release()
    assert await place.query(CLAIMS) == []


async def test_an_owner_that_died_keeps_nobody_out_for_long(
    place: Neo4jPlace, ours: Neo4jStore, theirs: Neo4jStore
) -> None:
    """A claim that is not renewed is void at the end of its life, and not before."""
    await ours.claim("main", WHOLE, make_holder())
    await place.query(EXPIRE, ms=25_000)
    with pytest.raises(StoreHeld, match=r"somewhere \(pid 4711\)"):
        await theirs.claim("main", WHOLE, THEIRS)
    await place.query(EXPIRE, ms=5_000)
    await (await theirs.claim("main", WHOLE, THEIRS)).release()


async def test_who_holds_the_journal_takes_over_at_once(ours: Neo4jStore, theirs: Neo4jStore) -> None:
    """The lock of a journal proves that its last owner is dead, so that its claim keeps nobody out."""
    await ours.claim("main", WHOLE, make_holder(journal_id="j1"))
    with pytest.raises(StoreHeld):
        await theirs.claim("main", WHOLE, make_holder(pid=99, journal_id=""))
    again = await theirs.claim("main", WHOLE, make_holder(pid=99, journal_id="j1"))
    with pytest.raises(StoreHeld, match=r"pid 99"):
        await theirs.claim("main", WHOLE, THEIRS)
    await again.release()


async def test_a_run_that_slept_is_not_sure_until_it_holds_again(
    place: Neo4jPlace, ours: Neo4jStore, theirs: Neo4jStore, clock: HandClock
) -> None:
    """After a sleep the claim is not surely ours; if another has it, not before that one gave it back."""
    claim = await ours.claim("main", WHOLE, make_holder())
    await place.query(EXPIRE, ms=30_000)
    other = await theirs.claim("main", WHOLE, THEIRS)
    await clock.move(3_600.0)
    assert claim.holds_until() < clock.now, "the other one has it"
    assert [row["pid"] for row in await place.query(CLAIMS)] == [99]
    await clock.move(RENEW_EVERY_S)
    assert claim.holds_until() < clock.now
    await other.release()
    await clock.move(RENEW_EVERY_S)
    assert claim.holds_until() == clock.now + SURE_S
    with pytest.raises(StoreHeld, match=r"pid 4711"):
        await theirs.claim("main", WHOLE, THEIRS)


async def test_a_claim_that_nobody_took_meanwhile_is_still_ours(
    place: Neo4jPlace, ours: Neo4jStore, clock: HandClock
) -> None:
    """A run that slept past its claim simply goes on when nobody came."""
    claim = await ours.claim("main", WHOLE, make_holder())
    await place.query(EXPIRE, ms=60_000)
    clock.now += 3_600.0
    assert claim.holds_until() < clock.now
    await clock.move(RENEW_EVERY_S)
    assert claim.holds_until() == clock.now + SURE_S


async def test_of_many_who_ask_at_once_one_gets_it(theirs: Neo4jStore) -> None:
    """Twelve that ask for overlapping parts at the same moment: those that get one do not overlap."""
    parts = [Partition(part, 3) for part in (1, 2, 3)] * 3 + [WHOLE] * 3

    async def ask(number: int, part: Partition) -> Partition | None:
        try:
            await theirs.claim("main", part, make_holder(pid=number, journal_id=f"j{number}"))
        except StoreHeld:
            return None
        return part

    got = [part for part in await asyncio.gather(*(ask(n, part) for n, part in enumerate(parts))) if part]
    assert got
    assert not any(one.overlaps(other) for at, one in enumerate(got) for other in got[:at])


async def test_a_server_that_is_away_makes_a_claim_unsure(
    place: Neo4jPlace, ours: Neo4jStore, clock: HandClock
) -> None:
    """A renewal that fails leaves the claim to run out; it is renewed when the server is back."""
    claim = await ours.claim("main", WHOLE, make_holder())
    began = clock.now
    place.server.kill()
    await clock.move(RENEW_EVERY_S)
    assert claim.holds_until() == began + SURE_S
    place.server.start()
    # The first try meets the connection that broke.
    await clock.move(RENEW_EVERY_S)
    await clock.move(RENEW_EVERY_S)
    assert claim.holds_until() == clock.now + SURE_S
