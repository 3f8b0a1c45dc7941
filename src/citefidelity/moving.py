"""Citations in and out, put together: settings in, what was done out."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable
from contextlib import AsyncExitStack

from citefidelity.app import open_store
from citefidelity.clock import SystemClock
from citefidelity.config.addresses import EmbeddedAddress
from citefidelity.config.settings import Settings
from citefidelity.copying import CopyReport, copy
from citefidelity.errors import UsageError
from citefidelity.exports import ExportReport, Output, export
from citefidelity.formats.reading import check_inputs
from citefidelity.imports import ImportReport, import_files
from citefidelity.intake import Inputs, Rejection
from citefidelity.ports import Holder, Store
from citefidelity.reading import opened
from citefidelity.records import WHOLE


async def import_into(
    settings: Settings,
    inputs: Inputs,
    *,
    on_rejection: Callable[[Rejection], None] = lambda _: None,
    on_batch: Callable[[ImportReport], None] = lambda _: None,
) -> ImportReport:
    """Import into the store of these settings, which is made where there is none; safe to repeat.

    Raises:
        UsageError: a file is not there or may not be read; no store was made.
        StoreHeld: a run or another import works on the store.
        StoreError: the store cannot be used.
    """
    # Before the store is made: a name with a mistake in it leaves nothing behind.
    check_inputs(inputs.names, inputs.format)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = await open_store(settings, create=True)
        stack.push_async_callback(store.close)
        holder = Holder(host=platform.node(), pid=os.getpid(), command="citefidelity import", at=clock.wall())
        claim = await store.claim(None, WHOLE, holder)
        stack.push_async_callback(claim.release)
        return await import_files(store, inputs, on_rejection=on_rejection, on_batch=on_batch)


async def export_from(settings: Settings, output: Output) -> ExportReport:
    """Export the store of these settings, with the outcomes of its screening.

    Raises:
        UsageError: nothing can be written there, or the extra for Parquet is not installed.
        StoreError: there is no store, or it cannot be read.
    """
    async with opened(settings) as store:
        return await export(store, settings.screening, output)


async def copy_between(
    source: Settings, target: Settings, *, on_page: Callable[[CopyReport], None] = lambda _: None
) -> CopyReport:
    """Copy the store of ``source`` into the one of ``target``, which is made where there is none; safe to repeat.

    Raises:
        UsageError: both are one store, or they have a screening of one name under two specs; nothing was written.
        StoreMissing: there is no store to copy from; none was made.
        StoreHeld: a run or another command works on the target.
        StoreError: a store cannot be used.
    """
    if source.store == target.store or await asyncio.to_thread(_is_one_file, source, target):
        raise _one_store(source)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(opened(source))
        new = await open_store(target, create=True)
        stack.push_async_callback(new.close)
        if not isinstance(source.store, EmbeddedAddress) and await _have_one_id(old, new):
            raise _one_store(source)
        holder = Holder(host=platform.node(), pid=os.getpid(), command="citefidelity copy", at=clock.wall())
        claim = await new.claim(None, WHOLE, holder)
        stack.push_async_callback(claim.release)
        return await copy(old, new, on_page=on_page)


def _is_one_file(source: Settings, target: Settings) -> bool:
    """Whether both are one embedded store, however its path is spelled."""
    files = [one.store.path for one in (source, target) if isinstance(one.store, EmbeddedAddress)]
    return len({os.path.realpath(file) for file in files}) < len(files)


async def _have_one_id(old: Store, new: Store) -> bool:
    """Whether two addresses of a server lead to one graph. A file that was copied keeps its id and is another store."""
    return await old.store_id() == await new.store_id()


def _one_store(source: Settings) -> UsageError:
    return UsageError(
        f"--from and --to are the same store, {source.store}. Nothing was copied.",
        "Name another store with --to; a file that is not there is made.",
        kind="same_store",
    )
