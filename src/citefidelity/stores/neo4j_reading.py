"""What is read from a graph: stretch by stretch along the index of the start article, each in a short transaction.

A stretch begins small, so that the first citation comes at once, and grows while there is much to pass over: a graph
with little to do costs about one scan, and no query grows with the graph. Keys come first and whole citations in small
groups after them, as they are needed, so that memory stays flat and nothing is held while models are asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import NamedTuple

from citefidelity.ports import Found, StoreCounts, ToDo
from citefidelity.records import WHOLE, CitationKey, Partition, StoredCitation, Unusable
from citefidelity.stores.neo4j_cypher import COUNT_STATES, SPAN_START, Cypher, Span, Which
from citefidelity.stores.neo4j_graph import Graph, Row
from citefidelity.stores.neo4j_records import found_in, key_of, key_row, native_ids, stored_of

PAGE = 200
PAGE_CONTEXTS = 2_000
"""Contexts in a page, at about 4 kB each; one citation with more comes alone."""

KEYS = 2_000
"""Keys in one answer."""

FIRST_STRETCH, LONGEST_STRETCH = 50, 50_000
"""Articles in one query."""

ALL = 2**62
ODD = 1_000
"""Citations named whose article has no usable id: where there are more, a name in the settings is wrong."""

Weighed = tuple[CitationKey, int]
Fetched = list[tuple[CitationKey, list[Row]]]


class Stretch(NamedTuple):
    """Part of an index: after one id, up to another or (None) to the end."""

    span: Span
    after: object
    upto: object = None


class Place(NamedTuple):
    """An article id as it stands in an index."""

    span: Span
    article_id: object


class Reader:
    """Reads one graph."""

    def __init__(self, graph: Graph, cypher: Cypher) -> None:
        self._graph = graph
        self._cypher = cypher

    async def pages(self, to_do: ToDo) -> AsyncIterator[Sequence[Found]]:
        """Pages of what is to do, in the order of the start article's id, from behind the hint and round to it."""
        screening = to_do.screening
        place = None if to_do.behind is None else await self._place(to_do.behind.source_id)
        async for rows in self._key_rows("to_do", screening, include=to_do.include_classified, place=place):
            keys, broken = _sorted_out(rows, to_do.partition)
            if broken:
                yield broken
            for group in _groups(keys):
                fetched = await self._fetch(group, screening, outcomes=False)
                # Since the keys were read, hours may have passed.
                page = [found_in(key, found) for key, found in fetched if not _delivered(screening, found)]
                if page:
                    yield page

    async def stored(self, screening: str) -> AsyncIterator[Sequence[StoredCitation]]:
        """All citations whose key is whole, in the order of the start article's id, with this screening's outcomes."""
        async for rows in self._key_rows("all", screening):
            keys, _ = _sorted_out(rows, WHOLE)
            for group in _groups(keys):
                yield _stored(screening, await self._fetch(group, screening, outcomes=True))

    async def find(
        self, screening: str, source_id: str, target_id: str, reference_id: str | None
    ) -> Sequence[StoredCitation]:
        """The citations between two articles, or the one with this reference."""
        row = key_row(CitationKey(source_id, target_id, "")) | {"i": 0, "reference": reference_id}
        query = self._cypher.fetch(outcomes=True)
        by_key: dict[CitationKey, list[Row]] = {}
        for found in await self._graph.read(lambda tx: tx.rows(query, rows=[row], screening=screening)):
            key = key_of(found)
            if isinstance(key, CitationKey):
                by_key.setdefault(key, []).append(found)
        return _stored(screening, sorted(by_key.items()))

    async def counts(self, screening: str, partition: Partition) -> StoreCounts:
        """Count along the index; a part's share by looking at every key."""
        totals = dict.fromkeys(("citations", "qualified", "contexts", "delivered", "to_do", "elsewhere"), 0)
        async for stretch in self.stretches():
            query = self._cypher.counts(stretch.span, last=stretch.upto is None)
            for name, number in (await self._rows(query, stretch, screening))[0].items():
                totals[name] += number
        if partition != WHOLE:
            totals["to_do"] = await self._count("to_do", screening, partition)
            totals["delivered"] = await self._count("delivered", screening, partition)
        rows = await self._graph.read(lambda tx: tx.rows(COUNT_STATES, screening=screening))
        states = {row["state"]: row["number"] for row in rows}
        return StoreCounts(
            citations=totals["citations"],
            qualified=totals["qualified"],
            contexts=totals["contexts"],
            delivered=totals["delivered"],
            to_do=totals["to_do"],
            done_elsewhere=totals["elsewhere"],
            verdict=states.get("verdict", 0),
            unassessable=states.get("unassessable", 0),
            failed=states.get("failed", 0),
        )

    async def _count(self, which: Which, screening: str, partition: Partition) -> int:
        number = 0
        async for rows in self._key_rows(which, screening):
            keys, broken = _sorted_out(rows, partition)
            number += len(keys) + len(broken)
        return number

    async def stretches(self, place: Place | None = None) -> AsyncIterator[Stretch]:
        """All articles, in stretches, from behind a place and round to it.

        Those whose id is neither a string nor a number, which no index orders, come last.
        """
        for leg in _legs(place):
            rest, size = leg, FIRST_STRETCH
            while (bound := await self._bound(rest, size)) is not None:
                yield rest._replace(upto=bound)
                rest, size = rest._replace(after=bound), min(2 * size, LONGEST_STRETCH)
            yield rest
        yield Stretch("odd", None)

    async def _bound(self, stretch: Stretch, size: int) -> object:
        """The id that many articles on, None where the stretch is shorter."""
        query = self._cypher.bound(stretch.span, last=stretch.upto is None)
        parameters = {"after": stretch.after, "upto": stretch.upto, "skip": size - 1}
        rows = await self._graph.read(lambda tx: tx.rows(query, **parameters))
        return rows[0]["bound"] if rows else None

    async def _place(self, article_id: str) -> Place | None:
        """Where an article stands in the index; None where it cannot be told whether its id is a number there."""
        ids = native_ids(article_id)
        if len(ids) == 1:
            return Place("strings", article_id)
        rows = await self._graph.read(lambda tx: tx.rows(self._cypher.native_id(), ids=ids))
        return next((Place(_span_of(row["id"]), row["id"]) for row in rows), None)

    async def _key_rows(
        self, which: Which, screening: str, *, include: bool = False, place: Place | None = None
    ) -> AsyncIterator[list[Row]]:
        """Rows of keys; all those of one article come together."""
        async for stretch in self.stretches(place):
            async for rows in self._keys_of(which, stretch, screening, include=include):
                if rows:
                    yield rows

    async def _keys_of(
        self, which: Which, stretch: Stretch, screening: str, *, include: bool
    ) -> AsyncIterator[list[Row]]:
        span, after, upto = stretch
        limit = KEYS if span != "odd" else ODD
        while True:
            query = self._cypher.keys(which, span, last=upto is None)
            rows = await self._rows(query, Stretch(span, after, upto), screening, include=include, limit=limit)
            if len(rows) < limit or span == "odd":
                yield rows
                return
            last = rows[-1]["source"]
            rows = [row for row in rows if row["source"] != last]
            if rows:
                after = rows[-1]["source"]
            else:
                # One article with more citations than an answer holds.
                query = self._cypher.keys(which, span, last=False)
                alone = Stretch(span, after, last)
                rows = await self._rows(query, alone, screening, include=include, limit=ALL)
                after = last
            yield rows

    async def _rows(
        self, query: str, stretch: Stretch, screening: str, *, include: bool = False, limit: int = ALL
    ) -> list[Row]:
        return await self._graph.read(
            lambda tx: tx.rows(
                query, after=stretch.after, upto=stretch.upto, screening=screening, include=include, limit=limit
            )
        )

    async def _fetch(self, keys: Sequence[CitationKey], screening: str, *, outcomes: bool) -> Fetched:
        """Each key with its rows: one, none where it is gone, more where it stands more than once."""
        query = self._cypher.fetch(outcomes=outcomes)
        rows = [key_row(key) | {"i": i} for i, key in enumerate(keys)]
        fetched: Fetched = [(key, []) for key in keys]
        for row in await self._graph.read(lambda tx: tx.rows(query, rows=rows, screening=screening)):
            fetched[row["i"]][1].append(row)
        return fetched


def _legs(place: Place | None) -> list[Stretch]:
    """The whole index: from behind the place to its end, and from its beginning to the place."""
    strings, numbers = (Stretch(span, SPAN_START[span]) for span in ("strings", "numbers"))
    if place is None:
        return [strings, numbers]
    span, article_id = place
    if span == "strings":
        return [strings._replace(after=article_id), numbers, strings._replace(upto=article_id)]
    return [numbers._replace(after=article_id), strings, numbers._replace(upto=article_id)]


def _span_of(article_id: object) -> Span:
    return "strings" if isinstance(article_id, str) else "numbers"


def _sorted_out(rows: Iterable[Row], partition: Partition) -> tuple[list[Weighed], list[Unusable]]:
    """Whole keys, each once, and what has none; of one part."""
    keys: dict[CitationKey, int] = {}
    broken: list[Unusable] = []
    for row in rows:
        key = key_of(row)
        if isinstance(key, Unusable):
            if partition.holds(key.key):
                broken.append(key)
        elif partition.holds(key):
            keys[key] = row["weight"]
    return list(keys.items()), broken


def _groups(keys: Iterable[Weighed]) -> Iterator[list[CitationKey]]:
    group: list[CitationKey] = []
    total = 0
    for key, weight in keys:
        if group and (len(group) == PAGE or total + weight > PAGE_CONTEXTS):
            yield group
            group, total = [], 0
        group.append(key)
        total += weight
    if group:
        yield group


def _delivered(screening: str, rows: list[Row]) -> bool:
    """Whether there is nothing to do any more: it is gone, or was delivered meanwhile."""
    return not rows or (len(rows) == 1 and screening in (rows[0]["screenings"] or ()))


def _stored(screening: str, fetched: Iterable[tuple[CitationKey, list[Row]]]) -> list[StoredCitation]:
    return [stored_of(screening, key, row, doubled=len(rows) > 1) for key, rows in fetched for row in rows]
