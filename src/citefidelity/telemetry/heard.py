"""Lets somebody hear what the journal has written, without a say in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from citefidelity.facts import ContextPast, Fact
from citefidelity.ports import Journal
from citefidelity.records import CitationKey

log = logging.getLogger(__name__)

Listener = Callable[[Sequence[Fact]], None]


class HeardJournal:
    """A journal that tells each append to a listener once it is on disk.

    A listener that raises is reported once and told nothing more; whoever appends notices nothing.
    """

    def __init__(self, journal: Journal, listener: Listener) -> None:
        self._journal = journal
        self._listener: Listener | None = listener
        self.journal_id = journal.journal_id

    def number(self) -> int:
        """A fresh attempt number, larger than every earlier one."""
        return self._journal.number()

    async def append(self, facts: Sequence[Fact]) -> None:
        """Append all of ``facts`` or none; returns once they are on disk, and have been told."""
        await self._journal.append(facts)
        if self._listener is not None:
            try:
                self._listener(facts)
            except Exception:
                self._listener = None
                log.exception("a listener to the run failed and hears no more of it; the run goes on")

    async def recall(self, screening: str, keys: Sequence[CitationKey]) -> dict[CitationKey, ContextPast]:
        """What is known of these citations' contexts."""
        return await self._journal.recall(screening, keys)
