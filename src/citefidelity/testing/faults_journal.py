"""Journals that fail or dawdle, around any journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from citefidelity.errors import JournalError
from citefidelity.facts import ContextPast, Fact
from citefidelity.ports import Journal
from citefidelity.records import CitationKey


class JournalAround:
    """Hands everything on to another journal; a base for those that do something in between."""

    def __init__(self, inner: Journal) -> None:
        self.inner = inner
        self.journal_id = inner.journal_id

    def number(self) -> int:
        """The inner journal's."""
        return self.inner.number()

    async def append(self, facts: Sequence[Fact]) -> None:
        """Append to the inner journal."""
        await self.inner.append(facts)

    async def recall(self, screening: str, keys: Sequence[CitationKey]) -> dict[CitationKey, ContextPast]:
        """What the inner journal knows."""
        return await self.inner.recall(screening, keys)


class FailingJournal(JournalAround):
    """Breaks at one append and stays broken, as a disk that is full.

    Args:
        inner: takes the appends before that.
        at: which append breaks it, counted from 1.
        when: ``before`` anything is written, or ``after`` all of it is, when only the acknowledgement is lost.
    """

    def __init__(self, inner: Journal, at: int, when: Literal["before", "after"] = "before") -> None:
        super().__init__(inner)
        self._left = at
        self._when = when

    async def append(self, facts: Sequence[Fact]) -> None:
        """Append, or break.

        Raises:
            JournalError: at the append that was named, and from then on always.
        """
        self._left -= 1
        if self._left == 0 and self._when == "after":
            await self.inner.append(facts)
        if self._left <= 0:
            raise JournalError("The disk is full: the journal takes no more.", "Make room.", kind="disk_full")
        await self.inner.append(facts)


class SlowJournal(JournalAround):
    """Takes its time over every append.

    Args:
        inner: takes the appends.
        seconds: how long each lasts.
        sleep: waits.
    """

    def __init__(self, inner: Journal, seconds: float, sleep: Callable[[float], Awaitable[None]]) -> None:
        super().__init__(inner)
        self._seconds = seconds
        self._sleep = sleep

    async def append(self, facts: Sequence[Fact]) -> None:
        """Wait, then append."""
        await self._sleep(self._seconds)
        await self.inner.append(facts)
