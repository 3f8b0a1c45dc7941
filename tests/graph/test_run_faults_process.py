"""Runs as processes of their own on a real graph: killed around a commit, stopped past their claim (G3, G4, G5)."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from citefidelity.stores.neo4j_claim import LIFE_S
from citefidelity.testing.acts import Act
from citefidelity.testing.faults import GOOD
from citefidelity.testing.hits import Hit
from support.cli import clean_environ
from support.graph_runs import GraphRuns, graph_runs
from support.hurried_cli import FASTER
from support.neo4j_place import Neo4jPlace

CITATIONS, CONTEXTS = 30, 60
CLAIM_LIFE_S = LIFE_S / FASTER
TESTS = Path(__file__).parents[1]
RUNS = "MATCH (v:FidelityVerdict) RETURN DISTINCT v.run AS run"


class Seen:
    """A provider that answers well, and knows who asked: the key tells."""

    def __init__(self) -> None:
        self.prompts: dict[str, list[str]] = {"first": [], "second": []}
        self._wanted: list[tuple[str, int, asyncio.Event]] = []

    def __call__(self, hit: Hit) -> Act:
        """Take it down."""
        name = hit.authorization.removeprefix("Bearer ")
        self.prompts[name].append(hit.prompt)
        for who, number, event in self._wanted:
            if len(self.prompts[who]) >= number:
                event.set()
        return GOOD

    async def asked(self, who: str, number: int) -> None:
        """Wait until this one has asked so often."""
        event = asyncio.Event()
        self._wanted.append((who, number, event))
        await event.wait()


@asynccontextmanager
async def process(runs: GraphRuns, name: str, *words: str, **flags: object) -> AsyncIterator[Process]:
    """A run in a process of its own, which asks with its name as the key; it ends with the block."""
    options = [f"--{flag.replace('_', '-')}={value}" for flag, value in (runs.flags() | flags).items()]
    command = [sys.executable, "-m", "support.hurried_cli", "run", *options, "--json", *words]
    environ = clean_environ(runs.directory, runs.environ | {"OPENAI_API_KEY": name, "PYTHONPATH": str(TESTS)})
    running = await asyncio.create_subprocess_exec(*command, cwd=runs.directory, env=environ, stdout=PIPE, stderr=PIPE)
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def report_of(running: Process) -> dict[str, Any]:
    """What the run says at its end."""
    said, complaints = await running.communicate()
    assert running.returncode == 0, said + complaints
    report: dict[str, Any] = msgspec.json.decode(said)
    return report


async def kill(running: Process) -> None:
    """As a power cut would end it."""
    running.send_signal(signal.SIGKILL)
    await running.wait()


@pytest.mark.guarantee("G3", "G4")
@pytest.mark.parametrize("let_through", ["never", "at once", "after a second run"])
async def test_killed_during_a_commit(let_through: str, place: Neo4jPlace, tmp_path: Path) -> None:
    """Whether the commit of a dead process arrives, and when: each verdict is in the graph once, and paid once."""
    async with graph_runs(place, tmp_path) as runs:
        await runs.fill(CITATIONS)
        async with process(runs, "first") as first, runs.at_first_delivery() as hold:
            await runs.proxy.held.wait()
            await kill(first)
            if let_through == "never":
                runs.proxy.reset()
            if let_through == "at once":
                runs.proxy.hold_reply = asyncio.Event()
                hold.set()
                await runs.proxy.answered.wait()
            async with process(runs, "second") as second:
                report = await report_of(second)
        assert (report["stopped"], report["remaining"]) == ("complete", 0)
        written = [row["run"] for row in await place.query(RUNS)]
        assert len(written) == (2 if let_through == "at once" else 1), "whose commit it was"
        assert report["run_id"] in written
        await runs.assert_settled(CONTEXTS, maybe_paid=report["maybe_paid"])


@pytest.mark.guarantee("G3", "G4")
async def test_killed_between_a_commit_and_its_mark(place: Neo4jPlace, tmp_path: Path) -> None:
    """A commit that the process did not live to hear of is found by the next run; nothing is paid or written again."""
    async with graph_runs(place, tmp_path) as runs:
        await runs.fill(CITATIONS)
        runs.proxy.hold_reply = asyncio.Event()
        async with process(runs, "first") as first:
            await runs.proxy.answered.wait()
            await kill(first)
        (written,) = await place.query(RUNS)
        async with process(runs, "second") as second:
            report = await report_of(second)
        assert {row["run"] for row in await place.query(RUNS)} == {written["run"], report["run_id"]}
        assert report["delivered"] < CITATIONS
        await runs.assert_settled(CONTEXTS, maybe_paid=report["maybe_paid"])


@pytest.mark.guarantee("G3", "G5")
async def test_stopped_past_its_claim_while_a_second_run_works(place: Neo4jPlace, tmp_path: Path) -> None:
    """A run that slept while another took over asks nothing until that one has ended, and then what is still to do."""
    seen = Seen()
    async with graph_runs(place, tmp_path, script=seen) as runs:
        await runs.fill(CITATIONS)
        async with process(runs, "first") as first:
            await seen.asked("first", 10)
            first.send_signal(signal.SIGSTOP)
            await asyncio.sleep(CLAIM_LIFE_S)
            # Slow enough to be at work still when the first one wakes up.
            elsewhere = {"journal": tmp_path / "second.journal", "concurrency": 1}
            async with process(runs, "second", "--new-journal", **elsewhere) as second:
                await seen.asked("second", 10)
                before = seen.prompts["first"].copy()
                first.send_signal(signal.SIGCONT)
                theirs = await report_of(second)
                assert seen.prompts["first"] == before, "it asked while another had the claim"
            ours = await report_of(first)
        assert (theirs["stopped"], theirs["remaining"]) == ("complete", 0)
        assert (ours["stopped"], ours["remaining"]) == ("complete", 0)
        again = [prompt for prompt in seen.prompts["first"][len(before) :] if prompt in seen.prompts["second"]]
        assert again == [], "it asked what the other had delivered"
