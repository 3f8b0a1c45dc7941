"""The articles with the most unsupported citations: cited ones, and citing ones. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec

from citefidelity.records import CitationKey

UNSUPPORTED = ("CONTRADICT", "NOT_SUBSTANTIATE", "MISQUOTE", "IRRELEVANT")
"""Categories that count as unsupported: what the citing text says is not in the cited article's passages.

OVERSIMPLIFY, INDIRECT and ETIQUETTE are faults of another kind: the passages bear out a part, or the way of citing is
wrong. UNCERTAIN says nothing either way.
"""

DEFINITION = (
    "A context counts as unsupported when its verdict is one of these categories. Only contexts with a verdict are "
    "counted at all. A model's verdict is a reason to look, not a finding."
)


class JudgedCitation(NamedTuple):
    """One citation, with the category of each of its contexts that has a verdict."""

    key: CitationKey
    categories: Iterable[str]
    source_title: str | None = None
    target_title: str | None = None


class ProblemPaper(msgspec.Struct, frozen=True, kw_only=True):
    """One article, cited or citing. ``share`` is ``unsupported / judged``, both counts of contexts.

    ``citations`` has citations with at least one verdict, ``citations_unsupported`` those with an unsupported context,
    ``categories`` the unsupported contexts by category.
    """

    article_id: str
    title: str | None
    judged: int
    unsupported: int
    share: float
    citations: int
    citations_unsupported: int
    categories: dict[str, int]


class ProblemPapers(msgspec.Struct, frozen=True, kw_only=True):
    """The worst articles, the one with the most unsupported contexts first. ``counted`` are the categories meant.

    ``cited_articles`` and ``citing_articles`` say how many there are in all with an unsupported context.
    """

    counted: tuple[str, ...]
    cited: list[ProblemPaper]
    citing: list[ProblemPaper]
    cited_articles: int
    citing_articles: int


def unsupported_of(categories: Collection[str]) -> tuple[str, ...]:
    """Which of a spec's categories count as unsupported unless somebody chooses others; of an own set maybe none."""
    return tuple(category for category in UNSUPPORTED if category in categories)


def problem_papers(
    citations: Iterable[JudgedCitation],
    counted: Collection[str] = UNSUPPORTED,
    *,
    most: int = 50,
    at_least: int = 1,
) -> ProblemPapers:
    """The worst articles of these citations, each given once.

    Args:
        citations: in any order.
        counted: the categories that count as unsupported.
        most: how many cited and how many citing articles.
        at_least: leave out articles with fewer contexts judged.
    """
    tally = PaperTally(counted)
    for citation in citations:
        tally.add(citation)
    return tally.worst(most, at_least=at_least)


class PaperTally:
    """The same for citations that come one by one. Its memory grows with the articles, not with the contexts."""

    def __init__(self, counted: Collection[str] = UNSUPPORTED) -> None:
        self._counted = tuple(counted)
        self._cited: dict[str, _Counts] = {}
        self._citing: dict[str, _Counts] = {}

    def add(self, citation: JudgedCitation) -> None:
        """Count one citation in."""
        categories = Counter(citation.categories)
        if not categories:
            return
        unsupported = Counter({name: categories[name] for name in self._counted if categories[name]})
        key = citation.key
        for counts, article_id, title in (
            (self._cited, key.target_id, citation.target_title),
            (self._citing, key.source_id, citation.source_title),
        ):
            counts.setdefault(article_id, _Counts()).add(categories.total(), unsupported, title)

    def worst(self, most: int = 50, *, at_least: int = 1) -> ProblemPapers:
        """What :func:`problem_papers` gives."""
        cited, cited_articles = _worst(self._cited, most, at_least)
        citing, citing_articles = _worst(self._citing, most, at_least)
        return ProblemPapers(
            counted=self._counted,
            cited=cited,
            citing=citing,
            cited_articles=cited_articles,
            citing_articles=citing_articles,
        )


class _Counts:
    """What has been counted of one article."""

    __slots__ = ("categories", "citations", "citations_unsupported", "judged", "title")

    def __init__(self) -> None:
        self.title: str | None = None
        self.judged = 0
        self.citations = 0
        self.citations_unsupported = 0
        # Most articles have none: a counter for each of a million articles would be half the memory.
        self.categories: Counter[str] | None = None

    def add(self, judged: int, unsupported: Counter[str], title: str | None) -> None:
        self.judged += judged
        self.citations += 1
        if unsupported:
            self.citations_unsupported += 1
            self.categories = (self.categories or Counter()) + unsupported
            self.title = self.title or title

    @property
    def unsupported(self) -> int:
        return self.categories.total() if self.categories else 0

    def paper(self, article_id: str) -> ProblemPaper:
        return ProblemPaper(
            article_id=article_id,
            title=self.title,
            judged=self.judged,
            unsupported=self.unsupported,
            share=self.unsupported / self.judged,
            citations=self.citations,
            citations_unsupported=self.citations_unsupported,
            categories=dict(self.categories or {}),
        )


def _worst(counts: dict[str, _Counts], most: int, at_least: int) -> tuple[list[ProblemPaper], int]:
    found = [
        (article_id, one) for article_id, one in counts.items() if one.categories is not None and one.judged >= at_least
    ]
    # The one with fewer judged has the larger share; the id makes the order the same each time.
    found.sort(key=lambda item: (-item[1].unsupported, item[1].judged, item[0]))
    return [one.paper(article_id) for article_id, one in found[:most]], len(found)
