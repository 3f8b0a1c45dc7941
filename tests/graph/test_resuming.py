"""Reading that takes up where it was left: behind a place in the index, and round to it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from citefidelity.ports import ToDo
from citefidelity.records import CitationKey
from citefidelity.stores import neo4j_reading
from citefidelity.stores.neo4j import Neo4jStore
from citefidelity.stores.neo4j_graph import Tx
from support.makers import make_key, make_record
from support.neo4j_place import Neo4jPlace
from support.stores import to_do

MAKE = """
UNWIND $sources AS source
MERGE (b:Article {article_id: 'cited'})
CREATE (a:Article)-[c:CITES {reference_id: 'r', qualified: true, context_count: 1}]->(b)
SET a.article_id = source, c.citation_contexts_json = $contexts
"""
CONTEXTS = '[{"instance_id": 1, "context_text": "x", "evidence_segments": []}]'
SOURCES: list[object] = ["5", "a", "b", "b1", "zz", *range(-3, 12), 10**18, 1.5, True, None]
KNOWN = [source for source in SOURCES if isinstance(source, str | int) and not isinstance(source, bool)]
HINTS = st.one_of(st.none(), st.sampled_from([str(source) for source in KNOWN]), st.text(max_size=3))


@pytest.fixture
async def mixed(place: Neo4jPlace, store: Neo4jStore, monkeypatch: pytest.MonkeyPatch) -> Neo4jStore:
    """A graph whose ids are of all kinds, read in many short stretches."""
    monkeypatch.setattr(neo4j_reading, "FIRST_STRETCH", 1)
    monkeypatch.setattr(neo4j_reading, "LONGEST_STRETCH", 3)
    monkeypatch.setattr(neo4j_reading, "KEYS", 2)
    await place.query(MAKE, sources=SOURCES, contexts=CONTEXTS)
    return store


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hint=HINTS)
async def test_ids_of_every_kind_are_read_once_whatever_the_hint(mixed: Neo4jStore, hint: str | None) -> None:
    """Strings, integers and what no index orders: all come once, wherever reading begins."""
    behind = None if hint is None else CitationKey(hint, "cited", "r")
    read = await to_do(mixed, ToDo(screening="main", behind=behind))
    assert sorted(key.source_id for key in read) == sorted("" if one is None else str(one) for one in SOURCES)


@pytest.mark.parametrize(
    ("hint", "first", "last"),
    [("a", ["b", "b1", "zz", "-3"], ["5", "a"]), ("7", ["8", "9", "10", "11"], ["6", "7"]), ("zz", ["-3"], ["zz"])],
)
async def test_reading_begins_behind_the_hint(mixed: Neo4jStore, hint: str, first: list[str], last: list[str]) -> None:
    """What follows the place comes first, in order, and the place itself comes last but for ids without an order."""
    read = [key.source_id for key in await to_do(mixed, ToDo(screening="main", behind=CitationKey(hint, "cited", "r")))]
    ordered = read[:-2]
    assert ordered[: len(first)] == first
    assert ordered[-len(last) :] == last


async def test_what_is_done_before_the_hint_is_not_looked_through_first(
    store: Neo4jStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first page behind the hint costs three queries, however much is done before it."""
    monkeypatch.setattr(neo4j_reading, "FIRST_STRETCH", 2)
    monkeypatch.setattr(neo4j_reading, "LONGEST_STRETCH", 2)
    await store.put([make_record(number, qualified=number >= 195) for number in range(200)])
    asked: list[str] = []
    rows = Tx.rows

    async def counted(self: Tx, query: str, /, **parameters: object) -> list[dict[str, object]]:
        asked.append(query)
        return await rows(self, query, **parameters)

    monkeypatch.setattr(Tx, "rows", counted)
    pages = store.pages(ToDo(screening="main", behind=make_key(194)))
    page = await anext(pages)
    assert [one.key for one in page] == [make_key(195), make_key(196)]
    assert len(asked) == 3
