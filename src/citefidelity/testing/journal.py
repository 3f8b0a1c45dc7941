"""A journal that keeps its facts in a list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from citefidelity.errors import JournalError
from citefidelity.facts import Asked, ContextPast, Ended, Fact, Past, Reopened, Settled
from citefidelity.kinds import FailureKind
from citefidelity.records import CitationKey


class MemoryJournal:
    """Does what a journal on disk does, as long as the process lives.

    Args:
        facts: what it holds already, oldest first.
        journal_id: its name.

    Attributes:
        facts: everything appended, oldest first, for tests to look at.
    """

    def __init__(self, facts: Iterable[Fact] = (), journal_id: str = "memory") -> None:
        self.journal_id = journal_id
        self.facts: list[Fact] = list(facts)
        self._last = max((fact.attempt for fact in self.facts if isinstance(fact, Asked)), default=0)
        self._closed = False

    def number(self) -> int:
        """A fresh attempt number, larger than every earlier one."""
        self._last += 1
        return self._last

    async def append(self, facts: Sequence[Fact]) -> None:
        """Keep all of ``facts``; other tasks get their turn before it returns, as with a disk.

        Raises:
            JournalError: the journal is closed.
        """
        self._refuse_if_closed()
        self.facts.extend(facts)
        await asyncio.sleep(0)

    async def recall(self, screening: str, keys: Sequence[CitationKey]) -> dict[CitationKey, ContextPast]:
        """What is known of these citations' contexts; a look through all facts.

        Raises:
            JournalError: the journal is closed.
        """
        self._refuse_if_closed()
        await asyncio.sleep(0)
        pasts = {key: self._past(screening, key) for key in keys}
        return {key: past for key, past in pasts.items() if past}

    async def close(self) -> None:
        """Take no more; safe to call twice."""
        self._closed = True

    def reopen(self) -> MemoryJournal:
        """Another journal with the same facts, as the next process would find them."""
        return MemoryJournal(self.facts, self.journal_id)

    async def __aenter__(self) -> Self:
        """Itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    def _past(self, screening: str, key: CitationKey) -> ContextPast:
        asked = {
            fact.attempt: fact
            for fact in self.facts
            if isinstance(fact, Asked) and (fact.screening, fact.key) == (screening, key)
        }
        since: dict[str, list[tuple[bytes, Settled | Ended]]] = {}
        for fact in self.facts:
            if isinstance(fact, Ended) and fact.attempt in asked:
                question = asked[fact.attempt]
                since.setdefault(question.instance_id, []).append((question.input_hash, fact))
            elif isinstance(fact, Settled) and (fact.screening, fact.key) == (screening, key):
                input_hash = bytes.fromhex(fact.outcome.input_hash)
                since.setdefault(fact.outcome.instance_id, []).append((input_hash, fact))
            elif isinstance(fact, Reopened) and (fact.screening, fact.key) == (screening, key):
                since.pop(fact.instance_id, None)
        return {
            (instance_id, input_hash): past
            for instance_id, facts in since.items()
            for input_hash in {of for of, _ in facts}
            if (past := _fold([fact for of, fact in facts if of == input_hash])) != Past()
        }

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise JournalError("The journal is closed. These facts were not written.")


def _fold(facts: list[Settled | Ended]) -> Past:
    settled = [fact for fact in facts if isinstance(fact, Settled)]
    faults = [fact.fault for fact in facts if isinstance(fact, Ended)]
    return Past(
        outcome=next((fact.outcome for fact in reversed(settled) if fact.outcome.usable), None),
        transient_runs=len({fact.run for fact in settled if not fact.outcome.usable}),
        unreadable=faults.count(FailureKind.UNREADABLE_REPLY),
        truncated=faults.count(FailureKind.TRUNCATED),
    )
