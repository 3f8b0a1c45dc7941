"""The embedded store under SIGKILL: what was acknowledged is there, what was not is whole or absent."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from citefidelity.clock import SystemClock
from citefidelity.ports import Store
from citefidelity.stores.sqlite import open_sqlite
from support.makers import make_delivery, make_key, make_record, make_screening_row
from support.stores import all_stored, deliver, to_do

CONTEXTS = 3

CHILD = """
import asyncio, sys
from citefidelity.clock import SystemClock
from citefidelity.stores.sqlite import open_sqlite
from support.makers import AT, make_delivery, make_record

async def main():
    store = await open_sqlite(sys.argv[1], create=False, clock=SystemClock())
    print("ready", flush=True)
    for start in range(int(sys.argv[2]), 2_000, 5):
        numbers = range(start, start + 5)
        await store.put([make_record(number, contexts=3, note=start) for number in numbers])
        await store.deliver("main", "run-1", AT, [make_delivery(number, contexts=3) for number in numbers])
        print(start, flush=True)

asyncio.run(main())
"""


async def open_store(path: Path) -> Store:
    """The store of the test, made when it is not there."""
    store = await open_sqlite(path, create=True, clock=SystemClock())
    await store.begin_screening(make_screening_row())
    return store


def write_and_kill(path: Path, start: int, acknowledgements: int) -> int:
    """Let a process write until it has acknowledged so many batches, kill it, and tell where the next one begins."""
    arguments = [sys.executable, "-c", CHILD, str(path), str(start)]
    environment = {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        for _ in range(acknowledgements + 1):
            line = child.stdout.readline()
        child.kill()
        told = [*line.split(), *child.stdout.read().split()]
        assert child.wait() == -signal.SIGKILL
    return max((int(one) + 5 for one in told if one != b"ready"), default=start)


@pytest.mark.parametrize("seed", range(3))
async def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path, seed: int) -> None:
    """After each of several kills: every acknowledged batch is there, no citation has a part of its outcomes (G4)."""
    path = tmp_path / "store.db"
    await (await open_store(path)).close()
    chance = random.Random(seed)  # noqa: S311 - a test that can be repeated
    acknowledged = 0
    for _ in range(3):
        acknowledged = write_and_kill(path, acknowledged, chance.randrange(1, 12))
        store = await open_store(path)
        delivered = {one.record.key for one in await all_stored(store) if one.classified_at}
        assert delivered >= {make_key(number) for number in range(acknowledged)}
        assert {len(one.outcomes) for one in await all_stored(store) if one.classified_at} == {CONTEXTS}
        assert not any(one.outcomes for one in await all_stored(store) if not one.classified_at)
        counts = await store.counts("main")
        assert counts.verdict == CONTEXTS * counts.delivered
        assert counts.delivered + counts.to_do == counts.citations
        await store.close()
    store = await open_store(path)
    batch = range(acknowledged, acknowledged + 10)
    await store.put([make_record(number, contexts=CONTEXTS, note=0) for number in batch])
    assert set(await deliver(store, *(make_delivery(number, contexts=CONTEXTS) for number in batch))) <= {
        "written",
        "found",
    }
    assert await to_do(store) == []
    await store.close()
