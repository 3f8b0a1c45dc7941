"""A run whose claim another had meanwhile: it goes on from what the store says then, and from nothing else."""

from __future__ import annotations

import asyncio

import pytest

from citefidelity.facts import Ended, Settled
from citefidelity.kinds import UndeliverableKind
from citefidelity.testing.faults_journal import SlowJournal
from citefidelity.testing.journal import MemoryJournal
from citefidelity.testing.model import ScriptedModel
from citefidelity.testing.store import MemoryStore
from support.bench import screen
from support.claims import Connecting, Lapse, OvertakenClaim
from support.makers import make_record
from support.virtual_time import VirtualClock, run_virtual


def memory(citations: int, contexts: int = 1) -> MemoryStore:
    """A store of so many citations with so many contexts each."""
    return MemoryStore([make_record(number, contexts) for number in range(1, citations + 1)])


@pytest.mark.guarantee("G3", "G5")
@pytest.mark.parametrize(("journal_s", "connect_s"), [(10.0, 0.0), (0.0, 10.0)])
def test_what_was_about_to_leave_when_another_had_the_claim_is_held_back(journal_s: float, connect_s: float) -> None:
    """A request that waits for the disk, or for a connection, while the claim goes and comes back must not leave."""

    async def main() -> None:
        store, inner = memory(40), MemoryJournal()
        ours = Connecting(connect_s)
        theirs = ScriptedModel(VirtualClock(), latency=(0.1, 0.1))
        # The first fact of a run is that it began; then come those of what is asked.
        asking_from = journal_s

        async def overtake() -> None:
            await asyncio.sleep(asking_from + 5)
            await screen(store, MemoryJournal(), theirs, run="run-2", limit=20)

        claim = OvertakenClaim(Lapse(asking_from + 4, asking_from + 9))
        journal = SlowJournal(inner, journal_s, asyncio.sleep)
        ran, _ = await asyncio.gather(screen(store, journal, ours, claim=claim), overtake())
        assert theirs.stats().received == 20
        assert not ours.stats().hits.keys() & theirs.stats().hits.keys()
        assert [fact.message for fact in inner.facts if isinstance(fact, Ended) and not fact.sent]
        assert (ran.report.delivered, ran.report.remaining, ran.report.exit_code) == (20, 0, 0)

    run_virtual(main())


@pytest.mark.guarantee("G2")
@pytest.mark.parametrize("limit", [None, 150])
def test_what_was_left_before_and_answered_after_is_not_left(limit: int | None) -> None:
    """Contexts that failed for the time being, and that the second look brings up again, are counted once."""

    async def main() -> None:
        store, journal = memory(150, 2), MemoryJournal()
        model = ScriptedModel(VirtualClock(), ["server_error@every:9*3"], latency=(1, 1))
        ran = await screen(store, journal, model, limit=limit, claim=OvertakenClaim(Lapse(25.0, 40.0)))
        report = ran.report
        left = [fact for fact in journal.facts if isinstance(fact, Settled) and not fact.outcome.usable]
        assert left
        assert min(fact.at for fact in left) < VirtualClock.EPOCH + 25
        later = [fact for fact in left if fact.at > VirtualClock.EPOCH + 25]
        assert (report.left, report.answered) == (len(later), 300 - len(later))
        assert (report.citations, report.contexts) == (150, 300)
        assert report.exit_code == (4 if later else 0)

    run_virtual(main())


@pytest.mark.guarantee("G2")
def test_what_the_store_refuses_is_counted_once() -> None:
    """A citation that cannot be delivered comes up again at the second look; it is still one, and costs no call."""

    async def main() -> None:
        records = [make_record(number) for number in range(1, 101)]
        refused = {record.key: UndeliverableKind.TOO_LARGE for record in records[:3]}
        store, model = MemoryStore(records, refused=refused), ScriptedModel(VirtualClock(), latency=(1, 1))
        ran = await screen(store, MemoryJournal(), model, claim=OvertakenClaim(Lapse(5.5, 20.0)))
        assert (ran.numbers.undeliverable, ran.report.undeliverable) == (3, 3)
        assert (model.stats().received, ran.report.delivered, ran.report.exit_code) == (100, 97, 3)

    run_virtual(main())
