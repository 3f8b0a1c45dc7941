"""What an audit has found, and what a retry has done, for people."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence

from citefidelity.audited import Audit, Finding, Note
from citefidelity.cli.rows import pairs
from citefidelity.cli.run_text import same_command
from citefidelity.records import CitationKey
from citefidelity.retrying import RetryReport
from citefidelity.settings import Settings

NAMED = 10
"""So many findings are named; --json names more."""


def audit_text(audit: Audit, settings: Settings, bold: Callable[[str], str]) -> list[str]:
    """Whether all is well, what was checked, and what is good to know."""
    lines = [bold("Clean: nothing is wrong." if audit.clean else f"{audit.violations_total:,} violations.")]
    lines += _findings(audit.violations, audit.violations_by_kind)
    lines += ["", bold("Checked"), *pairs(_checked(audit))]
    lines += ["", bold(f"Contexts of screening {audit.screening}"), *pairs(_states(audit))]
    if audit.notes:
        lines += ["", bold("Good to know"), *_findings(audit.notes, audit.notes_by_kind)]
    steps = _next_steps(audit, settings)
    return [*lines, *(["", *steps] if steps else [])]


def retry_text(report: RetryReport, settings: Settings) -> list[str]:
    """What was set aside, and the next command."""
    lines = []
    if report.contexts:
        lines.append(
            f"{report.contexts:,} contexts of {report.citations:,} citations are to do again: {_counted(report.by_kind)}"
        )
    if report.finished:
        lines.append(f"{report.finished:,} citations that an interrupted retry had left in the store are to do again.")
    if report.asked_too:
        lines.append(f"{report.asked_too:,} contexts beside them have changed since, and are asked, too.")
    if not lines and not report.refused:
        return ["Nothing is to be tried again."]
    if lines:
        lines += ["", f"To ask them: {same_command('run', settings)}"]
    return lines + (_refused(report, settings) if report.refused else [])


def _refused(report: RetryReport, settings: Settings) -> list[str]:
    lines = [
        f"{report.refused:,} citations are left as they are: their answers are in another journal, and with this one "
        "they would be paid for again."
    ]
    lines += [f"  {CitationKey(*key)}" for key in report.refusals[:NAMED]]
    if report.refused > NAMED:
        lines.append("  ...")
    command = same_command("retry", settings, ("journal",))
    for row in report.other_journals:
        lines.append(f"To go on with them, on {row.host}: {command} --journal {shlex.quote(row.path)}")
    return lines


def _findings(findings: Sequence[Finding], by_kind: Mapping[str, int]) -> list[str]:
    lines = []
    for kind, number in by_kind.items():
        lines.append(f"  {kind}: {number:,}")
        named = [finding for finding in findings if finding.kind == kind][:NAMED]
        for finding in named:
            place = finding.place()
            lines.append(f"    {place}: {finding.message}" if place else f"    {finding.message}")
        if number > len(named):
            lines.append(f"    ... and {number - len(named):,} more; --json names the first hundred")
    return lines


def _checked(audit: Audit) -> list[tuple[str, str]]:
    unsure = f", of {audit.maybe_paid:,} it is not known whether they were paid" if audit.maybe_paid else ""
    rows = [
        ("store", f"{audit.store}, {audit.citations:,} citations, {audit.delivered:,} delivered"),
        *(("journal", journal.path) for journal in audit.journals),
        (
            "outcomes",
            f"{audit.audited:,} in the store follow from the journal" if audit.clean else f"{audit.audited:,}",
        ),
        ("not audited", f"{audit.not_audited:,} outcomes of other journals" if audit.not_audited else ""),
        ("attempts", f"{audit.attempts:,}, each reply read again{unsure}" if audit.attempts else "none"),
    ]
    return [(name, value) for name, value in rows if value]


def _states(audit: Audit) -> list[tuple[str, str]]:
    states = audit.states
    rows = [
        ("verdict", states.verdict, ""),
        ("unassessable", states.unassessable, ""),
        ("failed", states.failed, _counted(audit.failures)),
        ("to do", states.to_do, ""),
        ("undeliverable", states.undeliverable, _counted(audit.undeliverable)),
        ("done elsewhere", states.done_elsewhere, ""),
    ]
    return [(name, f"{number:,}{f'  ({kinds})' if kinds else ''}") for name, number, kinds in rows if number]


def _next_steps(audit: Audit, settings: Settings) -> list[str]:
    steps = []
    notes = audit.notes_by_kind
    if notes.get(Note.RETRY_INTERRUPTED):
        steps.append(f"To finish the retry: {same_command('retry', settings)}")
    if notes.get(Note.CHANGED) or notes.get(Note.ADDED):
        steps.append(f"To judge changed and added contexts: {same_command('retry --changed', settings)}")
    if notes.get(Note.WAITING) or notes.get(Note.RESTORED):
        steps.append(f"To deliver what waits: {same_command('run', settings)}")
    if audit.other_journals:
        files = [journal.path for journal in audit.journals] + [row.path for row in audit.other_journals]
        flags = "".join(f" --journal {shlex.quote(path)}" for path in files)
        steps.append(f"To audit all journals: {same_command('verify', settings, ('journal',))}{flags}")
    return steps


def _counted(numbers: Mapping[str, int]) -> str:
    most = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{kind} {number:,}" for kind, number in most)
