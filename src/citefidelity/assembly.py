"""A run put together from what it works with: admission, delivery and engine under the bounds that were asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec

from citefidelity.conclude import Concluder, Style
from citefidelity.deadlines import Deadlines
from citefidelity.deliver import BOUND, Deliverer
from citefidelity.engine import Engine
from citefidelity.engine_parts import Limits, Parts
from citefidelity.meter import Gauges, Meter
from citefidelity.pacing.admission import Admission, Budget
from citefidelity.ports import Claim, Clock, Holder, Journal, Model, Price, Store
from citefidelity.prompt import Prompter
from citefidelity.records import WHOLE, Partition
from citefidelity.specs.spec import Spec
from citefidelity.timed import TimedSink, TimedSource


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


class Hands(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one run works with.

    ``path`` is of the journal, ``program`` this one and its version, ``gauges`` what journal, store and machine tell.
    """

    name: str
    spec: Spec
    store: Store
    journal: Journal
    path: Path
    model: Model
    claim: Claim
    clock: Clock
    random: Random
    holder: Holder
    program: str
    gauges: Callable[[], Gauges] = Gauges


class Assembled(msgspec.Struct, frozen=True):
    """A run that is ready to work."""

    engine: Engine
    deliverer: Deliverer
    meter: Meter


def assemble(hands: Hands, asking: Asking) -> Assembled:
    """Put the engine together."""
    meter = Meter(hands.clock.monotonic)
    admission = Admission(
        concurrency=asking.concurrency,
        now=hands.clock.monotonic,
        random=hands.random,
        rpm=asking.rpm,
        tpm=asking.tpm,
        budget=asking.budget,
    )
    sink = TimedSink(hands.store, hands.clock.monotonic, meter.store_writes)
    deliverer = Deliverer(
        sink=sink,
        journal=hands.journal,
        meter=meter,
        clock=hands.clock,
        screening=hands.name,
        run=hands.holder.run,
    )
    meter.gauges = lambda: _gauges(hands, asking, admission, deliverer, sink)
    prompter = Prompter(hands.spec)
    parts = Parts(
        source=TimedSource(hands.store, hands.clock.monotonic, meter.store_reads),
        journal=hands.journal,
        model=hands.model,
        prompter=prompter,
        concluder=_concluder(hands, asking, prompter),
        deliverer=deliverer,
        admission=admission,
        deadlines=Deadlines(asking.timeout, hands.clock),
        claim=hands.claim,
        meter=meter,
        clock=hands.clock,
    )
    return Assembled(Engine(parts, _limits(asking)), deliverer, meter)


def _gauges(hands: Hands, asking: Asking, admission: Admission, deliverer: Deliverer, sink: TimedSink) -> Gauges:
    budget = asking.budget
    return msgspec.structs.replace(
        hands.gauges(),
        in_flight=admission.in_flight,
        allowed=admission.allowed,
        concurrency=asking.concurrency,
        pace_per_s=admission.pace,
        pause_s=admission.pause_seconds(),
        deliver_backlog=deliverer.backlog,
        deliver_bound=BOUND,
        store_wait_s=sink.wait_s,
        max_cost_usd=budget and budget.max_cost,
        max_tokens=budget and budget.max_tokens,
        spent_cost_usd=budget.spent_cost if budget and budget.max_cost is not None else None,
        spent_tokens=budget.spent_tokens if budget and budget.max_tokens is not None else None,
    )


def _concluder(hands: Hands, asking: Asking, prompter: Prompter) -> Concluder:
    return Concluder(
        spec=hands.spec,
        prompter=prompter,
        run=hands.holder.run,
        screening=hands.name,
        program=hands.program,
        max_attempts=asking.max_attempts,
        style=asking.style,
        random=hands.random,
        price=asking.price,
    )


def _limits(asking: Asking) -> Limits:
    return Limits(
        concurrency=asking.concurrency,
        citation_workers=asking.citation_workers,
        citations=asking.limit,
        max_time=asking.max_time,
        grace=asking.grace,
    )
