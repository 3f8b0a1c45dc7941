"""From a price and the caps of a run to the budget that keeps them."""

from __future__ import annotations

from citefidelity.errors import UsageError
from citefidelity.pacing.budget import Budget
from citefidelity.prices.pricing import Price


def budget_for(  # noqa: PLR0913 - the caps, and what counts towards them
    *,
    model: str,
    price: Price | None,
    at: float,
    max_cost: float | None,
    max_tokens: int | None,
    spent_cost: float = 0.0,
    spent_tokens: int = 0,
) -> Budget | None:
    """The budget of a run, None without caps.

    Args:
        model: for the message.
        price: of the model, None if nobody knows it.
        at: when the run begins, in seconds since the epoch.
        max_cost: cap on the cost of the screening in US dollars.
        max_tokens: cap on its tokens of input and output.
        spent_cost: what the screening has cost before this run, with what may have been paid.
        spent_tokens: the same in tokens.

    Raises:
        UsageError: there is a cap on the cost and no price to keep it by.
    """
    if max_cost is None and max_tokens is None:
        return None
    if max_cost is not None and (price is None or price.rates(at) is None):
        raise UsageError(
            f"--max-cost cannot be kept, because no price is known for {model}. Nothing was asked.",
            "Give it with --price IN,OUT in US dollars for a million tokens, or put a cap on tokens with --max-tokens. "
            "The extra `prices` (pip install 'citefidelity[prices]') knows the prices of most providers.",
            kind="unknown_price",
        )
    return Budget(max_cost, max_tokens, spent_cost, spent_tokens, price.bound(at) if price is not None else None)
