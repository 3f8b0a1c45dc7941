"""The commands that look after what a run has done, put together: settings in, what was found or done out."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from citefidelity.app import journal_path
from citefidelity.audits.audit import Wanted, audit
from citefidelity.audits.audited import Audit
from citefidelity.audits.reopening import Wish
from citefidelity.audits.retrying import RetryReport, failure_kinds, retry
from citefidelity.clock import SystemClock
from citefidelity.config.settings import Settings
from citefidelity.damage import Mendable
from citefidelity.errors import UsageError
from citefidelity.holding import hold
from citefidelity.ports import Clock, Holder, JournalRow
from citefidelity.reading import opened
from citefidelity.records import WHOLE
from citefidelity.repairing import Backup, RepairReport, repair


async def verify(
    settings: Settings, journals: Sequence[Path] = (), *, on_page: Callable[[int], None] = lambda _: None
) -> Audit:
    """Audit the store and these journals, or the one in the usual place. Writes nothing; may go on beside a run.

    Args:
        settings: which store and screening.
        journals: files; of none, the journal that a run with these settings would use, if it is there.
        on_page: told how many citations are done, now and then.

    Raises:
        StoreError: the store or a journal is not there, or cannot be read.
    """
    async with opened(settings) as store:
        usual = await journal_path(settings, store)
        missing = None
        if not journals:
            there = await asyncio.to_thread(usual.exists)
            journals, missing = ([usual], None) if there else ([], usual)
        return await audit(
            store,
            Wanted(screening=settings.screening, address=str(settings.store), journals=journals, missing=missing),
            on_page=on_page,
        )


async def retry_failed(
    settings: Settings, kinds: Collection[str] = (), *, changed: bool = False, clock: Clock | None = None
) -> RetryReport:
    """Set failures aside, or with ``changed`` what was judged by other texts, so that the next run asks again.

    Args:
        settings: which store, journal and screening.
        kinds: of failures; of none, all but ``no_evidence``.
        changed: instead of failures, contexts whose input has changed since they were judged.
        clock: time; the real one unless told.

    Raises:
        UsageError: a kind is none of the table, kinds are given beside ``changed``, or there is no such screening.
        StoreHeld: a run, or another command that writes, works on the screening.
        StoreError: the store or the journal is not there, or cannot be used.
    """
    if kinds and changed:
        raise UsageError("--kind is about failures, --changed about texts. Nothing was done.", "Give one of them.")
    clock = clock or SystemClock()
    wish = Wish(screening=settings.screening, kinds=failure_kinds(kinds), changed=changed, partition=settings.partition)
    async with hold(settings, "citefidelity retry", clock) as held:
        own_row = JournalRow(
            journal_id=held.journal.journal_id,
            host=held.host,
            path=str(held.journal.path),
            partition=settings.partition,
        )
        return await retry(held.store, held.journal, wish, own_row=own_row, now=clock.wall)


async def repair_graph(settings: Settings, backup: Path | None = None) -> RepairReport:
    """List what another program damaged in a graph; with a backup file, mend what can be. Safe to repeat.

    Args:
        settings: which store. In an embedded one there is nothing that another program could have damaged.
        backup: a file that is not there yet, where edges go before they are changed; None changes nothing.

    Raises:
        UsageError: the backup cannot be written; what is not in it was not changed.
        StoreHeld: a run, or another command that writes, works on the store.
        StoreError: the store is not there, or cannot be used.
    """
    address = str(settings.store)
    async with opened(settings) as store:
        if not isinstance(store, Mendable):
            return RepairReport(store=address, possible=False)
        if backup is None:
            return await repair(store, address, None)
        holder = Holder(host=platform.node(), pid=os.getpid(), command="citefidelity repair", at=SystemClock().wall())
        claim = await store.claim(None, WHOLE, holder)
        try:
            return await repair(store, address, Backup(backup))
        finally:
            await claim.release()
