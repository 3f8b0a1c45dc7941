"""What an import did, for people."""

from __future__ import annotations

from citefidelity.cli.run_text import same_command
from citefidelity.config.settings import Settings
from citefidelity.imports import ImportReport
from citefidelity.records import CitationKey

NAMED = 10
"""So many citations are named; --json lists more."""


def import_text(report: ImportReport, settings: Settings) -> list[str]:
    """The numbers, what was left out and why, and what comes next."""
    known = f"{report.new:,} new, {report.unchanged:,} unchanged, {report.changed:,} changed"
    lines = [f"{known}, {report.rejected:,} rejected in {settings.store}"]
    if report.contexts_changed:
        lines.append(f"{report.contexts_changed:,} contexts of the changed citations are to be asked again.")
    if report.left_out_fields:
        fields = ", ".join(f"{name} ({number:,})" for name, number in report.left_out_fields.items())
        lines.append(f"Left out, because they are written by screenings: {fields}")
    if report.changed_after_delivery:
        lines += _delivered(report)
    if report.rejected:
        lines.append("What is named above is not in, a citation with one wrong row as a whole; all else is.")
        lines.append("Mend it and import again: what is in stays as it is.")
    if report.new or report.changed:
        lines += ["", f"What a run would take: {same_command('estimate', settings)}"]
    return lines


def _delivered(report: ImportReport) -> list[str]:
    lines = [f"{report.changed_after_delivery:,} citations changed after a screening had judged them; verdicts stand:"]
    for key, screenings in report.delivered_before[:NAMED]:
        lines.append(f"  {CitationKey(*key)} ({', '.join(screenings)})")
    if report.changed_after_delivery > NAMED:
        lines.append("  ...; --json names more")
    return [*lines, "To judge them anew: citefidelity retry --changed"]
