"""A store, its journal and the claim on both, in one hand: what every command needs that changes what is to do."""

from __future__ import annotations

import os
import platform
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from citefidelity.app import journal_path, open_store
from citefidelity.config.settings import Settings
from citefidelity.journal import SqliteJournal, open_journal
from citefidelity.ports import Clock, Holder, Store


class Hold(NamedTuple):
    """What is held: nobody else asks, delivers or reopens meanwhile."""

    store: Store
    journal: SqliteJournal
    host: str


@asynccontextmanager
async def hold(settings: Settings, command: str, clock: Clock) -> AsyncIterator[Hold]:
    """The store and the journal of these settings, which must both be there, and the claim on their screening.

    Args:
        settings: which ones.
        command: as it is told to others who try, such as ``citefidelity retry``.
        clock: time.

    Raises:
        StoreHeld: a run, or another command that writes, works on them.
        StoreError: the store or the journal is not there, or cannot be used.
    """
    holder = Holder(host=platform.node(), pid=os.getpid(), command=command, at=clock.wall())
    async with AsyncExitStack() as stack:
        store = await open_store(settings)
        stack.push_async_callback(store.close)
        path = await journal_path(settings, store)
        journal = await stack.enter_async_context(
            await open_journal(path, store_id=await store.store_id(), holder=holder, clock=clock, create=False)
        )
        claim = await store.claim(settings.screening, settings.partition, holder)
        stack.push_async_callback(claim.release)
        yield Hold(store, journal, holder.host)
