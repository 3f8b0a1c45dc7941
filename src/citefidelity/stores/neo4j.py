"""A Neo4j graph as a store: citations where they already are, verdicts as nodes beside them.

Needs the extra ``neo4j``. The parts are: names, queries, units of work, records, reading, writing, importing, registry,
claim; this file puts them together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from random import Random

from neo4j.exceptions import ConfigurationError

from citefidelity.clock import SystemClock
from citefidelity.config.addresses import Neo4jAddress
from citefidelity.config.graph_names import GraphNames
from citefidelity.config.secret import Secret
from citefidelity.damage import Edge, Mend
from citefidelity.inspection import GraphFacts, Standing
from citefidelity.ports import Claim, Clock, Found, Holder, JournalRow, PoolUse, Put, ScreeningRow, StoreCounts, ToDo
from citefidelity.records import WHOLE, CitationKey, Delivery, Partition, Receipt, Record, StoredCitation
from citefidelity.stores import neo4j_registry as registry
from citefidelity.stores.neo4j_claim import Neo4jClaim, Wanted, standing_claims, take_claim
from citefidelity.stores.neo4j_cypher import Cypher
from citefidelity.stores.neo4j_errors import in_our_words
from citefidelity.stores.neo4j_graph import Graph, Limits, make_driver
from citefidelity.stores.neo4j_importing import Importer
from citefidelity.stores.neo4j_inspection import inspect
from citefidelity.stores.neo4j_reading import Reader
from citefidelity.stores.neo4j_repair import Repairs
from citefidelity.stores.neo4j_schema import prepare
from citefidelity.stores.neo4j_writing import Mark, Writer

USER = "neo4j"
"""The user that every Neo4j server begins with."""

USUAL_NAMES = GraphNames()
USUAL_LIMITS = Limits()


async def open_neo4j(  # noqa: PLR0913 - a composition; what is not given is usual
    address: Neo4jAddress,
    *,
    username: str | None,
    password: Secret | None,
    names: GraphNames = USUAL_NAMES,
    limits: Limits = USUAL_LIMITS,
    clock: Clock | None = None,
    random: Random | None = None,
) -> Neo4jStore:
    """Connect, and make the indexes that are missing.

    Args:
        address: the server, and the database where it is not the user's own.
        username: ``neo4j`` where a password is given without one.
        password: None for a server that asks for none.
        names: what the graph calls its articles and citations.
        limits: how long transactions may take.
        clock: time; the real one unless told.
        random: spreads waits.

    Raises:
        StoreMissing: there is no such database.
        StoreUnavailable: the server does not answer.
        StoreError: it refuses the user, or lacks an index that this user may not make.
    """
    graph = _connected(address, username, password, limits=limits, clock=clock, random=random)
    try:
        await prepare(graph, names)
        return Neo4jStore(graph, names, await registry.store_id(graph))
    except BaseException:
        await graph.close()
        raise


async def inspect_neo4j(
    address: Neo4jAddress,
    *,
    username: str | None,
    password: Secret | None,
    names: GraphNames = USUAL_NAMES,
    limits: Limits = USUAL_LIMITS,
) -> GraphFacts:
    """Look at a graph and change nothing; takes and raises what :func:`open_neo4j` does."""
    graph = _connected(address, username, password, limits=limits)
    try:
        return await inspect(graph, names)
    finally:
        await graph.close()


def _connected(  # noqa: PLR0913 - the second half of two functions
    address: Neo4jAddress,
    username: str | None,
    password: Secret | None,
    *,
    limits: Limits,
    clock: Clock | None = None,
    random: Random | None = None,
) -> Graph:
    auth = None if password is None else (username or USER, password.reveal())
    try:
        driver = make_driver(address.uri, auth, limits)
    except ConfigurationError as err:
        raise in_our_words(err, str(address)) from err
    return Graph(
        driver,
        database=address.database,
        address=str(address),
        secrets=() if password is None else (password,),
        clock=clock or SystemClock(),
        random=random or Random(),  # noqa: S311 - spreads waits, guards nothing
        limits=limits,
    )


class Neo4jStore:
    """Fulfils :class:`~citefidelity.ports.Store`; made by :func:`open_neo4j`."""

    def __init__(self, graph: Graph, names: GraphNames, store_id: str) -> None:
        cypher = Cypher(names)
        self._graph = graph
        self._store_id = store_id
        self._reader = Reader(graph, cypher)
        self._writer = Writer(graph, cypher)
        self._importer = Importer(graph, cypher)
        self._repairs = Repairs(graph, names, self._reader)
        self._claims: list[Neo4jClaim] = []

    def pages(self, to_do: ToDo) -> AsyncIterator[Sequence[Found]]:
        """Pages of what is to do, in the order of the citing article's id, its strings first."""
        return self._reader.pages(to_do)

    async def deliver(self, screening: str, run: str, at: str, batch: Sequence[Delivery]) -> Sequence[Receipt]:
        """Write what this screening has not reached yet, in one transaction; in several where it is too large."""
        return await self._writer.deliver(Mark(screening, run, at), batch)

    async def store_id(self) -> str:
        """Made when the graph was first opened."""
        return self._store_id

    async def screenings(self, *, counted: bool = True) -> Sequence[ScreeningRow]:
        """All screenings, oldest first."""
        return await registry.screenings(self._graph, counted=counted)

    async def begin_screening(self, row: ScreeningRow) -> ScreeningRow:
        """Register it unless the name is there; the row that now stands."""
        await registry.begin_screening(self._graph, row)
        return next(standing for standing in await self.screenings(counted=False) if standing.name == row.name)

    async def journals(self, screening: str) -> Sequence[JournalRow]:
        """The journals that have worked on it."""
        return await registry.journals(self._graph, screening)

    async def enrol_journal(self, screening: str, row: JournalRow) -> None:
        """Insert or update the row of this journal."""
        await registry.enrol_journal(self._graph, screening, row)

    async def claim(self, screening: str | None, partition: Partition, holder: Holder) -> Claim:
        """Take a claim that is renewed until it is released; one left by the holder of the same journal is void."""
        claim = await take_claim(self._graph, Wanted(screening, partition, holder))
        self._claims.append(claim)
        return claim

    async def claims(self) -> Sequence[Standing]:
        """The claims that stand now, by the server's clock."""
        return await standing_claims(self._graph)

    async def put(self, records: Sequence[Record]) -> Sequence[Put]:
        """Insert or replace, in one transaction; articles that exist are not changed."""
        return await self._importer.put(records)

    def stored(self, screening: str) -> AsyncIterator[Sequence[StoredCitation]]:
        """All citations, in the order of the citing article's id, with this screening's outcomes."""
        return self._reader.stored(screening)

    async def find(
        self, screening: str, source_id: str, target_id: str, reference_id: str | None = None
    ) -> Sequence[StoredCitation]:
        """The citations between two articles, or the one with this reference."""
        return await self._reader.find(screening, source_id, target_id, reference_id)

    async def withdraw(self, screening: str, keys: Sequence[CitationKey]) -> int:
        """Take the screening and its outcomes off these citations, in one transaction."""
        return await self._writer.withdraw(screening, keys)

    async def counts(self, screening: str, partition: Partition = WHOLE) -> StoreCounts:
        """Count along the index of the citing articles."""
        return await self._reader.counts(screening, partition)

    def pairs(self) -> AsyncIterator[Sequence[Edge]]:
        """All edges between two articles, for each two between which another program may have damaged one."""
        return self._repairs.pairs()

    async def mend(self, mends: Sequence[Mend]) -> set[str]:
        """Write these in one transaction, but for edges that changed meanwhile; the places that were written."""
        return await self._repairs.mend(mends)

    def pool(self) -> PoolUse:
        """How the connections to the server are used."""
        return self._graph.pool()

    async def close(self) -> None:
        """Give back claims and close the connections; safe to call twice."""
        for claim in self._claims:
            await claim.release()
        self._claims.clear()
        await self._graph.close()
