"""The real program on a graph that calls everything otherwise: named in citefidelity.toml, used by every command."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from citefidelity.config.graph_names import GraphNames, graph_names
from support.cli import provider, run_cli
from support.neo4j_place import Neo4jPlace

PAGE = Path(__file__).parents[2] / "docs" / "neo4j.md"
CONTEXT = {"instance_id": 1, "context_text": "x [1].", "evidence_segments": [{"text": "e", "similarity_score": 0.5}]}
MAKE = """
CREATE (a:Paper {doi: 'a', name: 'One', written_by: ['A. B.'], year: 2001})
CREATE (b:Paper {doi: 'b', name: 'Two', written_by: ['C. D.'], year: 2002})
CREATE (a)-[:REFERS_TO {ref: 'r1', usable: true, passages: $contexts, passages_total: 1}]->(b)
CREATE (a)-[:REFERS_TO {ref: 'r2', usable: true, passages: $damaged, passages_total: 1, judged: true}]->(b)
"""
EDGES = "MATCH (:Paper)-[c:REFERS_TO]->(:Paper) RETURN c.ref AS ref, c.judged AS judged, keys(c) AS keys ORDER BY ref"
USUAL = "MATCH (n) WHERE n:Article RETURN count(n) AS n"


@pytest.fixture
def settings_file() -> str:
    """The table of the docs, which names every part of a graph otherwise."""
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(block)


def test_the_table_of_the_docs_is_whole(settings_file: str) -> None:
    """It shows every field, each under another name, and beside it the usual one."""
    table = tomllib.loads(settings_file)["graph"]
    assert set(table) == set(GraphNames.__struct_fields__)
    for field, usual in zip(GraphNames.__struct_fields__, GraphNames.__struct_defaults__, strict=True):
        assert getattr(graph_names(table), field) == table[field] != usual
        (line,) = [line for line in settings_file.splitlines() if line.startswith(f"{field} =")]
        assert line.split()[-1] == usual


async def test_every_command_works_on_a_graph_with_other_names(
    place: Neo4jPlace, tmp_path: Path, settings_file: str
) -> None:
    """Import, run, status, show, verify, repair, copy and export find and write what the table names."""
    env = {"NEO4J_URI": place.uri, "NEO4J_USERNAME": place.user, "NEO4J_PASSWORD": place.password}
    (tmp_path / "citefidelity.toml").write_text(settings_file.replace("neo4j://localhost:7687", "neo4j"))
    blank = json.dumps([{"instance_id": 1, "context_text": "", "evidence_segments": [], "category": "ERROR"}])
    await place.query(MAKE, contexts=json.dumps([CONTEXT]), damaged=blank)
    record = {"source_id": "b", "target_id": "c", "reference_id": "r3", "contexts": [CONTEXT]}
    (tmp_path / "more.jsonl").write_text(json.dumps(record))

    def cli(*words: str) -> Any:
        result = run_cli([*words, "--json"], cwd=tmp_path, env=env, timeout=60)
        assert result.code == 0, result.stdout + result.stderr
        return result.json()

    def whole() -> None:
        assert cli("config")["graph"]["source"] == "citefidelity.toml"
        assert cli("import", "more.jsonl")["new"] == 1
        with provider() as url:
            run = cli("run", "--base-url", url, "--model", "m")
        assert (run["citations"], run["delivered"], run["remaining"], run["done_elsewhere"]) == (2, 2, 0, 1)
        assert cli("status")["remaining"] == 0
        assert cli("show", "a", "b", "r1")
        assert cli("verify")["clean"] is True
        assert cli("repair")["looked_at"] == 1
        assert cli("copy", "--from", "neo4j", "--to", "sqlite:///copy.db")["new"] == 3
        assert cli("export", "-o", "out.jsonl")["citations"] == 3

    await asyncio.to_thread(whole)
    edges = await place.query(EDGES)
    assert [(edge["ref"], edge["judged"]) for edge in edges] == [("r1", True), ("r2", True), ("r3", True)]
    assert "judged_at" in edges[0]["keys"]
    assert (await place.query(USUAL))[0]["n"] == 0
    exported = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {one.get("source_title") for one in exported} == {"One", None}
