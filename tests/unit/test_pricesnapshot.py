"""Our arithmetic over the snapshot's prices, against the snapshot's own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

genai_prices = pytest.importorskip("genai_prices")

from citefidelity.prices.pricesnapshot import price_of  # noqa: E402 - it needs the package
from citefidelity.records import Usage  # noqa: E402 - as above

TIMES = [datetime(2026, month, 11, hour, 30, tzinfo=UTC) for month in (1, 8, 11) for hour in (0, 2, 5, 8, 17)]
SIZES = [(1_500, 900, 120), (250_000, 0, 50), (300_000, 299_000, 1)]
MODELS = [
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-5-mini"),
    ("deepseek", "deepseek-chat"),
    ("deepseek", "deepseek-flash"),
    ("deepseek", "deepseek-v4-pro"),
    ("mistral", "mistral-small-latest"),
    ("google", "gemini-2.5-pro"),
    ("groq", "llama-3.1-8b-instant"),
    ("x-ai", "grok-4"),
]


@pytest.mark.parametrize(("provider", "model"), MODELS)
def test_same_as_the_package(provider: str, model: str) -> None:
    """For usage of every size at every time of day, the cost is what the package itself makes of it."""
    price = price_of(model, provider, None)
    for at in TIMES:
        for fresh, cached, output in SIZES:
            usage = genai_prices.Usage(input_tokens=fresh, cache_read_tokens=cached, output_tokens=output)
            theirs = genai_prices.calc_price(usage, model, provider_id=provider, genai_request_timestamp=at)
            ours = price.cost(Usage(fresh, output, cached_tokens=cached), at.timestamp())
            assert ours == pytest.approx(float(theirs.total_price)), (at, fresh, cached, output)


def test_written_cache_is_billed() -> None:
    """Where a provider bills what it puts into its cache, input that was not in it is counted so: it is put there."""
    price = price_of("gpt-6-luna", "openai", None)
    usage = genai_prices.Usage(input_tokens=2_000, cache_write_tokens=2_000, output_tokens=100)
    theirs = genai_prices.calc_price(usage, "gpt-6-luna", provider_id="openai")
    assert price.cost(Usage(2_000, 100), TIMES[-1].timestamp()) == pytest.approx(float(theirs.total_price))


@pytest.mark.parametrize(
    ("provider", "model"), [("perplexity", "sonar"), ("perplexity", "sonar-deep-research"), ("openai", "nonsense")]
)
def test_no_price_rather_than_a_wrong_one(provider: str, model: str) -> None:
    """A model that is billed by more than its tokens has no price, as one that is not known."""
    with pytest.raises(LookupError):
        price_of(model, provider, None)


def test_every_chat_model_can_be_priced() -> None:
    """No price in the whole snapshot is of a shape that raises anything but LookupError."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - it needs the package

    known = 0
    for provider in get_snapshot().providers:
        for model in provider.models:
            try:
                price = price_of(model.id, provider.id, None)
            except LookupError:
                continue
            cost = price.cost(Usage(1_000, 100), TIMES[-1].timestamp())
            known += cost is not None and cost >= 0
    assert known > 1_000
