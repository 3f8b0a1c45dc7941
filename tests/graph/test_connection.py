"""What breaks between us and the server: nothing is written twice, nothing is lost, nobody waits for ever."""

from __future__ import annotations

import asyncio

import pytest

from citefidelity.errors import StoreUnavailable
from citefidelity.ports import ToDo
from citefidelity.records import WHOLE, CitationKey
from citefidelity.stores.neo4j import Neo4jStore
from citefidelity.stores.neo4j_graph import Limits
from support.makers import AT, make_delivery, make_holder, make_key, make_record
from support.neo4j_place import Neo4jPlace
from support.neo4j_proxy import COMMIT, Neo4jProxy
from support.stores import all_stored, deliver, to_do

IMPATIENT = Limits(transaction_s=2.0, margin_s=1.0, patience_s=0.0)
LEFT = "MATCH (v:FidelityVerdict) RETURN v.source_id AS source, v.run AS run ORDER BY source"


async def deliver_until_known(store: Neo4jStore, number: int, run: str) -> tuple[str, bool]:
    """Deliver as the engine does: again, while the outcome is unknown. The result, and whether it was ever unknown."""
    broke = False
    while True:
        try:
            return (await deliver(store, make_delivery(number, 2), run=run))[0], broke
        except StoreUnavailable:
            broke = True


async def test_a_commit_cut_at_any_byte_is_written_once(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Wherever the exchange of a commit breaks off, delivering again settles it: one set of verdicts, never two."""
    async with Neo4jProxy(place.server.port) as proxy:
        ours = await place.open(uri=proxy.uri)
        await store.put([make_record(0, 2)])
        await deliver(ours, make_delivery(0, 2))
        cuts = [("cut_request", at) for at in range(len(COMMIT) + 1)] + [
            ("cut_reply", at) for at in range(proxy.replied)
        ]
        await store.put([make_record(number, 2) for number in range(1, len(cuts) + 1)])
        results = []
        for number, (where, at) in enumerate(cuts, start=1):
            setattr(proxy, where, at)
            result, broke = await deliver_until_known(ours, number, "run-1")
            assert broke, f"{where} at {at} went unnoticed"
            results.append(result)
        await ours.close()
    assert set(results) == {"written", "found"}, "both a commit that was lost and one that was not are seen"
    assert all(result == "found" for (where, _), result in zip(cuts, results, strict=True) if where == "cut_reply")
    assert [len(one.outcomes) for one in await all_stored(store)] == [2] * (len(cuts) + 1)
    assert len(await place.query(LEFT)) == 2 * (len(cuts) + 1)


async def test_a_commit_let_through_too_late_changes_nothing(place: Neo4jPlace, store: Neo4jStore) -> None:
    """A commit held back on the way is void when it arrives after a second run has delivered (G4)."""
    await store.put([make_record(1, 2)])
    async with Neo4jProxy(place.server.port) as proxy:
        ours = await place.open(uri=proxy.uri, limits=IMPATIENT)
        proxy.hold = hold = asyncio.Event()
        with pytest.raises(StoreUnavailable):
            await deliver(ours, make_delivery(1, 2), run="run-1")
        assert proxy.held.is_set()
        assert await deliver(store, make_delivery(1, 2), run="run-2") == ["written"]
        hold.set()
        assert await deliver(ours, make_delivery(1, 2), run="run-1") == ["found"]
        await ours.close()
    assert [row["run"] for row in await place.query(LEFT)] == ["run-2", "run-2"]


async def test_a_server_that_stops_answering_is_given_up(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Half-open connections end in an error that says so, after a bounded time, and are not used again."""
    await store.put([make_record(1)])
    async with Neo4jProxy(place.server.port) as proxy:
        ours = await place.open(uri=proxy.uri, limits=IMPATIENT)
        proxy.hearing.clear()
        async with asyncio.timeout(40):
            with pytest.raises(StoreUnavailable, match=r"did not answer within 3 s"):
                await deliver(ours, make_delivery(1))
            with pytest.raises(StoreUnavailable):
                await to_do(ours)
        proxy.hearing.set()
        assert await deliver(ours, make_delivery(1)) == ["written"]
        await ours.close()


async def test_a_stopped_server_goes_on_where_it_was(place: Neo4jPlace, store: Neo4jStore) -> None:
    """A server that is stopped for a while (SIGSTOP) makes us wait, and costs nothing else."""
    await store.put([make_record(number) for number in range(100)])
    place.server.pause()
    asyncio.get_running_loop().call_later(3.0, place.server.resume)
    batch = [make_delivery(number) for number in range(100)]
    assert {receipt.result for receipt in await store.deliver("main", "run-1", AT, batch)} == {"written"}
    assert len(await place.query(LEFT)) == 100


async def test_a_server_killed_while_it_is_read_is_waited_for(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Pages go on after the server was killed (-9) and started again; none is missing, none comes twice."""
    await store.put([make_record(number) for number in range(450)])
    seen: list[CitationKey] = []
    async for page in store.pages(ToDo(screening="main")):
        if not seen:
            place.server.kill()
            place.server.launch()
            started = asyncio.create_task(asyncio.to_thread(place.server.await_answer))
        seen += [one.key for one in page]
    await started
    assert seen == sorted(make_key(number) for number in range(450))


async def test_what_a_killed_server_said_was_written_is_there(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Every delivery acknowledged before kill -9 is there after the restart, whole; the others are to do or whole."""
    await store.put([make_record(number, 2) for number in range(300)])
    acknowledged: list[int] = []

    async def work() -> None:
        for number in range(300):
            await deliver(store, make_delivery(number, 2))
            acknowledged.append(number)
            if number == 40:
                started.set()

    started = asyncio.Event()
    working = asyncio.create_task(work())
    await started.wait()
    place.server.kill()
    with pytest.raises(StoreUnavailable):
        await working
    place.server.start()
    outcomes = {one.record.key: len(one.outcomes) for one in await all_stored(store)}
    assert {outcomes[make_key(number)] for number in acknowledged} == {2}
    assert set(outcomes.values()) == {0, 2}
    assert sorted(await to_do(store)) == sorted(key for key, number in outcomes.items() if not number)


async def test_a_pool_of_one_connection_is_enough(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Reading, delivering and the claim share one connection: nothing is held while something else is waited for."""
    await store.put([make_record(number) for number in range(450)])
    ours = await place.open(limits=Limits(pool_size=1))
    claim = await ours.claim("main", WHOLE, make_holder())
    async with asyncio.TaskGroup() as group:
        async for page in ours.pages(ToDo(screening="main")):
            numbers = [int(one.key.source_id.removeprefix("citing-")) for one in page]
            for start in range(0, len(numbers), 40):
                group.create_task(deliver(ours, *map(make_delivery, numbers[start : start + 40])))
    await claim.release()
    assert await to_do(ours) == []
    await ours.close()


async def test_no_server_is_named_at_once(place: Neo4jPlace) -> None:
    """Where nothing listens, opening the store fails at once and names the address."""
    async with asyncio.timeout(10):
        with pytest.raises(StoreUnavailable, match=r"bolt://127\.0\.0\.1:1") as told:
            await place.open(uri="bolt://127.0.0.1:1")
    assert "nothing in it was changed" in told.value.message
