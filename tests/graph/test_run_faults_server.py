"""A run goes on whatever becomes of the server: each fault strikes while a delivery's commit is on its way (G3, G4)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from citefidelity import app
from citefidelity.stores.neo4j_graph import Limits
from support.graph_runs import GraphRuns, Strike, graph_runs
from support.neo4j_place import Neo4jPlace
from support.neo4j_proxy import READING

MANY, FEW = 450, 60
"""Citations: more than two pages of reading, and less than one."""

STOPPED_S = 30.0


@asynccontextmanager
async def stopped(runs: GraphRuns) -> AsyncIterator[None]:
    """The server does nothing for half a minute, and then goes on."""
    runs.place.server.pause()
    yield
    await asyncio.sleep(STOPPED_S)
    runs.place.server.resume()


@asynccontextmanager
async def cut_in_the_request(runs: GraphRuns) -> AsyncIterator[None]:
    """Half of the commit gets through, then the connection is reset: nothing was written."""
    runs.proxy.cut_request = 3
    yield


@asynccontextmanager
async def cut_in_the_reply(runs: GraphRuns) -> AsyncIterator[None]:
    """The commit gets through and is done; its answer breaks off."""
    runs.proxy.cut_reply = 2
    yield


@asynccontextmanager
async def reset(runs: GraphRuns) -> AsyncIterator[None]:
    """Every connection to the server is reset at once: those of reading, of delivery and of the claim."""
    runs.proxy.reset()
    yield


@asynccontextmanager
async def half_open(runs: GraphRuns) -> AsyncIterator[None]:
    """Nothing gets through the connections that stand, for ever; new ones work."""
    runs.proxy.strand()
    yield


class Fault(NamedTuple):
    """What is done to the server, to how many citations' run, and how patient that run is."""

    strike: Strike
    citations: int = FEW
    limits: Limits | None = None


FAULTS = {
    "stopped": Fault(stopped),
    "cut in the request of a commit": Fault(cut_in_the_request),
    "cut in the reply to a commit": Fault(cut_in_the_reply),
    "reset": Fault(reset, MANY),
    "half open": Fault(half_open, MANY, Limits(transaction_s=1.0, margin_s=0.5)),
    "half open, one connection": Fault(half_open, FEW, Limits(transaction_s=1.0, margin_s=0.5, pool_size=1)),
}


def give_limits(monkeypatch: pytest.MonkeyPatch, place: Neo4jPlace, runs: GraphRuns, limits: Limits) -> None:
    """Have runs of this process open the graph with these."""

    async def open_store(*_: object, **__: object) -> object:
        return await place.open(uri=runs.proxy.uri, limits=limits)

    monkeypatch.setattr(app, "open_store", open_store)


@pytest.mark.guarantee("G2", "G3", "G4")
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_run_outlives(fault: Fault, place: Neo4jPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One and the same run goes on, asks nothing twice, and ends with every verdict in the graph once."""
    async with graph_runs(place, tmp_path) as runs:
        await runs.fill(fault.citations, contexts=1)
        if fault.limits:
            give_limits(monkeypatch, place, runs, fault.limits)
        report = await runs.run_hurt(fault.strike)
        assert (report.exit_code, report.stopped, report.remaining) == (0, "complete", 0), report
        assert report.answered == fault.citations
        await runs.assert_settled(fault.citations)


@pytest.mark.guarantee("G3", "G7")
async def test_a_run_with_one_connection(place: Neo4jPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading, delivery, the claim and the final count take turns on one connection, and nobody waits for ever."""
    async with graph_runs(place, tmp_path, latency=0.0) as runs:
        await runs.fill(MANY, contexts=1)
        give_limits(monkeypatch, place, runs, Limits(pool_size=1))
        report = await runs.run()
        assert (report.exit_code, report.delivered) == (0, MANY)
        await runs.assert_settled(MANY)


@pytest.mark.guarantee("G2", "G3")
async def test_a_server_that_is_killed_while_it_is_read(place: Neo4jPlace, tmp_path: Path) -> None:
    """The page that it was asked for is read when it is back: none is left out, and none is asked twice."""
    async with graph_runs(place, tmp_path) as runs, asyncio.TaskGroup() as group:
        await runs.fill(MANY, contexts=1)
        runs.proxy.deaf_at = (READING, 3)
        running = group.create_task(runs.run())
        await runs.proxy.deaf.wait()
        place.server.kill()
        assert not running.done()
        place.server.launch()
        await asyncio.to_thread(place.server.await_answer)
        runs.proxy.hearing.set()
        report = await running
        assert (report.exit_code, report.answered, report.delivered) == (0, MANY, MANY), report
        await runs.assert_settled(MANY)


@pytest.mark.guarantee("G2", "G3", "G4")
async def test_a_server_that_is_killed_and_later_restored_from_then(place: Neo4jPlace, tmp_path: Path) -> None:
    """The run goes on when the dead server is back; what it has not, as of an older copy, comes without a call."""
    server, data, copy = place.server, place.server.home / "data", tmp_path / "copy"

    @asynccontextmanager
    async def killed(_: GraphRuns) -> AsyncIterator[None]:
        server.kill()
        shutil.copytree(data, copy)
        yield
        # The run asks on, up to the end of what it has read, and knocks at the door.
        server.launch()
        await asyncio.to_thread(server.await_answer)

    async with graph_runs(place, tmp_path) as runs:
        await runs.fill(MANY, contexts=1)
        report = await runs.run_hurt(killed)
        assert (report.exit_code, report.answered, report.delivered) == (0, MANY, MANY), report
        server.kill()
        shutil.rmtree(data)
        shutil.copytree(copy, data)
        server.start()
        healed = await runs.run()
        assert (healed.exit_code, healed.calls, healed.delivered) == (0, 0, MANY)
        await runs.assert_settled(MANY)
