"""Where a screening stands, as rows of a name and what stands for it: for the terminal and the browser alike."""

from __future__ import annotations

from citefidelity.ports import JournalRow
from citefidelity.records import WHOLE
from citefidelity.views.amounts import cost_of_runs, short
from citefidelity.views.status import Status

Rows = list[tuple[str, str]]


def store_rows(status: Status) -> Rows:
    """What the store holds."""
    not_qualified = status.citations - status.qualified
    note = f" ({not_qualified:,} not qualified)" if not_qualified else ""
    return [
        ("place", status.store),
        ("citations", f"{status.citations:,}{note}"),
        ("contexts", f"{status.contexts:,}"),
    ]


def screening_rows(status: Status) -> Rows:
    """How far the screening is; an empty value is nothing to tell."""
    states = status.states
    settled = f"{states.verdict:,} verdicts, {states.unassessable:,} without evidence, {states.failed:,} failed"
    named = "" if status.screening == "main" else f" --screening {status.screening}"
    rows = [
        ("spec", f"not begun: citefidelity run{named} begins it"),
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
        under_way = "in flight now, or " if status.live is not None else ""
        rows.append(("maybe paid", f"{lost:,} attempts {under_way}whose end or cost is unknown" if lost else ""))
        rows.append(("cost of all runs", cost_of_runs(status.total_cost_usd, status.unpriced)))
    return rows


def journal_rows(status: Status) -> Rows:
    """What the journal holds of it, over all runs; an empty value is nothing to tell."""
    journal = status.journal
    if journal is None:
        return []
    by = "the run at work delivers them" if status.live is not None else "citefidelity run"
    cached = f" ({short(journal.cached_tokens)} cached)" if journal.cached_tokens else ""
    return [
        ("runs", f"{journal.runs:,}"),
        (
            "contexts",
            f"{journal.answered:,} answered, {journal.unassessable:,} without evidence, {journal.failed:,} failed",
        ),
        ("verdicts", _counted(journal.categories)),
        ("failures", _counted(journal.failures_by_kind)),
        ("waiting", f"answers that are not delivered yet: {by}" if journal.undelivered else ""),
        ("left", f"{journal.left:,} contexts for the next run" if journal.left else ""),
        ("calls", f"{journal.calls:,}"),
        ("tokens", f"{short(journal.input_tokens)} in{cached}, {short(journal.output_tokens)} out"),
    ]


def _counted(numbers: dict[str, int]) -> str:
    most = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {number:,}" for name, number in most)


def elsewhere(row: JournalRow) -> str:
    """A journal that is not this one."""
    part = "" if row.partition == WHOLE else f" (part {row.partition})"
    return f"{row.path} on {row.host}{part}"
