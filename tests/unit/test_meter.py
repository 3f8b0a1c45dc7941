"""The numbers of a run: what is counted, and what is only asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from citefidelity.durations import KEPT, RECENT, Durations
from citefidelity.facts import Ended
from citefidelity.machine import free_bytes, memory_bytes
from citefidelity.meter import BUCKETS, ERROR_WINDOW, RECENT_CALLS, Gauges, Meter


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        """The time it shows."""
        return self.at


def ended(seconds: float = 1.0, fault: str | None = None, *, sent: bool = True) -> Ended:
    """An attempt that is over."""
    return Ended(attempt=1, at=0.0, seconds=seconds, fault=fault, sent=sent)


def test_what_is_asked_for_stands_beside_what_is_counted() -> None:
    """A snapshot has every gauge under its own name."""
    meter = Meter(Hand())
    meter.gauges = lambda: Gauges(in_flight=7, pool_in_use=2, pool_size=8, memory_bytes=90)
    taken = meter.snapshot()
    assert (taken.in_flight, taken.pool_in_use, taken.pool_size, taken.memory_bytes) == (7, 2, 8, 90)
    assert taken.disk_free_bytes is None


def test_latencies_are_counted_in_buckets_over_the_whole_run() -> None:
    """Buckets add up from the left, a bound belongs to its bucket, and the last one is every call that left."""
    meter = Meter(Hand())
    for seconds in (0.05, 0.1, 0.11, 7.0, 9_999.0):
        meter.call_ended(ended(seconds))
    meter.call_ended(ended(3.0, "connection", sent=False))
    taken = meter.snapshot()
    assert list(taken.latency_buckets) == list(BUCKETS)
    assert [taken.latency_buckets[bound] for bound in ("0.1", "0.25", "5.0", "10.0", "500.0", "+Inf")] == [
        2,
        3,
        3,
        4,
        4,
        5,
    ]
    assert taken.latency_buckets["+Inf"] == taken.calls == 5
    assert taken.latency_sum_s == pytest.approx(10_006.26)


def test_errors_are_those_of_the_last_attempts() -> None:
    """What went wrong long ago is forgotten; being told to slow down and our own giving up are no errors."""
    meter = Meter(Hand())
    for _ in range(ERROR_WINDOW):
        meter.call_ended(ended(fault="timeout"))
    assert meter.snapshot().error_rate == 1.0
    for number in range(ERROR_WINDOW):
        fault = {0: "server_error", 1: "rate_limited", 2: "abandoned"}.get(number % 10)
        meter.call_ended(ended(fault=fault))
    taken = meter.snapshot()
    assert (taken.recent_errors, taken.recent_calls, taken.error_rate) == (50, 500, 0.1)
    assert taken.faults_by_kind["timeout"] == ERROR_WINDOW


def test_the_rate_is_the_present_one() -> None:
    """A run that has become slow says so within a minute, however fast it once was."""
    clock = Hand()
    meter = Meter(clock)
    for _ in range(100):
        clock.at += 0.1
        meter.call_ended(ended())
    assert meter.snapshot().calls_per_s == pytest.approx(10.0)
    for _ in range(60):
        clock.at += 1.0
        meter.call_ended(ended())
    assert meter.snapshot().calls_per_s == pytest.approx(1.0, rel=0.05)


def test_the_rate_of_more_calls_than_are_kept() -> None:
    """A fast run has the rate of the calls kept, though they go back less than a minute."""
    clock = Hand()
    meter = Meter(clock)
    for _ in range(3 * RECENT_CALLS):
        clock.at += 0.001
        meter.call_ended(ended())
    assert meter.snapshot().calls_per_s == pytest.approx(1_000, rel=0.01)


def test_a_run_without_calls_has_zeros() -> None:
    """Nothing is divided by nothing."""
    taken = Meter(Hand()).snapshot()
    assert (taken.calls_per_s, taken.error_rate, taken.cached_share) == (0.0, 0.0, 0.0)
    assert (taken.latency_p50, taken.store_write, taken.store_read) == (None, None, None)


def test_durations_compare_the_present_with_what_was_before() -> None:
    """The last ones make the present; the median of those before them is told once there are enough."""
    durations = Durations()
    assert durations.spread() is None
    for _ in range(RECENT):
        durations.add(1.0)
    spread = durations.spread()
    assert spread is not None
    assert (spread.p50, spread.p95, spread.earlier_p50) == (1.0, 1.0, None)
    for _ in range(RECENT):
        durations.add(4.0)
    spread = durations.spread()
    assert spread is not None
    assert (spread.p50, spread.earlier_p50) == (4.0, 1.0)
    for _ in range(KEPT):
        durations.add(2.0)
    spread = durations.spread()
    assert spread is not None
    assert spread.earlier_p50 == 2.0


def test_memory_is_that_of_this_process() -> None:
    """Holding fifty megabytes more shows."""
    before = memory_bytes()
    held = bytearray(b"x") * 50_000_000
    assert memory_bytes() - before > 40_000_000
    del held


def test_room_on_the_disk(tmp_path: Path) -> None:
    """A directory that is there has room; one that is not is no reason to fail."""
    assert free_bytes(tmp_path)
    assert free_bytes(tmp_path / "none") is None
