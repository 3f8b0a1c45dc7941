"""From a price and the caps of a run to its budget."""

from __future__ import annotations

import pytest

from citefidelity.errors import UsageError
from citefidelity.pacing.calls import Load
from citefidelity.prices.pricing import Price, Rates, Tariff, flat
from citefidelity.prices.spending import budget_for

PRICE = flat(Rates(1_000.0, 2_000.0), "test")
LOAD = Load(1_000, 500)


def test_no_caps() -> None:
    """Without caps there is no budget to keep."""
    assert budget_for(model="m", price=PRICE, at=0.0, max_cost=None, max_tokens=None) is None


def test_caps() -> None:
    """Both caps hold, each with what was spent before."""
    budget = budget_for(model="m", price=PRICE, at=0.0, max_cost=10.0, max_tokens=None, spent_cost=7.0)
    assert budget is not None
    assert [budget.reserve(LOAD) for _ in range(2)] == ["enough", "later"]
    budget = budget_for(model="m", price=None, at=0.0, max_cost=None, max_tokens=4_000, spent_tokens=1_500)
    assert budget is not None
    assert [budget.reserve(LOAD) for _ in range(2)] == ["enough", "later"]


@pytest.mark.parametrize("price", [None, Price((Tariff(rates=Rates(1.0, 1.0), since=100.0),), "not yet")])
def test_cap_without_price(price: Price | None) -> None:
    """A cap on the cost is refused where no price is known, and the message names the two ways on."""
    with pytest.raises(UsageError) as caught:
        budget_for(model="some-model", price=price, at=0.0, max_cost=5.0, max_tokens=None)
    assert caught.value.kind == "unknown_price"
    assert "some-model" in caught.value.message
    assert "--price IN,OUT" in caught.value.hint
    assert "--max-tokens" in caught.value.hint
