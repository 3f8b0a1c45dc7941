"""Opens what a command reads: the store, and the journal where there is one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from citefidelity.ports import Store
from citefidelity.settings import Settings


@asynccontextmanager
async def opened_store(settings: Settings, *, create: bool = False) -> AsyncIterator[Store]:
    """The store of these settings, closed in the end.

    Raises:
        StoreMissing: there is none, and ``create`` is false.
        StoreError: it cannot be used.
    """
    from citefidelity.app import open_store  # noqa: PLC0415 - loads every adapter, which `config` can do without

    store = await open_store(settings.store, create=create)
    try:
        yield store
    finally:
        await store.close()
