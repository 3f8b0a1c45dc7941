"""The claim on a graph: a node that says who writes, renewed while its owner lives, void when it is not.

Time is the server's, read under a lock that everybody takes who takes, renews or gives back a claim. How long a claim
is surely ours is counted on our own clock from before the request that was answered, and only for half its life: so
two clocks that run differently, or a process that slept, end in nobody asking rather than in both.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import NamedTuple

from citefidelity.claiming import excludes, held
from citefidelity.errors import StoreError, StoreHeld
from citefidelity.inspection import Standing
from citefidelity.ports import Holder
from citefidelity.records import Partition
from citefidelity.stores.neo4j_graph import Graph, Row, Tx
from citefidelity.stores.neo4j_registry import lock_store

LIFE_S = 30.0
RENEW_EVERY_S = 10.0
SURE_S = LIFE_S / 2
MS = 1_000

_ALL = "MATCH (c:FidelityClaim) RETURN properties(c) AS claim ORDER BY c.at"
_NOW = "RETURN datetime.realtime().epochMillis AS now"
_REMOVE = "MATCH (c:FidelityClaim) WHERE c.token IN $tokens DELETE c"
_MAKE = "CREATE (c:FidelityClaim) SET c = $row"
_RENEW = "MATCH (c:FidelityClaim {token: $token}) SET c.until = $until RETURN count(c) AS number"


class Wanted(NamedTuple):
    """What is claimed, and by whom. ``screening`` None is the whole store."""

    screening: str | None
    partition: Partition
    holder: Holder


class Neo4jClaim:
    """A claim that a task of its own renews until it is released; made by :func:`take_claim`."""

    def __init__(self, graph: Graph, wanted: Wanted, token: str, sure_until: float) -> None:
        self._graph = graph
        self._wanted = wanted
        self._token = token
        self._sure_until = sure_until
        self._released = False
        self._losses = 0
        # The port gives a claim no task group to live in; release() awaits this task, so no error of it is lost.
        self._renewing = asyncio.create_task(self._keep(), name="renew claim")

    def holds_until(self) -> float:
        """Monotonic time: half a claim's life after the last renewal that the server confirmed."""
        return self._sure_until

    def losses(self) -> int:
        """How often it had to be taken anew, because another owner had removed what was left of it."""
        return self._losses

    async def release(self) -> None:
        """Give it back; safe to call twice. Where the server is away, it ends by itself."""
        if self._released:
            return
        self._released = True
        self._sure_until = 0.0
        self._renewing.cancel()
        try:
            await self._renewing
        except asyncio.CancelledError:
            if not self._renewing.cancelled():
                raise
        try:
            await self._graph.write(lambda tx: tx.change(_REMOVE, tokens=[self._token]))
        except StoreError:
            # It ends by itself within LIFE_S; what the command has done does not depend on it.
            return

    async def _keep(self) -> None:
        while True:
            await self._graph.clock.sleep(RENEW_EVERY_S)
            try:
                await self._renew()
            except StoreError:
                # Away, or held by another now: not surely ours any more, and the next try may be luckier.
                continue

    async def _renew(self) -> None:
        sent = self._graph.clock.monotonic()

        async def work(tx: Tx) -> bool:
            now = await lock_store(tx)
            row = await tx.one(_RENEW, token=self._token, until=now + LIFE_S * MS)
            return bool(row["number"])

        if await self._graph.write(work):
            self._sure_until = sent + SURE_S
        else:
            self._token, sure_until = await _take(self._graph, self._wanted)
            # Counted first: who sees that it is ours again has to see that it was not.
            self._losses += 1
            self._sure_until = sure_until


async def standing_claims(graph: Graph) -> list[Standing]:
    """Those that are not void now, the oldest first. Takes no lock, and so may miss one that is just being taken."""

    async def work(tx: Tx) -> list[Row]:
        now = (await tx.one(_NOW))["now"]
        return [row["claim"] for row in await tx.rows(_ALL) if row["claim"]["until"] > now]

    return [
        Standing(
            screening=claim.get("screening"), partition=Partition(claim["part"], claim["of"]), holder=_holder(claim)
        )
        for claim in await graph.once(work)
    ]


async def take_claim(graph: Graph, wanted: Wanted) -> Neo4jClaim:
    """Take it.

    Raises:
        StoreHeld: another one stands that excludes it; names its owner's host and pid.
    """
    token, sure_until = await _take(graph, wanted)
    return Neo4jClaim(graph, wanted, token, sure_until)


async def _take(graph: Graph, wanted: Wanted) -> tuple[str, float]:
    sent = graph.clock.monotonic()
    token = uuid.uuid4().hex

    async def work(tx: Tx) -> None:
        now = await lock_store(tx)
        claims = [row["claim"] for row in await tx.rows(_ALL)]
        void = [claim for claim in claims if claim["until"] <= now or _is_own(claim, wanted.holder)]
        for claim in claims:
            if claim not in void:
                _refuse_excluded(claim, wanted, now)
        await tx.change(_REMOVE, tokens=[claim["token"] for claim in void])
        await tx.change(_MAKE, row=_row(wanted, token, now))

    await graph.write(work)
    return token, sent + SURE_S


def _is_own(claim: Row, holder: Holder) -> bool:
    """Whether its owner kept the journal whose lock we hold now: then that owner is dead."""
    return bool(holder.journal_id) and claim["journal_id"] == holder.journal_id


def _refuse_excluded(claim: Row, wanted: Wanted, now: int) -> None:
    screening, partition = claim.get("screening"), Partition(claim["part"], claim["of"])
    if excludes((wanted.screening, wanted.partition), (screening, partition)):
        raise _held(claim, screening, partition, now)


def _held(claim: Row, screening: str | None, partition: Partition, now: int) -> StoreHeld:
    return held(_holder(claim), screening, partition, now / MS)


def _holder(claim: Row) -> Holder:
    return Holder(host=claim["host"], pid=claim["pid"], command=claim["command"], at=claim["at"] / MS)


def _row(wanted: Wanted, token: str, now: int) -> Row:
    holder = wanted.holder
    return {
        "token": token,
        "screening": wanted.screening,
        "part": wanted.partition.part,
        "of": wanted.partition.of,
        "host": holder.host,
        "pid": holder.pid,
        "command": holder.command,
        "run": holder.run,
        "journal_id": holder.journal_id,
        "at": now,
        "until": now + LIFE_S * MS,
    }
