"""Draws up the report of a screening: one pass over the store, one over the journals, and an audit if wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from citefidelity.audits.audit import Wanted as AuditWanted
from citefidelity.audits.audit import audit
from citefidelity.errors import StoreError, UsageError
from citefidelity.ports import JournalRow, ScreeningRow
from citefidelity.prompt import Prompter
from citefidelity.records import StoredCitation
from citefidelity.reporting.figures import Audited, Journals, Report
from citefidelity.reporting.journals import read_journals, usual_journal
from citefidelity.reporting.labels import Labels
from citefidelity.reporting.tally import Tally
from citefidelity.specs.spec import Spec

Progress = Callable[[str, int], None]
"""Told what is being looked at, and how many citations of it are done."""


class ReportStore(Protocol):
    """What is asked of the store."""

    async def store_id(self) -> str:
        """Its id."""

    async def screenings(self, *, counted: bool = True) -> Sequence[ScreeningRow]:
        """All screenings."""

    async def journals(self, screening: str) -> Sequence[JournalRow]:
        """The journals that have worked on one."""

    def stored(self, screening: str) -> AsyncIterator[Sequence[StoredCitation]]:
        """All citations, in pages."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to report.

    Args:
        screening: its name.
        address: what the store is called towards people.
        journals: files that must be there and readable.
        usual: the journal in the usual place, looked for where ``journals`` is empty.
        labels: where people's labels are.
        mapping: of labels and categories to the names that are compared.
        audit: whether to run the audit; it takes longer than all the rest.
    """

    screening: str
    address: str
    journals: Sequence[Path] = ()
    usual: Path | None = None
    labels: Labels | None = None
    mapping: Mapping[str, str] = {}
    audit: bool = True


async def draw_up(
    store: ReportStore, wanted: Wanted, *, made_at: str, program: str, on_page: Progress = lambda _what, _done: None
) -> Report:
    """The report. Only reads, and may go on beside a run: then it shows what is delivered by the time.

    Raises:
        UsageError: the screening has not begun.
        StoreError: the store, or a journal that was named, cannot be read.
    """
    row = await _screening(store, wanted)
    spec = Spec.from_json(row.spec)
    store_id = await store.store_id()
    tally = Tally(spec, wanted.labels, dict(wanted.mapping))
    try:
        async for page in store.stored(wanted.screening):
            for stored in page:
                tally.add(stored)
            on_page("counted", tally.citations)
    except msgspec.MsgspecError as err:
        raise StoreError(
            f"An outcome in {wanted.address} cannot be read ({err}), so no report was made.",
            "citefidelity verify says more; restore the store from a backup, or let a run deliver it again.",
            kind="store_damaged",
        ) from err
    journals, notes = await _journals(wanted, store_id)
    notes += await _not_at_hand(store, wanted, journals)
    audited = await _audited(store, wanted, journals, on_page)
    return Report(
        made_at=made_at,
        program=program,
        store=wanted.address,
        store_id=store_id,
        screening=wanted.screening,
        begun_at=row.created_at,
        fingerprint=row.fingerprint,
        spec=spec,
        fixed_prompt=Prompter(spec).fixed,
        citations=tally.citations,
        qualified_citations=tally.qualified,
        delivered_citations=tally.delivered,
        states=tally.states,
        categories=tally.categories(),
        types=tally.types(),
        confidence=tally.confidence(),
        agreement=tally.agreement(),
        papers=tally.papers(),
        failures=tally.failures.groups(),
        unassessable=tally.unassessable.groups(),
        undeliverable=tally.undeliverable.groups(),
        models=dict(tally.models.most_common()),
        programs=dict(tally.programs.most_common()),
        first_answer_at=tally.answered_at[0] if tally.answered_at else None,
        last_answer_at=tally.answered_at[1] if tally.answered_at else None,
        spent=tally.spent(),
        journals=journals,
        audit=audited,
        notes=notes,
    )


async def _screening(store: ReportStore, wanted: Wanted) -> ScreeningRow:
    rows = await store.screenings(counted=False)
    found = next((row for row in rows if row.name == wanted.screening), None)
    if found is None:
        others = ", ".join(row.name for row in rows)
        raise UsageError(
            f"The screening {wanted.screening!r} has not begun in {wanted.address}, so there is nothing to report.",
            f"Name one with --screening: {others}." if others else "Run first.",
            kind="not_begun",
        )
    return found


async def _journals(wanted: Wanted, store_id: str) -> tuple[Journals | None, list[str]]:
    if wanted.journals:
        return await asyncio.to_thread(read_journals, wanted.journals, wanted.screening, store_id), []
    if wanted.usual is None:
        return None, []
    return await asyncio.to_thread(usual_journal, wanted.usual, wanted.screening, store_id)


async def _not_at_hand(store: ReportStore, wanted: Wanted, journals: Journals | None) -> list[str]:
    """That journals have worked on this screening which are not here: what they alone know is missing."""
    here = frozenset(journals.ids if journals else ())
    others = [row for row in await store.journals(wanted.screening) if row.journal_id not in here]
    if journals is None or not others:
        return []
    note = (
        f"{len(others)} more journals have worked on this screening and were not given: their runs, attempts, answer "
        "times and flags are missing here, and their outcomes were not audited."
    )
    return [note]


async def _audited(store: ReportStore, wanted: Wanted, journals: Journals | None, on_page: Progress) -> Audited | None:
    if not wanted.audit:
        return None
    paths = wanted.journals or ([wanted.usual] if journals is not None and wanted.usual is not None else [])
    found = await audit(
        store,
        AuditWanted(
            screening=wanted.screening,
            address=wanted.address,
            journals=paths,
            missing=None if paths else wanted.usual,
        ),
        on_page=lambda citations: on_page("audited", citations),
    )
    return Audited(
        clean=found.clean,
        audited=found.audited,
        not_audited=found.not_audited,
        violations=found.violations_by_kind,
        notes=found.notes_by_kind,
    )
