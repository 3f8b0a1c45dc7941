"""The checkup on a real graph: what it finds, and that it changes nothing there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from citefidelity.config.loading import load_settings
from citefidelity.doctor import Check, Checkup
from citefidelity.doctoring import checkup
from citefidelity.records import WHOLE
from citefidelity.stores.neo4j import Neo4jStore
from citefidelity.testing.provider import ScriptedProvider
from support.makers import make_holder, make_record
from support.neo4j_place import DATABASE, Neo4jPlace

EVERYTHING = "MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN properties(n) AS n, labels(n) AS l, properties(r) AS r"
INDEXES = "SHOW INDEXES YIELD name RETURN name ORDER BY name"
DROPPED = ("CONSTRAINT fidelity_verdict", "INDEX fidelity_category")


async def examined(place: Neo4jPlace, **environ: str) -> tuple[Checkup, dict[str, Check]]:
    """The checkup, and each finding by its name."""
    known = {"NEO4J_URI": place.uri, "NEO4J_USERNAME": place.user, "NEO4J_PASSWORD": place.password}
    async with ScriptedProvider() as server:
        flags: dict[str, Any] = {"store": f"{place.uri}/{DATABASE}", "base_url": server.base_url, "model": "scripted"}
        report = await checkup(load_settings(flags | {"price": "1,2", "screening": "new"}, environ=known | environ))
    return report, {check.name: check for check in report.checks}


async def test_all_is_well_and_nothing_is_changed(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Server, rights, indexes, connections, claims and content are ok; nodes, edges and indexes are as before."""
    await store.put([make_record(number, contexts=2) for number in range(3)])
    before = [await place.query(EVERYTHING), await place.query(INDEXES)]
    report, found = await examined(place)
    assert {name: check.result for name, check in found.items()} == dict.fromkeys(found, "ok")
    assert {"neo4j", "rights", "indexes", "connections", "claims", "evidence", "records", "done elsewhere"} <= set(
        found
    )
    assert report.exit_code == 0
    assert "community" in found["neo4j"].message
    assert "taken back" in found["rights"].message
    assert "6 contexts" in found["evidence"].message
    assert [await place.query(EVERYTHING), await place.query(INDEXES)] == before


async def test_a_graph_that_is_new_to_this_program_is_not_opened(place: Neo4jPlace) -> None:
    """What is missing is named as statements, and not made; that its content was not looked at is said."""
    await place.query("CREATE (:Article {article_id: 'a'})")
    for dropped in DROPPED:
        await place.query(f"DROP {dropped} IF EXISTS")
    before = [await place.query(EVERYTHING), await place.query(INDEXES)]
    report, found = await examined(place)
    assert (found["indexes"].result, found["store"].result, report.exit_code) == ("warning", "warning", 0)
    assert "CREATE CONSTRAINT fidelity_verdict" in found["indexes"].hint
    assert "claims" not in found
    assert [await place.query(EVERYTHING), await place.query(INDEXES)] == before


async def test_a_live_claim_is_named(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Whose it is, and that a run would be refused; once it is given back nobody is named."""
    await store.put([make_record(1)])
    claim = await store.claim("new", WHOLE, make_holder())
    report, found = await examined(place)
    assert (found["claims"].result, report.exit_code) == ("warning", 0)
    assert "pid 4711" in found["claims"].message
    await claim.release()
    _, found = await examined(place)
    assert found["claims"].result == "ok"


async def test_what_other_programs_have_left(place: Neo4jPlace, store: Neo4jStore) -> None:
    """Marked, damaged, doubled and unreadable citations, and contexts without evidence, are counted with a remedy."""
    await store.put([make_record(number) for number in range(4)])
    bare = json.dumps([{"instance_id": 1, "context_text": "As shown."}])
    blank = json.dumps([{"instance_id": 1, "context_text": "", "classification": {"category": "ERROR"}}])
    change = "MATCH (:Article {article_id: $of})-[c:CITES]->() SET c += $properties"
    await place.query(change, of="citing-0", properties={"citation_contexts_json": bare})
    await place.query(change, of="citing-1", properties={"citation_contexts_json": "nonsense"})
    await place.query(change, of="citing-2", properties={"citation_contexts_json": blank, "classified": True})
    report, found = await examined(place)
    assert report.exit_code == 0
    assert "1 of 2 contexts to do have no evidence" in found["evidence"].message
    assert "unreadable_record 1" in found["records"].message
    assert "1 citations are marked" in found["done elsewhere"].message
    assert "1 of these are damaged" in found["damage"].message


async def test_a_wrong_password_and_a_server_that_is_not_there(place: Neo4jPlace) -> None:
    """Each is a failure of the store with its remedy, and no part of the password is shown."""
    report, found = await examined(place, NEO4J_PASSWORD="not-the-password")  # noqa: S106 - it is none
    assert (found["store"].result, report.exit_code) == ("failure", 5)
    assert "NEO4J_PASSWORD" in found["store"].hint
    assert "not-the-password" not in str(report)


async def test_a_read_only_database(place: Neo4jPlace, store: Neo4jStore) -> None:
    """That nothing can be written is a failure before the run that would find it out."""
    await store.put([make_record(1)])
    await store.close()
    place.server.ensure([f"server.databases.read_only={DATABASE}"], cleanly=True)
    report, found = await examined(place)
    assert (found["rights"].result, report.exit_code) == ("failure", 5)
    assert "read-only" in found["rights"].message
    place.server.ensure()


@pytest.fixture(autouse=True)
async def indexes_again(place: Neo4jPlace) -> Any:
    """The next test finds the indexes as usual."""
    yield
    place.mend()
    await (await place.open()).close()
