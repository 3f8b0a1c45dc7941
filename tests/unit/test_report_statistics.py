"""The statistics of a report, against their definitions and against values published with them."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citefidelity.reporting.statistics import Z_95, calibration_error, kappa, quantile, ratio, wilson
from citefidelity.reporting.words import decimal, of, percent, span

NAMES = st.sampled_from(["A", "B", "C"])


@pytest.mark.parametrize(
    ("hits", "of_all", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(hits: int, of_all: int, low: float, high: float) -> None:
    """Newcombe (Statistics in Medicine 1998, table I, method 3) gives these for Wilson's interval."""
    interval = wilson(hits, of_all)
    assert interval is not None
    assert interval == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 5_000), st.data())
def test_wilson_holds_the_shares_that_the_count_does_not_refute(of_all: int, data: st.DataObject) -> None:
    """Its ends solve |share - p| = z sqrt(p (1 - p) / n), its definition, and the share lies between them."""
    hits = data.draw(st.integers(0, of_all))
    interval = wilson(hits, of_all)
    assert interval is not None
    share = hits / of_all
    assert 0 <= interval[0] <= share <= interval[1] <= 1
    for end in interval:
        assert abs(share - end) == pytest.approx(Z_95 * math.sqrt(end * (1 - end) / of_all), abs=1e-9)


def test_there_is_no_interval_of_nothing() -> None:
    """No share, no interval, no mean: nothing is divided by zero."""
    assert (wilson(0, 0), ratio(0, 0), kappa({}), calibration_error([]), quantile({}, 0.5)) == (None,) * 5
    assert (percent(None), span(None), decimal(None)) == ("\N{EN DASH}",) * 3


def test_kappa_of_a_known_table() -> None:
    """Fleiss, Levin and Paik (Statistical Methods for Rates and Proportions, table 18.1) give 0.676 for this table."""
    table = [[75, 1, 4], [5, 4, 1], [0, 0, 10]]
    assert kappa({(str(i), str(j)): table[i][j] for i, j in product(range(3), repeat=2)}) == pytest.approx(
        0.676, abs=5e-4
    )


@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=40))
def test_kappa_by_its_definition(pairs: list[tuple[str, str]]) -> None:
    """Agreement beyond what two independent raters of the same habits would reach, over every pair of their choices."""
    total = len(pairs)
    observed = Fraction(sum(one == other for one, other in pairs), total)
    expected = Fraction(sum(one == other for (one, _), (_, other) in product(pairs, repeat=2)), total**2)
    found = kappa(Counter(pairs))
    if expected == 1:
        assert found is None
    else:
        assert found == pytest.approx(float((observed - expected) / (1 - expected)))


@given(st.lists(st.integers(0, 100), min_size=1, max_size=60), st.sampled_from([0.25, 0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_the_value_at_its_place(values: list[int], share: float) -> None:
    """The smallest of the values up to which that share of them lies."""
    ordered = sorted(values)
    expected = next(value for value in ordered if sum(other <= value for other in ordered) >= share * len(ordered))
    assert quantile(Counter(values), share) == expected


def test_numbers_in_words() -> None:
    """One decimal for shares, no sign for what rounds to nothing, a plural where there are several."""
    assert (percent(0.12345), span((0.1, 1.0)), decimal(-0.001), decimal(0.5, 3)) == (
        "12.3 %",
        "10.0 to 100.0 %",
        "0.00",
        "0.500",
    )
    assert (of(1, "context"), of(0, "context"), of(2_000, "box", "boxes")) == ("1 context", "0 contexts", "2,000 boxes")
