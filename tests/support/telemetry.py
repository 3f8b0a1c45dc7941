"""A run in the middle of its work, with something to tell in every metric, and scrapes of it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from citefidelity.durations import Spread
from citefidelity.facts import Ended
from citefidelity.meter import Gauges, Meter, Snapshot
from citefidelity.records import Usage
from citefidelity.telemetry.prometheus import exposition
from citefidelity.telemetry.readings import Moment
from support.cli import started
from support.makers import make_failed, make_outcome, make_unassessable

GAUGES = Gauges(
    in_flight=97,
    allowed=98,
    concurrency=100,
    pace_per_s=12.5,
    pause_s=1.5,
    journal_backlog=7,
    journal_commit=Spread(p50=0.002, p95=0.004, earlier_p50=0.001),
    disk_free_bytes=5_000_000_000,
    deliver_backlog=40,
    deliver_bound=2_000,
    store_wait_s=45.0,
    pool_in_use=3,
    pool_size=10,
    memory_bytes=160_000_000,
    max_cost_usd=5.0,
    max_tokens=2_000_000,
    spent_cost_usd=1.25,
    spent_tokens=600_000,
)


def busy_numbers() -> Snapshot:
    """The numbers of a run of which nothing is unknown and nothing is zero."""
    now = iter(range(1_000))
    meter = Meter(lambda: float(next(now)))
    meter.gauges = lambda: GAUGES
    meter.to_do_at_start, meter.citations, meter.contexts, meter.delivered, meter.undeliverable = 500, 60, 80, 20, 2
    meter.retries, meter.pushbacks, meter.left = 6, 4, 3
    for number in range(30):
        usage = Usage(input_tokens=1_000, output_tokens=50, cached_tokens=600)
        fault = "server_error" if number % 10 == 0 else "key_rejected" if number == 5 else None
        meter.call_ended(
            Ended(
                attempt=number,
                at=0.0,
                seconds=0.3 * number,
                fault=fault,
                usage=usage,
                cost_usd=0.01,
                answering_model="m",
            )
        )
    for outcome in (make_outcome(), make_outcome(), make_failed(), make_unassessable()):
        meter.settled(outcome, ("addresses the model",))
    meter.store_writes.add(0.02)
    meter.store_reads.add(0.03)
    return meter.snapshot()


def busy_moment() -> Moment:
    """That run, on its way out."""
    return Moment(started(), busy_numbers(), stopping=True)


def scraped(moment: Moment | None = None) -> str:
    """What Prometheus gets of it."""
    return exposition("1.2.3", moment or busy_moment())[0].decode()


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def families_of(text: str) -> list[Metric]:
    """Every metric of a scrape, as Prometheus's own parser reads it."""
    return list(text_string_to_metric_families(text))


def samples_of(text: str) -> Samples:
    """Every sample of a scrape, by its name and labels, as Prometheus's own parser reads it."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families_of(text)
        for sample in family.samples
    }


def value_of(samples: Samples, name: str, labels: Mapping[str, str] | None = None) -> float:
    """One sample."""
    return samples[name, frozenset((labels or {}).items())]


def by_label(samples: Samples, name: str) -> dict[str, int]:
    """The samples of a metric with one label, by its value; those that are zero are left out."""
    return {
        next(iter(labels))[1]: int(value) for (metric, labels), value in samples.items() if metric == name and value
    }


def as_json(numbers: Snapshot) -> dict[str, object]:
    """The numbers as the status file has them."""
    found: dict[str, object] = msgspec.json.decode(msgspec.json.encode(numbers))
    return found
