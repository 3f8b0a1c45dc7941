"""What a retry did, for people."""

from __future__ import annotations

from citefidelity.cli.run_text import same_command
from citefidelity.records import CitationKey
from citefidelity.retrying import RetryReport
from citefidelity.settings import Settings


def retry_text(report: RetryReport, settings: Settings) -> list[str]:
    """What was set aside and why, what was not, and the command that asks."""
    if not (report.contexts or report.finished or report.refused):
        return [f"Nothing to try again in screening {report.screening}."]
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in report.by_kind.items())
    lines = [
        f"{report.contexts:,} contexts of {report.citations:,} citations are to do again{f': {kinds}' if kinds else ''}"
    ]
    if report.finished:
        lines.append(
            f"{report.finished:,} citations were left over from a retry that was interrupted; they are done now."
        )
    if report.asked_too:
        lines.append(f"{report.asked_too:,} more contexts of these citations have changed, and are asked with them.")
    if report.refused:
        lines += _refused(report)
    return [*lines, "", f"To ask them: {same_command('run', settings)}"]


def _refused(report: RetryReport) -> list[str]:
    return [
        f"{report.refused:,} citations were delivered from another journal, and were left as they are:",
        *(f"  {CitationKey(*key)}" for key in report.refusals),
        *(
            f"Their journal may be {row.path} on {row.host}: give it with --journal there."
            for row in report.other_journals
        ),
    ]
