"""Looks at a graph and changes nothing: not even the indexes that are missing are made."""

from __future__ import annotations

from citefidelity.config.graph_names import GraphNames
from citefidelity.errors import StoreError
from citefidelity.inspection import GraphFacts
from citefidelity.stores.neo4j_graph import Graph, Tx
from citefidelity.stores.neo4j_schema import missing_from

TRY_S = 10.0
"""For the write that is taken back: another client may keep a lock on the citation that it is tried on."""

_COMPONENTS = (
    "CALL dbms.components() YIELD name, versions, edition WHERE name = 'Neo4j Kernel' RETURN versions, edition"
)
_THREADS = "SHOW SETTINGS 'server.bolt.thread_pool_max_size' YIELD value"
_BEGUN = "MATCH (s:FidelityStore) RETURN count(s) AS number"


class _TakenBackError(Exception):
    """Raised to leave the transaction without a commit; never seen outside."""


async def inspect(graph: Graph, names: GraphNames) -> GraphFacts:
    """What can be told of it.

    Raises:
        StoreError: the server does not answer, or refuses this user.
    """
    (server,) = await graph.once(lambda tx: tx.rows(_COMPONENTS))
    missing = await missing_from(graph, names)
    begun = await graph.once(lambda tx: tx.rows(_BEGUN))
    tried, refusal = await _try_to_write(graph, names)
    return GraphFacts(
        version=str(server["versions"][0]),
        edition=str(server["edition"]),
        missing=[one.statement for one in missing],
        begun=bool(begun[0]["number"]),
        tried=tried,
        refusal=None if refusal is None else refusal.message,
        hint="" if refusal is None else refusal.hint,
        threads=await _threads(graph),
        pool=graph.limits.pool_size,
    )


async def _try_to_write(graph: Graph, names: GraphNames) -> tuple[bool, StoreError | None]:
    """Write to a citation and make an article, by names that the graph has already, and take both back."""
    tried = False

    async def work(tx: Tx) -> None:
        nonlocal tried
        rows = await tx.rows(_attempt(names))
        tried = bool(rows)
        raise _TakenBackError

    try:
        await graph.once(work, TRY_S)
    except _TakenBackError:
        return tried, None
    except StoreError as refusal:
        return True, refusal
    raise AssertionError("unreachable")


def _attempt(names: GraphNames) -> str:
    return f"""
MATCH (:{names.article})-[c:{names.cites}]->(:{names.article}) WHERE c.{names.contexts} IS NOT NULL WITH c LIMIT 1
SET c.{names.contexts} = c.{names.contexts}
CREATE (n:{names.article})
RETURN 1 AS done
"""


async def _threads(graph: Graph) -> int | None:
    try:
        rows = await graph.once(lambda tx: tx.rows(_THREADS))
    except StoreError:
        # A setting that this user may not see is no fault of anything.
        return None
    return int(rows[0]["value"]) if rows else None
