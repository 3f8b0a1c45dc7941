"""Stores that are away or lose an acknowledgement, around any store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal

from citefidelity.errors import StoreUnavailable
from citefidelity.ports import (
    Claim,
    Found,
    Holder,
    JournalRow,
    Put,
    ScreeningRow,
    Store,
    StoreCounts,
    ToDo,
)
from citefidelity.records import WHOLE, CitationKey, Delivery, Partition, Receipt, Record, StoredCitation

Fate = Literal["well", "away", "lost"]


class StoreAround:
    """Hands everything on to another store; a base for those that do something in between."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner

    def pages(self, to_do: ToDo) -> AsyncIterator[Sequence[Found]]:
        """The inner store's pages."""
        return self.inner.pages(to_do)

    async def deliver(self, screening: str, run: str, at: str, batch: Sequence[Delivery]) -> Sequence[Receipt]:
        """Deliver to the inner store."""
        return await self.inner.deliver(screening, run, at, batch)

    async def store_id(self) -> str:
        """The inner store's."""
        return await self.inner.store_id()

    async def screenings(self, *, counted: bool = True) -> Sequence[ScreeningRow]:
        """The inner store's."""
        return await self.inner.screenings(counted=counted)

    async def begin_screening(self, row: ScreeningRow) -> ScreeningRow:
        """Register it in the inner store."""
        return await self.inner.begin_screening(row)

    async def journals(self, screening: str) -> Sequence[JournalRow]:
        """The inner store's."""
        return await self.inner.journals(screening)

    async def enrol_journal(self, screening: str, row: JournalRow) -> None:
        """Enrol it in the inner store."""
        await self.inner.enrol_journal(screening, row)

    async def claim(self, screening: str | None, partition: Partition, holder: Holder) -> Claim:
        """Take it from the inner store."""
        return await self.inner.claim(screening, partition, holder)

    async def put(self, records: Sequence[Record]) -> Sequence[Put]:
        """Put them into the inner store."""
        return await self.inner.put(records)

    def stored(self, screening: str) -> AsyncIterator[Sequence[StoredCitation]]:
        """The inner store's."""
        return self.inner.stored(screening)

    async def find(
        self, screening: str, source_id: str, target_id: str, reference_id: str | None = None
    ) -> Sequence[StoredCitation]:
        """The inner store's."""
        return await self.inner.find(screening, source_id, target_id, reference_id)

    async def withdraw(self, screening: str, keys: Sequence[CitationKey]) -> int:
        """Withdraw from the inner store."""
        return await self.inner.withdraw(screening, keys)

    async def counts(self, screening: str, partition: Partition = WHOLE) -> StoreCounts:
        """The inner store's."""
        return await self.inner.counts(screening, partition)

    async def close(self) -> None:
        """Close the inner store."""
        await self.inner.close()


class FlakyStore(StoreAround):
    """Fails deliveries: before anything is written (``away``), or after all of it is (``lost``).

    Args:
        inner: takes the deliveries that get through.
        fate: of the delivery with this number, counted from 1.
    """

    def __init__(self, inner: Store, fate: Callable[[int], Fate]) -> None:
        super().__init__(inner)
        self._fate = fate
        self.deliveries = 0

    async def deliver(self, screening: str, run: str, at: str, batch: Sequence[Delivery]) -> Sequence[Receipt]:
        """Deliver, or fail.

        Raises:
            StoreUnavailable: as told; whether anything was written cannot be known from it.
        """
        self.deliveries += 1
        fate = self._fate(self.deliveries)
        if fate == "away":
            raise StoreUnavailable("The store does not answer.")
        receipts = await self.inner.deliver(screening, run, at, batch)
        if fate == "lost":
            raise StoreUnavailable("The connection broke before the store had confirmed.")
        return receipts
