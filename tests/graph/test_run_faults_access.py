"""A run that may not, or not yet: it says why and how to mend it, asks nothing, and the next one goes on (G2, G3)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

import pytest

from support.cli import Result, run_cli
from support.graph_runs import GraphRuns, graph_runs, make_edge
from support.neo4j_place import DATABASE, Neo4jPlace

CITATIONS, CONTEXTS = 20, 40
WRONG = "not-the-password-of-anybody"
READ_ONLY = f"server.databases.read_only={DATABASE}"
LITTLE_MEMORY = "db.memory.transaction.max=2m"


async def run_as_told(runs: GraphRuns, *, database: str = DATABASE, password: str | None = None) -> Result:
    """Run the command as people do, with this database and password."""
    flags = runs.flags() | {"store": f"{runs.proxy.uri}/{database}"}
    words = [f"--{flag.replace('_', '-')}={value}" for flag, value in flags.items()]
    env = runs.environ | ({"NEO4J_PASSWORD": password} if password else {})
    return await asyncio.to_thread(run_cli, ["run", "--json", *words], cwd=runs.directory, env=env)


def assert_refused(runs: GraphRuns, refused: Result, kind: str, said: str, hint: str) -> None:
    """Exit code 5 with this message, and nothing was asked; no secret was told."""
    assert refused.code == 5, refused
    error = refused.error()
    assert (error["kind"], said in error["message"], hint in error["hint"]) == (kind, True, True), error
    assert WRONG not in refused.stdout + refused.stderr
    assert runs.provider.stats().received == 10


class Mistake(NamedTuple):
    """What is told wrongly, and what is said to it."""

    told: dict[str, str]
    kind: str
    said: str
    hint: str


MISTAKES = {
    "password": Mistake({"password": WRONG}, "neo4j_auth", "refuses this user and password", "NEO4J_PASSWORD"),
    "database": Mistake({"database": "nowhere"}, "store_missing", "no such database", "NEO4J_DATABASE"),
}


@pytest.mark.guarantee("G2", "G3", "G9")
@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
async def test_a_run_with_a_wrong(mistake: Mistake, place: Neo4jPlace, tmp_path: Path) -> None:
    """It ends before it asks anything, with what to look at; told rightly, the next one finishes without repeating."""
    async with graph_runs(place, tmp_path) as runs:
        await runs.fill(CITATIONS)
        await runs.run(limit=5)
        refused = await run_as_told(runs, **mistake.told)
        assert_refused(runs, refused, mistake.kind, mistake.said, mistake.hint)
        assert (await runs.run()).exit_code == 0
        await runs.assert_settled(CONTEXTS)


@pytest.mark.guarantee("G2", "G3", "G4")
async def test_a_server_that_writes_nothing_and_then_too_little(place: Neo4jPlace, tmp_path: Path) -> None:
    """Read-only, it stops the run before it asks; too small for one citation, it gets all others; mended, that one."""
    large = 600
    async with graph_runs(place, tmp_path) as runs:
        await runs.fill(CITATIONS)
        await runs.make([make_edge("large", large)])
        await runs.run(limit=5)
        place.server.ensure([READ_ONLY], cleanly=True)
        refused = await run_as_told(runs)
        assert_refused(runs, refused, "neo4j_read_only", "read-only", "server.databases.read_only")
        place.server.ensure([LITTLE_MEMORY])
        tight = await run_as_told(runs)
        report = tight.json()
        assert (tight.code, report["stopped"], report["undeliverable"]) == (3, "complete", 1), tight
        assert (report["delivered"], report["remaining"]) == (CITATIONS - 5, 0)
        place.server.ensure()
        mended = await runs.run()
        assert (mended.exit_code, mended.calls, mended.delivered) == (0, 0, 1)
        await runs.assert_settled(CONTEXTS + large)
