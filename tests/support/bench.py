"""One run over fakes, in virtual time: what a test gives differs from the usual, the rest is made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from citefidelity.assembly import Asking, Hands
from citefidelity.engine import Engine, Why
from citefidelity.errors import StoreError
from citefidelity.facts import Asked, ContextPast, Ended, Fact, Settled
from citefidelity.meter import Snapshot
from citefidelity.ports import Claim, Clock, Journal, Model, Store
from citefidelity.records import WHOLE, CitationKey, Outcome
from citefidelity.screening import Screening
from citefidelity.specs.spec import Spec, builtin_spec, resolve
from citefidelity.specs.spec_toml import SpecPart
from citefidelity.testing.answers import Choices, verdict_for
from citefidelity.testing.journal import MemoryJournal
from citefidelity.views.report import RunReport, Started
from support.dice import dice
from support.makers import make_holder
from support.virtual_time import VirtualClock

SPEC: Spec = resolve(builtin_spec(), None, SpecPart(provider="openai", base_url="http://localhost/v1", model="m"))


class FirstJournal(MemoryJournal):
    """Has nothing to recall, and says so at once: looking through all facts for each page takes long."""

    async def recall(self, screening: str, keys: Sequence[CitationKey]) -> dict[CitationKey, ContextPast]:
        """Nothing."""
        del screening, keys
        return {}


class Ran(NamedTuple):
    """What came of one run."""

    why: Why
    numbers: Snapshot
    report: RunReport
    error: StoreError | None


async def screen(  # noqa: PLR0913 - what a test may want to differ
    store: Store,
    journal: Journal,
    model: Model,
    *,
    run: str = "run-1",
    name: str = "main",
    clock: Clock | None = None,
    claim: Claim | None = None,
    during: Callable[[Engine], None] = lambda _: None,
    **asking: Any,
) -> Ran:
    """Run once. ``during`` gets the engine just before it starts, to arrange what happens meanwhile."""
    clock = clock or VirtualClock()
    holder = make_holder(run)
    held = claim or await store.claim(name, asking.get("partition", WHOLE), holder)
    hands = Hands(
        name=name,
        spec=SPEC,
        store=store,
        journal=journal,
        path=Path("journal"),
        model=model,
        claim=held,
        clock=clock,
        random=dice(),
        holder=holder,
        program="citefidelity 0",
    )
    screening = Screening(hands, Asking(**{"concurrency": 10, "citation_workers": 20, **asking}))
    try:
        await screening.begin()
        during(screening.engine)
        numbers = await screening.work(started(run, name), [])
        await screening.end(undelivered=False)
        report = await screening.report(numbers, 0, None)
    finally:
        await held.release()
    return Ran(screening.why, numbers, report, screening.engine.error)


def started(run: str, name: str) -> Started:
    """What a run found, as far as the engine's tests care."""
    return Started(
        run_id=run,
        screening=name,
        new_screening=True,
        store="store",
        journal="journal",
        provider="openai",
        model="m",
        to_do=0,
        done_elsewhere=0,
        maybe_paid=0,
        waiting=False,
        concurrency=10,
    )


def at(seconds: float, act: Callable[[], object]) -> None:
    """Do this so many seconds from now."""
    asyncio.get_running_loop().call_later(seconds, act)


async def outcomes(store: Store, name: str = "main") -> dict[tuple[str, str], Outcome]:
    """What the store holds, by citing article and instance."""
    return {
        (stored.record.key.source_id, outcome.instance_id): outcome
        async for page in store.stored(name)
        for stored in page
        for outcome in stored.outcomes
    }


def assert_right(outcome: Outcome) -> None:
    """The verdict is the one that the scripted model gives to this very prompt."""
    right = verdict_for(outcome.input_hash, Choices(tuple(SPEC.categories), tuple(SPEC.types)))
    assert outcome.verdict is not None
    assert (outcome.verdict.category, outcome.verdict.citation_type) == (right.category, right.citation_type)
    assert (outcome.verdict.confidence, outcome.verdict.justification) == (right.confidence, right.justification)


def open_attempts(facts: list[Fact]) -> int:
    """Attempts asked whose end is not known."""
    ended = {fact.attempt for fact in facts if isinstance(fact, Ended)}
    return sum(isinstance(fact, Asked) and fact.attempt not in ended for fact in facts)


def usable(facts: list[Fact]) -> list[Settled]:
    """The outcomes that count."""
    return [fact for fact in facts if isinstance(fact, Settled) and fact.outcome.usable]
