"""One run of one screening: agree on the spec, register the journal, work, and say where things stand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Protocol

import msgspec

from citefidelity.clock import iso
from citefidelity.conclude import Concluder, Style
from citefidelity.deadlines import Deadlines
from citefidelity.deliver import Deliverer
from citefidelity.engine import Engine, Limits, Parts, Why
from citefidelity.errors import StoreError, UsageError
from citefidelity.facts import Began, Stopped
from citefidelity.kinds import ProviderFault
from citefidelity.meter import Meter, Snapshot
from citefidelity.pacing.admission import Admission, Budget
from citefidelity.ports import Claim, Clock, Holder, Journal, JournalRow, Model, Price, ScreeningRow, Store, ToDo
from citefidelity.prompt import Prompter
from citefidelity.records import WHOLE, Partition
from citefidelity.replies.faults import REMEDIES
from citefidelity.specs.spec import Spec, builtin_spec, differences, resolve
from citefidelity.specs.spec_toml import SpecPart
from citefidelity.views.report import RunReport, Started

log = logging.getLogger(__name__)

Numbers = Callable[[], Snapshot]


class Observer(Protocol):
    """Shows a run while it goes on. It can neither slow nor break it: one that fails is reported once and dropped."""

    async def watch(self, started: Started, numbers: Numbers, stopping: Callable[[], bool]) -> None:
        """Show it until cancelled."""


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """How to ask, as far as it is no part of the spec."""

    concurrency: int = 100
    citation_workers: int = 200
    limit: int | None = None
    max_time: float | None = None
    max_attempts: int = 3
    timeout: float = 300.0
    grace: float = 20.0
    rpm: int | None = None
    tpm: int | None = None
    budget: Budget | None = None
    price: Price | None = None
    style: Style = "json_schema"
    include_classified: bool = False
    partition: Partition = WHOLE


def agree_on_spec(name: str, standing: Spec | None, file: SpecPart | None, flags: SpecPart) -> Spec:
    """The spec of this run: the screening's own, which flags may repeat but not change.

    Raises:
        UsageError: the flags differ from it; says in what, and the two ways on.
    """
    if standing is None:
        return resolve(builtin_spec(), file, flags)
    wanted = resolve(standing, file, flags)
    differing = differences(standing, wanted)
    if differing:
        lines = "\n".join(f"  {line}" for line in differing)
        raise UsageError(
            f"Screening '{name}' began with another spec, and a screening never changes its spec. "
            f"Nothing was asked. What differs:\n{lines}",
            "Leave these flags out to go on with it, or give another --screening NAME to begin one beside it.",
            kind="spec_differs",
        )
    return standing


def check_journal(rows: list[JournalRow], journal_id: str | None, partition: Partition, *, new_journal: bool) -> None:
    """Refuse to go on with a journal the store does not know while another holds what is not delivered yet.

    ``journal_id`` is None where there is no journal yet.

    Raises:
        StoreError: names the other journal's host and path.
    """
    if new_journal or any(row.journal_id == journal_id for row in rows):
        return
    for row in rows:
        if not row.finished and row.partition.overlaps(partition):
            raise StoreError(
                f"This screening has an unfinished journal elsewhere: {row.path} on {row.host}. It may hold answers "
                "that were paid for and are not in the store yet. Nothing was asked.",
                f"Run on {row.host} with --journal {row.path}, or bring that file here and name it with --journal; "
                "--new-journal goes on without it, and what it alone holds is asked and paid again.",
                kind="journal_elsewhere",
            )


class Screening:
    """One run, with everything it needs in hand: the store, the journal, the claim and the model."""

    def __init__(  # noqa: PLR0913 - a composition, called in one place
        self,
        *,
        name: str,
        spec: Spec,
        store: Store,
        journal: Journal,
        path: Path,
        model: Model,
        claim: Claim,
        clock: Clock,
        random: Random,
        holder: Holder,
        program: str,
        asking: Asking,
    ) -> None:
        self.name = name
        self.spec = spec
        self.run_id = holder.run
        self._store = store
        self._journal = journal
        self._path = path
        self._clock = clock
        self._holder = holder
        self._program = program
        self._asking = asking
        self.meter = Meter(clock.monotonic)
        self._admission = Admission(
            concurrency=asking.concurrency,
            now=clock.monotonic,
            random=random,
            rpm=asking.rpm,
            tpm=asking.tpm,
            budget=asking.budget,
        )
        self._deliverer = Deliverer(
            sink=store, journal=journal, meter=self.meter, clock=clock, screening=name, run=holder.run
        )
        prompter = Prompter(spec)
        concluder = Concluder(
            spec=spec,
            prompter=prompter,
            run=holder.run,
            screening=name,
            program=program,
            max_attempts=asking.max_attempts,
            style=asking.style,
            random=random,
            price=asking.price,
        )
        limits = Limits(
            concurrency=asking.concurrency,
            citation_workers=asking.citation_workers,
            citations=asking.limit,
            max_time=asking.max_time,
            grace=asking.grace,
        )
        self.engine = Engine(
            Parts(
                source=store,
                journal=journal,
                model=model,
                prompter=prompter,
                concluder=concluder,
                deliverer=self._deliverer,
                admission=self._admission,
                deadlines=Deadlines(asking.timeout, clock),
                claim=claim,
                meter=self.meter,
                clock=clock,
            ),
            limits,
        )
        self.why: Why = "complete"
        self.meter.gauges = lambda: (
            self._admission.in_flight,
            self._admission.allowed,
            0,
            self._deliverer.backlog,
        )

    async def begin(self) -> None:
        """Register the screening, the journal and the run, before anything is asked.

        Raises:
            UsageError: another run has begun this screening under another spec in the meantime.
        """
        now = self._clock.wall()
        row = ScreeningRow(
            name=self.name, spec=self.spec.to_json(), fingerprint=self.spec.fingerprint(), created_at=iso(now)
        )
        stands = await self._store.begin_screening(row)
        if stands.fingerprint != row.fingerprint:
            agree_on_spec(self.name, Spec.from_json(stands.spec), None, _as_part(self.spec))
        await self._enrol(finished=False)
        await self._journal.append(
            [
                Began(
                    run=self._holder.run,
                    screening=self.name,
                    spec=row.spec,
                    fingerprint=row.fingerprint,
                    program=self._program,
                    host=self._holder.host,
                    pid=self._holder.pid,
                    at=now,
                )
            ]
        )

    async def work(self, started: Started, observers: list[Observer]) -> Snapshot:
        """Run the engine to its end, with the observers beside it; the final numbers."""
        self.meter.to_do_at_start = started.to_do
        to_do = ToDo(
            screening=self.name,
            partition=self._asking.partition,
            include_classified=self._asking.include_classified,
        )
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(self._watched(observer, started)) for observer in observers]
            self.why = await self.engine.run(to_do)
            for task in watching:
                task.cancel()
        return self.meter.snapshot()

    async def _watched(self, observer: Observer, started: Started) -> None:
        try:
            await observer.watch(started, self.meter.snapshot, lambda: self.engine.stopped is not None)
        except Exception:
            log.exception("a view of the run failed and was dropped; the run goes on")

    async def end(self, *, undelivered: bool) -> None:
        """Note the end of the run, and whether the journal has anything left that the store does not have."""
        # Where the journal or the store is what failed, the report says so; there is nothing more to note then.
        with suppress(StoreError):
            await self._journal.append([Stopped(run=self._holder.run, why=self.why, at=self._clock.wall())])
            await self._enrol(finished=not undelivered)

    async def report(self, numbers: Snapshot, maybe_paid: int, total_cost: float | None) -> RunReport:
        """What this run did, and where the screening stands."""
        remaining = elsewhere = None
        error, halt = self.engine.error, self.engine.halt
        if len(numbers.answering_models) > 1:
            log.warning("more than one model has answered in this run: %s", ", ".join(numbers.answering_models))
        undeliverable = {*self.engine.unusable, *self._deliverer.undeliverable}
        try:
            counts = await self._store.counts(self.name, self._asking.partition)
            to_do = counts.to_do
            if self._asking.include_classified and self._asking.partition == WHOLE:
                # Of a part it is not known how many: those are counted over the whole store only.
                to_do += counts.done_elsewhere
            remaining, elsewhere = max(0, to_do - len(undeliverable)), counts.done_elsewhere
        except StoreError as away:
            error = error or away
            self.why = "interrupted" if self.why == "interrupted" else "store"
        hint = REMEDIES.get(ProviderFault(halt.kind)) if halt and halt.kind in set(ProviderFault) else None
        return RunReport(
            citations=numbers.citations,
            contexts=numbers.contexts,
            answered=numbers.answered,
            unassessable=numbers.unassessable,
            failed=numbers.failed,
            delivered=numbers.delivered,
            calls=numbers.calls,
            input_tokens=numbers.input_tokens,
            output_tokens=numbers.output_tokens,
            cached_tokens=numbers.cached_tokens,
            cost_usd=numbers.cost_usd,
            elapsed_s=round(numbers.elapsed_s, 3),
            stopped=self.why,
            run_id=self._holder.run,
            screening=self.name,
            remaining=remaining,
            undeliverable=len(undeliverable),
            maybe_paid=maybe_paid,
            total_cost_usd=total_cost,
            done_elsewhere=elsewhere,
            left=numbers.left,
            categories=numbers.categories,
            failures_by_kind=numbers.failures_by_kind,
            answering_models=numbers.answering_models,
            reason=error.message if error else halt.message if halt else None,
            hint=error.hint if error else hint,
        )

    async def _enrol(self, *, finished: bool) -> None:
        row = JournalRow(
            journal_id=self._journal.journal_id,
            host=self._holder.host,
            path=str(self._path),
            partition=self._asking.partition,
            finished=finished,
        )
        await self._store.enrol_journal(self.name, row)


def _as_part(spec: Spec) -> SpecPart:
    known = {name: getattr(spec, name) for name in SpecPart.__struct_fields__ if hasattr(spec, name)}
    return SpecPart(**known)
