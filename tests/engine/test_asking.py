"""Asking: how many at a time, in which order, how often, and what one answer leads to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from citefidelity.facts import Asked, Fact, Settled
from citefidelity.ports import Found, Question, RawReply, ToDo
from citefidelity.records import Delivery, Receipt
from citefidelity.testing.journal import MemoryJournal
from citefidelity.testing.model import ScriptedModel
from citefidelity.testing.store import MemoryStore
from support.bench import FirstJournal, assert_right, at, outcomes, screen
from support.makers import make_record
from support.virtual_time import VirtualClock, run_virtual


def memory(citations: int, contexts: int = 1) -> MemoryStore:
    """A store of so many citations with so many contexts each."""
    return MemoryStore([make_record(number, contexts) for number in range(1, citations + 1)])


@pytest.mark.guarantee("G2", "G3", "G4")
def test_every_context_gets_its_own_answer_once() -> None:
    """All contexts are asked once, each verdict is that of its own prompt, and a second run does nothing."""

    async def main() -> None:
        store, journal = memory(30, 3), MemoryJournal()
        model = ScriptedModel(VirtualClock(), latency=(0.1, 3.0))
        ran = await screen(store, journal, model)
        assert (ran.why, ran.report.exit_code, ran.numbers.answered, ran.numbers.calls) == ("complete", 0, 90, 90)
        found = await outcomes(store)
        assert len(found) == 90
        for outcome in found.values():
            assert_right(outcome)
        facts = len(journal.facts)
        again = await screen(store, journal, model, run="run-2")
        assert (again.numbers.calls, again.numbers.delivered, model.stats().received) == (0, 0, 90)
        # The beginning and the end of the run are all that it notes.
        assert len(journal.facts) == facts + 2

    run_virtual(main())


@pytest.mark.guarantee("G7")
def test_no_more_calls_in_flight_than_allowed() -> None:
    """The bound on calls in flight is reached, and never exceeded, whatever fails."""

    async def main() -> None:
        model = ScriptedModel(VirtualClock(), ["server_error@every:4", "half_verdict@every:7"], latency=(0.5, 2.0))
        ran = await screen(memory(100, 2), MemoryJournal(), model, concurrency=7)
        assert ran.numbers.answered == 200
        assert model.stats().max_in_flight == 7

    run_virtual(main())


def test_a_slow_context_holds_nobody_up() -> None:
    """While one context takes minutes, all other citations are asked and delivered."""

    class OneSlow(ScriptedModel):
        async def ask(self, question: Question) -> RawReply:
            if "[1.1]" in question.variable:
                await asyncio.sleep(200)
            return await super().ask(question)

    async def main() -> None:
        store = memory(50)
        delivered: list[int] = []

        async def look() -> None:
            await asyncio.sleep(60)
            delivered.append((await store.counts("main")).delivered)

        async with asyncio.TaskGroup() as group:
            group.create_task(look())
            await screen(store, MemoryJournal(), OneSlow(VirtualClock(), latency=(1, 1)), concurrency=2)
        assert delivered == [49]

    run_virtual(main())


def test_a_context_that_waits_for_its_retry_holds_no_slot() -> None:
    """With one call in flight at most, the others are asked while a failed one waits."""

    async def main() -> None:
        model = ScriptedModel(VirtualClock(), ["server_error@1*2"])
        await screen(memory(6), MemoryJournal(), model, concurrency=1, citation_workers=10)
        first = [hit.prompt_number for hit in model.hits]
        assert first == [1, 2, 3, 4, 5, 6, 1, 1]

    run_virtual(main())


@pytest.mark.guarantee("G6")
def test_being_pushed_back_uses_no_attempt_and_holds_all_calls() -> None:
    """A 429 is no attempt: the context is asked again, and during the pause that was asked for no call leaves."""

    async def main() -> None:
        model = ScriptedModel(VirtualClock(), ["rate_limited_seconds@hit:5", "rate_limited@3*5"], latency=(1, 1))
        ran = await screen(memory(40), MemoryJournal(), model, concurrency=4, max_attempts=1)
        assert (ran.numbers.answered, ran.numbers.pushbacks, ran.report.exit_code) == (40, 6, 0)
        # Nobody is in flight any more when the pause ends, so the call after the refusal came alone and late.
        refused = next(hit for hit in model.hits if hit.act == "rate_limited_seconds")
        assert refused.ended is not None
        later = [hit.arrived for hit in model.hits if hit.arrived > refused.ended]
        assert min(later) >= refused.ended + 1

    run_virtual(main())


class NothingLeavesUnnoted(MemoryJournal):
    """Knows what is on disk, and takes its time to put it there."""

    def __init__(self) -> None:
        super().__init__()
        self.on_disk: set[str] = set()
        self.settled: set[tuple[object, ...]] = set()

    async def append(self, facts: Sequence[Fact]) -> None:
        """Append after a while."""
        await asyncio.sleep(0.05)
        await super().append(facts)
        for fact in facts:
            if isinstance(fact, Asked):
                self.on_disk.add(fact.input_hash.hex())
            if isinstance(fact, Settled):
                self.settled.add((fact.key, fact.outcome.instance_id))


@pytest.mark.guarantee("G3")
def test_nothing_leaves_before_it_is_noted_and_nothing_counts_before_it_is_on_disk() -> None:
    """Each request leaves after its *asked* is on disk; each delivery follows all outcomes of its citation."""

    async def main() -> None:
        journal = NothingLeavesUnnoted()

        class Watching(ScriptedModel):
            async def ask(self, question: Question) -> RawReply:
                reply = await super().ask(question)
                assert self.hits[-1].prompt in journal.on_disk
                return reply

        class Careful(MemoryStore):
            async def deliver(self, screening: str, run: str, at: str, batch: Sequence[Delivery]) -> Sequence[Receipt]:
                for delivery in batch:
                    for outcome in delivery.outcomes:
                        assert (delivery.key, outcome.instance_id) in journal.settled
                return await super().deliver(screening, run, at, batch)

        store = Careful([make_record(number, 2) for number in range(1, 21)])
        ran = await screen(store, journal, Watching(VirtualClock(), latency=(0.01, 0.3)))
        assert ran.numbers.delivered == 20

    run_virtual(main())


def test_what_has_no_evidence_is_settled_without_a_call() -> None:
    """A context without evidence ends as unassessable; its neighbours are asked, and the citation is delivered."""
    bare = {"instance_id": 2, "context_text": "As shown before [9]."}
    mixed = make_record(1, [{**bare, "instance_id": 1, "evidence_segments": [{"text": "It was so."}]}, bare])

    async def main() -> None:
        store = MemoryStore([mixed, make_record(2, [bare])])
        model = ScriptedModel(VirtualClock())
        ran = await screen(store, MemoryJournal(), model)
        assert (ran.numbers.answered, ran.numbers.unassessable, ran.numbers.delivered) == (1, 2, 2)
        assert model.stats().received == 1
        found = await outcomes(store)
        assert [one.state for one in found.values()] == ["verdict", "unassessable", "unassessable"]

    run_virtual(main())


def test_a_store_without_any_evidence_is_delivered_in_one_run() -> None:
    """Though nothing is asked, the run waits for its outcomes to be on disk and brings them to the store."""

    async def main() -> None:
        store = MemoryStore([make_record(1, [{"instance_id": 1, "context_text": "As shown before [9]."}])])
        journal = NothingLeavesUnnoted()
        ran = await screen(store, journal, ScriptedModel(VirtualClock()))
        assert (ran.numbers.unassessable, ran.numbers.delivered, ran.report.remaining) == (1, 1, 0)

    run_virtual(main())


def test_a_limit_counts_citations_with_something_to_ask() -> None:
    """The limit bounds what is asked; what only waits to be delivered comes free."""

    async def main() -> None:
        store, journal = memory(10, 2), MemoryJournal()
        model = ScriptedModel(VirtualClock())
        first = await screen(store, journal, model, limit=4)
        assert (first.why, first.numbers.citations, first.numbers.delivered) == ("limit", 4, 4)
        assert (first.report.exit_code, first.report.remaining, model.stats().received) == (0, 6, 8)
        forgetful = memory(10, 2)
        second = await screen(forgetful, journal, model, run="run-2", limit=3)
        assert (second.numbers.citations, second.numbers.delivered, model.stats().received) == (3, 7, 14)
        third = await screen(forgetful, journal, model, run="run-3", limit=3)
        assert (third.why, third.numbers.delivered, third.report.remaining) == ("complete", 3, 0)

    run_virtual(main())


@pytest.mark.guarantee("G3")
def test_a_text_that_has_changed_is_asked_again_and_what_the_prompt_does_not_show_is_not() -> None:
    """Of a citation not yet delivered, the context with a new text is asked; one with a new note, or none, is not."""
    one, two, three = ({"instance_id": n, "context_text": f"It was so [{n}]."} for n in (1, 2, 3))
    evidence = {"evidence_segments": [{"text": "So it was."}]}

    async def main() -> None:
        journal = MemoryJournal()
        model = ScriptedModel(VirtualClock(), ["server_error@3*3"])
        first = await screen(
            MemoryStore([make_record(1, [one | evidence, two | evidence, three | evidence])]),
            journal,
            model,
            concurrency=1,
        )
        assert (first.numbers.answered, first.report.remaining) == (2, 1)
        changed = {"context_text": "It was not so [1]."}
        store = MemoryStore(
            [make_record(1, [one | evidence | changed, two | evidence | {"note": "x"}, three | evidence])]
        )
        second = await screen(store, journal, model, run="run-2", concurrency=1)
        assert (second.numbers.answered, second.numbers.delivered) == (2, 1)
        asked = [hit.variable for hit in model.hits][-2:]
        assert ["not so [1]" in asked[0], "[3]" in asked[1]] == [True, True]
        for outcome in (await outcomes(store)).values():
            assert_right(outcome)
        assert (await outcomes(store))["citing-1", "1"].input_hash == model.hits[-2].prompt

    run_virtual(main())


@pytest.mark.guarantee("G7")
def test_queues_stay_short_over_a_hundred_thousand_contexts() -> None:
    """Citations are opened as they are wanted: neither contexts nor finished citations pile up."""

    class Forgetful(FirstJournal):
        async def append(self, facts: Sequence[Fact]) -> None:
            del facts
            await asyncio.sleep(0)

    async def main() -> None:
        opened = longest = 0

        class Counting(MemoryStore):
            async def pages(self, to_do: ToDo) -> AsyncIterator[Sequence[Found]]:
                nonlocal opened
                async for page in super().pages(to_do):
                    opened += len(page)
                    yield page

        store = Counting([make_record(number, 50) for number in range(1, 2_001)])
        model = ScriptedModel(VirtualClock(), latency=(0.5, 1.5))

        def look() -> None:
            nonlocal longest
            longest = max(longest, opened - len(model.stats().hits) // 50)

        for second in range(100):
            at(second, look)
        ran = await screen(store, Forgetful(), model, concurrency=100, citation_workers=200, max_time=100.0)
        assert ran.numbers.answered > 9_000
        # Two pages, and what is open.
        assert longest <= 2 * 200 + 200
        assert model.stats().max_in_flight == 100

    run_virtual(main())
