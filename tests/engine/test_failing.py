"""Faults: which are tried again, which are held against a context, and which stop the run and mark nothing."""

from __future__ import annotations

import pytest

from citefidelity.facts import Asked, Ended, Settled
from citefidelity.pacing.budget import Budget
from citefidelity.pacing.tokens import tokens_of
from citefidelity.ports import CallFault, Question, RawReply
from citefidelity.testing.journal import MemoryJournal
from citefidelity.testing.model import ScriptedModel
from citefidelity.testing.store import MemoryStore
from support.bench import SPEC, assert_right, at, open_attempts, outcomes, screen, usable
from support.makers import make_record
from support.virtual_time import VirtualClock, run_virtual

PERSISTENT = ["server_error", "timeout", "connection"]
ACTS = {"server_error": "server_error", "timeout": "silence", "connection": "reset"}


def memory(citations: int, contexts: int = 1) -> MemoryStore:
    """A store of so many citations with so many contexts each."""
    return MemoryStore([make_record(number, contexts) for number in range(1, citations + 1)])


@pytest.mark.guarantee("G6")
@pytest.mark.parametrize("kind", PERSISTENT)
def test_a_transient_fault_is_tried_again(kind: str) -> None:
    """What fails twice and then works has its verdict in the same run."""

    async def main() -> None:
        store = memory(5)
        model = ScriptedModel(VirtualClock(), [f"{ACTS[kind]}@2*2"], latency=(0.1, 0.2))
        ran = await screen(store, MemoryJournal(), model)
        assert (ran.why, ran.numbers.answered, ran.numbers.calls, ran.report.exit_code) == ("complete", 5, 7, 0)
        for outcome in (await outcomes(store)).values():
            assert_right(outcome)

    run_virtual(main())


@pytest.mark.guarantee("G2", "G6")
@pytest.mark.parametrize("kind", PERSISTENT)
def test_what_fails_in_three_runs_fails_for_good(kind: str) -> None:
    """A context that uses up its attempts stays to do twice, exit 4; the third time it fails with its kind, exit 3."""

    async def main() -> None:
        store, journal = memory(5, 2), MemoryJournal()
        model = ScriptedModel(VirtualClock(), [f"{ACTS[kind]}@2*always"], latency=(0.1, 0.2))
        for number in (1, 2):
            ran = await screen(store, journal, model, run=f"run-{number}")
            assert (ran.report.exit_code, ran.report.remaining, ran.numbers.failed) == (4, 1, 0)
            assert model.stats().received == 9 + 3 * number
        ran = await screen(store, journal, model, run="run-3")
        assert (ran.report.exit_code, ran.report.remaining, ran.numbers.failed) == (3, 0, 1)
        failed = [one for one in (await outcomes(store)).values() if one.failure]
        assert [(one.failure.kind, one.failure.retryable) for one in failed if one.failure] == [(kind, False)]
        assert "3 runs" in str(failed[0].failure)

    run_virtual(main())


@pytest.mark.guarantee("G6")
def test_an_outage_is_held_against_no_context() -> None:
    """Where nothing is answered, however many runs there are, no context fails; afterwards all are answered."""

    async def main() -> None:
        store, journal = memory(3), MemoryJournal()
        model = ScriptedModel(VirtualClock(), ["server_error@all*always"])
        for number in range(5):
            ran = await screen(store, journal, model, run=f"run-{number}")
            assert (ran.why, ran.report.exit_code, ran.report.remaining) == ("provider", 4, 3)
        assert not [fact for fact in journal.facts if isinstance(fact, Settled)]
        well = await screen(store, journal, ScriptedModel(VirtualClock()), run="well")
        assert (well.report.exit_code, well.numbers.answered) == (0, 3)

    run_virtual(main())


@pytest.mark.guarantee("G6", "G7")
def test_an_outage_is_noticed_early() -> None:
    """Over a thousand contexts, a dead provider is asked some dozens of times, not thousands."""

    async def main() -> None:
        journal = MemoryJournal()
        model = ScriptedModel(VirtualClock(), ["bad_gateway@all*always"], latency=(0.1, 0.5))
        ran = await screen(memory(1_000), journal, model)
        assert (ran.why, ran.numbers.failed) == ("provider", 0)
        assert model.stats().received <= 20 + 10 + 1
        assert usable(journal.facts) == []

    run_virtual(main())


@pytest.mark.guarantee("G6")
@pytest.mark.parametrize("act", ["key_rejected", "no_balance", "no_quota", "spend_limit", "redirect"])
def test_a_fault_of_the_account_stops_the_run_and_marks_nothing(act: str) -> None:
    """It is asked no more than what was in flight, no context is marked, what was answered is delivered."""

    async def main() -> None:
        store, journal = memory(60), MemoryJournal()
        model = ScriptedModel(VirtualClock(), [f"{act}@hit:{n}" for n in range(21, 300)], latency=(0.5, 1))
        ran = await screen(store, journal, model)
        assert (ran.why, ran.report.exit_code, ran.numbers.failed) == ("provider", 4, 0)
        assert ran.report.reason
        assert ran.report.hint
        assert (ran.numbers.answered, ran.numbers.delivered) == (20, 20)
        assert model.stats().received <= 20 + 10
        assert len([fact for fact in journal.facts if isinstance(fact, Settled)]) == 20
        assert (await screen(store, journal, ScriptedModel(VirtualClock()), run="2")).numbers.answered == 40

    run_virtual(main())


@pytest.mark.guarantee("G6")
@pytest.mark.parametrize(
    ("act", "kind"), [("refusal", "refused"), ("unprocessable", "rejected"), ("too_large", "rejected")]
)
def test_a_fault_of_one_context_is_its_own(act: str, kind: str) -> None:
    """It fails at once with its kind, is asked once, and its neighbours in the same citation have their verdicts."""

    async def main() -> None:
        store = memory(4, 3)
        model = ScriptedModel(VirtualClock(), [f"{act}@2*always"])
        ran = await screen(store, MemoryJournal(), model)
        assert (ran.report.exit_code, ran.numbers.answered, ran.numbers.failures_by_kind) == (3, 11, {kind: 1})
        assert (ran.numbers.delivered, model.stats().received) == (4, 12)

    run_virtual(main())


def ended(journal: MemoryJournal) -> list[Ended]:
    """All ends of attempts, in order."""
    return [fact for fact in journal.facts if isinstance(fact, Ended)]


@pytest.mark.guarantee("G6")
@pytest.mark.parametrize(
    ("act", "kind"),
    [("half_verdict", "unreadable_reply"), ("unknown_category", "unreadable_reply"), ("length", "truncated")],
)
def test_an_answer_that_cannot_be_used_is_asked_for_once_more(act: str, kind: str) -> None:
    """Twice of no use, a context fails with its kind, never with a category; the raw replies are kept."""

    async def main() -> None:
        store, journal = memory(3), MemoryJournal()
        model = ScriptedModel(VirtualClock(), [f"{act}@2*always", f"{act}@3*1"])
        ran = await screen(store, journal, model)
        assert (ran.numbers.answered, ran.numbers.failed, ran.report.exit_code) == (2, 1, 3)
        assert sorted(model.stats().hits.values()) == [1, 2, 2]
        (bad,) = [one for one in (await outcomes(store)).values() if one.state == "failed"]
        assert bad.verdict is None
        assert bad.failure is not None
        assert (bad.failure.kind, bad.failure.retryable) == (kind, False)
        assert [end.fault for end in ended(journal)].count(kind) == 3
        assert all(end.body for end in ended(journal))

    run_virtual(main())


@pytest.mark.guarantee("G6")
def test_the_further_ask_is_counted_over_runs() -> None:
    """A run that was cut short after an unreadable reply leaves one ask, not two."""

    async def main() -> None:
        store, journal = memory(1), MemoryJournal()
        model = ScriptedModel(VirtualClock(), ["half_verdict@1*1", "silence@1*2", "half_verdict@1*always"])
        first = await screen(
            store, journal, model, grace=0.0, during=lambda engine: at(5.0, lambda: engine.stop("interrupted"))
        )
        assert (first.why, model.stats().received) == ("interrupted", 2)
        second = await screen(store, journal, model, run="run-2")
        assert (second.numbers.failed, second.report.exit_code, model.stats().received) == (1, 3, 3)

    run_virtual(main())


def test_a_cut_answer_is_asked_for_with_a_larger_limit() -> None:
    """After `length`, the same context is asked with twice the tokens; no other is."""

    async def main() -> None:
        journal = MemoryJournal()
        model = ScriptedModel(VirtualClock(), ["length@2*1"])
        await screen(memory(3), journal, model, concurrency=1)
        manners = [fact.manner for fact in journal.facts if isinstance(fact, Asked)]
        assert sum(manner is not None and "max_output_tokens" in manner for manner in manners) == 1
        assert len(manners) == 4

    run_virtual(main())


@pytest.mark.guarantee("G7")
def test_a_larger_answer_reserves_more_also_in_a_later_run() -> None:
    """A context that was cut off in an earlier run is asked with the larger limit only if the budget allows that."""

    async def main() -> None:
        store, journal = memory(1), MemoryJournal()
        model = ScriptedModel(VirtualClock(), ["length@1*1", "silence@1*2"])
        await screen(
            store, journal, model, grace=0.0, during=lambda engine: at(5.0, lambda: engine.stop("interrupted"))
        )
        usual = SPEC.max_output_tokens
        prompt = tokens_of(model.hits[0].fixed) + tokens_of(model.hits[0].variable)
        tight = await screen(store, journal, model, run="run-2", budget=Budget(max_tokens=prompt + 2 * usual - 1))
        assert (tight.why, model.stats().received) == ("budget", 2)
        roomy = await screen(store, journal, model, run="run-3", budget=Budget(max_tokens=prompt + 2 * usual))
        assert (roomy.numbers.answered, model.stats().received) == (1, 3)

    run_virtual(main())


def test_a_server_that_does_not_know_the_format_is_asked_in_another_from_then_on() -> None:
    """The complaint comes once per call in flight, uses up no attempt, and nobody asks that way again."""

    async def main() -> None:
        journal = MemoryJournal()

        class NoSchema(ScriptedModel):
            async def ask(self, question: Question) -> RawReply:
                reply = await super().ask(question)
                if question.style == "json_schema":
                    return RawReply(400, b'{"error": {"message": "response_format is not supported"}}', {})
                return reply

        ran = await screen(memory(20), journal, NoSchema(VirtualClock()), concurrency=4, max_attempts=1)
        assert (ran.numbers.answered, ran.report.exit_code) == (20, 0)
        assert ran.numbers.calls <= 24

    run_virtual(main())


@pytest.mark.guarantee("G6")
def test_no_provider_makes_a_context_wait_for_a_day() -> None:
    """A fault that asks for an absurd wait is tried again within ten minutes."""

    class Tomorrow(ScriptedModel):
        async def ask(self, question: Question) -> RawReply:
            reply = await super().ask(question)
            if self.hits[-1].number == 1:
                return RawReply(500, b"{}", {"retry-after": "80000"})
            return reply

    async def main() -> None:
        ran = await screen(memory(1), MemoryJournal(), Tomorrow(VirtualClock()))
        assert ran.numbers.answered == 1
        assert ran.numbers.elapsed_s < 700

    run_virtual(main())


@pytest.mark.guarantee("G3")
def test_a_fault_in_reading_costs_no_reply() -> None:
    """Where reading a reply raises, the raw reply is on disk beside the fault, and the run goes on."""

    async def main() -> None:
        journal = MemoryJournal()
        acts = ["deep_json", "huge_number", "bad_utf8", "json_list", "choices_text", "choice_null", "content_number"]
        model = ScriptedModel(VirtualClock(), [f"{act}@{n}*always" for n, act in enumerate(acts, 1)])
        ran = await screen(memory(10), journal, model, concurrency=1)
        assert ran.numbers.answered == 3
        ended = [fact for fact in journal.facts if isinstance(fact, Ended)]
        assert len(ended) == model.stats().received
        assert all(fact.body for fact in ended)
        assert open_attempts(journal.facts) == 0

    run_virtual(main())


@pytest.mark.guarantee("G7")
def test_what_may_have_been_paid_is_said_and_what_surely_was_not_is_not() -> None:
    """A refused connection costs nothing and is no call; a reply that never came may have been paid."""

    class Refusing(ScriptedModel):
        async def ask(self, question: Question) -> RawReply:
            reply = await super().ask(question)
            if self.hits[-1].total == 1:
                raise CallFault("connection", "refused", sent=False)
            if self.hits[-1].total == 2:
                raise CallFault("connection", "broken", sent=True)
            return reply

    async def main() -> None:
        journal = MemoryJournal()
        ran = await screen(memory(4), journal, Refusing(VirtualClock()), concurrency=1)
        ended = [fact for fact in journal.facts if isinstance(fact, Ended)]
        assert [(fact.sent, fact.billed) for fact in ended[:3]] == [(False, "no"), (True, "unknown"), (True, "yes")]
        assert (len(ended), ran.numbers.calls, ran.numbers.answered) == (6, 5, 4)

    run_virtual(main())
