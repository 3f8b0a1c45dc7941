"""The report of a screening that lives in a real graph: the same as of any other store."""

from __future__ import annotations

import msgspec

from citefidelity.compiling import Gold, compile_report
from citefidelity.config.loading import load_settings
from citefidelity.records import Delivery
from citefidelity.testing.store import MemoryStore
from support.makers import AT, make_failed, make_key, make_unassessable
from support.neo4j_place import DATABASE, Neo4jPlace
from support.reports import gold, judged, report_on, screening_row

RECORDS = [gold(1, "SUPPORT", "CONTRADICT", None), gold(2, "SUPPORT", None, None), gold(3, None)]
DELIVERIES = [
    Delivery(make_key(1), (judged("SUPPORT", 0.9), judged("IRRELEVANT", 0.8, "2"), judged("MISQUOTE", 1.0, "3"))),
    Delivery(make_key(2), (judged("SUPPORT", 0.55), make_failed("2"), make_unassessable("3"))),
]


async def test_a_graph_and_a_file_give_the_same_report(place: Neo4jPlace) -> None:
    """Every figure, list and share is the one that the same citations give in memory."""
    memory, graph = MemoryStore(), await place.open()
    for store in (memory, graph):
        await store.put(RECORDS)
        await store.begin_screening(screening_row())
        await store.deliver("main", "run-1", AT, DELIVERIES)
    expected = await report_on(memory)
    await graph.close()
    known = {"NEO4J_USERNAME": place.user, "NEO4J_PASSWORD": place.password}
    settings = load_settings({"store": f"{place.uri}/{DATABASE}"}, environ=known)
    found = await compile_report(settings, gold=Gold(field="gold"), audit=False)
    assert found.states.verdict == 4
    same = {name: getattr(found, name) for name in ("made_at", "program", "store", "store_id", "notes")}
    assert msgspec.structs.replace(expected, **same) == found
