"""What must be true of a screening, kept in plain dicts beside it: who was asked what, and what was acknowledged."""

from __future__ import annotations

import asyncio
import re
import selectors
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple, TypeVar

from citefidelity.facts import Asked, Ended, Fact, Reopened, Settled
from citefidelity.journal import JournalView, SqliteJournal
from citefidelity.ports import Question, RawReply
from citefidelity.records import CitationKey, Outcome
from citefidelity.testing.answers import prompt_hash
from citefidelity.testing.faults_journal import JournalAround
from citefidelity.testing.model import ScriptedModel
from support.makers import make_key
from support.virtual_time import VirtualClock

T = TypeVar("T")
FASTER = 500.0
MARK = re.compile(r"\[(\d+)\.(\d+) v(\d+)\]")


class _QuickSelector(selectors.SelectSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout and timeout / FASTER)


class QuickLoop(asyncio.SelectorEventLoop):
    """Its seconds pass hundreds of times as fast; threads work beside it in real time."""

    def __init__(self) -> None:
        super().__init__(_QuickSelector())

    def time(self) -> float:
        """Quick seconds."""
        return time.monotonic() * FASTER


def run_quickly(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in quick time."""
    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        return runner.run(main)


class Place(NamedTuple):
    """One context in one screening."""

    screening: str
    key: CitationKey
    instance_id: str


class Text(NamedTuple):
    """One context with the version of its text: what a prompt is about, read from the prompt itself."""

    key: CitationKey
    instance_id: str
    version: int


def text_of(prompt: str) -> Text:
    """What this prompt asks about; fails where it shows more than one citing text."""
    (mark,) = set(MARK.findall(prompt))
    return Text(make_key(int(mark[0])), mark[1], int(mark[2]))


class Oracle:
    """Knows what was acknowledged, from the appends that returned, and what was asked, from the questions.

    Attributes:
        wrongs: what was done that must not be.
        outcomes: every usable outcome that was ever handed to a journal, by place and input hash.
        known: by place, the texts with a usable outcome in the present journal.
        delivered: by screening, the citations that its store has, as of the beginning of the run.
    """

    def __init__(self) -> None:
        self.wrongs: list[str] = []
        self.outcomes: dict[tuple[Place, str], list[Outcome]] = {}
        self.known: dict[Place, dict[Text, Outcome]] = {}
        self.delivered: dict[str, set[CitationKey]] = {}
        self.texts: dict[str, Text] = {}
        self.attempts: dict[int, Asked] = {}
        self.noted: set[str] = set()
        self.unreadable: Counter[tuple[Place, str]] = Counter()

    def forget_journal(self) -> None:
        """The journal is lost, with all that it alone knew."""
        self.known.clear()
        self.attempts.clear()
        self.unreadable.clear()

    def asks(self, screening: str, prompt: str) -> None:
        """A request leaves."""
        text = text_of(prompt)
        self.texts[prompt_hash(prompt)] = text
        place = Place(screening, text.key, text.instance_id)
        if text in self.known.get(place, {}):
            self.wrongs.append(f"asked again, though it is known: {place}")
        if text.key in self.delivered.get(screening, ()):
            self.wrongs.append(f"asked again, though it is delivered: {place}")
        if prompt_hash(prompt) not in self.noted:
            self.wrongs.append(f"asked without a note: {place}")
        if self.unreadable[place, prompt_hash(prompt)] > 1:
            self.wrongs.append(f"unreadable twice, and asked a third time: {place}")

    def handed_in(self, facts: Sequence[Fact]) -> None:
        """These may be on disk from now on."""
        for fact in facts:
            if isinstance(fact, Settled) and fact.outcome.usable:
                place = Place(fact.screening, fact.key, fact.outcome.instance_id)
                self.outcomes.setdefault((place, fact.outcome.input_hash), []).append(fact.outcome)

    def acknowledged(self, facts: Sequence[Fact]) -> None:
        """These are on disk."""
        for fact in facts:
            if isinstance(fact, Asked):
                self.attempts[fact.attempt] = fact
                self.noted.add(fact.input_hash.hex())
            elif isinstance(fact, Ended) and fact.fault == "unreadable_reply":
                asked = self.attempts[fact.attempt]
                self.unreadable[Place(asked.screening, asked.key, asked.instance_id), asked.input_hash.hex()] += 1
            elif isinstance(fact, Settled) and fact.outcome.usable:
                self._settled(fact)
            elif isinstance(fact, Reopened):
                self._reopened(fact)

    def _settled(self, fact: Settled) -> None:
        place = Place(fact.screening, fact.key, fact.outcome.instance_id)
        text = self.texts.get(fact.outcome.input_hash)
        if text is not None:
            self.known.setdefault(place, {})[text] = fact.outcome

    def _reopened(self, fact: Reopened) -> None:
        place = Place(fact.screening, fact.key, fact.instance_id)
        known = self.known.pop(place, {})
        if "changed" not in fact.why and not any(outcome.state == "failed" for outcome in known.values()):
            self.wrongs.append(f"reopened, though it had not failed: {place}")
        for counted in [one for one in self.unreadable if one[0] == place]:
            del self.unreadable[counted]


class WatchedJournal(JournalAround):
    """Tells the oracle what was acknowledged."""

    def __init__(self, inner: SqliteJournal, oracle: Oracle) -> None:
        super().__init__(inner)
        self._journal = inner
        self._oracle = oracle
        self.dead = False
        """Whether the process that it belongs to counts as dead: nothing is acknowledged any more."""

    async def append(self, facts: Sequence[Fact]) -> None:
        """Append, and tell."""
        self._oracle.handed_in(facts)
        await self.inner.append(facts)
        if not self.dead:
            self._oracle.acknowledged(facts)

    async def look(self, question: Callable[[JournalView], T]) -> T:
        """Ask the inner journal."""
        return await self._journal.look(question)


class WatchedModel(ScriptedModel):
    """Tells the oracle what is asked. From its ``dies_at``-th question on it calls ``die`` and answers nothing."""

    def __init__(
        self, oracle: Oracle, screening: str, script: Sequence[str], dies_at: int | None, die: Callable[[], None]
    ) -> None:
        super().__init__(VirtualClock(), script, latency=(0.0, 3.0))
        self._oracle = oracle
        self._screening = screening
        self._left = dies_at
        self._die = die

    async def ask(self, question: Question) -> RawReply:
        """The scripted answer, or death."""
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self._die()
            if self._left <= 0:
                await asyncio.get_running_loop().create_future()
        self._oracle.asks(self._screening, question.variable)
        return await super().ask(question)
