"""How verdicts reach a graph: which nodes and properties, and what other clients may do meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import neo4j
import pytest
from neo4j.exceptions import TransientError

from citefidelity.audits.audit import Wanted, audit
from citefidelity.audits.audited import Violation
from citefidelity.errors import StoreUnavailable
from citefidelity.ports import ScreeningRow
from citefidelity.records import CitationKey, Delivery
from citefidelity.stores.neo4j import Neo4jStore
from citefidelity.stores.neo4j_graph import Limits
from support.bench import SPEC
from support.makers import (
    AT,
    make_delivery,
    make_failed,
    make_key,
    make_outcome,
    make_record,
    make_screening_row,
    make_unassessable,
    make_verdict,
)
from support.neo4j_place import DATABASE, Neo4jPlace
from support.stores import all_stored, deliver, to_do

EDGE = "MATCH (:Article {article_id: $source})-[c:CITES]->()"
LEFT = "MATCH (v:FidelityVerdict) RETURN count(v) AS number"


@asynccontextmanager
async def somebody(place: Neo4jPlace) -> AsyncIterator[neo4j.AsyncTransaction]:
    """Another client's transaction."""
    async with (
        place.driver() as driver,
        driver.session(database=DATABASE) as session,
        await session.begin_transaction() as transaction,
    ):
        yield transaction


async def run(transaction: neo4j.AsyncTransaction, query: str, number: int) -> None:
    """Run it on the citation of this number, to its end."""
    await (await transaction.run(query, source=f"citing-{number}")).consume()


async def until_blocked(place: Neo4jPlace) -> None:
    """Wait until some transaction waits for a lock."""
    async with asyncio.timeout(20):
        while not await place.query("SHOW TRANSACTIONS YIELD status WHERE status STARTS WITH 'Blocked' RETURN status"):
            pass


async def test_a_delivery_is_nodes_between_the_articles(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Each outcome is one node, (citing)-[:JUDGED_IN]->()-[:JUDGES]->(cited), without properties that say nothing."""
    await store.put([make_record(1, contexts=3)])
    outcomes = (make_outcome("1", make_verdict("CONTRADICT", 1.0)), make_failed("2"), make_unassessable("3"))
    assert await deliver(store, Delivery(make_key(), outcomes), run="run-7") == ["written"]
    rows = await place.query(
        "MATCH (a:Article)-[:JUDGED_IN]->(v:FidelityVerdict)-[:JUDGES]->(b:Article) "
        "RETURN a.article_id AS a, properties(v) AS v, b.article_id AS b ORDER BY v.position"
    )
    assert [(row["a"], row["b"]) for row in rows] == [("citing-1", "cited-1")] * 3
    key = {"screening": "main", "source_id": "citing-1", "target_id": "cited-1", "reference_id": "r1"}
    usual = key | {"run": "run-7", "classified_at": AT, "input_hash": "ab" * 16, "outcome_count": 3}
    answered = {"model": "model-1", "answered_at": AT, "cost_usd": 0.001}
    judged, failed, unassessable = (row["v"] for row in rows)
    assert json.loads(judged.pop("answer_json"))["answering_model"] == "model-1-2026"
    assert judged == usual | answered | {
        "instance_id": "1",
        "position": 0,
        "state": "verdict",
        "category": "CONTRADICT",
        "citation_type": "CONCEPTUAL",
        "confidence": 1.0,
        "justification": "The passage says the same.",
    }
    assert failed.pop("answer_json")
    assert failed == usual | answered | {
        "instance_id": "2",
        "position": 1,
        "state": "failed",
        "failure_kind": "refused",
        "failure_message": "The model declined.",
    }
    assert unassessable == usual | {
        "instance_id": "3",
        "position": 2,
        "state": "unassessable",
        "failure_kind": "no_evidence",
        "failure_message": "There is no passage to judge by.",
    }


async def test_a_deleted_verdict_is_missed(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Of a delivery each node knows how many came, so that the audit sees that one is gone, without any journal."""
    row = ScreeningRow(name="real", spec=SPEC.to_json(), fingerprint=SPEC.fingerprint(), created_at=AT)
    await store.begin_screening(row)
    await store.put([make_record(1, contexts=3)])
    await deliver(store, make_delivery(1, contexts=3), screening="real")
    await place.query("MATCH (v:FidelityVerdict {instance_id: '2'}) DETACH DELETE v")
    (stored,) = await all_stored(store, "real")
    assert (stored.outcome_count, len(stored.outcomes)) == (3, 2)
    report = await audit(store, Wanted(screening="real", address="neo4j", journals=[]))
    assert report.violations_by_kind == {Violation.MISSING: 1}


async def test_an_edge_gains_three_properties_and_keeps_the_rest(place: Neo4jPlace, store: Neo4jStore) -> None:
    """A delivered edge gains ``classified``, ``classified_at`` and ``fidelity_screenings``, and nothing else (G1)."""
    await store.put([make_record(1)])
    (before,) = await place.query(f"{EDGE} RETURN properties(c) AS c", source="citing-1")
    await store.begin_screening(make_screening_row("other"))
    await deliver(store, make_delivery(1))
    await deliver(store, make_delivery(1), screening="other")
    (after,) = await place.query(f"{EDGE} RETURN properties(c) AS c", source="citing-1")
    gained = {"classified": True, "classified_at": AT, "fidelity_screenings": ["main", "other"]}
    assert after["c"] == before["c"] | gained
    await store.withdraw("main", [make_key(1)])
    (after,) = await place.query(f"{EDGE} RETURN properties(c) AS c", source="citing-1")
    assert after["c"] == before["c"] | gained | {"fidelity_screenings": ["other"]}
    await store.withdraw("other", [make_key(1)])
    (after,) = await place.query(f"{EDGE} RETURN properties(c) AS c", source="citing-1")
    assert after["c"] == before["c"] | {"fidelity_screenings": []}
    assert await to_do(store) == [make_key(1)], "withdrawn is to do again, not done elsewhere"


async def test_an_edge_made_anew_is_judged_anew(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Verdicts that an edge left behind when it was deleted give way when its successor is delivered."""
    await store.put([make_record(1, contexts=2)])
    await deliver(store, make_delivery(1, 2), run="run-1")
    await place.query(f"{EDGE} DELETE c", source="citing-1")
    await store.put([make_record(1)])
    assert (await all_stored(store))[0].outcomes == ()
    assert await deliver(store, make_delivery(1), run="run-2") == ["written"]
    assert (await all_stored(store))[0].run == "run-2"
    assert await place.query(LEFT) == [{"number": 1}]


async def test_an_edge_renamed_while_we_wait_for_it_is_gone(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Another client renames the edge and keeps its lock: its citation is told, its neighbours are written."""
    await store.put([make_record(number) for number in (1, 2, 3)])
    async with somebody(place) as other:
        await run(other, f"{EDGE} SET c.reference_id = 'renamed'", 2)
        delivering = asyncio.create_task(store.deliver("main", "run-1", AT, [make_delivery(n) for n in (1, 2, 3)]))
        await until_blocked(place)
        await other.commit()
    receipts = await delivering
    assert [receipt.result for receipt in receipts] == ["written", "undeliverable", "written"]
    assert receipts[1].kind == "edge_gone"
    assert await place.query(LEFT) == [{"number": 2}]


async def test_an_edge_deleted_while_we_wait_for_it_is_gone(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Another client deletes the edge: it is gone where that client came first, and written where we did."""
    await store.put([make_record(number) for number in (1, 2, 3)])
    async with somebody(place) as other:
        await run(other, f"{EDGE} DELETE c", 2)
        delivering = asyncio.create_task(deliver(store, *(make_delivery(number) for number in (1, 2, 3))))
        await until_blocked(place)
        try:
            await other.commit()
            expected = "undeliverable"
        except TransientError:
            expected = "written"
    assert await delivering == ["written", expected, "written"]


async def test_a_lock_held_by_another_is_waited_for(place: Neo4jPlace, store: Neo4jStore) -> None:
    """A lock held for a while delays a delivery; one held for longer than a transaction may take is told."""
    await store.put([make_record(1)])
    impatient = await place.open(limits=Limits(transaction_s=1.0))
    async with somebody(place) as other:
        await run(other, f"{EDGE} SET c.note = 'mine'", 1)
        with pytest.raises(StoreUnavailable, match=r"cannot do it now"):
            await deliver(impatient, make_delivery(1))
        delivering = asyncio.create_task(deliver(store, make_delivery(1)))
        await until_blocked(place)
        await other.commit()
    assert await delivering == ["written"]
    await impatient.close()


async def test_a_deadlock_is_tried_again(place: Neo4jPlace, store: Neo4jStore) -> None:
    """When another client locks in the other order, one of us is refused; ours is written all the same."""
    await store.put([make_record(number) for number in (1, 2)])
    async with somebody(place) as other:
        await run(other, f"{EDGE} SET c.note = 'mine'", 2)
        delivering = asyncio.create_task(deliver(store, make_delivery(1), make_delivery(2)))
        await until_blocked(place)
        try:
            await run(other, f"{EDGE} SET c.note = 'mine'", 1)
            await other.commit()
        except TransientError:
            await other.rollback()
        assert await delivering == ["written", "written"]
    assert await place.query(LEFT) == [{"number": 2}]


async def test_two_writers_of_the_same_citations_write_each_once(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Of two runs that deliver the same citations at once, each citation is written by one and found by the other."""
    numbers = range(120)
    await store.put([make_record(number, 2) for number in numbers])
    other = await place.open()
    batches = [[make_delivery(number, 2) for number in order] for order in (numbers, reversed(numbers))]
    ours, theirs = await asyncio.gather(
        store.deliver("main", "run-1", AT, batches[0]), other.deliver("main", "run-2", AT, batches[1])
    )
    results = {receipt.key: receipt.result for receipt in ours}
    assert all({results[receipt.key], receipt.result} == {"written", "found"} for receipt in theirs)
    assert {
        (len(one.outcomes), len({outcome.instance_id for outcome in one.outcomes})) for one in await all_stored(store)
    } == {(2, 2)}
    await other.close()


async def test_two_screenings_deliver_to_one_hub_at_once(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Verdicts on citations of one much cited article, delivered by two writers, all arrive."""
    await store.begin_screening(make_screening_row("other"))
    keys = [CitationKey(f"citing-{number:03}", "hub", "r") for number in range(100)]
    await store.put([make_record(1, source_id=key.source_id, target_id="hub", reference_id="r") for key in keys])
    second = await place.open()
    batches = [[Delivery(key, (make_outcome(),)) for key in keys[start : start + 20]] for start in range(0, 100, 20)]

    async def write(to: Neo4jStore, screening: str) -> list[str]:
        return [receipt.result for batch in batches for receipt in await to.deliver(screening, "run-1", AT, batch)]

    both = await asyncio.gather(write(store, "main"), write(second, "other"))
    assert list(both) == [["written"] * 100] * 2
    assert await place.query(LEFT) == [{"number": 200}]
    await second.close()


async def test_a_key_too_long_for_an_index_is_of_that_citation_alone(store: Neo4jStore) -> None:
    """A reference id that no index can hold makes its citation undeliverable; its neighbours are written."""
    await store.put([make_record(1), make_record(2, reference_id="x" * 40_000), make_record(3)])
    long = Delivery(make_key(2, "x" * 40_000), (make_outcome(),))
    receipts = await store.deliver("main", "run-1", AT, [make_delivery(1), long, make_delivery(3)])
    assert [receipt.result for receipt in receipts] == ["written", "undeliverable", "written"]
    assert receipts[1].kind == "too_large"


@pytest.mark.timeout(200, func_only=True)
async def test_fifty_thousand_outcomes_are_one_delivery(place: Neo4jPlace, store: Neo4jStore) -> None:
    """A citation with very many contexts is written whole, or told as too large; its neighbour is written."""
    await place.query("CREATE (:Article {article_id: 'a'})-[:CITES {reference_id: 'r'}]->(:Article {article_id: 'b'})")
    await store.put([make_record(1)])
    key = CitationKey("a", "b", "r")
    huge = Delivery(key, tuple(make_outcome(str(number)) for number in range(50_000)))
    first, second = await store.deliver("main", "run-1", AT, [huge, make_delivery(1)])
    assert second.result == "written"
    (stored,) = await store.find("main", "a", "b")
    assert (first.result, len(stored.outcomes)) in {("written", 50_000), ("undeliverable", 0)}
    if first.result == "undeliverable":
        assert first.kind == "too_large"
