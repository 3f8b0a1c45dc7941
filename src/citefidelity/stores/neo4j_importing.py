"""Records into a graph: articles that are missing are made, those that exist are not changed."""

from __future__ import annotations

from collections.abc import Sequence

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
        articles, made = await self._articles(tx, records)
        # A citation cannot be there before both of its articles are.
        known = [record for record in records if not made.intersection(record.key[:2])]
        there = await self._there(tx, known)
        screenings = [row["name"] for row in await tx.rows(_SCREENINGS)] if known else []
        puts = {record.key: _compare(record, there.get(record.key, []), screenings) for record in records}
        wanted: dict[str, list[Row]] = {"new": [], "changed": []}
        for record in records:
            result = puts[record.key].result
            if result in wanted:
                ends = articles[record.key.source_id], articles[record.key.target_id]
                properties = citation_properties(record, *ends, self._cypher.names)
                wanted[result].append(key_row(record.key) | {"properties": properties})
        await tx.change(self._cypher.make_citations(), rows=wanted["new"])
        await tx.change(self._cypher.change_citations(), rows=wanted["changed"])
        return puts

    async def _articles(self, tx: Tx, records: list[Record]) -> tuple[dict[str, Row], set[str]]:
        """What the graph knows of each article by its id, and which of them had to be made."""
        names = self._cypher.names
        brought: dict[str, Row] = {}
        for record in records:
            for end in ("source", "target"):
                article = article_of(record, end, names)
                brought.setdefault(article[names.article_id], article)
        ids = sorted(brought)
        asked = [{"i": i, "ids": native_ids(article_id)} for i, article_id in enumerate(ids)]
        found = await tx.rows(self._cypher.article_properties(), rows=asked)
        articles = {ids[row["i"]]: row for row in reversed(found)}
        missing = [article_id for article_id in ids if article_id not in articles]
        await tx.change(self._cypher.make_articles(), rows=[brought[article_id] for article_id in missing])
        for article_id in missing:
            article = brought[article_id]
            articles[article_id] = {
                "id": article_id,
                "title": article.get(names.title),
                "authors": article.get(names.authors),
                "year": article.get(names.year),
            }
        return articles, set(missing)

    async def _there(self, tx: Tx, records: list[Record]) -> dict[CitationKey, list[Row]]:
        """The edges that have these keys."""
        rows = [key_row(record.key) | {"i": i} for i, record in enumerate(records)]
        there: dict[CitationKey, list[Row]] = {}
        for row in await tx.rows(self._cypher.fetch(outcomes=False), rows=rows, screening="") if rows else []:
            there.setdefault(records[row["i"]].key, []).append(row)
        return there


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
