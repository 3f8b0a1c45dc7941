"""The caps on money and tokens."""

from __future__ import annotations

import pytest

from citefidelity.pacing.budget import Budget
from citefidelity.pacing.calls import CallEnd, Load
from citefidelity.records import Usage

LOAD = Load(1_000, 500)


def price(load: Load) -> float:
    """One dollar for a thousand tokens in, two for a thousand out."""
    return load.input_tokens / 1_000 + load.output_tokens / 500


def paid(cost: float | None = 1.2, tokens: int = 1_100) -> CallEnd:
    """A call that was answered and billed."""
    return CallEnd("success", usage=Usage(tokens - 100, 100), cost_usd=cost, billed="yes")


def test_reservations_bound_the_cost() -> None:
    """No more calls fly than could all be paid if each cost the most it can."""
    budget = Budget(max_cost=7.0, price=price)
    assert [budget.reserve(LOAD) for _ in range(4)] == ["enough", "enough", "enough", "later"]


def test_settling_makes_room() -> None:
    """What a call did not use is free again for others."""
    budget = Budget(max_cost=5.0, price=price)
    budget.reserve(LOAD)
    budget.reserve(LOAD)
    assert budget.reserve(LOAD) == "later"
    budget.settle(LOAD, paid(1.0))
    budget.settle(LOAD, paid(1.0))
    assert budget.spent_cost == pytest.approx(2.0)
    assert budget.reserve(LOAD) == "enough"


def test_nothing_in_flight_could_free_enough() -> None:
    """The answer is a plain no as soon as even an end of all calls in flight without cost would not help."""
    budget = Budget(max_cost=5.0, spent_cost=2.5, price=price)
    assert budget.reserve(LOAD) == "enough"
    assert budget.reserve(LOAD) == "later"
    budget.settle(LOAD, paid(1.0))
    assert budget.reserve(LOAD) == "none"


def test_spent_before_counts() -> None:
    """Earlier runs of the screening have used the same budget."""
    assert Budget(max_cost=5.0, spent_cost=4.0, price=price).reserve(LOAD) == "none"
    assert Budget(max_tokens=10_000, spent_tokens=9_000).reserve(LOAD) == "none"


@pytest.mark.parametrize(
    ("end", "cost", "tokens"),
    [
        (paid(1.2), 1.2, 1_100),
        (paid(None), 2.0, 1_100),
        (CallEnd("success", billed="yes"), 2.0, 1_500),
        (CallEnd("success", usage=Usage(None, 100), cost_usd=0.5, billed="yes"), 0.5, 1_500),
        (CallEnd("fault", billed="unknown"), 2.0, 1_500),
        (CallEnd("fault", usage=Usage(10, 10), cost_usd=0.1, billed="unknown"), 2.0, 1_500),
        (CallEnd("push_back", billed="no"), 0.0, 0),
    ],
)
def test_what_counts_as_spent(end: CallEnd, cost: float, tokens: int) -> None:
    """A bill counts where it is known and nothing where there is none; what may have been paid counts in full."""
    budget = Budget(max_cost=100.0, max_tokens=100_000, price=price)
    budget.reserve(LOAD)
    budget.settle(LOAD, end)
    assert budget.spent_cost == pytest.approx(cost)
    assert budget.spent_tokens == tokens
    assert budget.reserved_cost == pytest.approx(0)
    assert budget.reserved_tokens == 0


def test_tokens() -> None:
    """The cap on tokens works by itself, without any price."""
    budget = Budget(max_tokens=3_000)
    assert [budget.reserve(LOAD) for _ in range(3)] == ["enough", "enough", "later"]


def test_cap_without_price() -> None:
    """A cap on the cost of calls that nobody can price is refused, not ignored."""
    with pytest.raises(ValueError, match="needs a price"):
        Budget(max_cost=5.0)
