"""The journals that fail or dawdle do so as they say."""

from __future__ import annotations

from typing import Literal

import pytest

from citefidelity.errors import JournalError
from citefidelity.testing.faults_journal import FailingJournal, SlowJournal
from citefidelity.testing.journal import MemoryJournal
from support.journals import make_settled
from support.makers import make_key


@pytest.mark.parametrize(("when", "kept"), [("before", [1]), ("after", [1, 2])])
async def test_a_failing_journal(when: Literal["before", "after"], kept: list[int]) -> None:
    """It takes what comes before, fails once with or without writing, and then for good."""
    inner = MemoryJournal()
    journal = FailingJournal(inner, 2, when)
    assert journal.number() == 1
    await journal.append([make_settled(key=make_key(1))])
    for number in (2, 3):
        with pytest.raises(JournalError):
            await journal.append([make_settled(key=make_key(number))])
    assert inner.facts == [make_settled(key=make_key(number)) for number in kept]
    assert list(await journal.recall("main", [make_key(1), make_key(3)])) == [make_key(1)]


async def test_a_slow_journal() -> None:
    """It waits before it writes."""
    inner = MemoryJournal()
    waited: list[tuple[float, int]] = []

    async def sleep(seconds: float) -> None:
        waited.append((seconds, len(inner.facts)))

    journal = SlowJournal(inner, 0.5, sleep)
    await journal.append([make_settled()])
    assert waited == [(0.5, 0)]
    assert len(inner.facts) == 1
