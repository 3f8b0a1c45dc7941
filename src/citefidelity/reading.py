"""The commands that only read, put together: settings in, what is shown out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from citefidelity.app import journal_path, open_store
from citefidelity.config.addresses import EmbeddedAddress, journal_beside
from citefidelity.config.settings import Settings
from citefidelity.ports import Store, StoreCounts
from citefidelity.views.overview import Overview, list_screenings
from citefidelity.views.show import Wanted, show
from citefidelity.views.shown import Shown
from citefidelity.views.status import Status, take_status


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    """The store of these settings, closed in the end.

    Raises:
        StoreMissing: there is none.
        StoreError: it cannot be used.
    """
    store = await open_store(settings)
    try:
        yield store
    finally:
        await store.close()


async def journal_of(settings: Settings) -> Path:
    """Where the journal of these settings lies, whether it is there or not; asks a store only where it must.

    Raises:
        StoreError: only the store knows, and it cannot be asked.
    """
    if settings.journal is not None:
        return settings.journal
    if isinstance(settings.store, EmbeddedAddress):
        return journal_beside(settings.store, settings.partition)
    async with opened(settings) as store:
        return await journal_path(settings, store)


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
