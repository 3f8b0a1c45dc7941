"""What a metric is, and how it is read off a run's numbers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple

from citefidelity.durations import Spread
from citefidelity.kinds import FailureKind, ProviderFault
from citefidelity.meter import Snapshot
from citefidelity.views.advice import advice
from citefidelity.views.report import Started

Kind = Literal["counter", "gauge", "histogram", "info"]
Values = Mapping[tuple[str, ...], float]
"""By the values of the labels, in their order; empty where there is nothing to tell."""

FAILURES = tuple(kind.value for kind in FailureKind if kind is not FailureKind.NO_EVIDENCE)
FAULTS = (*FAILURES, *(kind.value for kind in ProviderFault))


class Moment(NamedTuple):
    """A run at one moment."""

    started: Started
    numbers: Snapshot
    stopping: bool


class Family(NamedTuple):
    """One metric.

    ``unit`` is the base unit that its name ends in, before ``_total``. A histogram reads its cumulative buckets, by
    their upper bounds, and ``total`` is the sum of all its values.
    """

    name: str
    kind: Kind
    meaning: str
    read: Callable[[Moment], Values]
    labels: tuple[str, ...] = ()
    unit: str = ""
    total: Callable[[Moment], float] | None = None


def one(get: Callable[[Snapshot], float | None]) -> Callable[[Moment], Values]:
    """One number; nothing where there is none."""

    def read(moment: Moment) -> Values:
        value = get(moment.numbers)
        return {} if value is None else {(): float(value)}

    return read


def counts(get: Callable[[Snapshot], Mapping[str, int]], known: Iterable[str] = ()) -> Callable[[Moment], Values]:
    """A number for each word. Those of a closed table are there from the start, so that a first one shows as a rise."""
    table = dict.fromkeys(known, 0)
    return lambda moment: {(word,): float(count) for word, count in (table | dict(get(moment.numbers))).items()}


def spread_of(get: Callable[[Snapshot], Spread | None]) -> Callable[[Moment], Values]:
    """How long the last ones took."""

    def read(moment: Moment) -> Values:
        spread = get(moment.numbers)
        return {} if spread is None else {("50",): spread.p50, ("95",): spread.p95}

    return read


def latencies(moment: Moment) -> Values:
    """The percentiles of the last calls."""
    numbers = moment.numbers
    found = {"50": numbers.latency_p50, "95": numbers.latency_p95, "99": numbers.latency_p99}
    return {(percentile,): seconds for percentile, seconds in found.items() if seconds is not None}


def latency_buckets(moment: Moment) -> Values:
    """How many calls took at most so long, over the whole run."""
    return {(bound,): float(count) for bound, count in moment.numbers.latency_buckets.items()}


def standing_advice(moment: Moment) -> Values:
    """What there is to look to at this moment."""
    return {(said.code, said.level): 1.0 for said in advice(moment.numbers)}


def run_info(moment: Moment) -> Values:
    """Which run it is, in labels."""
    started = moment.started
    return {(started.run_id, started.screening, started.provider, started.model): 1.0}
