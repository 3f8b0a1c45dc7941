"""What went wrong in a screening, out of its journal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from citefidelity.errors import JournalError
from citefidelity.facts import Fact
from citefidelity.views.failing import EXAMPLES, WAITING_NAMED, Failing, read_failing
from support.journals import (
    make_asked,
    make_began,
    make_delivered,
    make_ended,
    make_reopened,
    make_settled,
    make_transient,
    open_sqlite_journal,
)
from support.makers import make_failed, make_key, make_unassessable


async def failing(path: Path, facts: Sequence[Fact]) -> Failing:
    """What is read of a journal with these facts."""
    journal = await open_sqlite_journal(path)
    async with journal:
        await journal.append([make_began(), *facts])
    return read_failing(path, "main")


async def test_contexts_are_grouped_by_kind_with_a_few_examples(tmp_path: Path) -> None:
    """The largest group first, those without evidence among them, each with its first contexts and what was said."""
    refused = [make_settled(make_failed(), make_key(number)) for number in range(1, 9)]
    lonely = make_settled(make_failed(kind="too_long"), make_key(20))
    bare = [make_settled(make_unassessable(), make_key(number)) for number in (30, 31)]
    found = await failing(tmp_path / "j", [*refused, lonely, *bare, make_settled(key=make_key(40))])
    assert found.settled == 12
    assert [(group.kind, group.contexts) for group in found.groups] == [
        ("refused", 8),
        ("no_evidence", 2),
        ("too_long", 1),
    ]
    assert [example.key for example in found.groups[0].examples] == [make_key(number) for number in range(1, 6)]
    assert found.groups[0].examples[0].message == "The model declined."
    assert [len(group.examples) for group in found.groups] == [EXAMPLES, 2, 1]


async def test_what_was_reopened_is_no_failure_any_more(tmp_path: Path) -> None:
    """A failure that retry has set aside is neither counted nor an example; one that failed for the moment is apart."""
    found = await failing(
        tmp_path / "j", [make_settled(make_failed()), make_reopened(), make_transient(key=make_key(2))]
    )
    assert (found.settled, found.groups, found.left) == (0, [], 1)


async def test_attempts_that_went_wrong_are_counted_apart(tmp_path: Path) -> None:
    """A fault that was asked again is no failure of a context."""
    found = await failing(
        tmp_path / "j",
        [make_asked(1), make_ended(1, fault="timeout"), make_asked(2), make_ended(2), make_settled()],
    )
    assert (found.faults, found.groups) == ({"timeout": 1}, [])


async def test_what_is_not_delivered_is_named_up_to_a_number(tmp_path: Path) -> None:
    """Outcomes that are not in the store belong to the citations named; of many, the first."""
    few = await failing(tmp_path / "few", [make_settled(), make_delivered(), make_settled(key=make_key(2))])
    assert (few.undelivered, few.more_undelivered) == ([make_key(2)], False)
    many = await failing(tmp_path / "many", [make_settled(key=make_key(n)) for n in range(1, WAITING_NAMED + 2)])
    assert (len(many.undelivered), many.more_undelivered) == (WAITING_NAMED, True)


async def test_a_screening_that_is_not_known_has_no_failures(tmp_path: Path) -> None:
    """Nor does a journal have to know it; where there is no journal, that is said."""
    await failing(tmp_path / "j", [make_settled(make_failed())])
    assert read_failing(tmp_path / "j", "another").groups == []
    with pytest.raises(JournalError, match="There is no journal"):
        read_failing(tmp_path / "none", "main")
