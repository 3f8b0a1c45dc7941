"""The commands that only read, put together: settings in, what is shown out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from citefidelity.app import journal_path, open_store, settled_spec
from citefidelity.asking import price_for
from citefidelity.base_url import LOOPBACK
from citefidelity.clock import SystemClock
from citefidelity.estimate import Estimate, Recall, estimate
from citefidelity.facts import ContextPast
from citefidelity.journal import JournalReader
from citefidelity.one_thread import OneThread
from citefidelity.overview import Overview, list_screenings
from citefidelity.ports import Store, StoreCounts, ToDo
from citefidelity.prompt import Prompter
from citefidelity.records import CitationKey
from citefidelity.settings import Settings
from citefidelity.show import Wanted, show
from citefidelity.shown import Shown
from citefidelity.status import Status, take_status


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    """The store of these settings, closed in the end.

    Raises:
        StoreMissing: there is none.
        StoreError: it cannot be used.
    """
    store = await open_store(settings.store)
    try:
        yield store
    finally:
        await store.close()


async def status_of(settings: Settings) -> Status:
    """Where the screening of these settings stands."""
    async with opened(settings) as store:
        return await take_status(
            store,
            await journal_path(settings, store),
            address=str(settings.store),
            screening=settings.screening,
            partition=settings.partition,
        )


async def shown(settings: Settings, wanted: Wanted) -> Shown:
    """Everything about some citations.

    Raises:
        UsageError: there is no such citation or context.
    """
    async with opened(settings) as store:
        return await show(
            store,
            await journal_path(settings, store),
            wanted,
            address=str(settings.store),
            screening=settings.screening,
        )


async def screenings_of(settings: Settings) -> Overview:
    """What has been screened in the store."""
    async with opened(settings) as store:
        return await list_screenings(store, str(settings.store))


async def counts_of(settings: Settings) -> StoreCounts:
    """How many of what the store holds."""
    async with opened(settings) as store:
        return await store.counts(settings.screening, settings.partition)


class Estimated(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would take, of which model, and where what it asks would go; ``host`` is None for this machine."""

    screening: str
    provider: str
    model: str
    host: str | None
    estimate: Estimate


async def estimate_of(settings: Settings) -> Estimated:
    """What a run with these settings would take. Asks nothing, writes nothing.

    Raises:
        UsageError: the flags differ from the screening's spec, or no model is named.
        StoreError: there is no store, or another journal of this screening is not finished.
    """
    async with opened(settings) as store:
        path = await journal_path(settings, store)
        spec, _ = await settled_spec(settings, store, path)
        price = await price_for(settings, spec)
        async with _recalling(path) as recall:
            counted = await estimate(
                store,
                recall,
                ToDo(
                    screening=settings.screening,
                    partition=settings.partition,
                    include_classified=settings.include_classified,
                ),
                prompter=Prompter(spec),
                max_output_tokens=spec.max_output_tokens,
                price=price,
                at=SystemClock().wall(),
                limit=settings.limit,
            )
    return Estimated(
        screening=settings.screening,
        provider=spec.provider,
        model=spec.model,
        host=None if spec.base_url == LOOPBACK else urlsplit(spec.base_url).hostname,
        estimate=counted,
    )


@asynccontextmanager
async def _recalling(journal: Path) -> AsyncIterator[Recall | None]:
    """What the journal knows, read in a thread of its own; None where there is none yet."""
    if not journal.exists():  # noqa: ASYNC240 - one look, before anything runs
        yield None
        return
    thread = OneThread("journal reader")
    try:
        reader = await thread.run(JournalReader, journal)

        async def recall(screening: str, keys: Sequence[CitationKey]) -> dict[CitationKey, ContextPast]:
            return await thread.run(reader.recall, screening, keys)

        try:
            yield recall
        finally:
            await thread.run(reader.close)
    finally:
        thread.stop()
