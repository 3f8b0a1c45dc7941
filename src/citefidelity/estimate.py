"""What a run would take: counts the very prompts that it would send, and sends none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from citefidelity.conclude import LARGER
from citefidelity.facts import ContextPast
from citefidelity.opening import open_citation
from citefidelity.pacing.calls import Load
from citefidelity.pacing.tokens import RULE, tokens_of
from citefidelity.ports import Source, ToDo
from citefidelity.prices.pricing import Price
from citefidelity.prompt import Prompter, Rendered
from citefidelity.records import Citation, CitationKey

ANSWER_TOKENS = 200
"""Of one answer: four fields, with a justification of the length that is asked for at most."""

Recall = Callable[[str, Sequence[CitationKey]], Awaitable[dict[CitationKey, ContextPast]]]
"""As :meth:`citefidelity.ports.Journal.recall`."""


class Sample(msgspec.Struct, frozen=True):
    """The first prompt that would be sent, exactly as it would be."""

    key: CitationKey
    instance_id: str
    fixed: str
    variable: str


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars if all calls are made in these hours (UTC; empty: at any time).

    ``cost_usd_cached``: the same if the provider serves the part that all prompts share from its cache.
    """

    hours: str
    cost_usd: float
    cost_usd_cached: float


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would take, if every call is answered at once.

    ``citations`` have something to ask, and ``calls`` is one for each of their contexts that needs one. Of the other
    contexts, ``answered`` have an outcome in the journal that counts, ``unassessable`` have no evidence: neither costs
    anything. ``undeliverable`` are citations that cannot be worked on. ``output_tokens_at_most`` is what the token
    limit of the calls allows. ``costs`` is empty where no price is known, and has the cheapest hours first.
    """

    citations: int
    calls: int
    answered: int
    unassessable: int
    undeliverable: int
    input_tokens: int
    output_tokens: int
    output_tokens_at_most: int
    tokens_rule: str
    costs: tuple[Cost, ...]
    price: str | None
    sample: Sample | None


class _Count:
    """The sums so far; all that is kept of the texts is one sample."""

    def __init__(self, prompter: Prompter, max_output_tokens: int, limit: int | None) -> None:
        self.prompter = prompter
        self.limit = limit
        self.max_output_tokens = max_output_tokens
        self.fixed_tokens = tokens_of(prompter.fixed)
        self.citations = self.calls = self.answered = self.unassessable = self.undeliverable = 0
        self.input_tokens = 0
        self.sample: Sample | None = None

    def load(self, rendered: Rendered, truncated: int) -> Load:
        """What one call would use; more after an answer that was truncated."""
        larger = LARGER if truncated else 1
        return Load(self.fixed_tokens + tokens_of(rendered.variable), self.max_output_tokens * larger)

    def take(self, citation: Citation, past: ContextPast) -> bool:
        """Count one citation, opened as a run opens it; False when the limit forbids it."""
        _, jobs, without_evidence = open_citation(citation, past, self.prompter, self.load)
        if jobs and self.citations == self.limit:
            return False
        self.citations += bool(jobs)
        self.calls += len(jobs)
        self.unassessable += len(without_evidence)
        self.answered += len(citation.contexts) - len(jobs) - len(without_evidence)
        self.input_tokens += sum(job.load.input_tokens for job in jobs)
        if jobs and self.sample is None:
            self.sample = Sample(citation.key, jobs[0].instance_id, self.prompter.fixed, jobs[0].rendered.variable)
        return True

    @property
    def output_tokens(self) -> int:
        """Of all answers, as long as they usually are."""
        return self.calls * min(ANSWER_TOKENS, self.max_output_tokens)

    def costs(self, price: Price, at: float) -> tuple[Cost, ...]:
        """In each part of the day that has a price of its own."""
        shared = self.fixed_tokens * max(0, self.calls - 1)
        return tuple(
            Cost(
                hours=period.hours,
                cost_usd=period.rates.cost(self.input_tokens, 0, self.output_tokens),
                cost_usd_cached=period.rates.cost(self.input_tokens, shared, self.output_tokens),
            )
            for period in price.periods(at)
        )


async def estimate(  # noqa: PLR0913 - what a run is made of
    source: Source,
    recall: Recall | None,
    to_do: ToDo,
    *,
    prompter: Prompter,
    max_output_tokens: int,
    price: Price | None,
    at: float,
    limit: int | None = None,
) -> Estimate:
    """Count what a run would ask. Reads the source once, in pages, and keeps none of it.

    Args:
        source: yields what is to do.
        recall: what the journal knows; None where there is none yet.
        to_do: as the run would have it.
        prompter: renders the prompts.
        max_output_tokens: the token limit of one answer.
        price: of the model, None if nobody knows it.
        at: the time of the run, in seconds since the epoch.
        limit: citations with something to ask, at most.
    """
    count = _Count(prompter, max_output_tokens, limit)
    async for page in source.pages(to_do):
        keys = [found.key for found in page if isinstance(found, Citation)]
        past = await recall(to_do.screening, keys) if recall is not None and keys else {}
        for found in page:
            if not isinstance(found, Citation):
                count.undeliverable += 1
            elif not count.take(found, past.get(found.key, {})):
                return _total(count, price, at)
    return _total(count, price, at)


def _total(count: _Count, price: Price | None, at: float) -> Estimate:
    return Estimate(
        citations=count.citations,
        calls=count.calls,
        answered=count.answered,
        unassessable=count.unassessable,
        undeliverable=count.undeliverable,
        input_tokens=count.input_tokens,
        output_tokens=count.output_tokens,
        output_tokens_at_most=count.calls * count.max_output_tokens,
        tokens_rule=RULE,
        costs=count.costs(price, at) if price is not None else (),
        price=price.source if price is not None else None,
        sample=count.sample,
    )
