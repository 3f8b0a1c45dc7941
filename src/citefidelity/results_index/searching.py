"""Asks the gathered results: one page of those that a filter lets through, counts, the articles with the worst."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import apsw
import msgspec

from citefidelity.journal.connection import scalar
from citefidelity.records import CitationKey
from citefidelity.results_index.filters import PREFIXES, Filter, Sort, State
from citefidelity.results_index.rows import PAGE, Group, ResultRow, ResultsPage
from citefidelity.results_index.words import Texts, Words

_STATES: dict[str, State] = {prefix: state for state, prefix in PREFIXES.items()}

_ORDER: dict[Sort, str] = {
    "latest": "r.seq DESC",
    "lowest": "r.confidence ASC NULLS LAST, r.seq",
    "highest": "r.confidence DESC, r.seq DESC",
}

# First the rows of the page, then what only the journal has of them.
_PAGE = """
SELECT r.seq, a.article_id, b.article_id, c.reference_id, r.instance_id, r.result, r.confidence, r.citation_type,
       r.delivered, s.at, o.json, o.flags, p.zstd
FROM (SELECT * FROM result r WHERE {where} ORDER BY {order} LIMIT {page} OFFSET ?) r
CROSS JOIN citation c ON c.id = r.citation CROSS JOIN article a ON a.id = r.source
CROSS JOIN article b ON b.id = r.target
CROSS JOIN journal.settled s ON s.screening = ? AND s.citation = r.citation AND s.instance_id = r.instance_id
    AND s.seq = r.seq
CROSS JOIN journal.outcome o ON o.seq = r.seq LEFT JOIN journal.prompt p ON p.input_hash = s.input_hash
ORDER BY {order}
"""
_ARTICLES = "SELECT id FROM article WHERE article_id LIKE ? ESCAPE '\\'"
_ARTICLE = "(SELECT id FROM article WHERE article_id = ?)"

_read_flags = msgspec.json.Decoder(tuple[str, ...]).decode


class _Condition(NamedTuple):
    """A part of a WHERE, and its values."""

    sql: str
    values: tuple[Any, ...] = ()


class Search:
    """Questions to the gathered results. Blocks, and belongs to one thread at a time."""

    def __init__(self, connection: apsw.Connection, words: Words, texts: Texts) -> None:
        self._connection = connection
        self._words = words
        self._texts = texts

    def page(self, wanted: Filter, screening: int | None, latest: int) -> ResultsPage:
        """The page that is asked for, or the last one. ``latest`` is what the tables know of."""
        conditions = self._conditions(wanted)
        where = " AND ".join(one.sql for one in conditions) or "true"
        values = tuple(value for one in conditions for value in one.values)
        total = int(scalar(self._connection, f"SELECT count(*) FROM result WHERE {where}", *values))  # noqa: S608 - ours
        last = max(1, -(-total // PAGE))
        wanted = msgspec.structs.replace(wanted, page=min(wanted.page, last))
        sql = _PAGE.format(where=where, order=_ORDER[wanted.sort], page=PAGE)
        rows = self._connection.execute(sql, (*values, (wanted.page - 1) * PAGE, screening))
        return ResultsPage(filter=wanted, total=total, rows=[self._row(row) for row in rows], latest=latest)

    def groups(self) -> list[Group]:
        """All results by how they ended, the largest group first."""
        rows = self._connection.execute("SELECT result, count(*) FROM result GROUP BY result ORDER BY 2 DESC, 1")
        return [Group(*_state_and_detail(result), contexts) for result, contexts in rows]

    def flagged(self) -> int:
        """How many results have a text that looks odd."""
        return int(scalar(self._connection, "SELECT count(*) FROM result WHERE flagged"))

    def types(self) -> list[str]:
        """The citation types of the verdicts."""
        sql = "SELECT DISTINCT citation_type FROM result WHERE citation_type IS NOT NULL ORDER BY 1"
        return [str(row[0]) for row in self._connection.execute(sql)]

    def _conditions(self, wanted: Filter) -> list[_Condition]:
        return [*_of_outcome(wanted), *_of_article(wanted), *self._of_words(wanted)]

    def _of_words(self, wanted: Filter) -> list[_Condition]:
        if wanted.words is None or (expression := self._words.expression(wanted.words)) is None:
            return []
        return [_Condition("seq IN (SELECT rowid FROM words WHERE words MATCH ?)", (expression,))]

    def _row(self, row: tuple[Any, ...]) -> ResultRow:
        _, *key, instance_id, result, confidence, citation_type, delivered, at, json, flags, packed = row
        state, detail = _state_and_detail(result)
        quoted = self._texts.quoted(packed)
        return ResultRow(
            key=CitationKey(*key),
            instance_id=instance_id,
            state=state,
            detail=detail,
            confidence=confidence,
            citation_type=citation_type,
            flags=_read_flags(flags) if flags else (),
            delivered=bool(delivered),
            at=at,
            said=self._texts.said(self._texts.outcome(json)),
            source_title=quoted.source_title,
            target_title=quoted.target_title,
            text=quoted.sentence or quoted.passage,
        )


def result_of(category: str) -> str:
    """How a verdict of this category stands in the tables."""
    return f"{PREFIXES['verdict']}:{category}"


def placeholders(values: Collection[object]) -> str:
    """``(?, ?)`` for two."""
    return f"({', '.join('?' * len(values))})"


def _state_and_detail(result: str) -> tuple[State, str]:
    prefix, _, detail = result.partition(":")
    return _STATES[prefix], detail


def _of_outcome(wanted: Filter) -> list[_Condition]:
    conditions = []
    if wanted.state is not None:
        # From "verdict:" up to what follows all that begin so, in the order of an index.
        prefix = PREFIXES[wanted.state]
        conditions.append(_Condition("result >= ? AND result < ?", (f"{prefix}:", f"{prefix};")))
    if wanted.category is not None:
        conditions.append(_Condition("result = ?", (result_of(wanted.category),)))
    if wanted.failure is not None:
        kinds = [f"{prefix}:{wanted.failure}" for state, prefix in PREFIXES.items() if state != "verdict"]
        conditions.append(_Condition(f"result IN {placeholders(kinds)}", tuple(kinds)))
    for name, sql in (("type", "citation_type = ?"), ("min", "confidence >= ?"), ("max", "confidence <= ?")):
        if (value := getattr(wanted, name)) is not None:
            conditions.append(_Condition(sql, (value,)))
    if wanted.flagged:
        conditions.append(_Condition("flagged"))
    if wanted.waiting:
        conditions.append(_Condition("NOT delivered AND result NOT GLOB 'transient:*'"))
    return conditions


def _of_article(wanted: Filter) -> list[_Condition]:
    conditions = []
    if wanted.article is not None:
        escaped = "".join(f"\\{one}" if one in "\\%_" else one for one in wanted.article)
        pattern = f"%{escaped}%"
        sql = f"(source IN ({_ARTICLES}) OR target IN ({_ARTICLES}))"
        conditions.append(_Condition(sql, (pattern, pattern)))
    if wanted.citing is not None:
        conditions.append(_Condition(f"source = {_ARTICLE}", (wanted.citing,)))
    if wanted.cited is not None:
        conditions.append(_Condition(f"target = {_ARTICLE}", (wanted.cited,)))
    return conditions
