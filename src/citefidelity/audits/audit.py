"""``verify``: an audit of G2, G3 and G4 over store and journals, from outside.

It reads both with its own eyes and decides nothing by what a run has said of itself. It writes nothing, needs no
claim, and may go on beside a run: the store is read before the journal, so that what was delivered meanwhile is known.
Memory stays flat, whatever the size of the store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from citefidelity.audits.audited import Audit
from citefidelity.audits.auditor import Auditor
from citefidelity.errors import JournalError
from citefidelity.journal.evidence import Evidence
from citefidelity.one_thread import OneThread
from citefidelity.ports import JournalRow, ScreeningRow
from citefidelity.records import StoredCitation


class AuditStore(Protocol):
    """What is asked of the store."""

    async def store_id(self) -> str:
        """Its id."""

    async def screenings(self, *, counted: bool = True) -> Sequence[ScreeningRow]:
        """All screenings."""

    async def journals(self, screening: str) -> Sequence[JournalRow]:
        """The journals that have worked on one."""

    def stored(self, screening: str) -> AsyncIterator[Sequence[StoredCitation]]:
        """All citations, in pages."""


@runtime_checkable
class KeepsAFile(Protocol):
    """A store that looks after a file of its own; a server looks after its own files."""

    async def damage(self) -> Sequence[str]:
        """What is wrong with the file."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to audit. ``address`` is what the store is called towards people.

    ``journals`` are files that must be there; ``missing`` one that was looked for in the usual place.
    """

    screening: str
    address: str
    journals: Sequence[Path]
    missing: Path | None = None


async def audit(
    store: AuditStore,
    wanted: Wanted,
    *,
    on_page: Callable[[int], None] = lambda _: None,
) -> Audit:
    """Check everything and name every violation.

    Args:
        store: where the citations live.
        wanted: which screening, and which journals.
        on_page: told how many citations are done, a page at a time.

    Raises:
        StoreError: the store or a journal cannot be read, or a journal belongs to another store.
    """
    row = next((one for one in await store.screenings(counted=False) if one.name == wanted.screening), None)
    known = await store.journals(wanted.screening)
    thread = OneThread("audit")
    try:
        async with thread.entered(_opened(wanted, await store.store_id())) as journals:
            auditor = await thread.run(Auditor, wanted.screening, row, journals, known)
            damage = await store.damage() if isinstance(store, KeepsAFile) else ()
            if damage:
                auditor.damaged(wanted.address, damage)
            else:
                await _read(store, wanted.screening, auditor, thread, on_page)
            return await thread.run(auditor.report, wanted.address, wanted.missing)
    finally:
        thread.stop()


async def _read(
    store: AuditStore, screening: str, auditor: Auditor, thread: OneThread, on_page: Callable[[int], None]
) -> None:
    try:
        async for page in store.stored(screening):
            await thread.run(auditor.look_at, page)
            on_page(auditor.citations)
    except msgspec.MsgspecError as err:
        auditor.unreadable(str(err))
    else:
        await thread.run(auditor.look_at_the_rest)


@contextmanager
def _opened(wanted: Wanted, store_id: str) -> Iterator[list[Evidence]]:
    with ExitStack() as stack:
        journals: dict[str, Evidence] = {}
        for path in wanted.journals:
            journal = stack.enter_context(Evidence(path, wanted.screening))
            if journal.header.store_id != store_id:
                raise JournalError(
                    f"The journal {path} belongs to another store ({journal.header.store_id}, not {store_id}).",
                    "Name the store it belongs to with --store, or leave this journal out.",
                    kind="journal_of_another_store",
                )
            journals.setdefault(journal.header.journal_id, journal)
        yield list(journals.values())
