"""The Cypher that the documentation offers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from citefidelity.records import Delivery
from citefidelity.stores.neo4j import Neo4jStore
from support.makers import make_failed, make_key, make_outcome, make_record, make_screening_row, make_verdict
from support.neo4j_place import Neo4jPlace
from support.stores import deliver

DOCS = Path(__file__).resolve().parents[2] / "docs"
QUERIES = [
    query
    for name in ("neo4j.md", "monitoring.md")
    for query in re.findall(r"```cypher\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)
    if "RETURN" in query
]


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
async def test_every_query_of_the_documentation_answers(place: Neo4jPlace, store: Neo4jStore, query: str) -> None:
    """Each query runs as it stands, and finds something in a graph with two screenings."""
    await store.begin_screening(make_screening_row("second"))
    await store.put([make_record(1, contexts=6)])
    outcomes = [make_outcome(str(number), make_verdict("CONTRADICT")) for number in range(1, 6)]
    for screening in ("main", "second"):
        await deliver(store, Delivery(make_key(), (*outcomes, make_failed("6"))), screening=screening)
    assert await place.query(query)
