"""What is written to a graph: outcomes, all of a citation's or none, in one transaction for many citations.

The order in each transaction: lock the edges, look whether the screening is there, and only then write. So a commit
whose answer was lost is settled by delivering again, and two writers of one citation cannot both be first. Rows go in
the order of their keys, so that two writers of several meet in the same order and wait instead of deadlocking.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from citefidelity.errors import StoreError
from citefidelity.kinds import UndeliverableKind
from citefidelity.records import CitationKey, Delivery, Receipt
from citefidelity.stores.neo4j_cypher import DELETE_VERDICTS, OUTCOME_PROPERTIES, Cypher
from citefidelity.stores.neo4j_errors import Refused, TooMuchAtOnce
from citefidelity.stores.neo4j_graph import Graph, Row, Tx
from citefidelity.stores.neo4j_records import DOUBLED, key_row, outcome_properties

GONE = "the graph has no citation with this key any more"

_KNOWN = "MATCH (s:FidelityScreening {name: $screening}) RETURN count(s) AS known"


class Mark(NamedTuple):
    """What a delivery leaves on each citation."""

    screening: str
    run: str
    at: str


class Writer:
    """Writes to one graph."""

    def __init__(self, graph: Graph, cypher: Cypher) -> None:
        self._graph = graph
        self._cypher = cypher

    async def deliver(self, mark: Mark, batch: Sequence[Delivery]) -> list[Receipt]:
        """Write what this screening has not reached yet: one receipt each, in order.

        Raises:
            StoreUnavailable: it is not known whether anything was written.
            StoreError: nothing was written, of no citation's fault.
        """
        first: dict[CitationKey, Delivery] = {}
        for delivery in batch:
            first.setdefault(delivery.key, delivery)
        receipts = await self._deliver(mark, [first[key] for key in sorted(first)]) if first else {}
        told = []
        for delivery in batch:
            receipt = receipts[delivery.key]
            told.append(receipt)
            if receipt.result == "written":
                receipts[delivery.key] = Receipt(delivery.key, "found")
        return told

    async def withdraw(self, screening: str, keys: Sequence[CitationKey]) -> int:
        """Take the screening and its outcomes off these citations, in one transaction; how many had it."""
        rows = [key_row(key) | {"i": i} for i, key in enumerate(sorted(set(keys)))]

        async def work(tx: Tx) -> int:
            await tx.change(self._cypher.lock(), rows=rows)
            seen = await tx.rows(self._cypher.look(), rows=rows)
            marked = sorted({row["i"] for row in seen if screening in row["screenings"]})
            if marked:
                chosen = [rows[i] for i in marked]
                await tx.change(self._cypher.unmark(), rows=chosen, screening=screening)
                await tx.change(DELETE_VERDICTS, rows=chosen, screening=screening)
            return len(marked)

        return await self._graph.write(work) if rows else 0

    async def _deliver(self, mark: Mark, batch: list[Delivery]) -> dict[CitationKey, Receipt]:
        """In one transaction; in two halves where the server refuses so much, or refuses one of them."""
        try:
            return await self._graph.write(lambda tx: self._transaction(tx, mark, batch))
        except (TooMuchAtOnce, Refused) as err:
            if len(batch) > 1:
                middle = len(batch) // 2
                return await self._deliver(mark, batch[:middle]) | await self._deliver(mark, batch[middle:])
            if isinstance(err, TooMuchAtOnce) or err.about_data:
                key = batch[0].key
                return {key: Receipt(key, "undeliverable", UndeliverableKind.TOO_LARGE, err.message)}
            raise

    async def _transaction(self, tx: Tx, mark: Mark, batch: list[Delivery]) -> dict[CitationKey, Receipt]:
        rows = [_row(delivery) | {"i": i} for i, delivery in enumerate(batch)]
        results = await self._write(tx, mark, rows)
        if not results and not (await tx.one(_KNOWN, screening=mark.screening))["known"]:
            raise StoreError(f"The store knows no screening '{mark.screening}', so nothing was written under it.")
        stale = [row for row in rows if results.get(row["i"]) == "stale"]
        if stale:
            # Left by an edge that was deleted and made anew: what they judged is not marked as delivered any more.
            await tx.change(DELETE_VERDICTS, rows=stale, screening=mark.screening)
            again = await self._write(tx, mark, [row | {"i": i} for i, row in enumerate(stale)])
            results |= {row["i"]: again[i] for i, row in enumerate(stale)}
        return {delivery.key: _receipt(delivery.key, results.get(i, "gone")) for i, delivery in enumerate(batch)}

    async def _write(self, tx: Tx, mark: Mark, rows: list[Row]) -> dict[int, str]:
        reference_name = self._cypher.names.reference_id
        told = await tx.rows(self._cypher.deliver(), rows=rows, reference_name=reference_name, **mark._asdict())
        return {i: row["result"] for row in told for i in row["places"]}


def _receipt(key: CitationKey, result: str) -> Receipt:
    match result:
        case "written" | "found":
            return Receipt(key, result)
        case "doubled":
            return Receipt(key, "undeliverable", UndeliverableKind.EDGE_DOUBLED, DOUBLED)
        case _:
            return Receipt(key, "undeliverable", UndeliverableKind.EDGE_GONE, GONE)


def _row(delivery: Delivery) -> Row:
    properties = [outcome_properties(outcome, at) for at, outcome in enumerate(delivery.outcomes)]
    return key_row(delivery.key) | {"outcomes": [[one[name] for name in OUTCOME_PROPERTIES] for one in properties]}
