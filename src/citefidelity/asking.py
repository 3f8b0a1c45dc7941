"""How a run asks: the model and where it is, its price, and the bounds on calls, tokens and money."""

from __future__ import annotations

import os
import resource
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from citefidelity.assembly import Asking
from citefidelity.config.addresses import is_this_machine
from citefidelity.config.base_url import LOOPBACK
from citefidelity.config.settings import Settings
from citefidelity.errors import UsageError
from citefidelity.journal import Totals
from citefidelity.models.presets import Preset, preset_for
from citefidelity.pacing.admission import Load
from citefidelity.pacing.budget import Budget
from citefidelity.ports import Model
from citefidelity.prices.pricelists import parse_price, price_of, user_price_list
from citefidelity.prices.pricing import Price
from citefidelity.prices.spending import budget_for
from citefidelity.specs.spec import DEFAULT_BASE_URLS, Spec

if TYPE_CHECKING:
    from citefidelity.models.chat import ChatModel

FILES_BESIDE_CALLS = 128
"""Open files beside one connection a call: the store, the journal, the standard streams, libraries."""

USUAL_INPUT_TOKENS = 4_000
"""Of a call that nobody knows the size of, to be on the safe side of a cap."""


@asynccontextmanager
async def model_for(settings: Settings, spec: Spec, spent: Totals, at: float) -> AsyncIterator[tuple[Model, Asking]]:
    """The model of this spec, ready to be asked, and how to ask it.

    Args:
        settings: of the run.
        spec: of the screening.
        spent: what the screening has used before.
        at: when the run begins, in seconds since the epoch.

    Raises:
        UsageError: it is not said where the model is, its key is not set, or a cap on the cost cannot be kept.
    """
    price = await price_for(settings, spec)
    budget = _budget(settings, spec, price, spent, at)
    async with chat_for(settings, spec) as (model, preset):
        yield (
            model,
            Asking(
                concurrency=settings.concurrency,
                citation_workers=settings.citation_workers,
                limit=settings.limit,
                max_time=settings.max_time,
                max_attempts=settings.max_attempts,
                timeout=settings.timeout or preset.timeout,
                grace=settings.grace,
                rpm=settings.rpm,
                tpm=settings.tpm,
                budget=budget,
                price=price,
                style=preset.style,
                include_classified=settings.include_classified,
                partition=settings.partition,
            ),
        )


@asynccontextmanager
async def chat_for(settings: Settings, spec: Spec) -> AsyncIterator[tuple[ChatModel, Preset]]:
    """The model of this spec over HTTP, with the preset of its provider; a local server is started for it.

    Raises:
        UsageError: it is not said where the model is, or its key is not set.
    """
    # Slow to load, and only what asks needs it.
    from citefidelity.models.chat import ChatModel  # noqa: PLC0415 - as said
    from citefidelity.models.route import Network  # noqa: PLC0415 - as said

    preset = preset_for(spec.provider, settings.base_url_for(spec.provider) or _kept_base_url(spec), spec.model)
    async with AsyncExitStack() as stack:
        base_url = preset.base_url
        if spec.provider == "local":
            from citefidelity.models.local import local_server  # noqa: PLC0415 - an extra

            base_url = await stack.enter_async_context(local_server())
        if base_url is None or (spec.base_url == LOOPBACK) != is_this_machine(urlsplit(base_url).hostname or ""):
            raise UsageError(
                f"Screening '{settings.screening}' asks a server on this machine, and it is not said where.",
                "Name it with --base-url, such as http://localhost:8000/v1.",
                kind="no_base_url",
            )
        model = ChatModel(
            base_url,
            spec.model,
            api_key=settings.require_api_key(spec.provider, urlsplit(base_url).hostname or ""),
            temperature=spec.temperature if preset.takes_temperature else None,
            extra_body=preset.extra_body,
            limit_parameter=preset.limit_parameter,
            connections=settings.concurrency,
            network=Network.from_environment(os.environ),
        )
        yield await stack.enter_async_context(model), preset


def _kept_base_url(spec: Spec) -> str | None:
    """The base URL that the screening keeps; a loopback address is not kept, as its port changes."""
    return None if spec.base_url == LOOPBACK else spec.base_url


def make_room_for_connections(concurrency: int) -> None:
    """Raise the limit on open files as far as this many calls in flight need.

    Raises:
        UsageError: the system does not allow so many.
    """
    needed = concurrency + FILES_BESIDE_CALLS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UsageError(
            f"{concurrency} calls in flight need {needed} open files; this system allows {hard}. Nothing was asked.",
            f"Use --concurrency {max(1, hard - FILES_BESIDE_CALLS)}, or raise the limit: ulimit -Hn {needed}.",
            kind="open_files",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


async def price_for(settings: Settings, spec: Spec) -> Price | None:
    """What the model costs: as given, else as the user's price list says, else as is generally known; None if unknown.

    Raises:
        UsageError: the price that was given, or the user's list, cannot be read.
    """
    if settings.price is not None:
        return parse_price(settings.price)
    at_home = spec.base_url == DEFAULT_BASE_URLS[spec.provider]
    return await price_of(spec.provider, spec.model, None if at_home else spec.base_url, user_price_list())


def _budget(settings: Settings, spec: Spec, price: Price | None, spent: Totals, at: float) -> Budget | None:
    """The caps over all runs of the screening; what may have been paid counts as paid, at the most it can have cost."""
    cost = spent.cost_usd or 0.0
    if price is not None:
        # Some earlier runs may not have known the price: the most that their tokens can have cost.
        cost += price.upper_bound(Load(spent.unpriced_input_tokens, spent.unpriced_output_tokens), at)
    usual = spent.input_tokens // spent.calls if spent.calls else USUAL_INPUT_TOKENS
    maybe = Load(max(usual, USUAL_INPUT_TOKENS), spec.max_output_tokens)
    return budget_for(
        model=spec.model,
        price=price,
        at=at,
        max_cost=settings.max_cost,
        max_tokens=settings.max_tokens,
        spent_cost=cost + (spent.maybe_paid * price.upper_bound(maybe, at) if price else 0.0),
        spent_tokens=spent.input_tokens + spent.output_tokens + spent.maybe_paid * sum(maybe),
    )
