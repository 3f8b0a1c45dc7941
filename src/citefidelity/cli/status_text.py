"""Where a screening stands, for people."""

from __future__ import annotations

from collections.abc import Callable

from citefidelity.cli.rows import pairs
from citefidelity.ports import JournalRow
from citefidelity.records import WHOLE
from citefidelity.views.amounts import cost, short
from citefidelity.views.painters import board_rows
from citefidelity.views.status import JournalStatus, Status


def status_text(status: Status, bold: Callable[[str], str]) -> list[str]:
    """A few short tables."""
    lines = [bold("Store"), *_pairs(_store(status))]
    lines += ["", bold(f"Screening {status.screening}"), *_pairs(_screening(status))]
    lines += ["", bold("Journal"), *_pairs([("file", status.journal_path), *_journal(status.journal)])]
    if status.held_by is not None:
        held = status.held_by
        lines += [f"  held by `{held.command}` on {held.host}, pid {held.pid}"]
    lines += [f"  {note}" for note in status.notes]
    for row in status.other_journals:
        lines.append(f"  unfinished elsewhere: {_elsewhere(row)}")
    if status.live is not None:
        lines += ["", bold(f"Run {status.live.run.run_id}"), *_pairs(board_rows(status.live.numbers))]
        lines += [f"  as of {status.live.updated_at}"]
    return lines


def _store(status: Status) -> list[tuple[str, str]]:
    not_qualified = status.citations - status.qualified
    note = f" ({not_qualified:,} not qualified)" if not_qualified else ""
    return [
        ("place", status.store),
        ("citations", f"{status.citations:,}{note}"),
        ("contexts", f"{status.contexts:,}"),
    ]


def _screening(status: Status) -> list[tuple[str, str]]:
    states = status.states
    settled = f"{states.verdict:,} verdicts, {states.unassessable:,} without evidence, {states.failed:,} failed"
    rows = [
        ("spec", "not begun: citefidelity run begins it"),
        ("citations", f"{status.delivered:,} delivered, {status.remaining:,} to do"),
        ("contexts", f"{settled}, {states.not_delivered:,} not delivered"),
    ]
    if status.begun is not None:
        begun = status.begun
        rows[0] = ("spec", f"{begun.model} ({begun.provider}), {begun.spec[:12]}, since {begun.begun_at}")
    if status.partition != str(WHOLE):
        rows.append(("part", f"{status.partition}; delivered and to do are those of this part"))
    if status.done_elsewhere:
        rows.append(("elsewhere", f"{status.done_elsewhere:,} citations: citefidelity run --include-classified"))
    if status.journal is not None:
        lost = status.maybe_paid
        rows.append(("maybe paid", f"{lost:,} attempts whose end or cost is unknown" if lost else ""))
        rows.append(("cost of all runs", cost(status.total_cost_usd)))
    return rows


def _journal(journal: JournalStatus | None) -> list[tuple[str, str]]:
    if journal is None:
        return []
    cached = f" ({short(journal.cached_tokens)} cached)" if journal.cached_tokens else ""
    return [
        ("runs", f"{journal.runs:,}"),
        (
            "contexts",
            f"{journal.answered:,} answered, {journal.unassessable:,} without evidence, {journal.failed:,} failed",
        ),
        ("verdicts", _counted(journal.categories)),
        ("failures", _counted(journal.failures_by_kind)),
        ("waiting", "answers that are not delivered yet: citefidelity run" if journal.undelivered else ""),
        ("left", f"{journal.left:,} contexts for the next run" if journal.left else ""),
        ("calls", f"{journal.calls:,}"),
        ("tokens", f"{short(journal.input_tokens)} in{cached}, {short(journal.output_tokens)} out"),
    ]


def _counted(numbers: dict[str, int]) -> str:
    most = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {number:,}" for name, number in most)


def _elsewhere(row: JournalRow) -> str:
    part = "" if row.partition == WHOLE else f" (part {row.partition})"
    return f"{row.path} on {row.host}{part}"


def _pairs(rows: list[tuple[str, str]]) -> list[str]:
    return pairs((name, value) for name, value in rows if value)
