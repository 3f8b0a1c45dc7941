"""The embedded store: one SQLite file that means the same as the graph.

One connection writes, in one thread; a second one reads in another, so that neither waits for the other. Commits are
on disk before they count (write-ahead log, ``synchronous=FULL``).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from citefidelity.inspection import Standing
from citefidelity.ports import (
    Claim,
    Clock,
    Found,
    Holder,
    JournalRow,
    Put,
    ScreeningRow,
    StoreCounts,
    ToDo,
)
from citefidelity.records import (
    WHOLE,
    CitationKey,
    Delivery,
    Partition,
    Receipt,
    Record,
    StoredCitation,
)
from citefidelity.stores import sqlite_reading as reads
from citefidelity.stores import sqlite_writing as writes
from citefidelity.stores.sqlite_claim import ClaimDesk, FileClaim
from citefidelity.stores.sqlite_database import Database
from citefidelity.stores.sqlite_schema import open_reader, open_writer


async def open_sqlite(path: str | Path, *, create: bool, clock: Clock) -> SqliteStore:
    """Open the store in a file, however its path is spelled; ``create`` makes one where there is none.

    Raises:
        StoreMissing: there is no store, and none is to be made.
        StoreError: the file is something else, is damaged, or cannot be written.
    """
    # Two names of one file must meet in one lock.
    real = Path(await asyncio.to_thread(os.path.realpath, path))
    store = SqliteStore(real, create=create, clock=clock)
    try:
        await store.store_id()
    except BaseException:
        await store.close()
        raise
    return store


class SqliteStore:
    """Fulfils :class:`~citefidelity.ports.Store`; made by :func:`open_sqlite`."""

    def __init__(self, path: Path, *, create: bool, clock: Clock) -> None:
        self._path = path
        self._writer = Database(path, partial(open_writer, path, create=create))
        self._reader = Database(path, partial(open_reader, path))
        self._desk = ClaimDesk(path, self._writer.thread)
        self._claims: list[FileClaim] = []
        self._clock = clock
        self._closed = False

    async def pages(self, to_do: ToDo) -> AsyncIterator[Sequence[Found]]:
        """Pages of what is to do, in the order of import. It passes over the hint: finding it costs nothing here."""
        after = 0
        while True:
            after, page = await self._reader.run(reads.page_to_do, to_do, after)
            if not page:
                return
            yield page

    async def deliver(self, screening: str, run: str, at: str, batch: Sequence[Delivery]) -> Sequence[Receipt]:
        """Write what this screening has not reached yet, in one transaction."""
        return await self._writer.run(writes.deliver, writes.Mark(screening, run, at), batch)

    async def store_id(self) -> str:
        """Made when the store was made."""
        return await self._writer.run(reads.store_id)

    async def screenings(self, *, counted: bool = True) -> Sequence[ScreeningRow]:
        """All screenings, oldest first; always counted, as an index does it."""
        del counted
        return await self._reader.run(reads.screenings)

    async def begin_screening(self, row: ScreeningRow) -> ScreeningRow:
        """Register it unless the name is there; the row that now stands."""
        await self._writer.run(writes.begin_screening, row)
        return next(standing for standing in await self.screenings() if standing.name == row.name)

    async def journals(self, screening: str) -> Sequence[JournalRow]:
        """The journals that have worked on it."""
        return await self._reader.run(reads.journals, screening)

    async def enrol_journal(self, screening: str, row: JournalRow) -> None:
        """Insert or update the row of this journal."""
        await self._writer.run(writes.enrol_journal, screening, row)

    async def claim(self, screening: str | None, partition: Partition, holder: Holder) -> Claim:
        """Take a lock of the operating system, which ends with this process."""
        claim = await self._desk.claim(screening, partition, holder, self._clock.wall())
        self._claims.append(claim)
        return claim

    async def claims(self) -> Sequence[Standing]:
        """The claims whose owners live."""
        return await self._desk.standing()

    async def put(self, records: Sequence[Record]) -> Sequence[Put]:
        """Insert or replace, in one transaction."""
        return await self._writer.run(writes.put, records)

    async def stored(self, screening: str) -> AsyncIterator[Sequence[StoredCitation]]:
        """All citations in the order of import, with this screening's outcomes."""
        after = 0
        while True:
            after, page = await self._reader.run(reads.page_stored, screening, after)
            if not page:
                return
            yield page

    async def find(
        self, screening: str, source_id: str, target_id: str, reference_id: str | None = None
    ) -> Sequence[StoredCitation]:
        """The citations between two articles, or the one with this reference."""
        return await self._reader.run(reads.find, screening, source_id, target_id, reference_id)

    async def withdraw(self, screening: str, keys: Sequence[CitationKey]) -> int:
        """Take the screening and its outcomes off these citations, in one transaction."""
        return await self._writer.run(writes.withdraw, screening, keys)

    async def counts(self, screening: str, partition: Partition = WHOLE) -> StoreCounts:
        """Count, over a connection of its own, so that no page waits for it; indexes hold all that is needed."""
        counter = Database(self._path, partial(open_reader, self._path))
        try:
            return await counter.run(reads.counts, screening, partition)
        finally:
            await counter.close()

    async def damage(self) -> Sequence[str]:
        """What SQLite finds wrong with the file; nothing where it is whole. Reads all of it."""
        return await self._reader.run(reads.damage)

    async def close(self) -> None:
        """Give back claims, fold the log into the file, let go; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        # The last goes first, and each has its turn, whatever is cancelled or fails before it.
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._writer.close)
            stack.push_async_callback(self._reader.close)
            for claim in self._claims:
                stack.push_async_callback(claim.release)
