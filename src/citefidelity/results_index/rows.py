"""What a page of results shows."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from citefidelity.records import CitationKey
from citefidelity.results_index.filters import Filter, State

PAGE = 50


class ResultRow(msgspec.Struct, frozen=True, kw_only=True):
    """One context with the outcome that counts.

    ``detail`` is the category of a verdict, otherwise the kind of the failure. ``said`` is the justification or the
    message. Titles and ``text``, the citation sentence or the passage, are None where no prompt was sent. ``at`` is
    in seconds since the epoch.
    """

    key: CitationKey
    instance_id: str
    state: State
    detail: str
    confidence: float | None
    citation_type: str | None
    flags: tuple[str, ...]
    delivered: bool
    at: float
    said: str
    source_title: str | None
    target_title: str | None
    text: str | None


class ResultsPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page. ``filter.page`` is the page that is shown: the last one where a later one was asked for.

    ``latest`` is the place of the last thing in the journal that it knows of.
    """

    filter: Filter
    total: int
    rows: list[ResultRow]
    latest: int

    @property
    def pages(self) -> int:
        """How many there are; at least one."""
        return max(1, -(-self.total // PAGE))

    @property
    def first(self) -> int:
        """The number of its first row, from 1; 0 where there is none."""
        return (self.filter.page - 1) * PAGE + 1 if self.rows else 0


class Group(NamedTuple):
    """How many contexts ended in one way: ``detail`` is the category or the kind."""

    state: State
    detail: str
    contexts: int


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the copying out of the journal is.

    Attributes:
        complete: everything was taken over that was there at the last look.
        citations: how many have been looked at.
        of_citations: how many there are to look at.
        results: contexts that can be shown.
        words_complete: the words of all of them can be searched. They are taken in when somebody first asks for words.
        words: of how many they can.
        latest: the place of the last thing in the journal that a question would know of now: where it is beyond
            :attr:`ResultsPage.latest`, there is more to show.
        problem: why it does not go on.
    """

    complete: bool = False
    citations: int = 0
    of_citations: int = 0
    results: int = 0
    words_complete: bool = False
    words: int = 0
    latest: int = 0
    problem: str | None = None
