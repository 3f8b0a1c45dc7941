"""Where a screening stands, for people."""

from __future__ import annotations

from collections.abc import Callable

from citefidelity.cli.rows import pairs
from citefidelity.views.advice import line_of
from citefidelity.views.painters import board_rows
from citefidelity.views.status import Status
from citefidelity.views.status_rows import elsewhere, journal_rows, screening_rows, store_rows


def status_text(status: Status, bold: Callable[[str], str]) -> list[str]:
    """A few short tables."""
    lines = [bold("Store"), *_pairs(store_rows(status))]
    lines += ["", bold(f"Screening {status.screening}"), *_pairs(screening_rows(status))]
    lines += ["", bold("Journal"), *_pairs([("file", status.journal_path), *journal_rows(status)])]
    if status.held_by is not None:
        held = status.held_by
        lines += [f"  held by `{held.command}` on {held.host}, pid {held.pid}"]
    lines += [f"  {note}" for note in status.notes]
    for row in status.other_journals:
        lines.append(f"  unfinished elsewhere: {elsewhere(row)}")
    if status.live is not None:
        lines += ["", bold(f"Run {status.live.run.run_id}"), *_pairs(board_rows(status.live.numbers))]
        lines += [f"  {line_of(said)}" for said in status.live.advice]
        lines += [f"  as of {status.live.updated_at}"]
    return lines


def _pairs(rows: list[tuple[str, str]]) -> list[str]:
    return pairs((name, value) for name, value in rows if value)
