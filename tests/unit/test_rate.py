"""Token buckets for ``--rpm`` and ``--tpm``, and the count of what got through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citefidelity.pacing.calls import CallEnd, Load
from citefidelity.pacing.rate import Bucket, RateLimit, Recent
from citefidelity.records import Usage

LOAD = Load(900, 100)


def departures(limit: RateLimit, seconds: float, load: Load = LOAD) -> list[float]:
    """When calls leave, if there is always one that wants to."""
    now, left = 0.0, []
    while now < seconds:
        wait = limit.wait(load, now)
        if wait:
            now += wait
        else:
            limit.take(load)
            left.append(now)
    return left


@pytest.mark.parametrize("rpm", [1, 3, 59, 60, 500, 10_000])
def test_requests_a_minute(rpm: int) -> None:
    """No 60 seconds hold more calls than allowed, and over time nearly all that are allowed are made."""
    left = departures(RateLimit(rpm, None, 0.0), 300.0)
    for first, over in zip(left, left[rpm:], strict=False):
        assert over - first >= 60 - 1e-6
    assert len(left) >= 0.97 * 5 * rpm


def test_tokens_a_minute() -> None:
    """Tokens flow at the rate allowed, as far as the estimate is right."""
    left = departures(RateLimit(None, 60_000, 0.0), 600.0)
    assert 0.97 * 600 <= len(left) <= 600 + 2


def test_larger_than_the_bucket() -> None:
    """A call that needs more than a minute allows leaves too, and those after it wait for longer."""
    limit = RateLimit(None, 600, 0.0)
    assert limit.wait(LOAD, 0.0) == 0
    limit.take(LOAD)
    assert 90 < limit.wait(LOAD, 0.0) < 105


def test_usage_corrects() -> None:
    """What a call was expected to use and did not is given back; what it used beyond is taken."""
    less, as_expected, more, silent = (RateLimit(None, 60_000, 0.0) for _ in range(4))
    for limit, usage in (
        (less, Usage(700, 0)),
        (as_expected, Usage(900, 100)),
        (more, Usage(1_900, 100)),
        (silent, Usage(900, None)),
    ):
        for _ in range(3):
            limit.take(LOAD)
        limit.correct(LOAD, CallEnd("success", usage=usage))
    waits = [limit.wait(LOAD, 0.0) for limit in (less, as_expected, more, silent)]
    assert waits[0] == pytest.approx(waits[1] - 0.3, abs=0.05)
    assert waits[2] == pytest.approx(waits[1] + 1.0, abs=0.05)
    assert waits[3] == waits[1]


@given(st.lists(st.floats(0.0, 10.0), max_size=50), st.floats(0.01, 1_000.0), st.floats(1.0, 100.0))
def test_wait_is_enough(gaps: list[float], rate: float, capacity: float) -> None:
    """Who has waited as long as told is let through, whatever happened before."""
    bucket, now = Bucket(rate, capacity, 0.0), 0.0
    for gap in gaps:
        now += gap
        wait = bucket.wait(1.0, now)
        assert bucket.wait(1.0, now + wait) == 0
        bucket.take(1.0)
        now += wait


def test_recent_counts_a_minute() -> None:
    """What got through is counted over the last minute, or the shorter time since the first call."""
    recent = Recent()
    recent.begin(1_000.0)
    for tenth in range(100):
        recent.add(1_000.0 + tenth / 10)
    assert recent.a_second(1_010.0) == pytest.approx(10, rel=0.01)
    assert recent.a_second(1_040.0) == pytest.approx(2.5, rel=0.01)
    assert recent.a_second(1_200.0) == 0
    assert not recent.whole_minute(1_059.9)
    assert recent.whole_minute(1_060.0)
