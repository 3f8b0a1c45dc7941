"""Records into a graph: articles that are missing are made, those that exist are not changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from citefidelity.ports import Put
from citefidelity.record_changes import changed_contexts, same_record
from citefidelity.records import CitationKey, Record
from citefidelity.stores.neo4j_cypher import Cypher
from citefidelity.stores.neo4j_graph import Graph, Row, Tx
from citefidelity.stores.neo4j_records import article_of, citation_properties, key_row, native_ids, record_of

_SCREENINGS = "MATCH (s:FidelityScreening) RETURN s.name AS name ORDER BY s.number"


class Importer:
    """Puts records into one graph."""

    def __init__(self, graph: Graph, cypher: Cypher) -> None:
        self._graph = graph
        self._cypher = cypher

    async def put(self, records: Sequence[Record]) -> list[Put]:
        """Insert or replace, in one transaction; of a key that stands twice, here or in the graph, none is changed."""
        first: dict[CitationKey, Record] = {}
        for record in records:
            first.setdefault(record.key, record)
        puts = await self._graph.write(lambda tx: self._put(tx, list(first.values()))) if first else {}
        return [puts[record.key] if first[record.key] is record else Put(record.key, "duplicate") for record in records]

    async def _put(self, tx: Tx, records: list[Record]) -> dict[CitationKey, Put]:
        rows = [key_row(record.key) | {"i": i} for i, record in enumerate(records)]
        await self._make_articles(tx, records)
        articles = await self._articles(tx, records)
        there: dict[int, list[Row]] = {}
        for row in await tx.rows(self._cypher.fetch(outcomes=False), rows=rows, screening=""):
            there.setdefault(row["i"], []).append(row)
        screenings = [row["name"] for row in await tx.rows(_SCREENINGS)]
        puts = {record.key: _compare(record, there.get(i, []), screenings) for i, record in enumerate(records)}
        wanted: dict[str, list[Row]] = {"new": [], "changed": []}
        for row, record in zip(rows, records, strict=True):
            result = puts[record.key].result
            if result in wanted:
                ends = articles[record.key.source_id], articles[record.key.target_id]
                wanted[result].append(row | {"properties": citation_properties(record, *ends, self._cypher.names)})
        await tx.change(self._cypher.make_citations(), rows=wanted["new"])
        await tx.change(self._cypher.change_citations(), rows=wanted["changed"])
        return puts

    async def _make_articles(self, tx: Tx, records: list[Record]) -> None:
        names = self._cypher.names
        brought: dict[str, Row] = {}
        for record in records:
            for end in ("source", "target"):
                article = article_of(record, end, names)
                brought.setdefault(article[names.article_id], article)
        articles = [brought[article_id] for article_id in sorted(brought)]
        ids = [{"i": i, "ids": native_ids(article[names.article_id])} for i, article in enumerate(articles)]
        missing = await tx.rows(self._cypher.missing_articles(), rows=ids)
        await tx.change(self._cypher.make_articles(), rows=[articles[row["i"]] for row in missing])

    async def _articles(self, tx: Tx, records: Iterable[Record]) -> dict[str, Row]:
        ids = sorted({article_id for record in records for article_id in record.key[:2]})
        asked = [{"i": i, "ids": native_ids(article_id)} for i, article_id in enumerate(ids)]
        found = await tx.rows(self._cypher.article_properties(), rows=asked)
        return {ids[row["i"]]: row for row in reversed(found)}


def _compare(record: Record, there: list[Row], screenings: list[str]) -> Put:
    if not there:
        return Put(record.key, "new")
    if len(there) > 1:
        return Put(record.key, "duplicate")
    old = record_of(record.key, there[0])
    if same_record(old, record) and old.qualified == record.qualified:
        return Put(record.key, "unchanged")
    delivered = tuple(name for name in screenings if name in (there[0]["screenings"] or ()))
    return Put(record.key, "changed", changed_contexts(old, record), delivered)
