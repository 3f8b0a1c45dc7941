"""Prices, tariffs and costs."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citefidelity.pacing.calls import Load
from citefidelity.prices.pricing import DAY_S, Price, Rates, Tariff, flat
from citefidelity.records import Usage

CHEAP, DEAR = Rates(1.0, 10.0, 0.1), Rates(2.0, 20.0, 0.2)
MILLION = 1_000_000


def at(text: str) -> float:
    """Seconds since the epoch, from a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


TWO_TARIFFS = Price(
    (
        Tariff(rates=CHEAP),
        Tariff(rates=DEAR, hours=(1 * 3_600, 4 * 3_600)),
        Tariff(rates=DEAR, hours=(6 * 3_600, 10 * 3_600)),
    ),
    "test",
)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(MILLION, 0), 1.0),
        (Usage(0, MILLION), 10.0),
        (Usage(MILLION, 0, cached_tokens=MILLION), 0.1),
        (Usage(MILLION, MILLION, cached_tokens=MILLION // 2), 0.5 + 0.05 + 10),
        (Usage(100, 0, cached_tokens=200), 100 * 0.1 / MILLION),
        (Usage(100, 0, cached_tokens=-5), 100 / MILLION),
        (Usage(0, 0), 0.0),
    ],
)
def test_cost(usage: Usage, cost: float) -> None:
    """Input, output and cached input have their own rates; cached input is a part of the input."""
    assert flat(CHEAP, "test").cost(usage, at("2026-11-01")) == pytest.approx(cost)


@pytest.mark.parametrize(
    "usage",
    [Usage(), Usage(100, None), Usage(None, 100), Usage(-1, 100), Usage(10**400, 1), Usage(1, 10**400)],
)
def test_cost_that_cannot_be_told(usage: Usage) -> None:
    """What the provider did not report, or what is nonsense, has no cost, and is no error."""
    assert flat(CHEAP, "test").cost(usage, at("2026-11-01")) is None


def test_cached_input_without_a_rate() -> None:
    """Where no rate for cached input is known, it costs what input costs."""
    price = flat(Rates(1.0, 10.0), "test")
    assert price.cost(Usage(MILLION, 0, cached_tokens=MILLION), 0.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("clock", "rates"),
    [("00:59:59", CHEAP), ("01:00", DEAR), ("03:59:59", DEAR), ("04:00", CHEAP), ("06:00", DEAR), ("10:00", CHEAP)],
)
def test_time_of_day(clock: str, rates: Rates) -> None:
    """A tariff for certain hours holds from the first second of them to before the last."""
    assert TWO_TARIFFS.rates(at(f"2026-11-01T{clock}")) == rates


@pytest.mark.parametrize(("clock", "rates"), [("23:00", DEAR), ("02:00", DEAR), ("05:00", CHEAP), ("12:00", CHEAP)])
def test_hours_over_midnight(clock: str, rates: Rates) -> None:
    """Hours may span midnight."""
    price = Price((Tariff(rates=CHEAP), Tariff(rates=DEAR, hours=(22 * 3_600, 5 * 3_600))), "test")
    assert price.rates(at(f"2026-11-01T{clock}")) == rates


def test_since() -> None:
    """A new price holds from its day on; what was asked before keeps the old one."""
    price = Price((Tariff(rates=CHEAP), Tariff(rates=DEAR, since=at("2026-11-01"))), "test")
    assert price.rates(at("2026-10-31T23:59:59")) == CHEAP
    assert price.rates(at("2026-11-01")) == DEAR


def test_no_tariff_yet() -> None:
    """Before its first tariff begins a price is unknown, and what it may come to has no bound."""
    price = Price((Tariff(rates=DEAR, since=at("2030-01-01")),), "test")
    assert price.cost(Usage(1, 1), at("2026-11-01")) is None
    assert price.upper_bound(Load(1, 1), at("2026-11-01")) == float("inf")


def test_large_calls() -> None:
    """Beyond a size, all tokens of the call are dearer."""
    price = Price((Tariff(rates=CHEAP), Tariff(rates=DEAR, above=1_000)), "test")
    assert price.cost(Usage(1_000, 0), 0.0) == pytest.approx(1_000 / MILLION)
    assert price.cost(Usage(1_001, 0), 0.0) == pytest.approx(2_002 / MILLION)
    bound = price.bound(0.0)
    assert bound(Load(1_000, 0)) == pytest.approx(1_000 / MILLION)
    assert bound(Load(1_001, 0)) == pytest.approx(2_002 / MILLION)


def test_bound_is_of_the_dearest_hour() -> None:
    """A call may end in dearer hours than it began in, so the bound is the same all day."""
    load = Load(MILLION, MILLION)
    for clock in ("00:30", "02:00", "05:00", "12:00"):
        assert TWO_TARIFFS.upper_bound(load, at(f"2026-11-01T{clock}")) == pytest.approx(22.0)


def test_bound_sees_a_month_ahead() -> None:
    """A price that rises within the month counts already, and one that has fallen does not any more."""
    price = Price((Tariff(rates=DEAR), Tariff(rates=CHEAP, since=at("2026-11-01"))), "test")
    assert price.upper_bound(Load(MILLION, 0), at("2026-11-02")) == pytest.approx(1.0)
    price = Price((Tariff(rates=CHEAP), Tariff(rates=DEAR, since=at("2026-11-20"))), "test")
    assert price.upper_bound(Load(MILLION, 0), at("2026-11-02")) == pytest.approx(2.0)
    assert price.upper_bound(Load(MILLION, 0), at("2026-09-02")) == pytest.approx(1.0)


def test_bound_ignores_the_cache() -> None:
    """Nobody promises that a prompt is in the cache."""
    assert flat(CHEAP, "test").upper_bound(Load(MILLION, 0), 0.0) == pytest.approx(1.0)


rates = st.builds(Rates, st.floats(0, 100), st.floats(0, 100), st.none() | st.floats(0, 100))
hours = st.none() | st.tuples(st.integers(0, DAY_S - 1), st.integers(0, DAY_S - 1))
tariffs = st.builds(
    Tariff, rates=rates, since=st.floats(0, 100 * DAY_S), hours=hours, above=st.sampled_from([-1, 100, 5_000])
)


@given(st.lists(tariffs, max_size=5), st.floats(0, 100 * DAY_S), st.floats(0, 30 * DAY_S), st.data())
def test_bound_bounds(several: list[Tariff], began: float, later: float, data: st.DataObject) -> None:
    """No call costs more than its bound, whatever the tariffs, the hour, the cache and the size."""
    price = Price((Tariff(rates=Rates(1.0, 2.0)), *several), "test")
    load = Load(data.draw(st.integers(0, 10_000)), data.draw(st.integers(0, 1_000)))
    used = Usage(
        load.input_tokens,
        data.draw(st.integers(0, load.output_tokens)),
        cached_tokens=data.draw(st.none() | st.integers(0, load.input_tokens)),
    )
    cost = price.cost(used, began + later)
    assert cost is not None
    assert cost <= price.upper_bound(load, began) * (1 + 1e-12)


def test_periods() -> None:
    """The parts of the day are told in words, the cheapest first; one tariff is not told at all."""
    periods = TWO_TARIFFS.periods(at("2026-11-01T12:00"))
    assert [(period.rates, period.hours) for period in periods] == [
        (CHEAP, "00:00-01:00, 04:00-06:00, 10:00-24:00 UTC"),
        (DEAR, "01:00-04:00, 06:00-10:00 UTC"),
    ]
    assert [period.hours for period in flat(CHEAP, "test").periods(0.0)] == [""]


def test_speed() -> None:
    """A cost and a bound take microseconds."""
    bound, now = TWO_TARIFFS.bound(at("2026-11-01")), at("2026-11-01")
    best = float("inf")
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(500):
            TWO_TARIFFS.cost(Usage(1_000, 100, cached_tokens=800), now)
            bound(Load(1_000, 100))
        best = min(best, (time.perf_counter() - began) / 500)
    # Measured at 2.5 microseconds; the margin is for a machine that does other things at the same time.
    assert best < 25e-6
