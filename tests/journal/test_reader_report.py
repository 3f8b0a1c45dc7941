"""What a report asks of a journal."""

from __future__ import annotations

from pathlib import Path

from citefidelity.journal import JournalReader
from support.journals import make_asked, make_ended, make_reopened, make_settled, open_sqlite_journal
from support.makers import make_key, make_outcome, make_unassessable


async def test_flagged_are_the_standing_outcomes_with_a_flag(tmp_path: Path) -> None:
    """An outcome without a flag, one that was set aside and one of another screening are left out."""
    facts = [
        make_settled(make_outcome("1"), flags=("fence",)),
        make_settled(make_outcome("2")),
        make_settled(make_unassessable("3"), flags=("fence", "zero_width")),
        make_settled(make_outcome("1"), make_key(2), flags=("fence",)),
        make_settled(make_outcome("1"), make_key(3), screening="other", flags=("fence",)),
    ]
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([*facts, make_reopened(make_key(2))])
    with JournalReader(tmp_path / "j") as reader:
        found = [(one.outcome.instance_id, one.flags) for one in reader.flagged("main")]
    assert found == [("1", ("fence",)), ("3", ("fence", "zero_width"))]


async def test_answer_times_are_of_good_answers(tmp_path: Path) -> None:
    """They come in hundredths of a second with how often; attempts that failed or have no end are left out."""
    ends = [make_ended(1, seconds=1.234), make_ended(2, seconds=1.23), make_ended(3, seconds=60.0, fault="timeout")]
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([*(make_asked(number) for number in (1, 2, 3, 4)), *ends])
    with JournalReader(tmp_path / "j") as reader:
        assert reader.answer_times("main") == {123: 2}
        assert reader.answer_times("other") == {}
