"""What a retry did, for people."""

from __future__ import annotations

from shlex import quote

from citefidelity.audits.retrying import RetryReport
from citefidelity.cli.run_text import same_command
from citefidelity.config.settings import Settings
from citefidelity.records import CitationKey


def retry_text(report: RetryReport, settings: Settings) -> list[str]:
    """What was set aside and why, what was not, and the command that asks."""
    lines = []
    if report.contexts:
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in report.by_kind.items())
        lines.append(f"{report.contexts:,} contexts of {report.citations:,} citations are to do again: {kinds}")
    if report.finished:
        lines.append(f"{report.finished:,} citations that an interrupted retry had left in the store are to do again.")
    if report.asked_too:
        lines.append(f"{report.asked_too:,} more contexts of these citations have changed, and are asked with them.")
    if lines:
        lines += ["", f"To ask them: {same_command('run', settings)}"]
    if report.refused:
        lines += _refused(report, settings)
    return lines or [f"Nothing to try again in screening {report.screening}."]


def _refused(report: RetryReport, settings: Settings) -> list[str]:
    command = same_command("retry", settings, ("journal",))
    lines = [f"{report.refused:,} citations are left as they are: their other answers would be paid again, because"]
    lines.append("they were delivered from another journal, or are missing in this one.")
    lines += [f"  {CitationKey(*key)}" for key in report.refusals]
    return lines + [
        f"To go on with them, on {row.host}: {command} --journal {quote(row.path)}" for row in report.other_journals
    ]
