"""Every fault of a provider, at every position, with one call in flight and with 128: what becomes of the run.

The whole program over real HTTP, but for its waits. Whatever the provider does, each context has its verdict, its kind
of failure, or is still to do; the books agree; and when the provider is well again, all that could be mended is.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from citefidelity import app
from citefidelity.clock import SystemClock
from citefidelity.config.loading import load_settings
from citefidelity.journal import JournalReader, Totals
from citefidelity.records import StoredCitation
from citefidelity.stores.sqlite import open_sqlite
from citefidelity.testing.answers import verdict_for
from citefidelity.testing.faults import GOOD
from citefidelity.testing.provider import ScriptedProvider
from citefidelity.views.report import RunReport
from support.fault_cases import CONTEXTS, FAULTS, POSITIONS, Case
from support.hasty_loop import HastyClock, run_hasty
from support.makers import make_record

CANARY = "sk-canary-Qz81/wX7+Lm02_pR.44-ytHHaa"
PRICE = (1.0, 3.0)
"""US dollars for a million tokens of input and output; cached ones cost the same, so that sums can be compared."""

ROUNDING = 1e-9
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of an own name is made in it


class Ran(NamedTuple):
    """What one run left."""

    report: RunReport
    totals: Totals
    stored: list[StoredCitation]


class Place:
    """A store with its journal, and the provider that is asked."""

    def __init__(self, directory: Path, provider: ScriptedProvider, in_flight: int) -> None:
        self.store = directory / "store.db"
        self.provider = provider
        flags = {
            "store": f"sqlite:///{self.store}",
            "base_url": provider.base_url,
            "model": "m",
            "concurrency": in_flight,
            "timeout": "6s",
            "price": ",".join(map(str, PRICE)),
        }
        self.settings = load_settings(flags, environ={"OPENAI_API_KEY": CANARY}, directory=directory)

    async def run(self) -> Ran:
        """Run, and look at what there is then."""
        report = await app.run(self.settings, clock=HastyClock())
        with JournalReader(Path(f"{self.store}.journal")) as journal:
            totals = journal.totals("main")
        store = await open_sqlite(self.store, create=False, clock=SystemClock())
        stored = [one async for page in store.stored("main") for one in page]
        await store.close()
        return Ran(report, totals, stored)


@pytest.fixture(scope="module")
def full_stores(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A store with so many contexts to ask, by calls in flight; one citation in seven has two."""

    async def make(path: Path, contexts: int) -> None:
        store = await open_sqlite(path, create=True, clock=SystemClock())
        pairs = contexts // 7
        await store.put([make_record(n, 2 if n <= pairs else 1) for n in range(1, contexts - pairs + 1)])
        await store.close()

    directory = tmp_path_factory.mktemp("stores")
    paths = {in_flight: directory / f"{contexts}.db" for in_flight, contexts in CONTEXTS.items()}
    for in_flight, path in paths.items():
        run_hasty(make(path, CONTEXTS[in_flight]))
    return paths


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A place in memory where there is one: it is not the disk that is on trial, and it would take most of the time."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    with TemporaryDirectory(dir=MEMORY, prefix="citefidelity-") as made:
        yield Path(made)


@asynccontextmanager
async def place_for(
    case: Case, full_stores: dict[int, Path], directory: Path
) -> AsyncIterator[tuple[Place, list[int]]]:
    """A store to work on and a provider under the case's script, which goes on until the list is emptied."""
    shutil.copy(full_stores[case.in_flight], directory / "store.db")
    unwell = [1]
    latency = 0.05
    async with ScriptedProvider(
        lambda hit: case.script(hit) if unwell else GOOD, latency=(latency, latency), api_key=CANARY
    ) as provider:
        yield Place(directory, provider, case.in_flight), unwell


def check_states(case: Case, ran: Ran) -> None:
    """Every context has its verdict, its kind of failure, or is still to do; a verdict is the right one."""
    outcomes = [outcome for stored in ran.stored for outcome in stored.outcomes]
    for outcome in outcomes:
        if outcome.verdict is not None:
            assert outcome.verdict.justification == verdict_for(outcome.input_hash).justification
    to_do = sum(stored.record.context_count for stored in ran.stored if not stored.outcomes)
    assert len(outcomes) + to_do == case.contexts
    assert sum(not stored.outcomes for stored in ran.stored) == ran.report.remaining
    assert Counter(outcome.failure.kind for outcome in outcomes if outcome.failure) <= Counter(ran.totals.failures)
    assert ran.totals.open_attempts == 0


def check_what_follows(case: Case, ran: Ran) -> None:
    """The row of the table."""
    report, totals = ran.report, ran.totals
    action, _, kind = FAULTS[case.fault].partition(":")
    everywhere = case.position == "all"
    marked = totals.failures, totals.waiting
    if action == "verdict" or (action == "pause" and not everywhere):
        assert (report.exit_code, report.answered, marked) == (0, case.contexts, ({}, 0))
    elif action == "run" or (everywhere and action in {"again", "pause"}):
        assert (report.exit_code, report.stopped, marked) == (4, "provider", ({}, 0))
        assert report.reason
        assert report.hint
        assert report.remaining
        assert totals.faults[kind or "rate_limited"]
        assert report.answered == 0 or not everywhere
    elif action == "again":
        assert (report.exit_code, report.remaining, report.answered) == (4, 1, case.contexts - 1)
        assert (totals.failures, totals.faults) == ({}, {kind: 3})
    elif everywhere:
        assert (report.answered, set(totals.failures), totals.waiting) == (0, {kind}, 0)
    else:
        assert (report.exit_code, report.answered, marked) == (3, case.contexts - 1, ({kind: 1}, 0))


def check_money(provider: ScriptedProvider, ran: Ran) -> None:
    """What the journal knows was paid, and the most that can have been paid beside it, enclose what was billed."""
    stats = provider.stats()
    billed = cost(stats.billed_input_tokens, stats.billed_output_tokens)
    dearest = max(
        (cost(hit.billed.input_tokens, hit.billed.output_tokens) for hit in provider.hits if hit.billed), default=0
    )
    journalled = ran.totals.cost_usd or 0.0
    assert ran.report.maybe_paid == ran.totals.maybe_paid
    assert journalled <= billed + ROUNDING
    assert billed <= journalled + ran.totals.maybe_paid * dearest + ROUNDING


def cost(input_tokens: int | None, output_tokens: int | None) -> float:
    """US dollars."""
    return ((input_tokens or 0) * PRICE[0] + (output_tokens or 0) * PRICE[1]) / 1_000_000


def check_mended(case: Case, before: Ran, mended: Ran) -> None:
    """Once the provider is well, everything has its verdict but what had failed for good."""
    failed = sum(before.totals.failures.values())
    assert (mended.report.exit_code, mended.report.remaining) == (0, 0)
    assert (mended.totals.failures, mended.totals.waiting) == (before.totals.failures, 0)
    assert mended.totals.states.get("verdict", 0) == case.contexts - failed
    check_states(case, mended)


async def check_rest(place: Place, mended: Ran) -> None:
    """With nothing to do, there is no call and no write."""
    received = place.provider.stats().received
    idle = await place.run()
    assert place.provider.stats().received == received
    assert (idle.report.calls, idle.report.delivered) == (0, 0)
    assert (idle.totals, idle.stored) == (mended.totals, mended.stored)


def check_no_key(directory: Path, *said: str) -> None:
    """The key is in no file, no body that the journal keeps, no log and no output."""
    for path in filter(Path.is_file, directory.rglob("*")):
        assert CANARY.encode() not in path.read_bytes(), path
    with JournalReader(directory / "store.db.journal") as journal:
        for attempt in journal.attempts("main"):
            assert CANARY not in repr(attempt)
    for text in said:
        assert CANARY not in text


@pytest.mark.guarantee("G2", "G6", "G7", "G9")
@pytest.mark.parametrize("in_flight", [1, 128])
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("fault", FAULTS)
def test_fault(  # noqa: PLR0913, PLR0917 - the axes of the matrix, and the fixtures
    fault: str,
    position: str,
    in_flight: int,
    full_stores: dict[int, Path],
    directory: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """What the table says follows, the books agree, the key shows nowhere, and the next runs mend and then rest."""
    case = Case(fault, position, in_flight)

    async def main() -> None:
        async with place_for(case, full_stores, directory) as (place, unwell):
            ran = await place.run()
            assert place.provider.stats().max_in_flight <= in_flight
            check_states(case, ran)
            check_what_follows(case, ran)
            check_money(place.provider, ran)
            unwell.clear()
            mended = await place.run()
            check_mended(case, ran, mended)
            check_money(place.provider, mended)
            await check_rest(place, mended)

    caplog.set_level("DEBUG")
    run_hasty(main())
    check_no_key(directory, caplog.text, *capfd.readouterr())
