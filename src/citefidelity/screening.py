"""One run of one screening: agree on the spec, register the journal, work, and say where things stand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from citefidelity.assembly import Asking, Hands, assemble
from citefidelity.clock import iso
from citefidelity.engine import Why
from citefidelity.errors import StoreError, UsageError
from citefidelity.facts import Began, Stopped
from citefidelity.kinds import ProviderFault
from citefidelity.meter import Snapshot
from citefidelity.ports import JournalRow, ScreeningRow, StoreCounts, ToDo
from citefidelity.records import WHOLE, CitationKey, Partition, Receipt, Unusable
from citefidelity.replies.faults import REMEDIES
from citefidelity.specs.spec import Spec, builtin_spec, differences, resolve
from citefidelity.specs.spec_toml import SpecPart
from citefidelity.views.advice import advice
from citefidelity.views.report import RunReport, Started, passed_over

log = logging.getLogger(__name__)

Numbers = Callable[[], Snapshot]


class Observer(Protocol):
    """Shows a run while it goes on. It can neither slow nor break it: one that fails is reported once and dropped."""

    async def watch(self, started: Started, numbers: Numbers, stopping: Callable[[], bool]) -> None:
        """Show it until cancelled."""


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
                f"Run on {row.host} with --journal {row.path}, or bring that file here and name it with --journal. "
                "Where it is lost, --new-journal goes on without it, and what it alone holds is asked and paid again.",
                kind="journal_elsewhere",
            )


class Screening:
    """One run, with everything it needs in hand: the store, the journal, the claim and the model."""

    def __init__(self, hands: Hands, asking: Asking) -> None:
        self.name = hands.name
        self.spec = hands.spec
        self.run_id = hands.holder.run
        self._hands = hands
        self._asking = asking
        assembled = assemble(hands, asking)
        self.engine, self._deliverer, self.meter = assembled.engine, assembled.deliverer, assembled.meter
        self.why: Why = "complete"
        self._final: Snapshot | None = None

    async def begin(self) -> None:
        """Register the screening, the journal and the run, before anything is asked.

        Raises:
            UsageError: another run has begun this screening under another spec in the meantime.
        """
        now = self._hands.clock.wall()
        row = ScreeningRow(
            name=self.name, spec=self.spec.to_json(), fingerprint=self.spec.fingerprint(), created_at=iso(now)
        )
        stands = await self._hands.store.begin_screening(row)
        if stands.fingerprint != row.fingerprint:
            agree_on_spec(self.name, Spec.from_json(stands.spec), None, _as_part(self.spec))
        await self._enrol(finished=False)
        await self._hands.journal.append(
            [
                Began(
                    run=self._hands.holder.run,
                    screening=self.name,
                    spec=row.spec,
                    fingerprint=row.fingerprint,
                    program=self._hands.program,
                    host=self._hands.holder.host,
                    pid=self._hands.holder.pid,
                    at=now,
                )
            ]
        )

    async def count(self) -> StoreCounts | StoreError | None:
        """Count the store; may go on while the run does, and raises nothing into it.

        Where the store refuses, that is returned: the run meets it by itself. None after a fault of ours.
        """
        try:
            counts = await self._hands.store.counts(self.name, self._asking.partition)
        except StoreError as error:
            return error
        except Exception:
            # As with a view: calls in flight are paid, and must not end for a number that is only shown.
            log.exception("the store could not be counted; the run goes on without")
            return None
        # What this run delivers before it is counted, the store counts as delivered; what comes after, as to do.
        self.meter.to_do_at_start = counts.to_do + min(self.meter.delivered, counts.delivered)
        return counts

    async def work(self, started: Started, observers: list[Observer], behind: CitationKey | None = None) -> Snapshot:
        """Run the engine to its end, with the observers beside it; the final numbers.

        ``behind`` is the hint of :class:`~citefidelity.ports.ToDo`.
        """
        to_do = ToDo(
            screening=self.name,
            partition=self._asking.partition,
            include_classified=self._asking.include_classified,
            behind=behind,
        )
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(self._watched(observer, started)) for observer in observers]
            self.why = await self.engine.run(to_do)
            # What the observers show last, and what the report says, are the same numbers.
            self._final = self.meter.snapshot()
            for task in watching:
                task.cancel()
        return self._final

    def numbers(self) -> Snapshot:
        """The numbers of this moment; once the engine has ended, those of its end."""
        return self._final or self.meter.snapshot()

    async def _watched(self, observer: Observer, started: Started) -> None:
        try:
            await observer.watch(started, self.numbers, lambda: self.engine.stopped is not None)
        except Exception:
            log.exception("a view of the run failed and was dropped; the run goes on")

    async def end(self, *, undelivered: bool) -> None:
        """Note the end of the run, and whether the journal has anything left that the store does not have."""
        # Where the journal or the store is what failed, the report says so; there is nothing more to note then.
        with suppress(StoreError):
            await self._hands.journal.append(
                [Stopped(run=self._hands.holder.run, why=self.why, at=self._hands.clock.wall())]
            )
            await self._enrol(finished=not undelivered)

    async def report(
        self, numbers: Snapshot, maybe_paid: int, total_cost: float | None, unpriced: int = 0
    ) -> RunReport:
        """What this run did, and where the screening stands."""
        remaining = elsewhere = None
        error, halt = self.engine.error, self.engine.halt
        if len(numbers.answering_models) > 1:
            log.warning("more than one model has answered in this run: %s", ", ".join(numbers.answering_models))
        undeliverable: dict[CitationKey, Unusable | Receipt] = dict(self.engine.unusable)
        undeliverable.update(self._deliverer.undeliverable)
        try:
            counts = await self._hands.store.counts(self.name, self._asking.partition)
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
            cost_usd=numbers.cost_usd if numbers.calls else 0.0,
            elapsed_s=round(numbers.elapsed_s, 3),
            stopped=self.why,
            run_id=self._hands.holder.run,
            screening=self.name,
            remaining=remaining,
            undeliverable=len(undeliverable),
            passed_over=passed_over(undeliverable),
            maybe_paid=maybe_paid,
            total_cost_usd=total_cost,
            unpriced=unpriced,
            done_elsewhere=elsewhere,
            left=numbers.left,
            categories=numbers.categories,
            failures_by_kind=numbers.failures_by_kind,
            answering_models=numbers.answering_models,
            retries=numbers.retries,
            pushbacks=numbers.pushbacks,
            latency_p50=numbers.latency_p50,
            latency_p95=numbers.latency_p95,
            latency_p99=numbers.latency_p99,
            memory_bytes=numbers.memory_bytes,
            advice=advice(numbers),
            reason=error.message if error else halt.message if halt else None,
            hint=error.hint if error else hint,
        )

    async def _enrol(self, *, finished: bool) -> None:
        row = JournalRow(
            journal_id=self._hands.journal.journal_id,
            host=self._hands.holder.host,
            path=str(self._hands.path),
            partition=self._asking.partition,
            finished=finished,
        )
        await self._hands.store.enrol_journal(self.name, row)


def _as_part(spec: Spec) -> SpecPart:
    known = {name: getattr(spec, name) for name in SpecPart.__struct_fields__ if hasattr(spec, name)}
    return SpecPart(**known)
