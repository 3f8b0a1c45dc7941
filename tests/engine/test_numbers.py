"""The numbers of whole runs: what a slow store, a cap or a failing view shows, and that everybody sees the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from citefidelity.app import program
from citefidelity.assembly import Asking, Hands
from citefidelity.meter import Gauges, Snapshot
from citefidelity.pacing.admission import Budget
from citefidelity.ports import StoreCounts
from citefidelity.records import WHOLE, Delivery, Partition, Receipt
from citefidelity.screening import Observer, Screening
from citefidelity.testing.faults_store import FlakyStore
from citefidelity.testing.journal import MemoryJournal
from citefidelity.testing.model import ScriptedModel
from citefidelity.testing.store import MemoryStore
from citefidelity.views.advice import advice
from citefidelity.views.report import Started
from support.bench import SPEC, started
from support.dice import dice
from support.makers import make_holder, make_record
from support.virtual_time import VirtualClock, run_virtual


class SlowStore(MemoryStore):
    """Takes this many seconds for a delivery."""

    seconds = 3.0

    async def deliver(self, screening: str, run: str, at: str, batch: Sequence[Delivery]) -> Sequence[Receipt]:
        """Later."""
        await VirtualClock().sleep(self.seconds)
        return await super().deliver(screening, run, at, batch)


class Watcher:
    """Keeps the numbers of each second, and the last ones."""

    def __init__(self) -> None:
        self.seen: list[Snapshot] = []

    async def watch(self, started: Started, numbers: Callable[[], Snapshot], stopping: Callable[[], bool]) -> None:
        """Look every second."""
        del started, stopping
        try:
            while True:
                self.seen.append(numbers())
                await VirtualClock().sleep(1.0)
        finally:
            self.seen.append(numbers())


async def watched(store: MemoryStore | FlakyStore, observers: list[Observer], **asking: Any) -> Snapshot:
    """A run with these views of it; its final numbers."""
    screening = await begun(store, **asking)
    numbers = await screening.work(started("run-1", "main"), observers)
    report = await screening.report(numbers, 0, None)
    assert (report.calls, report.memory_bytes, report.latency_p95) == (numbers.calls, 77, numbers.latency_p95)
    return numbers


async def begun(store: MemoryStore | FlakyStore, **asking: Any) -> Screening:
    """A screening that is registered and asks nothing yet."""
    holder, clock = make_holder("run-1"), VirtualClock()
    claim = await store.claim("main", WHOLE, holder)
    hands = Hands(
        name="main",
        spec=SPEC,
        store=store,
        journal=MemoryJournal(),
        path=Path("journal"),
        model=ScriptedModel(clock, latency=(1, 2)),
        claim=claim,
        clock=clock,
        random=dice(),
        holder=holder,
        program=program(),
        gauges=lambda: Gauges(memory_bytes=77, pool_in_use=1, pool_size=8),
    )
    screening = Screening(hands, Asking(**{"concurrency": 10, "citation_workers": 20, **asking}))
    await screening.begin()
    return screening


def memory(citations: int) -> MemoryStore:
    """A store of so many citations with one context each."""
    return MemoryStore([make_record(number, 1) for number in range(1, citations + 1)])


def test_everybody_sees_the_same_last_numbers() -> None:
    """The last look of each view and the report are one snapshot, gauges from outside included."""

    async def main() -> None:
        first, second = Watcher(), Watcher()
        numbers = await watched(memory(50), [first, second])
        assert first.seen[-1] is second.seen[-1] is numbers
        assert (numbers.delivered, numbers.memory_bytes, numbers.pool_size) == (50, 77, 8)
        assert any(seen.in_flight == seen.allowed == seen.concurrency == 10 for seen in first.seen)
        assert [seen.calls for seen in first.seen] == sorted(seen.calls for seen in first.seen)

    run_virtual(main())


def test_what_is_delivered_while_the_store_is_counted_is_no_more_to_do() -> None:
    """A count that was taken before the first delivery, and is told after the last, has each citation once."""

    class Slow(MemoryStore):
        async def counts(self, screening: str, partition: Partition = WHOLE) -> StoreCounts:
            counts = await super().counts(screening, partition)
            await ended.wait()
            return counts

    ended = asyncio.Event()

    async def main() -> None:
        screening = await begun(Slow([make_record(number, 1) for number in range(1, 31)]))
        async with asyncio.TaskGroup() as group:
            group.create_task(screening.count())
            await screening.work(started("run-1", "main"), [])
            ended.set()
        assert (screening.meter.delivered, screening.meter.to_do_at_start) == (30, 30)

    run_virtual(main())


def test_a_view_that_fails_is_dropped_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """The run does not notice, and neither do the other views."""

    class Broken:
        async def watch(self, *_: object) -> None:
            await asyncio.sleep(0)
            raise RuntimeError("broken view")

    async def main() -> None:
        watcher = Watcher()
        numbers = await watched(memory(50), [Broken(), watcher])
        assert (numbers.delivered, watcher.seen[-1]) == (50, numbers)

    run_virtual(main())
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "a view of the run failed and was dropped; the run goes on"
    ]


def test_how_long_the_store_takes() -> None:
    """The time of a delivery and of a page stand in the numbers, and how long the one under way takes already."""

    async def main() -> None:
        watcher = Watcher()
        numbers = await watched(SlowStore([make_record(number, 1) for number in range(1, 51)]), [watcher])
        assert numbers.store_write is not None
        assert numbers.store_read is not None
        assert numbers.store_write.p50 == pytest.approx(3.0, abs=0.1)
        assert numbers.store_read.p50 < 0.1
        assert 1.5 < max(seen.store_wait_s for seen in watcher.seen) < 3.1
        assert numbers.store_wait_s == 0.0

    run_virtual(main())


def test_a_store_that_is_away_is_told_long_before_the_run_stops() -> None:
    """Tries that fail count as one wait; when the store is back it is over."""

    async def main() -> None:
        watcher = Watcher()
        store = FlakyStore(memory(50), lambda _: "well" if VirtualClock().monotonic() > 80 else "away")
        numbers = await watched(store, [watcher])
        away = [seen.elapsed_s for seen in watcher.seen if "store" in {said.code for said in advice(seen)}]
        assert away[0] < 40
        assert max(seen.store_wait_s for seen in watcher.seen) > 70
        assert (numbers.store_wait_s, numbers.delivered) == (0.0, 50)

    run_virtual(main())


def test_what_counts_towards_a_cap_stands_beside_it() -> None:
    """A cap shows with what is spent of it, runs before this one included; without a cap there is neither."""

    async def main() -> None:
        budget = Budget(max_cost=None, max_tokens=10_000_000, spent_tokens=1_000)
        numbers = await watched(memory(5), [], budget=budget)
        assert (numbers.max_tokens, numbers.spent_tokens) == (10_000_000, budget.spent_tokens)
        assert budget.spent_tokens > 1_000
        assert (numbers.max_cost_usd, numbers.spent_cost_usd) == (None, None)
        numbers = await watched(memory(5), [])
        assert (numbers.max_tokens, numbers.spent_tokens) == (None, None)

    run_virtual(main())
