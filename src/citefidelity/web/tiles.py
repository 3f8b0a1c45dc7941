"""The numbers of a run as the page *Run* shows them: what each is called, and how it is written. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from citefidelity.durations import Spread
from citefidelity.meter import Snapshot
from citefidelity.views.amounts import cost, duration, percent, rate, short, size, times, wait
from citefidelity.views.painters import caps_of


class Tile(NamedTuple):
    """One number. ``key`` is its name in ``status --json``, below ``live.numbers``."""

    key: str
    name: str
    value: Callable[[Snapshot], str]
    note: Callable[[Snapshot], str]


def _nothing(_: Snapshot) -> str:
    return ""


def _citations(numbers: Snapshot) -> str:
    of = f" of {numbers.to_do_at_start:,}" if numbers.to_do_at_start is not None else ""
    return f"{numbers.delivered:,}{of}"


def _time_left(numbers: Snapshot) -> str:
    left = f", about {duration(numbers.time_left_s)} left" if numbers.time_left_s else ""
    return f"after {duration(numbers.elapsed_s)}{left}"


def _contexts(numbers: Snapshot) -> str:
    parts = [
        f"{numbers.answered:,} verdicts",
        *([f"{numbers.unassessable:,} without evidence"] if numbers.unassessable else []),
        *([f"{numbers.failed:,} failed"] if numbers.failed else []),
        *([f"{numbers.left:,} left for the next run"] if numbers.left else []),
        *([f"{numbers.flagged:,} flagged"] if numbers.flagged else []),
    ]
    return ", ".join(parts)


def _in_flight(numbers: Snapshot) -> str:
    return f"{numbers.in_flight:,} of {numbers.allowed:,}"


def _throttled(numbers: Snapshot) -> str:
    if numbers.pause_s > 0:
        return f"no call leaves for {duration(numbers.pause_s)}"
    return f"of {numbers.concurrency:,} asked for" if numbers.allowed < numbers.concurrency else ""


def _paced(numbers: Snapshot) -> str:
    kept_to = f", kept to {rate(numbers.pace_per_s)}" if numbers.pace_per_s is not None else ""
    return f"{rate(numbers.calls_per_s)}{kept_to}"


def _latency(numbers: Snapshot) -> str:
    return "?" if numbers.latency_p50 is None else f"{numbers.latency_p50:.2f} s"


def _slowest(numbers: Snapshot) -> str:
    if numbers.latency_p95 is None or numbers.latency_p99 is None:
        return ""
    return f"p95 {numbers.latency_p95:.2f} s, p99 {numbers.latency_p99:.2f} s"


def _errors(numbers: Snapshot) -> str:
    return percent(numbers.error_rate)


def _of_recent(numbers: Snapshot) -> str:
    return f"{numbers.recent_errors:,} of the last {numbers.recent_calls:,} calls"


def _cached(numbers: Snapshot) -> str:
    share = f"{percent(numbers.cached_share)} cached, " if numbers.input_tokens else ""
    return f"{share}{short(numbers.output_tokens)} out"


def _budget(numbers: Snapshot) -> str:
    return next(iter(caps_of(numbers)), "no cap")


def _queue(numbers: Snapshot) -> str:
    of = f" of {numbers.deliver_bound:,}" if numbers.deliver_bound else ""
    return f"{numbers.deliver_backlog:,}{of}"


def _pool(numbers: Snapshot) -> str:
    return "none" if numbers.pool_size is None else f"{numbers.pool_in_use or 0:,} of {numbers.pool_size:,}"


def _spread(verb: str, spread: Spread | None) -> str:
    return "" if spread is None else f"{verb} {wait(spread.p50)}, p95 {wait(spread.p95)}"


TILES = (
    Tile("delivered", "citations delivered", _citations, _time_left),
    Tile("contexts_done", "contexts done", lambda numbers: f"{numbers.contexts_done:,}", _contexts),
    Tile("calls", "calls", lambda numbers: f"{numbers.calls:,}", _paced),
    Tile("in_flight", "calls in flight", _in_flight, _throttled),
    Tile("latency_p50", "half of the calls within", _latency, _slowest),
    Tile("recent_errors", "errors lately", _errors, _of_recent),
    Tile(
        "retries",
        "asked again",
        lambda numbers: f"{numbers.retries:,}",
        lambda numbers: f"told to slow down {times(numbers.pushbacks)}",
    ),
    Tile("input_tokens", "tokens in", lambda numbers: short(numbers.input_tokens), _cached),
    Tile("cost_usd", "cost of this run", lambda numbers: cost(numbers.cost_usd), _budget),
    Tile(
        "journal_backlog",
        "facts waiting for the journal",
        lambda numbers: f"{numbers.journal_backlog:,}",
        lambda numbers: _spread("a commit takes", numbers.journal_commit),
    ),
    Tile(
        "deliver_backlog",
        "citations waiting for the store",
        _queue,
        lambda numbers: _spread("a delivery takes", numbers.store_write),
    ),
    Tile(
        "pool_in_use",
        "store connections in use",
        _pool,
        lambda numbers: _spread("a page is waited for", numbers.store_read),
    ),
    Tile(
        "memory_bytes",
        "memory of the run",
        lambda numbers: "?" if numbers.memory_bytes is None else size(numbers.memory_bytes),
        _nothing,
    ),
    Tile(
        "disk_free_bytes",
        "free on the journal's disk",
        lambda numbers: "?" if numbers.disk_free_bytes is None else size(numbers.disk_free_bytes),
        _nothing,
    ),
)
"""Everything that the terminal shows, in its order."""
