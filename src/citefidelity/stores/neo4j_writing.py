"""What is written to a graph: outcomes, all of a citation's or none, in one transaction for many citations.

The order in each transaction: lock the edges, look whether the screening is there, and only then write. So a commit
whose answer was lost is settled by delivering again, and two writers of one citation cannot both be first. Rows go in
the order of their keys, so that two writers of several meet in the same order and wait instead of deadlocking.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from citefidelity.errors import StoreError, StoreUnavailable
from citefidelity.kinds import UndeliverableKind
from citefidelity.records import CitationKey, Delivery, Receipt
from citefidelity.stores.neo4j_cypher import DELETE_VERDICTS, Cypher
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
            locked = await self._lock(tx, rows, screening)
            marked = sorted({row["i"] for row in locked if screening in row["screenings"]})
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
        if not (await tx.one(_KNOWN, screening=mark.screening))["known"]:
            raise StoreError(f"The store knows no screening '{mark.screening}', so nothing was written under it.")
        rows = [key_row(delivery.key) | {"i": i} for i, delivery in enumerate(batch)]
        locked = await self._lock(tx, rows, mark.screening)
        receipts = _look(mark.screening, batch, locked)
        chosen = [i for i, delivery in enumerate(batch) if receipts[delivery.key].result == "written"]
        # Left by an edge that was deleted and made anew: what they judged is no longer marked as delivered.
        stale = {row["i"] for row in locked if row["has_verdicts"]}.intersection(chosen)
        if stale:
            await tx.change(DELETE_VERDICTS, rows=[rows[i] for i in sorted(stale)], screening=mark.screening)
        if chosen:
            await self._write(tx, mark, [rows[i] | _outcomes(batch[i]) for i in chosen])
        return receipts

    async def _lock(self, tx: Tx, rows: list[Row], screening: str) -> list[Row]:
        """What is there of these citations, none of which anybody else can change before this transaction ends.

        While a lock is waited for, its edge may be deleted or renamed, and another take its name.
        """
        locked: set[str] = set()
        while True:
            locked.update([row["edge"] for row in await tx.rows(self._cypher.lock(), rows=rows)])
            seen = await tx.rows(self._cypher.look(), rows=rows, screening=screening)
            if locked.issuperset(row["edge"] for row in seen):
                return seen

    async def _write(self, tx: Tx, mark: Mark, rows: list[Row]) -> None:
        (told,) = await tx.rows(self._cypher.write(), rows=rows, **mark._asdict())
        if told["edges"] != len(rows):
            raise StoreUnavailable(
                f"{told['edges']} citations were matched where {len(rows)} had been: another client adds some with the "
                "same key. Nothing was written.",
                "Run the same command again.",
            )


def _look(screening: str, batch: list[Delivery], locked: list[Row]) -> dict[CitationKey, Receipt]:
    """What is to become of each delivery, given the locked edges."""
    edges = Counter(row["i"] for row in locked)
    there = {row["i"] for row in locked if screening in row["screenings"]}
    receipts = {}
    for i, (key, _) in enumerate((delivery.key, delivery.outcomes) for delivery in batch):
        if not edges[i]:
            receipts[key] = Receipt(key, "undeliverable", UndeliverableKind.EDGE_GONE, GONE)
        elif edges[i] > 1:
            receipts[key] = Receipt(key, "undeliverable", UndeliverableKind.EDGE_DOUBLED, DOUBLED)
        else:
            receipts[key] = Receipt(key, "found" if i in there else "written")
    return receipts


def _outcomes(delivery: Delivery) -> Row:
    return {"outcomes": [outcome_properties(outcome, at) for at, outcome in enumerate(delivery.outcomes)]}
