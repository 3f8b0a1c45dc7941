"""Where a screening stands: what the store holds, what the journal holds, and how a live run goes. Only reads."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from citefidelity.errors import StoreError
from citefidelity.journal import JournalReader, Totals, current_holder
from citefidelity.ports import Holder, JournalRow, ScreeningRow, StoreCounts
from citefidelity.records import WHOLE, Partition
from citefidelity.specs.spec import Spec
from citefidelity.views.observing import LiveStatus, status_path


class States(msgspec.Struct, frozen=True, kw_only=True):
    """Contexts of qualified citations by how they ended, as the store has them.

    ``not_delivered`` are all others: to do, waiting in a journal, or done elsewhere.
    """

    verdict: int
    unassessable: int
    failed: int
    not_delivered: int


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """The spec that a screening began with, by its fingerprint."""

    begun_at: str
    provider: str
    model: str
    spec: str


class JournalStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One screening in the journal, over all its runs. Counts are of this journal only.

    ``undelivered``: there are outcomes that count and are not delivered yet. ``answered``, ``unassessable`` and
    ``failed`` are contexts whose outcome counts, delivered or not; ``left`` those that only failed for the moment.
    """

    journal_id: str
    runs: int
    undelivered: bool
    answered: int
    unassessable: int
    failed: int
    left: int
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    categories: dict[str, int]
    failures_by_kind: dict[str, int]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. What has the name of a key of ``run --json`` means the same.

    ``delivered`` and ``remaining`` are citations of this partition. ``begun`` is None before the first run.
    ``journal`` and ``maybe_paid`` are None where there is none to read; ``notes`` say why. ``held_by`` is whoever
    works with the journal.
    """

    store: str
    store_id: str
    screening: str
    partition: str
    begun: Begun | None
    citations: int
    qualified: int
    contexts: int
    states: States
    delivered: int
    remaining: int
    done_elsewhere: int
    maybe_paid: int | None
    total_cost_usd: float | None
    unpriced: int
    journal_path: str
    journal: JournalStatus | None
    held_by: Holder | None
    live: LiveStatus | None
    other_journals: list[JournalRow]
    notes: list[str]


class StatusStore(Protocol):
    """What is asked of the store."""

    async def store_id(self) -> str:
        """Its id."""

    async def screenings(self, *, counted: bool = True) -> Sequence[ScreeningRow]:
        """All screenings."""

    async def journals(self, screening: str) -> Sequence[JournalRow]:
        """The journals that have worked on one."""

    async def counts(self, screening: str, partition: Partition = WHOLE) -> StoreCounts:
        """The counts of one."""


async def take_status(
    store: StatusStore, journal: Path, *, address: str, screening: str, partition: Partition = WHOLE
) -> Status:
    """Take stock. ``address`` is what the store is called towards people. Stops nobody, and needs no journal."""
    store_id = await store.store_id()
    counts = await store.counts(screening, partition)
    rows = {row.name: row for row in await store.screenings(counted=False)}
    # Read in a thread of its own: a journal of a million outcomes takes its time.
    seen, totals, notes = await asyncio.to_thread(_read_journal, journal, screening, store_id)
    held_by = current_holder(journal)
    others = [row for row in await store.journals(screening) if seen is None or row.journal_id != seen.journal_id]
    return Status(
        store=address,
        store_id=store_id,
        screening=screening,
        partition=str(partition),
        begun=_begun(rows.get(screening)),
        citations=counts.citations,
        qualified=counts.qualified,
        contexts=counts.contexts,
        states=States(
            verdict=counts.verdict,
            unassessable=counts.unassessable,
            failed=counts.failed,
            # Outcomes stay where somebody has deleted their edge, or taken contexts out of it.
            not_delivered=max(0, counts.contexts - counts.verdict - counts.unassessable - counts.failed),
        ),
        delivered=counts.delivered,
        remaining=counts.to_do,
        done_elsewhere=counts.done_elsewhere,
        maybe_paid=totals.maybe_paid if totals is not None else None,
        total_cost_usd=totals.cost_usd if totals is not None else None,
        unpriced=totals.unpriced if totals is not None else 0,
        journal_path=str(journal),
        journal=seen,
        held_by=held_by,
        live=read_live(journal) if held_by is not None else None,
        other_journals=[row for row in others if not row.finished],
        notes=notes,
    )


def read_live(journal: Path) -> LiveStatus | None:
    """The numbers of the run that works with this journal, None where it has not written any that can be read."""
    status = read_last(journal)
    # The file of an earlier run stays where the present one has not written yet.
    return status if status is not None and status.running else None


def read_last(journal: Path) -> LiveStatus | None:
    """The last numbers of the last run on this journal, under way or over, None where there are none to be read.

    Those of a run that was killed still say ``running``: whether it lives, the journal's holder tells.
    """
    try:
        return msgspec.json.decode(status_path(journal).read_bytes(), type=LiveStatus)
    except (OSError, msgspec.MsgspecError):
        return None


class _Read(NamedTuple):
    """What a journal tells, or why it tells nothing."""

    journal: JournalStatus | None
    totals: Totals | None
    notes: list[str]


def _read_journal(path: Path, screening: str, store_id: str) -> _Read:
    """What the journal holds of a screening, or why it cannot be told. Blocks; never raises."""
    try:
        with JournalReader(path) as reader:
            notes = [] if reader.header.store_id == store_id else [f"The journal {path} belongs to another store."]
            totals = reader.totals(screening)
            return _Read(_journal_status(reader, screening, totals), totals, notes)
    except StoreError as err:
        return _Read(None, None, [err.message])


def _begun(row: ScreeningRow | None) -> Begun | None:
    if row is None:
        return None
    spec = Spec.from_json(row.spec)
    return Begun(begun_at=row.created_at, provider=spec.provider, model=spec.model, spec=row.fingerprint)


def _journal_status(reader: JournalReader, screening: str, totals: Totals) -> JournalStatus:
    return JournalStatus(
        journal_id=reader.header.journal_id,
        runs=len(reader.runs(screening)),
        undelivered=reader.undelivered(screening),
        answered=totals.states.get("verdict", 0),
        unassessable=totals.states.get("unassessable", 0),
        failed=totals.states.get("failed", 0),
        left=totals.waiting,
        calls=totals.calls,
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        cached_tokens=totals.cached_tokens,
        categories=totals.categories,
        failures_by_kind=totals.failures,
    )
