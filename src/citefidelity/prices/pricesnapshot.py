"""Prints the price of one model as JSON, from the snapshot in ``genai-prices``. A process of its own; not for import.

Ends with 1 and a last line on stderr that says why, where there is no price.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, date, datetime, time

import msgspec
from genai_prices import Usage, __version__, calc_price
from genai_prices.types import (
    ConditionalPrice,
    ModelPrice,
    PriceCalculation,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from citefidelity.prices.pricing import Price, Rates, Tariff

UNCOUNTED = ("requests_kcount", "output_reasoning_mtok", "output_citation_mtok")
"""Parts of a price that the usage we keep cannot tell: better no cost than a wrong one."""

WRITES_TO_CACHE = frozenset({"openai"})
"""Providers that put every long prompt into their cache, whether asked to or not, and bill that where it is priced."""


def price_of(model: str, provider: str | None, url: str | None) -> Price:
    """The price in the snapshot.

    Raises:
        LookupError: the snapshot does not know the model, or its price cannot be told from what is counted here.
    """
    usage = Usage(input_tokens=1, output_tokens=1)
    if provider is not None:
        found = calc_price(usage, model, provider_id=provider)
    else:
        found = calc_price(usage, model, provider_api_url=url)
    prices = found.model.prices
    conditional = [ConditionalPrice(prices=prices)] if isinstance(prices, ModelPrice) else prices
    tariffs = tuple(tariff for one in conditional for tariff in _tariffs(one, found))
    return Price(tariffs, f"genai-prices {__version__}: {found.provider.id}, {found.model.id}")


def _tariffs(conditional: ConditionalPrice, found: PriceCalculation) -> list[Tariff]:
    prices = conditional.prices
    if any(getattr(prices, part) is not None for part in UNCOUNTED):
        raise LookupError("it is billed by more than its tokens of input and output")
    parts = [prices.input_mtok, prices.output_mtok, prices.cache_read_mtok]
    if found.provider.id in WRITES_TO_CACHE and prices.cache_write_mtok is not None:
        parts[0] = prices.cache_write_mtok
    steps = {tier.start for part in parts if isinstance(part, TieredPrices) for tier in part.tiers}
    since, hours = _in_force(conditional)
    return [
        Tariff(rates=_rates([_at_step(part, above) for part in parts]), since=since, hours=hours, above=above)
        for above in (-1, *sorted(steps))
    ]


def _rates(amounts: list[float | None]) -> Rates:
    fresh, output, cached = amounts
    if fresh is None or output is None:
        raise LookupError("it has no price for both input and output")
    return Rates(fresh, output, cached)


def _at_step(part: object, above: int) -> float | None:
    """The amount for calls with more input tokens than ``above``."""
    if isinstance(part, TieredPrices):
        reached = [tier.price for tier in part.tiers if tier.start <= above]
        return float(reached[-1] if reached else part.base)
    return None if part is None else float(part)  # type: ignore[arg-type]  # what is no tier is a Decimal


def _in_force(conditional: ConditionalPrice) -> tuple[float, tuple[int, int] | None]:
    constraint = conditional.constraint
    match constraint:
        case None:
            return 0.0, None
        case StartDateConstraint():
            return datetime.combine(constraint.start_date, time(), UTC).timestamp(), None
        case TimeOfDateConstraint():
            return 0.0, (_second(constraint.start_time), _second(constraint.end_time))
    raise LookupError(f"its price has a condition of a new kind: {type(constraint).__name__}")


def _second(of_day: time) -> int:
    """Seconds since midnight in UTC; a time without a zone is in UTC."""
    zoned = of_day if of_day.tzinfo else of_day.replace(tzinfo=UTC)
    return int(datetime.combine(date(1970, 1, 2), zoned).timestamp()) % 86_400


def main() -> None:
    """Print the price asked for."""
    parser = argparse.ArgumentParser(prog="citefidelity.prices.pricesnapshot")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--provider")
    where.add_argument("--url")
    parser.add_argument("--model", required=True)
    asked = parser.parse_args()
    price = price_of(asked.model, asked.provider, asked.url)
    sys.stdout.buffer.write(msgspec.json.encode(price))


if __name__ == "__main__":
    main()
