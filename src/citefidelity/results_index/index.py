"""Results to look through while a run goes on: gathered in the background, asked for page by page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import apsw

from citefidelity.journal.connection import scalar, translate
from citefidelity.one_thread import OneThread
from citefidelity.ports import Clock
from citefidelity.results_index.filters import Filter
from citefidelity.results_index.gathering import Gathering
from citefidelity.results_index.papers import Papers
from citefidelity.results_index.rows import Group, Progress, ResultsPage
from citefidelity.results_index.searching import Search
from citefidelity.results_index.words import Texts, Words
from citefidelity.views.problem_papers import ProblemPapers

MOMENT_S = 0.2
"""A question waits so long for what it is about, so that a small journal is complete at the first look."""

SHARE = 20
"""Looking for what is new takes its time in a large journal: it is done in at most one part of so many."""

ANY_SEQ = 1 << 62

T = TypeVar("T")


class _Open(NamedTuple):
    """All that works on one connection."""

    gathering: Gathering
    words: Words
    search: Search
    texts: Texts
    file: tuple[int, int] | None


class ResultsIndex:
    """The results of one screening in one journal. Nothing is read before the first question.

    One thread does all of it, slice by slice, and answers questions between two slices: a page never waits for more
    than some tenths of a second, and shows what there is by then. See :attr:`Progress.complete`.

    Args:
        journal: its path; it need not be there yet.
        screening: its name.
        clock: time.
    """

    def __init__(self, journal: Path, screening: str, clock: Clock) -> None:
        self._path = journal
        self._screening = screening
        self._now = clock.monotonic
        self._thread = OneThread("results")
        self._open: _Open | None = None
        self._working = self._words_wanted = self._words_complete = self._closed = False
        self._problem: str | None = None
        self._free_at = 0.0
        self._kept: dict[Hashable, Any] = {}
        """Answers that take their time, as long as nothing new is taken over."""

    async def page(self, wanted: Filter) -> ResultsPage:
        """One page of the results that ``wanted`` lets through.

        Raises:
            StoreError: the journal cannot be read, or is not there yet.
        """
        return await self._ask(lambda one: self._page(one, wanted))

    async def groups(self) -> list[Group]:
        """All results by how they ended, the largest group first. Raises as :meth:`page`."""
        return await self._ask(lambda one: self._once("groups", one.search.groups))

    async def flagged(self) -> int:
        """How many results have a text that looks odd. Raises as :meth:`page`."""
        return await self._ask(lambda one: self._once("flagged", one.search.flagged))

    async def types(self) -> list[str]:
        """The citation types of the verdicts. Raises as :meth:`page`."""
        return await self._ask(lambda one: self._once("types", one.search.types))

    async def papers(self, counted: Collection[str], *, most: int = 50, at_least: int = 1) -> ProblemPapers:
        """The articles with the most unsupported citations. Raises as :meth:`page`."""

        def worst(one: _Open) -> ProblemPapers:
            papers = Papers(one.gathering.connection, one.texts, counted)
            return papers.worst(one.gathering.screening(), most, at_least)

        return await self._ask(lambda one: self._once((*counted, most, at_least), lambda: worst(one)))

    async def progress(self) -> Progress:
        """How far the copying is; never raises for the journal's sake."""
        return await self._thread.run(self._progress)

    async def close(self) -> None:
        """Let go of the journal; the copy is gone. Safe to call twice."""
        if not self._closed:
            self._closed = True
            await self._thread.run(self._let_go)
            self._thread.stop()

    async def _ask(self, question: Callable[[_Open], T]) -> T:
        return await self._thread.run(self._answer, question)

    def _answer(self, question: Callable[[_Open], T]) -> T:
        try:
            return question(self._current())
        except apsw.Error as err:
            self._let_go()
            raise translate(err, self._path) from err

    def _current(self) -> _Open:
        """The gathered results, brought up to date where that is quick; the rest goes on behind the question."""
        file = _file(self._path)
        if self._open is not None and self._open.file != file:
            # Somebody has begun again with another journal; the one that is read still has no other name.
            self._let_go()
        if self._open is None:
            gathering = Gathering(self._path, self._screening)
            texts = Texts()
            words = Words(gathering.connection, texts)
            self._open = _Open(gathering, words, Search(gathering.connection, words, texts), texts, file)
            self._problem = None
        gathering = self._open.gathering
        if gathering.complete and gathering.behind and self._now() >= self._free_at:
            began = self._now()
            gathering.advance()
            self._words_complete = False
            self._kept.clear()
            self._free_at = self._now() + SHARE * (self._now() - began)
        self._work_for_a_moment()
        return self._open

    def _page(self, one: _Open, wanted: Filter) -> ResultsPage:
        if wanted.words is not None:
            self._words_wanted = True
            self._work_for_a_moment()
        return one.search.page(wanted, one.gathering.screening(), one.gathering.taken)

    def _once(self, question: Hashable, find: Callable[[], T]) -> T:
        if question not in self._kept:
            self._kept[question] = find()
        kept: T = self._kept[question]
        return kept

    def _work_for_a_moment(self) -> None:
        until = self._now() + MOMENT_S
        while self._left_to_do() and self._now() < until:
            self._advance()
        self._go_on()

    def _go_on(self) -> None:
        if not self._working and self._left_to_do():
            self._working = True
            self._thread.submit(self._slice)

    def _left_to_do(self) -> bool:
        if self._open is None or self._closed:
            return False
        return not self._open.gathering.complete or (self._words_wanted and not self._words_complete)

    def _slice(self) -> None:
        """One slice; the next is put behind the questions that have come meanwhile."""
        self._working = False
        if not self._left_to_do():
            return
        try:
            self._advance()
        except apsw.Error as err:
            self._problem = translate(err, self._path).message
            self._let_go()
        self._go_on()

    def _advance(self) -> None:
        assert self._open is not None  # noqa: S101 - there is nothing left to do where nothing is open
        if self._open.gathering.complete:
            self._words_complete = not self._open.words.advance(self._open.gathering.screening())
        else:
            self._open.gathering.advance()
            self._kept.clear()

    def _progress(self) -> Progress:
        if self._open is None:
            return Progress(problem=self._problem)
        gathering = self._open.gathering
        try:
            # Not before a question would take it over: whoever asks for what is offered is to find it.
            latest = gathering.latest() if self._now() >= self._free_at else gathering.taken
            results = self._once("results", lambda: self._count(gathering.connection, ANY_SEQ))
            words = results if self._words_complete else self._count(gathering.connection, self._open.words.at)
        except apsw.Error as err:
            return Progress(problem=translate(err, self._path).message)
        return Progress(
            complete=gathering.complete,
            citations=gathering.citations,
            of_citations=gathering.of_citations,
            results=results,
            words_complete=self._words_complete,
            words=words,
            latest=latest,
        )

    def _count(self, connection: apsw.Connection, up_to: int) -> int:
        return int(scalar(connection, "SELECT count(*) FROM result WHERE seq <= ?", up_to))

    def _let_go(self) -> None:
        if self._open is not None:
            self._open.gathering.close()
            self._open = None
            self._free_at = 0.0
            self._words_complete = False
            self._kept.clear()


def _file(path: Path) -> tuple[int, int] | None:
    """Which file it is, whatever it is called; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
