"""The indexes and constraints that a graph needs: looked for when it is opened, made where they are missing."""

from __future__ import annotations

from typing import NamedTuple

from citefidelity.config.graph_names import GraphNames
from citefidelity.errors import StoreError
from citefidelity.stores.neo4j_cypher import VERDICT_KEY
from citefidelity.stores.neo4j_graph import Graph, Row

POPULATED_WITHIN_S = 3_600

_SHOW = """
SHOW INDEXES YIELD name, type, state, labelsOrTypes, properties, owningConstraint WHERE type = 'RANGE'
RETURN name, state, labelsOrTypes AS labels, properties, owningConstraint IS NOT NULL AS is_unique
"""


class Needed(NamedTuple):
    """An index on some properties of nodes with this label."""

    name: str
    label: str
    properties: tuple[str, ...]
    unique: bool = True

    @property
    def statement(self) -> str:
        """The Cypher that makes it."""
        properties = ", ".join(f"n.{name}" for name in self.properties)
        if self.unique:
            return f"CREATE CONSTRAINT {self.name} IF NOT EXISTS FOR (n:{self.label}) REQUIRE ({properties}) IS UNIQUE"
        return f"CREATE INDEX {self.name} IF NOT EXISTS FOR (n:{self.label}) ON ({properties})"


def needed(names: GraphNames) -> list[Needed]:
    """All that is needed; on the graph's own articles an index is enough, as its ids may be doubled."""
    return [
        Needed(f"fidelity_{names.article}_{names.article_id}", names.article, (names.article_id,), unique=False),
        Needed("fidelity_store", "FidelityStore", ("place",)),
        Needed("fidelity_screening", "FidelityScreening", ("name",)),
        Needed("fidelity_journal", "FidelityJournal", ("screening", "journal_id")),
        Needed("fidelity_claim", "FidelityClaim", ("token",)),
        Needed("fidelity_verdict", "FidelityVerdict", VERDICT_KEY),
        Needed("fidelity_category", "FidelityVerdict", ("screening", "category"), unique=False),
    ]


async def missing_from(graph: Graph, names: GraphNames) -> list[Needed]:
    """What is needed and not there."""
    there = await graph.once(lambda tx: tx.rows(_SHOW))
    return [one for one in needed(names) if not any(_serves(index, one) for index in there)]


async def prepare(graph: Graph, names: GraphNames) -> None:
    """Make what is missing, and wait until all of it is filled.

    Raises:
        StoreError: it is missing and this user may not make it; the hint holds the statements for who may.
    """
    there = await graph.once(lambda tx: tx.rows(_SHOW))
    missing = [one for one in needed(names) if not any(_serves(index, one) for index in there)]
    try:
        for one in missing:
            await graph.schema(one.statement)
    except StoreError as err:
        if err.kind not in {"neo4j_forbidden", "neo4j_read_only", "neo4j_refused"}:
            raise
        statements = "; ".join(one.statement for one in missing)
        raise StoreError(
            f"The graph lacks indexes, and they cannot be made: {err.message}",
            f"Ask the administrator to run: {statements};",
            kind="neo4j_schema",
        ) from err
    if missing or any(index["state"] == "POPULATING" for index in there):
        await graph.once(lambda tx: tx.rows(f"CALL db.awaitIndexes({POPULATED_WITHIN_S})"), POPULATED_WITHIN_S)


def _serves(index: Row, one: Needed) -> bool:
    return (
        index["labels"] == [one.label]
        and tuple(index["properties"]) == one.properties
        and (index["is_unique"] or not one.unique)
        and index["state"] != "FAILED"
    )
