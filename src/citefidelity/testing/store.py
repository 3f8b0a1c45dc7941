"""A store in memory that behaves like the real ones: for tests, and for trying things out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

import msgspec

from citefidelity.claiming import excludes, held
from citefidelity.clock import SystemClock
from citefidelity.errors import StoreError
from citefidelity.kinds import UndeliverableKind
from citefidelity.ports import (
    Clock,
    Found,
    Holder,
    JournalRow,
    Put,
    ScreeningRow,
    StoreCounts,
    ToDo,
)
from citefidelity.record_changes import changed_contexts, same_record
from citefidelity.record_format import found
from citefidelity.records import (
    WHOLE,
    CitationKey,
    Delivery,
    Outcome,
    Partition,
    Receipt,
    Record,
    StoredCitation,
    Unusable,
)


class _Delivered(msgspec.Struct, frozen=True):
    run: str
    at: str
    outcomes: tuple[Outcome, ...]


class MemoryClaim:
    """Stands until it is released."""

    def __init__(self, claims: list[MemoryClaim], screening: str | None, partition: Partition, holder: Holder) -> None:
        self.screening = screening
        self.partition = partition
        self.holder = holder
        self._claims = claims
        claims.append(self)

    def holds_until(self) -> float:
        """Nothing takes it away."""
        return float("inf")

    def losses(self) -> int:
        """Nothing takes it away."""
        return 0

    async def release(self) -> None:
        """Give it back; safe to call twice."""
        if self in self._claims:
            self._claims.remove(self)


class MemoryStore:
    """Fulfils :class:`~citefidelity.ports.Store`; what it holds is gone with the object.

    Args:
        records: what it holds from the start.
        elsewhere: citations that others have marked as classified.
        refused: citations whose delivery this store refuses, with the kind.
        page: citations a page.
        clock: for the age of a claim in messages.
    """

    def __init__(
        self,
        records: Sequence[Record] = (),
        *,
        elsewhere: Collection[CitationKey] = (),
        refused: Mapping[CitationKey, UndeliverableKind] | None = None,
        page: int = 200,
        clock: Clock | None = None,
    ) -> None:
        self._records = {record.key: record for record in records}
        self._elsewhere = set(elsewhere)
        self._refused = dict(refused or {})
        self._page = page
        self._clock = clock or SystemClock()
        self._delivered: dict[str, dict[CitationKey, _Delivered]] = {}
        self._screenings: dict[str, ScreeningRow] = {}
        self._journals: dict[str, dict[str, JournalRow]] = {}
        self._claims: list[MemoryClaim] = []

    def remove(self, key: CitationKey) -> None:
        """Somebody deletes the citation from the store."""
        del self._records[key]

    async def pages(self, to_do: ToDo) -> AsyncIterator[Sequence[Found]]:
        """Pages of what is to do, in the order of import, from behind the hint and round to it."""
        for keys in self._pages_of_keys(to_do.behind):
            records = (self._records[key] for key in keys if key in self._records)
            page = [found(record) for record in records if self._is_to_do(record, to_do)]
            if page:
                yield page

    async def deliver(self, screening: str, run: str, at: str, batch: Sequence[Delivery]) -> Sequence[Receipt]:
        """Write what this screening has not reached yet."""
        self._known(screening)
        return [self._deliver(screening, _Delivered(run, at, delivery.outcomes), delivery.key) for delivery in batch]

    async def store_id(self) -> str:
        """Differs between two stores that live at the same time."""
        return f"memory-{id(self):x}"

    async def screenings(self, *, counted: bool = True) -> Sequence[ScreeningRow]:
        """All screenings, oldest first; always counted."""
        del counted
        return [self._row(name) for name in self._screenings]

    async def begin_screening(self, row: ScreeningRow) -> ScreeningRow:
        """Register it unless the name is there."""
        self._screenings.setdefault(row.name, row)
        return self._row(row.name)

    async def journals(self, screening: str) -> Sequence[JournalRow]:
        """The journals that have worked on it."""
        return list(self._journals.get(screening, {}).values())

    async def enrol_journal(self, screening: str, row: JournalRow) -> None:
        """Insert or update the row of this journal."""
        self._known(screening)
        self._journals.setdefault(screening, {})[row.journal_id] = row

    async def claim(self, screening: str | None, partition: Partition, holder: Holder) -> MemoryClaim:
        """Take it, or raise StoreHeld."""
        for other in self._claims:
            if excludes((screening, partition), (other.screening, other.partition)):
                raise held(other.holder, other.screening, other.partition, self._clock.wall())
        return MemoryClaim(self._claims, screening, partition, holder)

    async def put(self, records: Sequence[Record]) -> Sequence[Put]:
        """Insert or replace."""
        seen: set[CitationKey] = set()
        puts = []
        for record in records:
            puts.append(Put(record.key, "duplicate") if record.key in seen else self._put(record))
            seen.add(record.key)
        return puts

    async def stored(self, screening: str) -> AsyncIterator[Sequence[StoredCitation]]:
        """All citations in the order of import, with this screening's outcomes."""
        for keys in self._pages_of_keys():
            yield [self._stored(screening, key) for key in keys if key in self._records]

    async def find(
        self, screening: str, source_id: str, target_id: str, reference_id: str | None = None
    ) -> Sequence[StoredCitation]:
        """The citations between two articles."""
        return [
            self._stored(screening, key)
            for key in self._records
            if (key.source_id, key.target_id) == (source_id, target_id) and reference_id in {None, key.reference_id}
        ]

    async def withdraw(self, screening: str, keys: Sequence[CitationKey]) -> int:
        """Take the screening off these citations."""
        there = self._delivered.get(screening, {})
        return sum(there.pop(key, None) is not None for key in keys)

    async def counts(self, screening: str, partition: Partition = WHOLE) -> StoreCounts:
        """Count by looking at everything."""
        to_do = ToDo(screening=screening, partition=partition)
        delivered = self._delivered.get(screening, {})
        qualified = [record for record in self._records.values() if record.qualified]
        states = [outcome.state for one in delivered.values() for outcome in one.outcomes]
        return StoreCounts(
            citations=len(self._records),
            qualified=len(qualified),
            contexts=sum(record.context_count for record in qualified),
            delivered=sum(partition.holds(key) for key in delivered),
            to_do=sum(self._is_to_do(record, to_do) for record in qualified),
            done_elsewhere=len(self._elsewhere),
            verdict=states.count("verdict"),
            unassessable=states.count("unassessable"),
            failed=states.count("failed"),
        )

    async def close(self) -> None:
        """Nothing to let go of."""

    def _pages_of_keys(self, behind: CitationKey | None = None) -> list[list[CitationKey]]:
        keys = list(self._records)
        if behind in self._records:
            first = keys.index(behind) + 1
            keys = keys[first:] + keys[:first]
        return [keys[start : start + self._page] for start in range(0, len(keys), self._page)]

    def _is_to_do(self, record: Record, to_do: ToDo) -> bool:
        return (
            record.qualified
            and record.context_count > 0
            and record.key not in self._delivered.get(to_do.screening, {})
            and (to_do.include_classified or record.key not in self._elsewhere)
            and to_do.partition.holds(record.key)
        )

    def _deliver(self, screening: str, delivered: _Delivered, key: CitationKey) -> Receipt:
        there = self._delivered.setdefault(screening, {})
        if key not in self._records:
            kind = UndeliverableKind.EDGE_GONE
            return Receipt(key, "undeliverable", kind, "the citation is no longer in the store")
        if key in self._refused:
            return Receipt(key, "undeliverable", self._refused[key], "the store refuses this write")
        if key in there:
            return Receipt(key, "found")
        there[key] = delivered
        self._elsewhere.discard(key)
        return Receipt(key, "written")

    def _put(self, record: Record) -> Put:
        old = self._records.get(record.key)
        if old is not None and same_record(old, record):
            return Put(record.key, "unchanged")
        self._records[record.key] = record
        if old is None:
            return Put(record.key, "new")
        delivered = tuple(name for name in self._screenings if record.key in self._delivered.get(name, {}))
        return Put(record.key, "changed", changed_contexts(old, record), delivered)

    def _stored(self, screening: str, key: CitationKey) -> StoredCitation:
        record = self._records[key]
        delivered = self._delivered.get(screening, {}).get(key)
        readable = found(record)
        return StoredCitation(
            record,
            classified_at=delivered.at if delivered else None,
            run=delivered.run if delivered else None,
            outcomes=delivered.outcomes if delivered else (),
            elsewhere=key in self._elsewhere,
            unusable=readable if isinstance(readable, Unusable) else None,
        )

    def _row(self, name: str) -> ScreeningRow:
        return msgspec.structs.replace(self._screenings[name], delivered=len(self._delivered.get(name, {})))

    def _known(self, screening: str) -> None:
        if screening not in self._screenings:
            raise StoreError(f"The store knows no screening '{screening}', so nothing was written under it.")
