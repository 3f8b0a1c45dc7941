"""Amounts as people read them."""

from __future__ import annotations

import pytest

from citefidelity.views.amounts import cost, cost_of_runs, duration, rate, short


@pytest.mark.parametrize(
    ("usd", "text"),
    [(None, "unknown"), (0.0, "$0.00"), (0.00123, "$0.0012"), (0.5, "$0.50"), (1234.567, "$1,234.57")],
)
def test_cost(usd: float | None, text: str) -> None:
    """Small amounts show their cents' parts, large ones do not, and an unknown price is never zero."""
    assert cost(usd) == text


def test_the_cost_of_runs_says_what_is_not_in_it() -> None:
    """Calls that were asked when no price was known stand beside the sum; where none ever was, it is unknown."""
    assert cost_of_runs(0.5, 0) == "$0.50"
    assert cost_of_runs(0.5, 1_200) == "$0.50, and 1,200 calls when no price was known"
    assert cost_of_runs(None, 12) == "unknown"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "?"),
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3_725, "1 h 02 min"),
        (90_000, "1 d 01 h"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    """Two units at most, rounded before they are divided."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("calls_per_s", "text"),
    [(0.0, "0.0 calls/s"), (0.05, "3.0 calls/min"), (1.0, "1.0 calls/s"), (860.4, "860.4 calls/s")],
)
def test_rate(calls_per_s: float, text: str) -> None:
    """A slow model still shows a number."""
    assert rate(calls_per_s) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1k"),
        (12_345, "12.3k"),
        (999_499, "999k"),
        (999_999, "1M"),
        (4_560_000, "4.56M"),
    ],
)
def test_short(number: int, text: str) -> None:
    """Three digits and a letter, and never a power of ten."""
    assert short(number) == text
