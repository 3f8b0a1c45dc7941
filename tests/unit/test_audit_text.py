"""What people read after ``verify`` and ``retry``: what was found, and the exact command that comes next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from citefidelity.audits.audited import Audit, AuditedJournal, ContextStates, Finding, Note
from citefidelity.audits.retrying import RetryReport
from citefidelity.cli.retry_text import retry_text
from citefidelity.cli.verify_text import verify_text
from citefidelity.config.loading import load_settings
from citefidelity.config.settings import Settings
from citefidelity.ports import JournalRow
from citefidelity.records import CitationKey
from support.cli import as_is

ELSEWHERE = JournalRow(journal_id="j2", host="far", path="/x y/b.journal")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """With a store and a screening that were given as flags."""
    return load_settings({"store": "sqlite:///c.db", "screening": "s"}, environ={}, directory=tmp_path)


def audit(**changes: Any) -> Audit:
    """An audit of two citations that is clean; any part of it may be given."""
    fields: dict[str, Any] = {
        "clean": True,
        "store": "sqlite:///c.db",
        "screening": "s",
        "spec": "0123",
        "citations": 2,
        "contexts": 4,
        "states": ContextStates(verdict=3, failed=1),
        "failures": {"refused": 1},
        "undeliverable": {},
        "delivered": 2,
        "waiting": 0,
        "audited": 4,
        "not_audited": 0,
        "attempts": 4,
        "maybe_paid": 0,
        "journals": [AuditedJournal("j1", "c.db.journal")],
        "other_journals": [],
        "violations_total": 0,
        "violations_by_kind": {},
        "violations": [],
        "notes_total": 0,
        "notes_by_kind": {},
        "notes": [],
    }
    return Audit(**(fields | changes))


def test_a_clean_audit_is_short(settings: Settings) -> None:
    """It says that it is clean and what was looked at, in a few lines, and proposes nothing."""
    lines = verify_text(audit(), settings, as_is)
    assert lines[0] == "Clean: no violations."
    assert len(lines) < 10
    text = "\n".join(lines)
    assert "3 with a verdict" in text
    assert "refused 1" in text
    assert "citefidelity " not in text


@pytest.mark.parametrize(
    ("note", "command"),
    [
        (Note.RETRY_INTERRUPTED, "citefidelity retry --store sqlite:///c.db --screening s"),
        (Note.CHANGED, "citefidelity retry --changed --store sqlite:///c.db --screening s"),
        (Note.ADDED, "citefidelity retry --changed --store sqlite:///c.db --screening s"),
        (Note.WAITING, "citefidelity run --store sqlite:///c.db --screening s"),
        (Note.RESTORED, "citefidelity run --store sqlite:///c.db --screening s"),
    ],
)
def test_a_note_comes_with_what_to_do(settings: Settings, note: Note, command: str) -> None:
    """The note is named with its place, and the command that settles it can be copied."""
    finding = Finding(kind=note, source_id="a", target_id="b", reference_id="r", instance_id="7", message="so it is")
    lines = verify_text(audit(notes_total=1, notes_by_kind={note: 1}, notes=[finding]), settings, as_is)
    assert f"  {note}: a -> b [r] 7: so it is" in lines
    assert lines[-1].endswith(command)


def test_journals_that_are_elsewhere_are_named_for_the_next_audit(settings: Settings) -> None:
    """All journals, those at hand included, stand in the command that audits them together."""
    lines = verify_text(audit(other_journals=[ELSEWHERE], not_audited=3), settings, as_is)
    assert "3 come from journals that are not here" in "\n".join(lines)
    assert lines[-1].endswith(
        "citefidelity verify --journal c.db.journal --journal '/x y/b.journal' --store sqlite:///c.db --screening s"
    )


def test_a_journal_that_was_lost_is_not_asked_for_where_another_lies(settings: Settings) -> None:
    """A journal whose place another one has taken is counted as missing, and not named to be audited beside it."""
    lost = JournalRow(journal_id="j0", host="here", path=str(Path("c.db.journal").absolute()))
    lines = verify_text(audit(other_journals=[lost], not_audited=3), settings, as_is)
    assert "3 come from journals that are not here" in "\n".join(lines)
    assert "To audit all journals" not in "\n".join(lines)


def test_what_a_retry_did(settings: Settings) -> None:
    """What is to do again, with the command that asks; nothing of it where there is nothing."""
    report = RetryReport(screening="s", contexts=3, citations=2, by_kind={"refused": 3}, finished=1, asked_too=4)
    lines = retry_text(report, settings)
    assert lines[0] == "3 contexts of 2 citations are to do again: refused 3"
    assert lines[1].startswith("1 citations that an interrupted retry")
    assert lines[2].startswith("4 more contexts")
    assert lines[-1] == "To ask them: citefidelity run --store sqlite:///c.db --screening s"
    assert retry_text(RetryReport(screening="s"), settings) == ["Nothing to try again in screening s."]


def test_what_a_retry_refused(settings: Settings) -> None:
    """Citations of another journal are named with the command that goes on there, and there is nothing to ask."""
    report = RetryReport(screening="s", refused=1, refusals=[CitationKey("a", "b", "r")], other_journals=[ELSEWHERE])
    lines = retry_text(report, settings)
    assert "  a -> b [r]" in lines
    assert lines[-1] == (
        "To go on with them, on far: citefidelity retry --store sqlite:///c.db --screening s --journal '/x y/b.journal'"
    )
    assert not any("citefidelity run" in line for line in lines)
