"""What a graph keeps of screenings and journals, in nodes of our own."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import msgspec

from citefidelity.errors import StoreError
from citefidelity.ports import JournalRow, ScreeningRow
from citefidelity.records import Partition
from citefidelity.stores.neo4j_cypher import VERDICT_INDEX
from citefidelity.stores.neo4j_graph import Graph, Row, Tx

PLACE = "here"
"""The one value of the property that makes ``FidelityStore`` unique."""

_LOCK_STORE = """
MERGE (s:FidelityStore {place: $place}) ON CREATE SET s.store_id = $fresh, s.numbers = 0
SET s.fidelity_lock = true REMOVE s.fidelity_lock
RETURN s.store_id AS store_id
"""
_STORE_ID = "MATCH (s:FidelityStore {place: $place}) RETURN s.store_id AS store_id"
_NOW = "RETURN datetime.realtime().epochMillis AS now"
_NEXT_NUMBER = "MATCH (s:FidelityStore {place: $place}) SET s.numbers = s.numbers + 1 RETURN s.numbers AS number"
_SCREENINGS = """
MATCH (s:FidelityScreening)
RETURN s.name AS name, s.spec AS spec, s.fingerprint AS fingerprint, s.created_at AS created_at, {delivered}
ORDER BY s.number
"""
_DELIVERED = f"""
  COUNT {{
    MATCH (v:FidelityVerdict) {VERDICT_INDEX}
    WHERE v.screening = s.name AND v.source_id IS NOT NULL AND v.target_id IS NOT NULL
      AND v.reference_id IS NOT NULL AND v.instance_id IS NOT NULL AND v.position = 0
  }} AS delivered
"""
_HAS_SCREENING = "MATCH (s:FidelityScreening {name: $name}) RETURN count(s) AS number"
_MAKE_SCREENING = "CREATE (s:FidelityScreening) SET s = $row"
_JOURNALS = """
MATCH (j:FidelityJournal) WHERE j.screening = $screening
RETURN j.journal_id AS journal_id, j.host AS host, j.path AS path, j.part AS part, j.of AS of, j.finished AS finished
ORDER BY j.number
"""
_HAS_JOURNAL = """
MATCH (j:FidelityJournal {screening: $screening, journal_id: $journal_id}) RETURN count(j) AS number
"""
_MAKE_JOURNAL = "CREATE (j:FidelityJournal) SET j = $row"
_CHANGE_JOURNAL = "MATCH (j:FidelityJournal {screening: $screening, journal_id: $journal_id}) SET j += $row"


async def lock_store(tx: Tx) -> int:
    """Be alone among those who change what the store keeps of itself; the server's time in ms, read under the lock."""
    await tx.one(_LOCK_STORE, place=PLACE, fresh=uuid.uuid4().hex)
    now: int = (await tx.one(_NOW))["now"]
    return now


async def store_id(graph: Graph) -> str:
    """The store's random id, made when it is first asked for."""

    async def work(tx: Tx) -> str:
        rows = await tx.rows(_STORE_ID, place=PLACE)
        if not rows:
            rows = await tx.rows(_LOCK_STORE, place=PLACE, fresh=uuid.uuid4().hex)
        made: str = rows[0]["store_id"]
        return made

    return await graph.once(work)


async def screenings(graph: Graph, *, counted: bool) -> Sequence[ScreeningRow]:
    """All screenings, oldest first; ``counted`` looks at every verdict."""
    query = _SCREENINGS.format(delivered=_DELIVERED if counted else "0 AS delivered")
    return [ScreeningRow(**row) for row in await graph.read(lambda tx: tx.rows(query))]


async def begin_screening(graph: Graph, row: ScreeningRow) -> None:
    """Register it unless the name is there."""

    async def work(tx: Tx) -> None:
        await lock_store(tx)
        if not (await tx.one(_HAS_SCREENING, name=row.name))["number"]:
            properties = msgspec.to_builtins(row) | await _numbered(tx)
            del properties["delivered"]
            await tx.change(_MAKE_SCREENING, row=properties)

    await graph.write(work)


async def journals(graph: Graph, screening: str) -> Sequence[JournalRow]:
    """The journals that have worked on it, in the order in which they were enrolled."""
    rows = await graph.read(lambda tx: tx.rows(_JOURNALS, screening=screening))
    return [
        JournalRow(
            journal_id=row["journal_id"],
            host=row["host"],
            path=row["path"],
            partition=Partition(row["part"], row["of"]),
            finished=row["finished"],
        )
        for row in rows
    ]


async def enrol_journal(graph: Graph, screening: str, row: JournalRow) -> None:
    """Insert or update the row of this journal.

    Raises:
        StoreError: the store knows no such screening.
    """
    part, of = row.partition
    key: Row = {"screening": screening, "journal_id": row.journal_id}
    properties = key | {"host": row.host, "path": row.path, "part": part, "of": of, "finished": row.finished}

    async def work(tx: Tx) -> None:
        await lock_store(tx)
        if not (await tx.one(_HAS_SCREENING, name=screening))["number"]:
            raise StoreError(f"The store knows no screening '{screening}', so nothing was written under it.")
        if (await tx.one(_HAS_JOURNAL, **key))["number"]:
            await tx.change(_CHANGE_JOURNAL, **key, row=properties)
        else:
            await tx.change(_MAKE_JOURNAL, row=properties | await _numbered(tx))

    await graph.write(work)


async def _numbered(tx: Tx) -> Row:
    """A place in the order in which things were made, as two times of day may be equal."""
    return {"number": (await tx.one(_NEXT_NUMBER, place=PLACE))["number"]}
