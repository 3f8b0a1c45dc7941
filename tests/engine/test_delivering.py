"""Delivery: a store that is away, slow, forgetful or picky costs no answer and no second call."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from citefidelity.deliver import BATCH, BOUND
from citefidelity.facts import Delivered
from citefidelity.kinds import UndeliverableKind
from citefidelity.records import Delivery, Receipt
from citefidelity.testing.faults_store import FlakyStore
from citefidelity.testing.journal import MemoryJournal
from citefidelity.testing.model import ScriptedModel
from citefidelity.testing.store import MemoryStore
from support.bench import FirstJournal, assert_right, at, open_attempts, outcomes, screen, usable
from support.makers import make_key, make_record
from support.virtual_time import VirtualClock, run_virtual


def memory(citations: int, contexts: int = 1) -> MemoryStore:
    """A store of so many citations with so many contexts each."""
    return MemoryStore([make_record(number, contexts) for number in range(1, citations + 1)])


@pytest.mark.guarantee("G4")
@pytest.mark.parametrize("fate", ["away", "lost"])
def test_a_delivery_whose_outcome_is_unknown_is_made_again(fate: str) -> None:
    """Whether the store had written or not, each citation ends there once, with its own verdicts."""

    async def main() -> None:
        inner, journal = memory(30, 2), MemoryJournal()
        store = FlakyStore(inner, lambda number: "well" if number % 2 == 0 else ("away" if fate == "away" else "lost"))
        ran = await screen(store, journal, ScriptedModel(VirtualClock(), latency=(0.1, 2)))
        assert (ran.why, ran.report.remaining, ran.report.exit_code) == ("complete", 0, 0)
        found = await outcomes(inner)
        assert len(found) == 60
        for outcome in found.values():
            assert_right(outcome)
        delivered = [fact for fact in journal.facts if isinstance(fact, Delivered)]
        assert len({fact.key for fact in delivered}) == len(delivered) == 30
        assert {fact.result for fact in delivered} == {"written" if fate == "away" else "found"}

    run_virtual(main())


@pytest.mark.guarantee("G3", "G7")
def test_while_the_store_is_away_asking_goes_on_to_a_bound_and_then_waits() -> None:
    """Answers gather in the journal up to the bound; when the store is back, everything is delivered."""

    async def main() -> None:
        inner = memory(BOUND + 1_000)
        back = 100.0
        store = FlakyStore(inner, lambda _: "well" if VirtualClock().monotonic() > back else "away")
        model = ScriptedModel(VirtualClock(), latency=(1, 1))
        paused: list[int] = []
        at(back - 1, lambda: paused.append(model.stats().received))
        ran = await screen(store, FirstJournal(), model, concurrency=100, citation_workers=200)
        assert BOUND <= paused[0] <= BOUND + 100
        assert (ran.why, ran.numbers.delivered, model.stats().received) == ("complete", BOUND + 1_000, BOUND + 1_000)

    run_virtual(main())


@pytest.mark.guarantee("G3")
def test_a_store_that_stays_away_ends_the_run() -> None:
    """After two minutes the run ends with exit 5; the next one delivers from the journal and asks only the rest."""

    async def main() -> None:
        inner, journal = memory(500), MemoryJournal()
        model = ScriptedModel(VirtualClock(), latency=(5, 5))
        ran = await screen(FlakyStore(inner, lambda _: "away"), journal, model)
        assert (ran.why, ran.report.exit_code, ran.numbers.delivered) == ("store", 5, 0)
        assert 110 < ran.numbers.elapsed_s < 150
        known = len(usable(journal.facts))
        assert known == ran.numbers.answered == model.stats().received
        assert open_attempts(journal.facts) == 0
        again = await screen(inner, journal, model, run="run-2")
        assert (again.numbers.delivered, model.stats().received) == (500, 500)

    run_virtual(main())


@pytest.mark.guarantee("G4")
def test_a_store_that_blinks_at_the_very_end_is_waited_for() -> None:
    """When everything is asked and only delivery is left, a short absence of the store does not end the run."""

    async def main() -> None:
        inner = memory(3)
        store = FlakyStore(inner, lambda number: "away" if number <= 3 else "well")
        ran = await screen(store, MemoryJournal(), ScriptedModel(VirtualClock()))
        assert (ran.why, ran.numbers.delivered, ran.report.exit_code) == ("complete", 3, 0)

    run_virtual(main())


@pytest.mark.guarantee("G8")
def test_interrupted_while_the_store_is_away_it_leaves_soon() -> None:
    """Whoever presses Ctrl-C does not wait two minutes for a store that is away."""

    async def main() -> None:
        store = FlakyStore(memory(3), lambda _: "away")
        ran = await screen(
            store,
            MemoryJournal(),
            ScriptedModel(VirtualClock()),
            during=lambda engine: at(20.0, lambda: engine.stop("interrupted")),
        )
        assert (ran.why, ran.report.exit_code) == ("interrupted", 130)
        assert ran.numbers.elapsed_s < 35

    run_virtual(main())


@pytest.mark.guarantee("G2", "G4")
def test_one_citation_that_cannot_be_delivered_harms_no_neighbour() -> None:
    """It is named with its kind and counted, exit 3; all others are delivered, and nothing is asked again for it."""

    async def main() -> None:
        records = [make_record(number) for number in range(1, 31)]
        store = MemoryStore(records, refused={make_key(7): UndeliverableKind.TOO_LARGE})
        journal, model = MemoryJournal(), ScriptedModel(VirtualClock())
        ran = await screen(store, journal, model)
        assert (ran.numbers.delivered, ran.report.undeliverable, ran.report.remaining) == (29, 1, 0)
        assert ran.report.exit_code == 3
        again = await screen(store, journal, model, run="run-2")
        assert (again.numbers.calls, again.report.undeliverable, again.report.exit_code) == (0, 1, 3)

    run_virtual(main())


@pytest.mark.guarantee("G4")
def test_a_citation_that_vanishes_is_undeliverable() -> None:
    """Somebody deletes an edge after its context was asked: it is named, and harms nobody."""

    async def main() -> None:
        store, journal = memory(10), MemoryJournal()
        model = ScriptedModel(VirtualClock(), latency=(1, 1))
        at(0.5, lambda: store.remove(make_key(4)))
        ran = await screen(store, journal, model)
        assert (ran.numbers.delivered, ran.report.undeliverable) == (9, 1)

    run_virtual(main())


@pytest.mark.guarantee("G4")
def test_a_citation_comes_whole_or_not_at_all() -> None:
    """As long as one of its contexts has no usable outcome, nothing of a citation reaches the store."""

    async def main() -> None:
        store, journal = memory(4, 3), MemoryJournal()
        model = ScriptedModel(VirtualClock(), ["server_error@5*always"], latency=(0.1, 0.2))
        ran = await screen(store, journal, model)
        assert (ran.numbers.delivered, ran.report.remaining) == (3, 1)
        assert len(await outcomes(store)) == 9
        well = ScriptedModel(VirtualClock())
        again = await screen(store, journal, well, run="run-2")
        assert (again.numbers.delivered, well.stats().received) == (1, 1)

    run_virtual(main())


@pytest.mark.guarantee("G7")
def test_deliveries_go_in_batches() -> None:
    """Many citations share a transaction, and none of these is larger than it should be."""
    sizes: list[int] = []

    class Measuring(MemoryStore):
        async def deliver(self, screening: str, run: str, at: str, batch: Sequence[Delivery]) -> Sequence[Receipt]:
            sizes.append(len(batch))
            return await super().deliver(screening, run, at, batch)

    async def main() -> None:
        store, journal = memory(3 * BATCH), MemoryJournal()
        await screen(store, journal, ScriptedModel(VirtualClock(), latency=(0.001, 0.002)), concurrency=100)
        forgetful = Measuring([make_record(number) for number in range(1, 3 * BATCH + 1)])
        await screen(forgetful, journal, ScriptedModel(VirtualClock()), run="run-2")
        assert sum(sizes) == 3 * BATCH
        assert max(sizes) <= BATCH
        assert len(sizes) <= 4

    run_virtual(main())


@pytest.mark.guarantee("G4")
def test_the_first_delivery_of_a_screening_stands() -> None:
    """Two screenings keep to themselves; a second delivery of one finds the first and changes nothing."""

    async def main() -> None:
        store = memory(5)
        first, second = MemoryJournal(), MemoryJournal(journal_id="another")
        await screen(store, first, ScriptedModel(VirtualClock()))
        stood = await outcomes(store)
        beside = await screen(store, second, ScriptedModel(VirtualClock()), name="beside")
        assert beside.numbers.delivered == 5
        assert await outcomes(store) == stood
        assert len(await outcomes(store, "beside")) == 5

    run_virtual(main())
