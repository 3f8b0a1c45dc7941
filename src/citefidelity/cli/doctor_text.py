"""What a checkup found, for people."""

from __future__ import annotations

from collections.abc import Callable

from citefidelity.cli.rows import pairs
from citefidelity.doctor import Check, Checkup

SIGNS = {"ok": "ok", "warning": "warning", "failure": "FAILURE"}


def doctor_text(found: Checkup, bold: Callable[[str], str]) -> list[str]:
    """One line for each thing, what to do under it, and the sum."""
    lines = pairs((check.name, f"{SIGNS[check.result]}: {check.message}") for check in found.checks)
    shown = [line for check, row in zip(found.checks, lines, strict=True) for line in _with_hint(check, row, bold)]
    failures = sum(check.result == "failure" for check in found.checks)
    warnings = sum(check.result == "warning" for check in found.checks)
    result = f"{failures} failed: a run would not get through." if failures else "A run can begin."
    return [*shown, "", bold(f"{result} {warnings} warnings." if warnings else result)]


def _with_hint(check: Check, row: str, bold: Callable[[str], str]) -> list[str]:
    if check.result == "ok":
        return [row]
    return [bold(row) if check.result == "failure" else row, *([f"      {check.hint}"] if check.hint else [])]
