"""What an audit found, for people."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from citefidelity.audits.audited import Audit, Finding, Note
from citefidelity.cli.rows import pairs
from citefidelity.cli.run_text import same_command
from citefidelity.config.settings import Settings


def verify_text(audit: Audit, settings: Settings, bold: Callable[[str], str]) -> list[str]:
    """The result, the counts, every violation and note that is named, and what can be done about the notes."""
    result = "Clean: no violations." if audit.clean else f"{audit.violations_total:,} violations."
    lines = [bold(result), "", bold("Counted"), *_pairs(_counts(audit))]
    lines += _findings("Violations", audit.violations, audit.violations_total, audit.violations_by_kind, bold)
    lines += _findings("Good to know", audit.notes, audit.notes_total, audit.notes_by_kind, bold)
    steps = _next_steps(audit, settings)
    return [*lines, *(["", *steps] if steps else [])]


def _next_steps(audit: Audit, settings: Settings) -> list[str]:
    notes = audit.notes_by_kind
    steps = []
    if Note.RETRY_INTERRUPTED in notes:
        steps.append(f"To finish the retry: {same_command('retry', settings)}")
    if Note.CHANGED in notes or Note.ADDED in notes:
        steps.append(f"To judge what was changed or added: {same_command('retry --changed', settings)}")
    if Note.WAITING in notes or Note.RESTORED in notes:
        steps.append(f"To deliver what waits, without a call: {same_command('run', settings)}")
    if audit.other_journals:
        here = [journal.path for journal in audit.journals]
        # One that is lost may have lain where another one lies by now.
        taken = {Path(path).absolute() for path in here}
        there = [row.path for row in audit.other_journals if Path(row.path) not in taken]
        if not there:
            return steps
        paths = [*here, *there]
        flags = " ".join(f"--journal {shlex.quote(path)}" for path in paths)
        steps.append(f"To audit all journals, once they are here: {same_command(f'verify {flags}', settings)}")
    return steps


def _counts(audit: Audit) -> list[tuple[str, str]]:
    states = audit.states
    contexts = [
        (states.verdict, "with a verdict"),
        (states.unassessable, "unassessable"),
        (states.failed, "failed for good"),
        (states.to_do, "to do"),
        (states.undeliverable, "undeliverable"),
        (states.done_elsewhere, "done elsewhere"),
    ]
    waiting = f", {audit.waiting:,} wait in the journal" if audit.waiting else ""
    elsewhere = f", {audit.not_audited:,} come from journals that are not here" if audit.not_audited else ""
    return [
        ("citations", f"{audit.citations:,}: {audit.delivered:,} delivered{waiting}"),
        ("contexts", f"{audit.contexts:,}: {', '.join(f'{number:,} {name}' for number, name in contexts if number)}"),
        ("failures", _kinds(audit.failures)),
        ("undeliverable", _kinds(audit.undeliverable)),
        ("outcomes", f"{audit.audited:,} found in their journal{elsewhere}"),
        ("attempts", f"{audit.attempts:,}, {audit.maybe_paid:,} of them without a known end (maybe paid)"),
        ("journals", ", ".join(journal.path for journal in audit.journals)),
        ("not here", ", ".join(f"{row.path} on {row.host}" for row in audit.other_journals)),
    ]


def _findings(
    heading: str, found: Sequence[Finding], total: int, by_kind: dict[str, int], bold: Callable[[str], str]
) -> list[str]:
    if not found:
        return []
    lines = ["", bold(f"{heading} ({_kinds(by_kind)})")]
    lines += [
        f"  {finding.kind}: {': '.join(part for part in (finding.place(), finding.message) if part)}"
        for finding in found
    ]
    return lines if total == len(found) else [*lines, f"  and {total - len(found):,} more, which are counted only"]


def _kinds(numbers: dict[str, int]) -> str:
    return ", ".join(f"{kind} {number:,}" for kind, number in numbers.items())


def _pairs(rows: list[tuple[str, str]]) -> list[str]:
    return pairs((name, value) for name, value in rows if value)
