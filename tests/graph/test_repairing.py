"""Repairs on a real graph that holds each kind of damage, in the shapes in which it is left."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from citefidelity.damage import Mend
from citefidelity.errors import UsageError
from citefidelity.records import WHOLE
from citefidelity.repairing import Backup, RepairReport, repair
from citefidelity.stores.neo4j import Neo4jStore
from support.cli import Result, call_cli
from support.makers import make_holder
from support.neo4j_place import Neo4jPlace
from support.origin import blank, error, judged
from support.stores import to_do

MAKE = """
UNWIND $edges AS edge
MERGE (a:Article {article_id: edge.source}) MERGE (b:Article {article_id: 'cited'})
CREATE (a)-[c:CITES]->(b)
SET c = {reference_id: edge.reference, qualified: true, qualified_at: datetime(), context_count: 1,
         citation_contexts_json: edge.contexts, classified: true, classified_at: datetime('2025-10-01T12:00:00Z')}
SET c += edge.properties
"""
EDGES = """
MATCH (a:Article)-[c:CITES]->() RETURN a.article_id AS source, properties(c) AS properties
ORDER BY source, c.reference_id, c.citation_contexts_json
"""
DOCS = Path(__file__).parents[2] / "docs" / "neo4j.md"
MENDED = ("errors", "order", "twin")
"""The citing articles of what can be mended."""


def edge(source: str, *contexts: dict[str, Any], reference: str = "r1", **properties: object) -> dict[str, Any]:
    """An edge as it is left."""
    return {"source": source, "reference": reference, "contexts": json.dumps(contexts), "properties": properties}


DAMAGED = [
    edge("sound", judged(1), judged(2)),
    edge("lost", judged(1), blank(2)),
    edge("errors", error(1), error(2)),
    edge("order", judged(3), judged(1), judged(2)),
    edge("over", judged(2), judged(1), reference="r1"),
    edge("over", judged(2), judged(1), reference="r2"),
    edge("twin", judged(2), blank(1), reference="r1"),
    edge("twin", judged(1), judged(2), reference="r2"),
    edge("ours", blank(2), error(1), fidelity_screenings=["main"]),
    edge("withdrawn", blank(2), error(1), fidelity_screenings=[]),
    edge("open", blank(2), error(1), classified=None),
    edge("broken", citation_contexts_json="no JSON"),
]


@pytest.fixture(autouse=True)
async def damage(place: Neo4jPlace) -> None:
    """A graph with each kind of damage, and with what only looks like it."""
    await place.query(MAKE, edges=DAMAGED)


async def edges(place: Neo4jPlace) -> dict[str, list[dict[str, Any]]]:
    """The properties of all edges, by their citing article."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in await place.query(EDGES):
        found.setdefault(row["source"], []).append(row["properties"])
    return found


def named(report: RepairReport) -> dict[str, list[str]]:
    """The kinds of damage, by citation."""
    return {f"{one.damage.source_id} {one.damage.reference_id}": list(one.damage.kinds) for one in report.damaged}


def numbers_in(properties: dict[str, Any]) -> list[int]:
    """The instance ids of an edge, in their order."""
    return [context["instance_id"] for context in json.loads(properties["citation_contexts_json"])]


def files_in(directory: Path) -> list[str]:
    """Names of what lies there."""
    return [path.name for path in directory.iterdir()]


def lines_of(path: Path) -> list[dict[str, Any]]:
    """JSON Lines, parsed."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def recipe_in_docs() -> str:
    """The query by which people put the older state of an edge back."""
    (recipe,) = re.findall(r"```cypher\n(MATCH[^`]*\$properties[^`]*)```", DOCS.read_text())
    return str(recipe)


async def call(place: Neo4jPlace, cwd: Path, *words: str) -> Result:
    """Run the command on the graph."""
    env = {"NEO4J_URI": place.uri, "NEO4J_USERNAME": place.user, "NEO4J_PASSWORD": place.password}
    return await asyncio.to_thread(call_cli, ["repair", "--store", "neo4j", *words], cwd=cwd, env=env)


async def test_a_list_names_each_damage_and_changes_nothing(place: Neo4jPlace, store: Neo4jStore) -> None:
    """All four kinds, by citation; what is sound, ours, not marked or unreadable is passed over."""
    before = await edges(place)
    report = await repair(store, "here", None)
    assert named(report) == {
        "errors r1": ["only_errors"],
        "lost r1": ["blanked"],
        "order r1": ["out_of_order"],
        "over r1": ["out_of_order", "overwritten"],
        "over r2": ["out_of_order", "overwritten"],
        "twin r1": ["blanked", "out_of_order"],
    }
    assert report.by_kind == {"only_errors": 1, "blanked": 2, "out_of_order": 4, "overwritten": 2}
    assert (report.blanked, report.recoverable, report.mendable, report.mended) == (2, 1, 3, 0)
    assert report.looked_at == 9
    assert await edges(place) == before


async def test_apply_mends_what_can_be_and_nothing_else(place: Neo4jPlace, store: Neo4jStore, tmp_path: Path) -> None:
    """Errors and recovered texts are to do again, contexts in order; every other edge is as it was, to the byte."""
    before = await edges(place)
    backup = tmp_path / "backup.jsonl"
    report = await repair(store, "here", Backup(backup))
    after = await edges(place)
    assert {one.damage.source_id for one in report.damaged if one.mended} == set(MENDED)
    assert (report.mended, report.changed_meanwhile) == (3, 0)
    untouched = set(before) - set(MENDED)
    assert {source: after[source] for source in untouched} == {source: before[source] for source in untouched}
    assert after["twin"][1] == before["twin"][1]
    assert numbers_in(after["order"][0]) == [1, 2, 3]
    assert after["order"][0]["classified"] is True
    assert "classified" not in after["errors"][0]
    assert "classified_at" not in after["errors"][0]
    assert [one["context_text"] for one in json.loads(after["twin"][0]["citation_contexts_json"])] == [
        judged(number)["context_text"] for number in (1, 2)
    ]
    assert [key.source_id for key in await to_do(store)] == ["errors", "open", "twin", "withdrawn"]
    lines = lines_of(backup)
    assert [line["source_id"] for line in lines] == list(MENDED)
    for line in lines:
        as_it_was = before[line["source_id"]][0]
        assert line["properties"] == {name: _in_json(value) for name, value in as_it_was.items()}


def _in_json(value: object) -> object:
    return value if isinstance(value, bool | int | str | list) else str(value)


async def test_a_line_of_the_backup_brings_the_older_state_back(
    place: Neo4jPlace, store: Neo4jStore, tmp_path: Path
) -> None:
    """By the query that docs/neo4j.md gives, with the line as parameters, whatever type an id has in the graph."""
    await place.query(MAKE, edges=[edge("null", error(1), reference_id=None)])
    await place.query(MAKE, edges=[edge("double", error(1)), edge("double", error(2))])
    await place.query(MAKE, edges=[edge("number", error(1), reference_id=7)])
    await place.query("MATCH (a:Article {article_id: 'number'}) SET a.article_id = 5")
    before = await edges(place)
    await repair(store, "here", Backup(tmp_path / "backup.jsonl"))
    for line in lines_of(tmp_path / "backup.jsonl"):
        await place.query(recipe_in_docs(), **line)
    assert await edges(place) == before


async def test_a_repair_may_be_repeated(place: Neo4jPlace, store: Neo4jStore, tmp_path: Path) -> None:
    """The second time there is nothing to mend: no backup is made, and what cannot be mended is still named."""
    await repair(store, "here", Backup(tmp_path / "first.jsonl"))
    before = await edges(place)
    report = await repair(store, "here", Backup(tmp_path / "second.jsonl"))
    assert set(named(report)) == {"lost r1", "over r1", "over r2"}
    assert (report.mendable, report.mended, report.backup) == (0, 0, None)
    assert not (tmp_path / "second.jsonl").exists()
    assert await edges(place) == before


async def test_an_edge_that_changed_since_it_was_looked_at_is_left(
    place: Neo4jPlace, store: Neo4jStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody edits one, a screening reaches another: both stay as these left them, and are told."""
    mend = store.mend

    async def late(mends: Sequence[Mend]) -> set[str]:
        await place.query(
            "MATCH (a:Article)-[c:CITES]->() WHERE a.article_id = 'order' SET c.citation_contexts_json = '[]'"
        )
        await place.query(
            "MATCH (a:Article)-[c:CITES]->() WHERE a.article_id = 'errors' SET c.fidelity_screenings = []"
        )
        return await mend(mends)

    monkeypatch.setattr(store, "mend", late)
    report = await repair(store, "here", Backup(tmp_path / "backup.jsonl"))
    after = await edges(place)
    assert after["order"][0]["citation_contexts_json"] == "[]"
    assert after["errors"][0]["classified"] is True
    assert (report.mended, report.changed_meanwhile, report.exit_code) == (1, 2, 4)


async def test_nothing_is_changed_that_is_not_backed_up(place: Neo4jPlace, store: Neo4jStore, tmp_path: Path) -> None:
    """Where the backup cannot be written, or would replace a file, every edge stays as it is."""
    before = await edges(place)
    there = tmp_path / "there.jsonl"
    there.write_text("an older backup")
    for path in (there, tmp_path / "no directory" / "backup.jsonl"):
        with pytest.raises(UsageError, match="cannot be written"):
            await repair(store, "here", Backup(path))
    assert await edges(place) == before
    assert there.read_text() == "an older backup"


async def test_the_command_lists_and_mends(place: Neo4jPlace, store: Neo4jStore, tmp_path: Path) -> None:
    """People read each damaged citation by name; --apply says where the backup is, and gives the claim back."""
    listed = await call(place, tmp_path)
    assert listed.code == 0, listed
    assert "lost -> cited [r1]: blanked (2 of 2); nothing can be put back" in listed.stdout
    assert (
        "twin -> cited [r1]: blanked (1 of 2, recoverable 1), out_of_order; can be: text put back, put in order, "
        "to do again" in listed.stdout
    )
    assert "To mend them: citefidelity repair --apply --store" in listed.stdout
    assert files_in(tmp_path) == []
    applied = (await call(place, tmp_path, "--apply", "--json")).json()
    assert (applied["mended"], applied["applied"]) == (3, True)
    assert files_in(tmp_path) == [Path(applied["backup"]).name]
    assert await place.query("MATCH (c:FidelityClaim) RETURN c") == []
    assert len(await to_do(store)) == 4


async def test_a_repair_waits_for_nobody_and_disturbs_nobody(
    place: Neo4jPlace, store: Neo4jStore, tmp_path: Path
) -> None:
    """While a run works, edges are listed, and --apply is refused."""
    claim = await store.claim("main", WHOLE, make_holder())
    assert (await call(place, tmp_path)).code == 0
    refused = await call(place, tmp_path, "--apply", "--json")
    assert (refused.code, refused.error()["kind"]) == (5, "held")
    assert files_in(tmp_path) == []
    await claim.release()
