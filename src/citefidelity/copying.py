"""Citations with their screenings out of one store and into another; safe to repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from citefidelity.errors import UsageError
from citefidelity.ports import Put, ScreeningRow, Store
from citefidelity.records import CitationKey, Delivery, Receipt, StoredCitation

NAMED = 1_000
"""So many citations that could not be copied are named in a report; all are counted."""

NO_SCREENING = ""
"""No screening has this name: what a store without any is read under."""

INCOMPLETE = "outcomes of its delivery are missing in the source (citefidelity verify), so none was copied"


class CopiedScreening(msgspec.Struct, kw_only=True):
    """One screening, in citations: ``found`` had been delivered to the target before, and stand as they were there."""

    screening: str
    fingerprint: str
    delivered: int = 0
    found: int = 0
    undeliverable: int = 0


class NotCopied(msgspec.Struct, frozen=True, kw_only=True):
    """A citation, or (where ``screening`` is named) its verdicts, that did not get into the target."""

    source_id: str
    target_id: str
    reference_id: str
    kind: str
    message: str
    screening: str | None = None


class CopyReport(msgspec.Struct, kw_only=True):
    """What a copy did, in citations.

    ``changed_after_delivery``: the target's text was replaced although a screening had judged it there.
    ``left_out``: the source's own record cannot be read, or its key stands twice. ``done_elsewhere``: marked as
    classified by another program; that mark is not copied.
    """

    citations: int = 0
    new: int = 0
    unchanged: int = 0
    changed: int = 0
    changed_after_delivery: int = 0
    left_out: int = 0
    done_elsewhere: int = 0
    delivered: int = 0
    found: int = 0
    undeliverable: int = 0
    screenings: list[CopiedScreening] = msgspec.field(default_factory=list)
    not_copied: list[NotCopied] = msgspec.field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """3 where something of the source is not in the target, else 0."""
        return 3 if self.left_out or self.undeliverable else 0


async def copy(source: Store, target: Store, *, on_page: Callable[[CopyReport], None] = lambda _: None) -> CopyReport:
    """Copy all citations, then what each screening has delivered. What is cut short is mended by repeating.

    The source is read page by page, once for each screening, and only read. The caller holds the claim on the whole
    target.

    Args:
        source: where from.
        target: where to; what it has delivered stands.
        on_page: told after each page how things stand.

    Raises:
        UsageError: the target has a screening of the same name under another spec; nothing was written.
        StoreError: a store cannot be read or written; what was committed stands.
    """
    rows = await source.screenings(counted=False)
    _refuse_other_specs(rows, await target.screenings(counted=False))
    for row in rows:
        await target.begin_screening(row)
        await _name_journals(source, target, row.name)
    report = CopyReport(screenings=[CopiedScreening(screening=row.name, fingerprint=row.fingerprint) for row in rows])
    async for page in source.stored(rows[0].name if rows else NO_SCREENING):
        await _put(target, page, report)
        if report.screenings:
            await _deliver(target, page, report.screenings[0], report)
        on_page(report)
    for copied in report.screenings[1:]:
        async for page in source.stored(copied.screening):
            await _deliver(target, page, copied, report)
            on_page(report)
    return report


async def _name_journals(source: Store, target: Store, screening: str) -> None:
    """Tell the target where its verdicts come from, so that an audit there knows whose they are.

    As finished: what they have still to deliver goes to the source.
    """
    known = {row.journal_id for row in await target.journals(screening)}
    for row in await source.journals(screening):
        if row.journal_id not in known:
            await target.enrol_journal(screening, msgspec.structs.replace(row, finished=True))


def _refuse_other_specs(rows: Sequence[ScreeningRow], standing: Sequence[ScreeningRow]) -> None:
    fingerprints = {row.name: row.fingerprint for row in standing}
    for row in rows:
        if fingerprints.get(row.name, row.fingerprint) != row.fingerprint:
            raise UsageError(
                f"Both stores have a screening '{row.name}', each under another spec "
                f"({row.fingerprint[:12]} and {fingerprints[row.name][:12]}). Nothing was copied.",
                "Verdicts of two specs cannot stand under one name: copy into another store. "
                "`citefidelity screenings --json` shows both specs.",
                kind="screening_differs",
            )


async def _put(target: Store, page: Sequence[StoredCitation], report: CopyReport) -> None:
    report.citations += len(page)
    report.done_elsewhere += sum(stored.elsewhere for stored in page)
    whole = []
    for stored in page:
        if stored.unusable is None:
            whole.append(stored.record)
        else:
            report.left_out += 1
            _name(report, stored.record.key, stored.unusable.kind, stored.unusable.message)
    for put in await target.put(whole):
        _count_put(report, put)


def _count_put(report: CopyReport, put: Put) -> None:
    match put.result:
        case "new":
            report.new += 1
        case "unchanged":
            report.unchanged += 1
        case "changed":
            report.changed += 1
            report.changed_after_delivery += bool(put.changed and put.delivered)
        case "duplicate":
            report.left_out += 1
            _name(report, put.key, "edge_doubled", "the target has more than one citation with this key")


async def _deliver(target: Store, page: Sequence[StoredCitation], copied: CopiedScreening, report: CopyReport) -> None:
    for stored in page:
        if not _is_whole(stored):
            _count_receipt(report, copied, Receipt(stored.record.key, "undeliverable", "incomplete", INCOMPLETE))
    for (run, at), batch in _by_delivery(page).items():
        for receipt in await target.deliver(copied.screening, run, at, batch):
            _count_receipt(report, copied, receipt)


def _is_whole(stored: StoredCitation) -> bool:
    """Whether no outcome is missing; in the target a delivery that lacks some would look like a whole one."""
    return stored.outcome_count in {None, len(stored.outcomes)}


def _by_delivery(page: Iterable[StoredCitation]) -> dict[tuple[str, str], list[Delivery]]:
    """What is delivered of this page, by the run and the time that each citation is to keep."""
    batches: dict[tuple[str, str], list[Delivery]] = {}
    for stored in page:
        if stored.classified_at is not None and stored.unusable is None and _is_whole(stored):
            mark = (stored.run or "", stored.classified_at)
            batches.setdefault(mark, []).append(Delivery(stored.record.key, stored.outcomes))
    return batches


def _count_receipt(report: CopyReport, copied: CopiedScreening, receipt: Receipt) -> None:
    match receipt.result:
        case "written":
            copied.delivered += 1
            report.delivered += 1
        case "found":
            copied.found += 1
            report.found += 1
        case "undeliverable":
            copied.undeliverable += 1
            report.undeliverable += 1
            _name(report, receipt.key, receipt.kind or "", receipt.message or "", copied.screening)


def _name(report: CopyReport, key: CitationKey, kind: str, message: str, screening: str | None = None) -> None:
    if len(report.not_copied) < NAMED:
        named = NotCopied(**key._asdict(), kind=str(kind), message=message, screening=screening)
        report.not_copied.append(named)
