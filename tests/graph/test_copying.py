"""Copies out of a real graph and into one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from citefidelity.clock import SystemClock
from citefidelity.config.loading import load_settings
from citefidelity.config.settings import Settings
from citefidelity.copying import copy
from citefidelity.errors import UsageError
from citefidelity.moving import copy_between
from citefidelity.records import Delivery
from citefidelity.stores.neo4j import Neo4jStore
from citefidelity.stores.sqlite import SqliteStore, open_sqlite
from support.makers import (
    make_delivery,
    make_failed,
    make_key,
    make_outcome,
    make_record,
    make_screening_row,
    make_unassessable,
)
from support.neo4j_place import Neo4jPlace
from support.stores import all_stored, deliver, to_do

MIXED = Delivery(make_key(2), (make_outcome("1"), make_failed("2"), make_unassessable("3")))
MAKE = """
MERGE (a:Article {article_id: $source}) MERGE (b:Article {article_id: 'there'})
CREATE (a)-[c:CITES]->(b)
SET c = {reference_id: 'r1', qualified: true, citation_contexts_json: $contexts, context_count: 1}
SET c += $properties
"""
CONTEXTS = json.dumps([{"instance_id": 1, "context_text": "As shown before [1].", "unknown": 1.50}])


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An embedded store."""
    store = await open_sqlite(tmp_path / "c.db", create=True, clock=SystemClock())
    yield store
    await store.close()


def settings(place: Neo4jPlace, store: str) -> Settings:
    """Settings that name this store, with the password of the graph."""
    environ = {"NEO4J_USERNAME": place.user, "NEO4J_PASSWORD": place.password}
    return load_settings({"store": store}, environ=environ)


async def test_a_file_goes_into_a_graph_and_back(store: Neo4jStore, file: SqliteStore, tmp_path: Path) -> None:
    """All of it comes back byte for byte: records, outcomes, answers, times, runs and specs; twice copied is once."""
    await file.put([make_record(1, note=1.0, source_authors=["X", None]), make_record(2, 3), make_record(3)])
    for name in ("main", "strict"):
        await file.begin_screening(make_screening_row(name))
    await deliver(file, MIXED)
    await deliver(file, make_delivery(1), run="run-2")
    await deliver(file, make_delivery(2, 3), screening="strict")
    back = await open_sqlite(tmp_path / "back.db", create=True, clock=SystemClock())
    for new, delivered, found in ((3, 3, 0), (0, 0, 3)):
        for source, target in ((file, store), (store, back)):
            report = await copy(source, target)
            assert (report.new, report.delivered, report.found) == (new, delivered, found)
            assert report.exit_code == 0
    for name in ("main", "strict"):
        assert await all_stored(back, name) == await all_stored(file, name)
    assert await back.screenings() == await file.screenings() == await store.screenings()
    await back.close()


async def test_a_graph_made_by_others_goes_into_a_file(place: Neo4jPlace, store: Neo4jStore, file: SqliteStore) -> None:
    """What cannot be told apart or read is named and left out; what is done elsewhere is counted, and comes to do."""
    for source, properties in (
        ("good", {}),
        ("elsewhere", {"classified": True}),
        ("broken", {"citation_contexts_json": "no JSON"}),
        ("doubled", {}),
        ("doubled", {}),
    ):
        await place.query(MAKE, source=source, contexts=CONTEXTS, properties=properties)
    report = await copy(store, file)
    assert (report.citations, report.new, report.left_out, report.done_elsewhere) == (5, 2, 3, 1)
    assert sorted((one.source_id, one.kind) for one in report.not_copied) == [
        ("broken", "unreadable_record"),
        ("doubled", "edge_doubled"),
        ("doubled", "edge_doubled"),
    ]
    assert [key.source_id for key in await to_do(file)] == ["elsewhere", "good"]
    assert (await all_stored(file))[0].record.contexts.decode() == CONTEXTS


async def test_a_citation_that_is_doubled_in_the_graph_is_not_written(
    place: Neo4jPlace, store: Neo4jStore, file: SqliteStore
) -> None:
    """It and its verdict are named; its neighbour arrives."""
    await file.put([make_record(1), make_record(2)])
    await file.begin_screening(make_screening_row())
    await deliver(file, make_delivery(1), make_delivery(2))
    await copy(file, store)
    await place.query("MATCH (a {article_id: 'citing-1'})-[c:CITES]->(b) CREATE (a)-[d:CITES]->(b) SET d = c")
    report = await copy(file, store)
    assert (report.unchanged, report.found, report.left_out, report.undeliverable) == (1, 1, 1, 1)
    assert report.exit_code == 3


async def test_two_addresses_of_one_graph_are_one_store(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Its own id tells, however the server is spelled; the claim on a graph is free again after a copy."""
    del store
    other = place.uri.replace("127.0.0.1", "localhost")
    with pytest.raises(UsageError, match="the same store"):
        await copy_between(settings(place, f"{place.uri}/neo4j"), settings(place, other))


async def test_the_claim_on_a_graph_is_given_back(
    place: Neo4jPlace, store: Neo4jStore, file: SqliteStore, tmp_path: Path
) -> None:
    """A copy holds the whole graph while it writes, and leaves it free."""
    await file.put([make_record(1)])
    await file.close()
    report = await copy_between(settings(place, f"sqlite:///{tmp_path}/c.db"), settings(place, f"{place.uri}/neo4j"))
    assert report.new == 1
    assert await place.query("MATCH (c:FidelityClaim) RETURN c") == []
    assert await to_do(store) == [make_key(1)]
