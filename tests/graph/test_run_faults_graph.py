"""A run goes on whatever others do to the graph meanwhile, and whatever the graph holds (G2, G4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import neo4j
import pytest
from neo4j.exceptions import TransientError

from support.graph_runs import GraphRuns, Strike, graph_runs, make_contexts, make_edge, source
from support.neo4j_place import DATABASE, Neo4jPlace

CITATIONS = 60
LAST = source(CITATIONS - 1)
"""Cannot be in the first delivery, during which others strike."""

LOCKED_S = 10.0
EDGE = "MATCH (:Article {article_id: $source})-[c:CITES]->()"
OTHERS = "MATCH (a:Article)-[c:CITES]->() WHERE a.article_id < $source WITH c ORDER BY a.article_id DESC"
BLOCKED = "SHOW TRANSACTIONS YIELD status, activeLockCount AS locks WHERE status STARTS WITH 'Blocked' RETURN locks"


@asynccontextmanager
async def somebody(runs: GraphRuns) -> AsyncIterator[neo4j.AsyncTransaction]:
    """Another client's transaction."""
    async with (
        runs.place.driver() as driver,
        driver.session(database=DATABASE) as session,
        await session.begin_transaction() as transaction,
    ):
        yield transaction


@asynccontextmanager
async def deleted(runs: GraphRuns) -> AsyncIterator[None]:
    """Another client deletes an edge that is being asked about."""
    await runs.place.query(f"{EDGE} DELETE c", source=LAST)
    yield


@asynccontextmanager
async def renamed(runs: GraphRuns) -> AsyncIterator[None]:
    """Another client gives an edge that is being asked about another reference."""
    await runs.place.query(f"{EDGE} SET c.reference_id = 'renamed'", source=LAST)
    yield


@asynccontextmanager
async def locked(runs: GraphRuns) -> AsyncIterator[None]:
    """Another client keeps the lock of an edge for ten seconds."""
    async with somebody(runs) as other:
        await (await other.run(f"{EDGE} SET c.note = 'mine'", source=LAST)).consume()
        yield
        await asyncio.sleep(LOCKED_S)
        await other.commit()


@asynccontextmanager
async def deadlocked(runs: GraphRuns) -> AsyncIterator[None]:
    """Another client wants the edges that a delivery has locked, and has the one that the delivery wants."""
    async with somebody(runs) as other:
        await (await other.run(f"{EDGE} SET c.note = 'mine'", source=LAST)).consume()
        yield
        while not (blocked := await runs.place.query(BLOCKED)):
            pass
        assert blocked[0]["locks"] > 1, "the delivery has locked nothing that the other could want"
        try:
            await (await other.run(f"{OTHERS} SET c.note = 'mine'", source=LAST)).consume()
            await other.commit()
        except TransientError:
            await other.rollback()


class Meddling(NamedTuple):
    """What another client does, and whether the last citation can be delivered in spite of it."""

    strike: Strike
    gone: bool = False


MEDDLING = {
    "deletes an edge": Meddling(deleted, gone=True),
    "renames an edge": Meddling(renamed, gone=True),
    "holds a lock": Meddling(locked),
    "deadlocks with us": Meddling(deadlocked),
}


@pytest.mark.guarantee("G2", "G4")
@pytest.mark.parametrize("meddling", MEDDLING.values(), ids=MEDDLING)
async def test_a_run_while_another_client(meddling: Meddling, place: Neo4jPlace, tmp_path: Path) -> None:
    """What that client took away is told, by its kind; all else is delivered, and nothing is asked twice."""
    async with graph_runs(place, tmp_path) as runs:
        await runs.fill(CITATIONS)
        report = await runs.run_hurt(meddling.strike)
        delivered = CITATIONS - meddling.gone
        assert (report.stopped, report.delivered, report.undeliverable) == ("complete", delivered, int(meddling.gone))
        assert report.exit_code == (3 if meddling.gone else 0)
        if meddling.strike is renamed:
            # Under its new name it is another citation. Under the old one its answers wait in the journal.
            await place.query(f"{EDGE} SET c.reference_id = 'r1'", source=LAST)
            back = await runs.run()
            assert (back.calls, back.delivered, back.exit_code) == (0, 1, 0)
            delivered += 1
        await runs.assert_settled(2 * delivered)


ODD = {
    "not json": make_edge("a", citation_contexts_json="not json"),
    "no list": make_edge("b", citation_contexts_json='{"1": "x"}'),
    "contexts announced, none there": make_edge("c", citation_contexts_json="[]", context_count=1),
    "no text": make_edge("d", [{"instance_id": 1}]),
    "one number twice": make_edge("e", make_contexts("e", 1) * 2),
    "doubled, one": make_edge("f"),
    "doubled, other": make_edge("f"),
    "no contexts": make_edge("g", []),
    "no evidence": make_edge("h", [{"instance_id": 1, "context_text": "As shown before [9]."}]),
    "some evidence": make_edge("i", [*make_contexts("i", 1), {"instance_id": "x", "context_text": "Bare [9]."}]),
    "parallel, one": make_edge("j"),
    "parallel, other": make_edge("j", make_contexts("other", 2), reference_id="r2"),
    "parallel, unnamed": make_edge("j", make_contexts("unnamed", 1), reference_id=None),
    "authors empty": make_edge("k", 1),
    "authors null": make_edge("l", 1),
    "as usual": make_edge("m", 1),
}
"""Edges as graphs have them, by what is odd about them."""

OURS = dict.fromkeys(["classified", "classified_at", "fidelity_screenings"])
EDGES = "MATCH (a:Article)-[c:CITES]->() WITH c ORDER BY a.article_id, elementId(c) RETURN properties(c) AS c"
AUTHORS = "MATCH (a:Article) SET a.authors = CASE WHEN a.article_id STARTS WITH 'k' THEN [] ELSE a.authors END"


@pytest.mark.guarantee("G1", "G2")
async def test_a_run_over_odd_edges(place: Neo4jPlace, tmp_path: Path) -> None:
    """Each edge is delivered or named with why not; none hurts its neighbour, and none of the odd ones is paid for."""
    async with graph_runs(place, tmp_path) as runs:
        await runs.make(ODD.values())
        await place.query(AUTHORS)
        before = await place.query(EDGES)
        report = await runs.run()
        assert (report.stopped, report.exit_code, report.undeliverable) == ("complete", 3, 6)
        # Delivered are h, i, three times j, k, l and m.
        assert (report.delivered, report.calls, report.unassessable) == (8, 9, 2)
        await runs.assert_settled(11, undeliverable=6, unassessable=2)
        after = await place.query(EDGES)
        assert [row["c"] | OURS for row in after] == [row["c"] | OURS for row in before]


MANY, WITH_EVIDENCE = 50_000, 5_000
"""Contexts: each has its outcome; a tenth of them is asked, which is what takes the time."""


@pytest.mark.guarantee("G2", "G4", "G7")
async def test_a_run_over_fifty_thousand_contexts_of_one_edge(place: Neo4jPlace, tmp_path: Path) -> None:
    """They are asked once, and delivered whole or told to be too large for this server; the neighbour is delivered."""
    contexts = make_contexts("a", MANY)
    for bare in contexts[WITH_EVIDENCE:]:
        del bare["evidence_segments"]
    async with graph_runs(place, tmp_path, latency=0.0) as runs:
        await runs.make([make_edge("a", contexts), make_edge("b")])
        report = await runs.run(concurrency=100)
        told = report.undeliverable
        assert (report.stopped, report.remaining, report.exit_code) == ("complete", 0, 3 if told else 0)
        assert (report.calls, report.unassessable) == (WITH_EVIDENCE + 2, MANY - WITH_EVIDENCE)
        whole = {"contexts": MANY + 2, "unassessable": MANY - WITH_EVIDENCE}
        await runs.assert_settled(**({"contexts": 2, "undeliverable": 1} if told else whole))
