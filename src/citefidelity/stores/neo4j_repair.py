"""Edges that the program may have damaged which made the graph first: found, and mended where they still are as found.

Articles come stretch by stretch along their index, and only those that have such an edge; their edges in small groups
after them, so that memory stays flat.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import groupby

import msgspec

from citefidelity.config.graph_names import GraphNames
from citefidelity.damage import Edge, Mend
from citefidelity.records import CitationKey
from citefidelity.stores.neo4j_cypher import Cypher, Span
from citefidelity.stores.neo4j_graph import Graph, Row, Tx
from citefidelity.stores.neo4j_reading import Reader
from citefidelity.stores.neo4j_records import key_of

ARTICLES = 20
"""Whose edges are read at once."""

LOCK = """
UNWIND $rows AS row
MATCH ()-[c]->() WHERE elementId(c) = row.place
SET c.fidelity_lock = true REMOVE c.fidelity_lock
RETURN count(c) AS locked
"""
"""Setting a property takes the lock; taking it off again in the same transaction leaves nothing behind."""


class RepairCypher(Cypher):
    """The queries. An edge is suspect where another program has marked it, and no screening of ours has."""

    def __init__(self, names: GraphNames) -> None:
        super().__init__(names)
        self._suspect = f"c.{names.contexts} IS NOT NULL AND {self._elsewhere}"

    def suspects(self, span: Span, *, last: bool) -> str:
        """Articles of a stretch of the index that have a suspect edge."""
        names = self.names
        return f"""
{self.articles(span, last=last)}
WITH a WHERE EXISTS {{ MATCH (a)-[c:{names.cites}]->() WHERE {self._suspect} }}
RETURN elementId(a) AS article ORDER BY a.{names.article_id}
"""

    def edges(self) -> str:
        """All edges from these articles to those cited by one that is suspect."""
        names = self.names
        return f"""
MATCH (a) WHERE elementId(a) IN $articles
MATCH (a)-[c:{names.cites}]->(b:{names.article}) WHERE {self._suspect}
WITH DISTINCT a, b
MATCH (a)-[c:{names.cites}]->(b)
RETURN elementId(c) AS place, a.{names.article_id} AS source, b.{names.article_id} AS target,
       c.{names.reference_id} AS reference, {self._suspect} AS suspect, c.fidelity_screenings IS NOT NULL AS screened,
       properties(c) AS properties
ORDER BY source, target, reference, place
"""

    def mend(self) -> str:
        """Write to locked edges that are as they were found."""
        names = self.names
        return f"""
UNWIND $rows AS row
MATCH ()-[c:{names.cites}]->() WHERE elementId(c) = row.place
WITH row, c WHERE c.{names.contexts} = row.seen AND {self._suspect}
SET c.{names.contexts} = row.contexts
FOREACH (_ IN CASE WHEN row.to_do THEN [1] ELSE [] END | REMOVE c.{names.classified}, c.{names.classified_at})
RETURN row.place AS place
"""


class Repairs:
    """Looks through one graph, and mends it."""

    def __init__(self, graph: Graph, names: GraphNames, reader: Reader) -> None:
        self._graph = graph
        self._cypher = RepairCypher(names)
        self._reader = reader

    async def pairs(self) -> AsyncIterator[Sequence[Edge]]:
        """All edges between two articles, for each two between which one is classified, and not screened by us."""
        async for stretch in self._reader.stretches():
            query = self._cypher.suspects(stretch.span, last=stretch.upto is None)
            articles = [row["article"] for row in await self._rows(query, after=stretch.after, upto=stretch.upto)]
            for start in range(0, len(articles), ARTICLES):
                rows = await self._rows(self._cypher.edges(), articles=articles[start : start + ARTICLES])
                edges = [self._edge(key, row) for row in rows if isinstance(key := key_of(row), CitationKey)]
                for _, pair in groupby(edges, key=lambda edge: edge.key[:2]):
                    yield list(pair)

    async def mend(self, mends: Sequence[Mend]) -> set[str]:
        """Write these in one transaction, but for edges that changed meanwhile; the places that were written."""
        rows = [msgspec.structs.asdict(mend) for mend in sorted(mends, key=lambda mend: mend.place)]

        async def work(tx: Tx) -> set[str]:
            # A query of its own, so that the next one sees the edges as they are locked.
            await tx.rows(LOCK, rows=rows)
            return {row["place"] for row in await tx.rows(self._cypher.mend(), rows=rows)}

        return await self._graph.write(work)

    def _edge(self, key: CitationKey, row: Row) -> Edge:
        return Edge(
            place=row["place"],
            key=key,
            contexts=row["properties"].get(self._cypher.names.contexts),
            classified=row["suspect"],
            screened=row["screened"],
            properties=row["properties"],
        )

    async def _rows(self, query: str, **parameters: object) -> list[Row]:
        return await self._graph.read(lambda tx: tx.rows(query, **parameters))
