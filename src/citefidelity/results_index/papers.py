"""The articles with the most unsupported citations, as :mod:`citefidelity.views.problem_papers` has them, by SQL."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, NamedTuple

import apsw

from citefidelity.results_index.searching import placeholders, result_of
from citefidelity.results_index.words import Texts
from citefidelity.views.problem_papers import ProblemPaper, ProblemPapers

Side = Literal["source", "target"]

# Along the index by article, which has all of it; the plus keeps SQLite from one that would leave the sorting to do.
_WORST = """
SELECT {side}, sum(result IN {counted}) AS unsupported, count(*) AS judged FROM result
WHERE +result GLOB 'verdict:*' GROUP BY {side} HAVING unsupported AND judged >= ?
"""
_PAPERS = """
SELECT x.{side}, article_id, unsupported, judged, count(*) OVER () FROM ({worst}) x JOIN article ON id = x.{side}
ORDER BY unsupported DESC, judged, article_id LIMIT ?
"""
_CITATIONS = """
SELECT count(DISTINCT citation), count(DISTINCT CASE WHEN result IN {counted} THEN citation END) FROM result
WHERE {side} = ? AND result GLOB 'verdict:*'
"""
_CATEGORIES = "SELECT result, count(*) FROM result WHERE {side} = ? AND result IN {counted} GROUP BY result"
_PROMPTS = """
SELECT p.zstd FROM result r CROSS JOIN journal.settled s
    ON s.screening = ? AND s.citation = r.citation AND s.instance_id = r.instance_id AND s.seq = r.seq
CROSS JOIN journal.prompt p ON p.input_hash = s.input_hash WHERE r.{side} = ? AND r.result IN {counted} LIMIT 1
"""


class _Counted(NamedTuple):
    """An article by its number in the tables."""

    number: int
    article_id: str
    unsupported: int
    judged: int


class Papers:
    """Counts for one choice of categories. Blocks, and belongs to one thread at a time."""

    def __init__(self, connection: apsw.Connection, texts: Texts, counted: Collection[str]) -> None:
        self._connection = connection
        self._texts = texts
        self._counted = tuple(counted)
        self._results = tuple(result_of(category) for category in counted)

    def worst(self, screening: int | None, most: int, at_least: int) -> ProblemPapers:
        """What :func:`citefidelity.views.problem_papers.problem_papers` gives."""
        cited, cited_articles = self._side("target", screening, most, at_least)
        citing, citing_articles = self._side("source", screening, most, at_least)
        return ProblemPapers(
            counted=self._counted,
            cited=cited,
            citing=citing,
            cited_articles=cited_articles,
            citing_articles=citing_articles,
        )

    def _side(self, side: Side, screening: int | None, most: int, at_least: int) -> tuple[list[ProblemPaper], int]:
        sql = _PAPERS.format(side=side, worst=self._filled(_WORST, side))
        rows: list[tuple[Any, ...]] = self._connection.execute(sql, (*self._results, at_least, most)).fetchall()
        papers = [self._paper(side, screening, _Counted(*row[:4])) for row in rows]
        return papers, rows[0][4] if rows else 0

    def _paper(self, side: Side, screening: int | None, article: _Counted) -> ProblemPaper:
        run, results, number = self._connection.execute, self._results, article.number
        citations, citations_unsupported = run(self._filled(_CITATIONS, side), (*results, number)).get
        categories = {
            result.partition(":")[2]: contexts
            for result, contexts in run(self._filled(_CATEGORIES, side), (number, *results))
        }
        packed = run(self._filled(_PROMPTS, side), (screening, number, *results)).get
        quoted = self._texts.quoted(packed)
        return ProblemPaper(
            article_id=article.article_id,
            title=quoted.target_title if side == "target" else quoted.source_title,
            judged=article.judged,
            unsupported=article.unsupported,
            share=article.unsupported / article.judged,
            citations=citations,
            citations_unsupported=citations_unsupported,
            categories=categories,
        )

    def _filled(self, sql: str, side: Side) -> str:
        return sql.format(side=side, counted=placeholders(self._results))
