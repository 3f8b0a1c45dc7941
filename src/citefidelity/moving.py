"""Citations in and out, put together: settings in, what was done out."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from contextlib import AsyncExitStack

from citefidelity.app import open_store
from citefidelity.clock import SystemClock
from citefidelity.exports import ExportReport, Output, export
from citefidelity.formats.reading import check_inputs
from citefidelity.imports import ImportReport, import_files
from citefidelity.intake import Inputs, Rejection
from citefidelity.ports import Holder
from citefidelity.reading import opened
from citefidelity.records import WHOLE
from citefidelity.settings import Settings


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
    check_inputs(inputs.names)
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
