"""How a run begins on a store that takes long to count, and on one that was worked on before."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from citefidelity import app
from citefidelity.config.loading import load_settings
from citefidelity.config.settings import Settings
from citefidelity.errors import StoreUnavailable
from citefidelity.ports import Found, Store, StoreCounts, ToDo
from citefidelity.records import WHOLE, Delivery, Partition, Receipt
from citefidelity.testing.faults_store import StoreAround
from citefidelity.testing.provider import ScriptedProvider
from citefidelity.testing.store import MemoryStore
from citefidelity.views.report import RunReport, Started
from support.makers import make_record

RECORDS = [make_record(number) for number in range(30)]


class SlowToCount(StoreAround):
    """Knows its number only when something was delivered, as a graph of a hundred million edges might."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.delivered = asyncio.Event()
        self.asked_for: list[ToDo] = []
        self.away = False
        self.surprises: list[Exception] = []
        self.at_first_count: list[Callable[[], object]] = []

    def pages(self, to_do: ToDo) -> AsyncIterator[Sequence[Found]]:
        """Note what was wanted."""
        self.asked_for.append(to_do)
        return super().pages(to_do)

    async def deliver(self, screening: str, run: str, at: str, batch: Sequence[Delivery]) -> Sequence[Receipt]:
        """From now on, it can be counted."""
        receipts = await super().deliver(screening, run, at, batch)
        self.delivered.set()
        return receipts

    async def counts(self, screening: str, partition: Partition = WHOLE) -> StoreCounts:
        """Count, once something was delivered."""
        if self.away:
            raise StoreUnavailable("away")
        for act in self.at_first_count:
            act()
        self.at_first_count.clear()
        await self.delivered.wait()
        if self.surprises:
            raise self.surprises.pop()
        return await super().counts(screening, partition)

    async def close(self) -> None:
        """Stay open for the next run."""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> SlowToCount:
    """The store that every run of the test works on."""
    store = SlowToCount(MemoryStore(RECORDS))

    async def opened(_: Settings, *, create: bool = False) -> Store:
        del create
        return store

    monkeypatch.setattr(app, "open_store", opened)
    return store


async def run(
    tmp_path: Path, provider: ScriptedProvider, started: list[Started], *, handle_signals: bool = False, **given: Any
) -> RunReport:
    """Run once, in this process."""
    flags = {"base_url": provider.base_url, "model": "m", "journal": str(tmp_path / "journal"), **given}
    settings = load_settings(flags, environ={}, directory=tmp_path)
    return await app.run(settings, on_start=started.append, handle_signals=handle_signals)


async def test_the_first_call_does_not_wait_for_a_count(store: SlowToCount, tmp_path: Path) -> None:
    """A store that takes long to count is counted while the run goes on; what is to do is told once it is known."""
    started: list[Started] = []
    async with ScriptedProvider() as provider:
        report = await run(tmp_path, provider, started)
    assert store.delivered.is_set()
    assert [one.to_do for one in started] == [None]
    assert (report.delivered, report.remaining, report.stopped) == (len(RECORDS), 0, "complete")


async def test_a_store_that_is_soon_counted_is_told_at_the_start(store: SlowToCount, tmp_path: Path) -> None:
    """Whoever watches a run of the usual size sees at once how much is to do."""
    store.delivered.set()
    started: list[Started] = []
    async with ScriptedProvider() as provider:
        await run(tmp_path, provider, started, limit=1)
    assert [one.to_do for one in started] == [len(RECORDS)]


async def test_a_store_that_cannot_be_counted_at_the_start_ends_the_run_before_a_call(
    store: SlowToCount, tmp_path: Path
) -> None:
    """The store is away: that is said as it is, and nothing is asked."""
    store.away = True
    async with ScriptedProvider() as provider:
        with pytest.raises(StoreUnavailable):
            await run(tmp_path, provider, [])
        assert provider.stats().received == 0


@pytest.mark.guarantee("G3")
@pytest.mark.parametrize("surprise", [StoreUnavailable("away"), ValueError("not a number")])
async def test_a_count_that_fails_beside_the_run_costs_no_reply(
    store: SlowToCount, tmp_path: Path, surprise: Exception
) -> None:
    """Counting only tells how much there is: whatever goes wrong with it, what is in flight is kept, and more asked."""
    store.surprises.append(surprise)
    async with ScriptedProvider(latency=(0.0, 0.5)) as provider:
        report = await run(tmp_path, provider, [], concurrency=5)
        assert (report.delivered, report.remaining, report.stopped) == (len(RECORDS), 0, "complete")
        assert provider.stats().received == len(RECORDS)


@pytest.mark.guarantee("G8")
async def test_interrupted_while_the_store_is_counted_it_asks_nothing(store: SlowToCount, tmp_path: Path) -> None:
    """Ctrl-C before the first call: nothing leaves, and the run says where it stands."""
    store.at_first_count.append(lambda: os.kill(os.getpid(), signal.SIGINT))
    async with ScriptedProvider() as provider:
        asyncio.get_running_loop().call_later(1.0, store.delivered.set)
        report = await run(tmp_path, provider, [], handle_signals=True)
        assert (report.stopped, report.remaining, report.exit_code) == ("interrupted", len(RECORDS), 130)
        assert provider.stats().received == 0


async def test_a_run_takes_up_where_the_last_one_was(store: SlowToCount, tmp_path: Path) -> None:
    """The first run has no hint; the next one is told a citation that the journal knows as delivered."""
    async with ScriptedProvider() as provider:
        await run(tmp_path, provider, [], limit=5, concurrency=1)
        await run(tmp_path, provider, [])
    first, second = (one.behind for one in store.asked_for)
    assert first is None
    assert second in {record.key for record in RECORDS[:5]}
