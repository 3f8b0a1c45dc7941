"""What a run would take: the very prompts, counted and priced, and none of them sent."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest

from citefidelity.estimate import ANSWER_TOKENS, Estimate, Recall, estimate
from citefidelity.facts import ContextPast, Past
from citefidelity.pacing.tokens import tokens_of
from citefidelity.ports import Found, Source, ToDo
from citefidelity.prices.pricing import Price, Rates, Tariff, flat
from citefidelity.prompt import Prompter, Rendered
from citefidelity.records import Citation, CitationKey, Unusable
from citefidelity.specs.spec import builtin_spec
from support.makers import make_citation, make_context, make_key, make_outcome

AT = datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp()
PROMPTER = Prompter(builtin_spec())
LIMIT = 500


class Pages:
    """A source that makes its citations as it goes."""

    def __init__(self, *found: Found, repeat: int = 1) -> None:
        self._found = found
        self._repeat = repeat

    async def pages(self, to_do: ToDo) -> AsyncIterator[Sequence[Found]]:
        """The same page, over and over."""
        assert to_do.screening == "main"
        for _ in range(self._repeat):
            yield self._found


def remember(citation: Citation, instance_id: str) -> Recall:
    """A journal that has the outcome of one context under its present input."""
    contexts = {context.instance_id: context for context in citation.contexts}
    rendered = PROMPTER.render(citation, contexts[instance_id])
    past = {citation.key: {(instance_id, rendered.input_hash): Past(outcome=make_outcome(instance_id))}}

    async def recall(screening: str, keys: Sequence[CitationKey]) -> dict[CitationKey, ContextPast]:
        assert screening == "main"
        return {key: past[key] for key in keys if key in past}

    return recall


async def take(
    source: Source, *, recall: Recall | None = None, price: Price | None = None, limit: int | None = None
) -> Estimate:
    """The estimate for a source."""
    return await estimate(
        source,
        recall,
        ToDo(screening="main"),
        prompter=PROMPTER,
        max_output_tokens=LIMIT,
        price=price,
        at=AT,
        limit=limit,
    )


async def test_counts_what_a_run_would_do() -> None:
    """Contexts with an outcome or without evidence cost nothing; what cannot be worked on is told apart."""
    mixed = make_citation(1, [make_context("1"), make_context("2", segments=[]), make_context("3")])
    found = await take(
        Pages(mixed, make_citation(2, 2), Unusable(make_key(3), "edge_doubled", "two edges")),
        recall=remember(mixed, "3"),
    )
    assert (found.citations, found.calls) == (2, 3)
    assert (found.answered, found.unassessable, found.undeliverable) == (1, 1, 1)


async def test_the_very_prompts() -> None:
    """Tokens are of the prompts that would be sent, and the sample is the first of them to the letter."""
    citation = make_citation(1, 2)
    found = await take(Pages(citation))
    rendered = [PROMPTER.render(citation, context) for context in citation.contexts]
    prompts = [one.variable for one in rendered if isinstance(one, Rendered)]
    assert found.input_tokens == 2 * tokens_of(PROMPTER.fixed) + sum(map(tokens_of, prompts))
    assert found.output_tokens == 2 * ANSWER_TOKENS
    assert found.output_tokens_at_most == 2 * LIMIT
    assert found.sample is not None
    assert (found.sample.fixed, found.sample.variable) == (PROMPTER.fixed, prompts[0])
    assert (found.sample.key, found.sample.instance_id) == (citation.key, "1")


async def test_limit() -> None:
    """A limit counts citations that have something to ask, as that of a run does; others come free."""
    nothing_to_ask = make_citation(1, [make_context("1", segments=[])])
    found = await take(Pages(nothing_to_ask, make_citation(2), nothing_to_ask, make_citation(3)), limit=1)
    assert (found.citations, found.calls, found.unassessable) == (1, 1, 2)


async def test_nothing_to_ask() -> None:
    """Nothing costs nothing, and has no sample."""
    found = await take(Pages(), price=flat(Rates(1.0, 2.0), "test"))
    assert (found.calls, found.input_tokens, found.sample) == (0, 0, None)
    assert [cost.cost_usd for cost in found.costs] == [0.0]


async def test_unknown_price() -> None:
    """Without a price there is no cost, rather than one of zero."""
    found = await take(Pages(make_citation()))
    assert (found.costs, found.price) == ((), None)


async def test_both_tariffs() -> None:
    """Where the price depends on the hour, there is a cost for each part of the day, the cheapest first."""
    cheap, dear = Rates(1.0, 2.0, 0.1), Rates(2.0, 4.0, 0.2)
    price = Price((Tariff(rates=dear), Tariff(rates=cheap, hours=(0, 6 * 3_600))), "test")
    found = await take(Pages(make_citation(1, 3)), price=price)
    night, day = found.costs
    assert (night.hours, day.hours) == ("00:00-06:00 UTC", "06:00-24:00 UTC")
    assert night.cost_usd == pytest.approx((found.input_tokens + 2 * found.output_tokens) / 1e6)
    assert day.cost_usd == pytest.approx(2 * night.cost_usd)
    saved = 2 * tokens_of(PROMPTER.fixed) * 0.9 / 1e6
    assert night.cost_usd_cached == pytest.approx(night.cost_usd - saved)
    assert found.price == "test"


async def test_memory_is_flat() -> None:
    """However many citations there are, none of them is kept."""
    page = [make_citation(number, 3) for number in range(20)]
    await take(Pages(*page))
    tracemalloc.start()
    try:
        found = await take(Pages(*page, repeat=50))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.calls == 3_000
    assert peak < 1_000_000
