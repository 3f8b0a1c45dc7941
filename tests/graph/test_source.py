"""Graphs as they are: what is read from them, and what is said of what cannot be worked on."""

from __future__ import annotations

import json
import resource
from typing import Any

import pytest

from citefidelity.config.graph_names import GraphNames
from citefidelity.kinds import UndeliverableKind
from citefidelity.ports import Found, ToDo
from citefidelity.records import Citation, CitationKey, Unusable
from citefidelity.stores import neo4j_reading
from citefidelity.stores.neo4j import Neo4jStore
from support.makers import make_delivery, make_key, make_record
from support.neo4j_place import Neo4jPlace
from support.stores import all_stored, deliver, to_do

MAKE = """
UNWIND $edges AS edge
MERGE (a:Article {article_id: edge.source}) MERGE (b:Article {article_id: edge.target})
CREATE (a)-[c:CITES]->(b) SET c = edge.properties
"""
CONTEXT = {
    "instance_id": 1,
    "section": "Results",
    "context_text": "As shown before [1].",
    "evidence_segments": [{"text": "It was shown.", "section": "Results", "similarity_score": 0.7}],
}


def edge(source: object = "a", target: object = "b", **properties: object) -> dict[str, Any]:
    """A citation as other programs leave it, with one context unless told otherwise."""
    usual = {
        "reference_id": "r1",
        "qualified": True,
        "citation_contexts_json": json.dumps([CONTEXT]),
        "context_count": 1,
    }
    return {"source": source, "target": target, "properties": usual | properties}


async def found(store: Neo4jStore, **wanted: Any) -> list[Found]:
    """Everything that pages hold."""
    return [one async for page in store.pages(ToDo(screening="main", **wanted)) for one in page]


async def test_a_graph_made_by_others_is_read_as_it_is(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Titles come from the articles, contexts from the edge; an export names every property that a record has."""
    await place.query(MAKE, edges=[edge()])
    await place.query(
        "MATCH (a:Article {article_id: 'a'}), (b:Article {article_id: 'b'}) "
        "SET a += {title: 'A', authors: ['X', 'Y'], pub_year: 2020}, b += {title: 'B', authors: []}"
    )
    (citation,) = await found(store)
    assert isinstance(citation, Citation)
    assert (citation.key, citation.source_title, citation.target_title) == (("a", "b", "r1"), "A", "B")
    assert citation.contexts[0].evidence_segments[0].text == "It was shown."
    (stored,) = await all_stored(store)
    assert json.loads(stored.record.fields) == {
        "source_id": "a",
        "target_id": "b",
        "reference_id": "r1",
        "source_title": "A",
        "source_authors": ["X", "Y"],
        "source_year": 2020,
        "target_title": "B",
        "target_authors": [],
    }
    assert json.loads(stored.record.contexts) == [CONTEXT]


async def test_ids_may_be_integers(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Integer ids of articles and references are read, found and delivered to as their decimal strings."""
    await place.query(MAKE, edges=[edge(7, 8, reference_id=9), edge("a", 8)])
    assert await to_do(store) == [("a", "8", "r1"), ("7", "8", "9")]
    delivery = make_delivery()
    key = CitationKey("7", "8", "9")
    assert await deliver(store, type(delivery)(key, delivery.outcomes)) == ["written"]
    assert await to_do(store) == [("a", "8", "r1")]
    (stored,) = await store.find("main", "7", "8")
    assert (stored.record.key, len(stored.outcomes)) == (key, 1)
    assert json.loads(stored.record.fields)["source_id"] == 7


@pytest.mark.parametrize("reference", [None, ""])
async def test_a_reference_may_be_absent(place: Neo4jPlace, store: Neo4jStore, reference: str | None) -> None:
    """An absent reference id is the empty one."""
    await place.query(MAKE, edges=[edge(reference_id=reference)])
    key = CitationKey("a", "b", "")
    assert await to_do(store) == [key]
    delivery = make_delivery()
    assert await deliver(store, type(delivery)(key, delivery.outcomes)) == ["written"]
    assert await to_do(store) == []


@pytest.mark.parametrize("reference", ["r1", "r2", None])
async def test_edges_with_one_key_are_named_and_not_paid_for(
    place: Neo4jPlace, store: Neo4jStore, reference: str | None
) -> None:
    """Two edges of one pair are two citations when their references differ, and unusable when they do not."""
    await place.query(MAKE, edges=[edge(), edge(reference_id=reference), edge("x", "y")])
    page = await found(store)
    if reference == "r1":
        first, second = page
        assert isinstance(first, Unusable)
        assert (first.key, first.kind) == (("a", "b", "r1"), UndeliverableKind.EDGE_DOUBLED)
        assert isinstance(second, Citation)
        assert [one.unusable and one.unusable.kind for one in await all_stored(store)] == ["edge_doubled"] * 2 + [None]
        delivery = make_delivery()
        assert await deliver(store, type(delivery)(first.key, delivery.outcomes)) == ["undeliverable"]
    else:
        wanted = sorted([("a", "b", reference or ""), ("a", "b", "r1"), ("x", "y", "r1")])
        assert sorted(one.key for one in page) == wanted
        assert all(isinstance(one, Citation) for one in page)


async def test_a_key_doubled_by_two_articles_of_one_id_is_named(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Two articles with one id, as a graph without a unique key may hold, double the citations between them."""
    await place.query("CREATE (:Article {article_id: 'b'}), (:Article {article_id: 'b'})")
    await place.query(
        "MATCH (b:Article {article_id: 'b'}) CREATE (:Article {article_id: 'a'})-[c:CITES]->(b) SET c = $edge",
        edge=edge()["properties"],
    )
    assert [(one.key, getattr(one, "kind", None)) for one in await found(store)] == [(("a", "b", "r1"), "edge_doubled")]


@pytest.mark.parametrize(
    ("source", "target", "reference"),
    [
        (None, "b", "r1"),
        ("a", None, "r1"),
        ("", "b", "r1"),
        (" ", "b", "r1"),
        (1.5, "b", "r1"),
        (True, "b", "r"),
        ("a", "b", 1.5),
    ],
)
async def test_a_key_that_is_not_whole_is_named_and_not_paid_for(
    place: Neo4jPlace, store: Neo4jStore, source: object, target: object, reference: object
) -> None:
    """An id that is missing, blank or of another type cannot be found again, so nothing is asked under it."""
    await place.query(
        "CREATE (a:Article)-[c:CITES]->(b:Article) SET a.article_id = $source, b.article_id = $target, c = $edge",
        source=source,
        target=target,
        edge=edge(reference_id=reference)["properties"],
    )
    (broken,) = await found(store)
    assert isinstance(broken, Unusable)
    assert broken.kind == UndeliverableKind.UNREADABLE_RECORD
    assert (await store.counts("main")).to_do == 1


async def test_ids_that_are_told_alike_are_one_to_do(place: Neo4jPlace, store: Neo4jStore) -> None:
    """An article without an id and one with an empty one are named alike, and so counted once: a run can end."""
    make = "CREATE (a:Article)-[c:CITES]->(:Article {article_id: $target}) SET a.article_id = $source, c = $edge"
    for source, target in ((None, "b"), ("", "b"), (None, 5), (None, "5")):
        await place.query(make, source=source, target=target, edge=edge()["properties"])
    named = {one.key for one in await found(store)}
    assert (await store.counts("main")).to_do == len(named) == 2


@pytest.mark.parametrize(
    ("contexts", "number"),
    [
        (json.dumps([CONTEXT, CONTEXT | {"instance_id": 2, "context_text": 'It says "instance_id".'}]), 2),
        ("[]", 0),
        ("no JSON", 0),
        (7, 0),
        (["a"], 0),
    ],
)
async def test_contexts_are_counted_without_a_count(
    place: Neo4jPlace, store: Neo4jStore, contexts: object, number: int
) -> None:
    """Where the edge does not say how many contexts it has, they are counted as they stand."""
    await place.query(MAKE, edges=[edge(context_count=None, citation_contexts_json=contexts), edge("x", "y")])
    assert (await store.counts("main")).contexts == number + 1


@pytest.mark.parametrize("contexts", ["not json", '{"a": 1}', "[1]", '[{"instance_id": 1}]', ["a"], 7, "[ ]"])
async def test_contexts_that_are_none_are_named(place: Neo4jPlace, store: Neo4jStore, contexts: object) -> None:
    """Contexts that are no list, of another type, or fewer than announced are named, and no neighbour is hurt."""
    await place.query(MAKE, edges=[edge(citation_contexts_json=contexts), edge("x", "y")])
    broken, whole = await found(store)
    assert isinstance(broken, Unusable)
    assert (broken.key.source_id, broken.kind) == ("a", UndeliverableKind.UNREADABLE_RECORD)
    assert isinstance(whole, Citation)


@pytest.mark.parametrize(
    "properties",
    [
        {"citation_contexts_json": None},
        {"citation_contexts_json": "[]", "context_count": None},
        {"context_count": 0},
        {"qualified": False},
        {"qualified": None},
        {"qualified": "true"},
        {"classified": True},
        {"classified": "yes"},
    ],
)
async def test_what_is_no_candidate_is_not_to_do(
    place: Neo4jPlace, store: Neo4jStore, properties: dict[str, object]
) -> None:
    """Without contexts, not qualified, or classified by others: counted as what it is, and not asked."""
    await place.query(MAKE, edges=[edge(**properties)])
    assert await found(store) == []
    counts = await store.counts("main")
    assert (counts.citations, counts.to_do, counts.done_elsewhere) == (1, 0, int("classified" in properties))


async def test_what_others_classified_can_be_included(place: Neo4jPlace, store: Neo4jStore) -> None:
    """``classified`` without our mark is done elsewhere; with our mark, even an empty one, it is ours."""
    await place.query(
        MAKE,
        edges=[
            edge("a", classified=True),
            edge("b", "c", classified=True, fidelity_screenings=[]),
            edge("d", classified=False),
        ],
    )
    assert [key.source_id for key in await to_do(store)] == ["b", "d"]
    assert [one.key.source_id for one in await found(store, include_classified=True)] == ["a", "b", "d"]
    assert [one.elsewhere for one in await all_stored(store)] == [True, False, False]


async def test_odd_authors_and_missing_evidence_are_no_fault(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Authors that are absent, empty or text, and contexts without evidence, are read like any other."""
    bare = json.dumps(
        [{"instance_id": "1", "context_text": "x"}, {"instance_id": 2, "context_text": "y", "evidence_segments": None}]
    )
    await place.query(MAKE, edges=[edge(citation_contexts_json=bare), edge("x", "y")])
    await place.query("MATCH (a:Article) SET a.authors = CASE a.article_id WHEN 'a' THEN [] WHEN 'x' THEN 'X' END")
    assert [len(one.contexts) for one in await found(store) if isinstance(one, Citation)] == [2, 1]
    authors = [json.loads(one.record.fields).get("source_authors") for one in await all_stored(store)]
    assert authors == [[], "X"]


async def test_what_needs_nothing_starves_nobody(
    place: Neo4jPlace, store: Neo4jStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many edges need nothing, those that do are found, of long and of short articles."""
    monkeypatch.setattr(neo4j_reading, "KEYS", 5)
    monkeypatch.setattr(neo4j_reading, "FIRST_STRETCH", 2)
    monkeypatch.setattr(neo4j_reading, "LONGEST_STRETCH", 7)
    idle = [
        edge(f"a{number:03}", "b", qualified=False, reference_id=f"r{at}") for number in range(60) for at in range(3)
    ]
    long = [edge("a020", "b", reference_id=f"x{at:02}") for at in range(12)] + [edge("a021", "b", reference_id="y")]
    last = [edge("a059", "b", reference_id="z"), edge(5, "b", reference_id="z")]
    await place.query(MAKE, edges=idle + long + last)
    wanted = [("a020", f"x{at:02}") for at in range(12)] + [("a021", "y"), ("a059", "z"), ("5", "z")]
    assert [(key.source_id, key.reference_id) for key in await to_do(store)] == wanted
    assert len(await all_stored(store)) == len(idle) + len(long) + len(last)
    assert (await store.counts("main")).citations == len(idle) + len(long) + len(last)


async def test_other_names_can_be_given(place: Neo4jPlace) -> None:
    """A graph that calls its articles and properties otherwise is read and delivered to under its own names."""
    names = GraphNames(article="Paper", cites="REFERS_TO", article_id="doi", contexts="passages", classified="judged")
    await place.query(
        "CREATE (:Paper {doi: 'a'})-[c:REFERS_TO]->(:Paper {doi: 'b'}) SET c = $edge",
        edge={"reference_id": "r1", "qualified": True, "passages": json.dumps([CONTEXT])},
    )
    store = await place.open(names=names)
    (row,) = [one async for page in store.pages(ToDo(screening="main")) for one in page]
    assert row.key == ("a", "b", "r1")
    await store.put([make_record(1)])
    assert await to_do(store) == [("a", "b", "r1"), make_key(1)]
    (judged,) = await place.query(
        "MATCH (:Paper)-[c:REFERS_TO {reference_id: 'r1'}]->(:Paper {doi: 'b'}) RETURN keys(c) AS k"
    )
    assert set(judged["k"]) == {"reference_id", "qualified", "passages"}
    await store.close()


async def test_fifty_thousand_contexts_are_one_citation(place: Neo4jPlace, store: Neo4jStore) -> None:
    """A citation that is far larger than a page is read alone, with memory for itself and no more."""
    contexts = json.dumps([CONTEXT | {"instance_id": number} for number in range(50_000)])
    await place.query(MAKE, edges=[edge(f"a{number}", "b") for number in range(3)])
    await place.query(MAKE, edges=[edge("a1", "c", citation_contexts_json=contexts, context_count=50_000)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sizes = [
        [len(one.contexts) for one in page if isinstance(one, Citation)]
        async for page in store.pages(ToDo(screening="main"))
    ]
    assert sizes == [[1, 1], [50_000], [1]]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000
