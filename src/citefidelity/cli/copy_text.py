"""What a copy did, for people."""

from __future__ import annotations

from citefidelity.copying import CopyReport
from citefidelity.records import CitationKey

NAMED = 10
"""So many citations are named; --json names more."""


def copy_text(report: CopyReport, source: str, target: str) -> list[str]:
    """The numbers, of citations and of each screening, and what did not get there."""
    lines = [
        f"{report.citations:,} citations in {source}",
        f"{report.new:,} new, {report.unchanged:,} unchanged, {report.changed:,} changed in {target}",
    ]
    for one in report.screenings:
        missing = f", {one.undeliverable:,} undeliverable" if one.undeliverable else ""
        lines.append(f"screening {one.screening}: {one.delivered:,} delivered, {one.found:,} were there{missing}")
    if report.changed_after_delivery:
        lines.append(
            f"{report.changed_after_delivery:,} citations changed after a screening had judged them in {target}; "
            "verdicts stand. To judge them anew: citefidelity retry --changed"
        )
    if report.done_elsewhere:
        lines.append(
            f"{report.done_elsewhere:,} citations are marked as classified by another program. That mark is not "
            f"copied: to a run on {target} they are to do."
        )
    return lines + _not_copied(report)


def _not_copied(report: CopyReport) -> list[str]:
    if not report.exit_code:
        return []
    lines = ["Not copied:"]
    for one in report.not_copied[:NAMED]:
        what = f" in screening {one.screening}" if one.screening else ""
        lines.append(f"  {CitationKey(one.source_id, one.target_id, one.reference_id)}{what}: {one.message}")
    if report.left_out + report.undeliverable > NAMED:
        lines.append("  ...; --json names more")
    return lines
