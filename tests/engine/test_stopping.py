"""The end of a run, whatever brings it: what was in flight is kept or counted, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio

import pytest

from citefidelity.engine import Engine
from citefidelity.facts import Asked, Ended, Settled
from citefidelity.ports import Question, RawReply
from citefidelity.testing.faults_journal import FailingJournal, SlowJournal
from citefidelity.testing.journal import MemoryJournal
from citefidelity.testing.model import ScriptedModel
from citefidelity.testing.store import MemoryStore
from citefidelity.views.report import RunReport
from support.bench import assert_right, at, open_attempts, outcomes, screen, usable
from support.makers import make_record
from support.virtual_time import VirtualClock, run_virtual


def memory(citations: int, contexts: int = 1) -> MemoryStore:
    """A store of so many citations with so many contexts each."""
    return MemoryStore([make_record(number, contexts) for number in range(1, citations + 1)])


@pytest.mark.guarantee("G8")
def test_interrupted_it_keeps_what_is_in_flight() -> None:
    """Nothing more is asked; what is answered within the grace is on disk and delivered."""

    async def main() -> None:
        store, journal = memory(50), MemoryJournal()
        model = ScriptedModel(VirtualClock(), latency=(10, 10))
        ran = await screen(store, journal, model, during=lambda engine: at(15.0, lambda: engine.stop("interrupted")))
        assert (ran.why, ran.report.exit_code) == ("interrupted", 130)
        assert (model.stats().received, ran.numbers.answered, ran.numbers.delivered) == (20, 20, 20)
        assert (ran.report.remaining, open_attempts(journal.facts)) == (30, 0)

    run_virtual(main())


@pytest.mark.guarantee("G8")
def test_when_the_grace_is_over_what_is_in_flight_is_cut_and_counted() -> None:
    """Calls without a reply end as abandoned, maybe paid; no context is marked for it, and the next run asks them."""

    async def main() -> None:
        store, journal = memory(30), MemoryJournal()
        slow = ScriptedModel(VirtualClock(), latency=(100, 100))
        ran = await screen(
            store, journal, slow, grace=5.0, during=lambda engine: at(1.0, lambda: engine.stop("interrupted"))
        )
        ended = [fact for fact in journal.facts if isinstance(fact, Ended)]
        assert [(fact.fault, fact.billed) for fact in ended] == [("abandoned", "unknown")] * 10
        assert not [fact for fact in journal.facts if isinstance(fact, Settled)]
        assert ran.numbers.elapsed_s == pytest.approx(6.0, abs=0.5)
        again = await screen(store, journal, ScriptedModel(VirtualClock()), run="run-2")
        assert (again.numbers.answered, again.report.exit_code) == (30, 0)

    run_virtual(main())


@pytest.mark.guarantee("G3")
def test_a_reply_that_comes_at_the_moment_of_the_cut_is_kept() -> None:
    """A reply and the end of the grace in the same moment: the reply counts."""

    async def main() -> None:
        store, journal = memory(10), MemoryJournal()
        model = ScriptedModel(VirtualClock(), latency=(6, 6))
        await screen(
            store, journal, model, grace=5.0, during=lambda engine: at(1.0, lambda: engine.stop("interrupted"))
        )
        assert len(usable(journal.facts)) == 10
        assert open_attempts(journal.facts) == 0

    run_virtual(main())


@pytest.mark.guarantee("G3")
def test_a_reply_that_comes_at_its_deadline_is_kept() -> None:
    """A reply and its deadline in the same moment: the reply counts."""

    async def main() -> None:
        model = ScriptedModel(VirtualClock(), latency=(7, 7))
        ran = await screen(memory(30), MemoryJournal(), model, timeout=7.0)
        assert (ran.numbers.answered, model.stats().received) == (30, 30)

    run_virtual(main())


@pytest.mark.guarantee("G8")
def test_nothing_leaves_after_the_stop() -> None:
    """A context that was about to be asked when the run was stopped is not asked, and costs nothing."""

    async def main() -> None:
        inner = MemoryJournal()
        journal = SlowJournal(inner, 1.0, VirtualClock().sleep)
        model = ScriptedModel(VirtualClock(), latency=(0.1, 0.1))
        # What is taken up in the first second is on disk in the second one.
        ran = await screen(
            memory(50), journal, model, during=lambda engine: at(0.5, lambda: engine.stop("interrupted"))
        )
        assert (ran.why, model.stats().received, ran.numbers.calls) == ("interrupted", 0, 0)
        assert ran.numbers.retries == 0
        unsent = [fact for fact in inner.facts if isinstance(fact, Ended) and not fact.sent]
        assert len(unsent) == 10
        assert all(fact.billed == "no" for fact in unsent)
        assert open_attempts(inner.facts) == 0

    run_virtual(main())


def test_time_is_up() -> None:
    """The limit on time stops the asking and keeps what is in flight; something is left, so the exit code is 4."""

    async def main() -> None:
        model = ScriptedModel(VirtualClock(), latency=(1, 1))
        ran = await screen(memory(500), MemoryJournal(), model, max_time=10.5)
        assert (ran.why, ran.report.exit_code) == ("time", 4)
        assert ran.numbers.answered == model.stats().received
        assert 90 <= ran.numbers.answered <= 110

    run_virtual(main())


@pytest.mark.guarantee("G3")
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_journal_fails_at_any_append(when: str) -> None:
    """Asking stops at once; everything acknowledged is delivered or safe, and the next run asks only the rest."""

    async def main(fails_at: int) -> None:
        store, inner = memory(12, 2), MemoryJournal()
        model = ScriptedModel(VirtualClock(), latency=(0.5, 2.0))
        journal = FailingJournal(inner, fails_at, "before" if when == "before" else "after")
        ran = await screen(store, journal, model, concurrency=3)
        assert (ran.why, ran.report.exit_code) == ("store", 5)
        assert ran.error is not None
        known = {fact.outcome.input_hash for fact in usable(inner.facts)}
        before = dict(model.stats().hits)
        assert sum(before.values()) - len(known) <= 3
        healed = await screen(store, inner, model, run="run-2", concurrency=3)
        assert (healed.report.exit_code, healed.report.remaining) == (0, 0)
        after = model.stats().hits
        assert all(after[prompt] == before[prompt] for prompt in known)
        assert sum(after.values()) <= 24 + 3
        for outcome in (await outcomes(store)).values():
            assert_right(outcome)

    for fails_at in range(2, 40):
        run_virtual(main(fails_at))


def test_what_is_done_elsewhere_and_was_to_be_taken_is_left_when_it_is_not() -> None:
    """With citations of others taken in, a run that ends early says how many of them are left, and exits with 4."""

    async def main() -> None:
        records = [make_record(number) for number in range(1, 31)]
        store = MemoryStore(records, elsewhere=[record.key for record in records])
        journal, model = MemoryJournal(), ScriptedModel(VirtualClock(), latency=(10, 10))
        ran = await screen(store, journal, model, include_classified=True, max_time=5.0)
        assert (ran.numbers.delivered, ran.report.remaining, ran.report.exit_code) == (10, 20, 4)
        rest = await screen(store, journal, model, run="run-2", include_classified=True)
        assert (rest.numbers.delivered, rest.report.remaining, rest.report.exit_code) == (20, 0, 0)

    run_virtual(main())


class LapsingClaim:
    """Surely ours up to a time, and again from another; meanwhile it was another's, if told."""

    def __init__(self, lost: float, again: float, *, overtaken: bool = False) -> None:
        self._lost, self._again, self._overtaken = lost, again, overtaken

    def holds_until(self) -> float:
        """As it stands at this moment."""
        now = asyncio.get_running_loop().time()
        return now + 15 if now >= self._again else self._lost

    def losses(self) -> int:
        """Once, if at all."""
        return int(self._overtaken and asyncio.get_running_loop().time() >= self._again)

    async def release(self) -> None:
        """Nothing is held."""


@pytest.mark.guarantee("G5")
def test_without_a_sure_claim_no_request_leaves() -> None:
    """While the claim is not surely ours nothing is asked; when it is again, the run goes on by itself."""

    async def main() -> None:
        model = ScriptedModel(VirtualClock(), latency=(1, 1))
        ran = await screen(memory(100), MemoryJournal(), model, claim=LapsingClaim(5.5, 60.0))
        assert ran.numbers.answered == 100
        assert not [hit for hit in model.hits if 5.5 < hit.arrived < 60]

    run_virtual(main())


@pytest.mark.guarantee("G5")
def test_a_claim_that_lapses_while_asked_is_noted_lets_nothing_leave() -> None:
    """The claim counts at the moment of leaving, not when the context was taken."""

    async def main() -> None:
        inner = MemoryJournal()
        journal = SlowJournal(inner, 1.0, VirtualClock().sleep)
        model = ScriptedModel(VirtualClock(), latency=(0.1, 0.1))
        ran = await screen(memory(30), journal, model, claim=LapsingClaim(2.5, 20.0))
        assert not [hit for hit in model.hits if 2.5 < hit.arrived < 20]
        assert (ran.numbers.answered, model.stats().received) == (30, 30)
        assert [fact for fact in inner.facts if isinstance(fact, Ended) and not fact.sent]

    run_virtual(main())


@pytest.mark.guarantee("G3", "G5")
@pytest.mark.parametrize("limit", [None, 80])
def test_what_another_run_has_done_meanwhile_is_not_asked_again(limit: int | None) -> None:
    """A run that was overtaken looks at the store anew when it has its claim again: nothing that it had read counts."""

    async def main() -> None:
        store, model = memory(100), ScriptedModel(VirtualClock(), latency=(1, 1))

        async def overtake() -> RunReport:
            await asyncio.sleep(10)
            return (await screen(store, MemoryJournal(), model, run="run-2", limit=30)).report

        ran, theirs = await asyncio.gather(
            screen(store, MemoryJournal(), model, limit=limit, claim=LapsingClaim(5.5, 60.0, overtaken=True)),
            overtake(),
        )
        ours = ran.report
        assert (model.stats().duplicates, theirs.delivered) == (0, 30)
        assert (ours.stopped, ours.remaining) == ("complete", 0)
        assert (ours.delivered, ours.answered, ours.citations, ours.contexts, ours.left) == (70, 70, 70, 70, 0)

    run_virtual(main())


@pytest.mark.guarantee("G5")
def test_a_claim_that_does_not_come_back_ends_the_run() -> None:
    """A run whose claim is gone for good does not wait for ever: it ends with exit 5, and what it has is safe."""

    async def main() -> None:
        model = ScriptedModel(VirtualClock(), latency=(1, 1))
        ran = await screen(memory(100), MemoryJournal(), model, claim=LapsingClaim(5.5, 1e9))
        assert (ran.why, ran.report.exit_code) == ("store", 5)
        assert ran.error is not None
        assert ran.error.kind == "claim_lost"
        assert 120 < ran.numbers.elapsed_s < 140
        assert ran.numbers.answered == model.stats().received

    run_virtual(main())


def test_a_surprise_in_one_call_ends_the_run_as_what_it_is() -> None:
    """A fault of ours is not hidden among faults of the provider; what was on disk is not asked again."""

    class Broken(ScriptedModel):
        async def ask(self, question: Question) -> RawReply:
            reply = await super().ask(question)
            if self.hits[-1].total == 20:
                raise ZeroDivisionError
            return reply

    async def main() -> None:
        store, journal = memory(40), MemoryJournal()
        model = Broken(VirtualClock(), latency=(1, 2))
        with pytest.raises(ExceptionGroup):
            await screen(store, journal, model)
        known = {fact.outcome.input_hash for fact in usable(journal.facts)}
        before = dict(model.stats().hits)
        ran = await screen(store, journal, model, run="run-2")
        assert (ran.report.remaining, len(await outcomes(store))) == (0, 40)
        assert all(model.stats().hits[prompt] == before[prompt] for prompt in known)

    run_virtual(main())


@pytest.mark.parametrize("moment", [0.5, 3.5, 4.2, 5.0, 6.3])
def test_nothing_of_a_cancelled_run_goes_on(moment: float) -> None:
    """Whoever cancels a run, as in a notebook, is rid of it: no context that was to be asked again comes back."""

    async def main() -> None:
        surprises: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, surprise: surprises.append(surprise))
        model = ScriptedModel(VirtualClock(), ["server_error@every:2*always"], latency=(1, 1))
        running = asyncio.create_task(screen(memory(30), MemoryJournal(), model))
        await asyncio.sleep(moment)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        asked = model.stats().received
        await asyncio.sleep(1_000)
        assert (surprises, model.stats().received) == ([], asked)

    run_virtual(main())


def test_stopped_before_it_began() -> None:
    """Ctrl-C while the run was still opening files: nothing is asked."""

    async def main() -> None:
        journal = MemoryJournal()
        model = ScriptedModel(VirtualClock())

        def stop(engine: Engine) -> None:
            engine.stop("interrupted")

        ran = await screen(memory(5), journal, model, during=stop)
        assert (ran.why, model.stats().received) == ("interrupted", 0)
        assert not [fact for fact in journal.facts if isinstance(fact, Asked)]

    run_virtual(main())
