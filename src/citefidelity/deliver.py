"""Brings finished citations to the store, many in one transaction, each all or none.

Nothing here parses a reply or decides what is to do: a citation comes whole or not at all, and one that is lost on the
way (the process dies, the store is away) is found again by the next run, because the store still has it to do.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from citefidelity.clock import iso
from citefidelity.errors import StoreError, StoreUnavailable
from citefidelity.facts import Delivered
from citefidelity.meter import Meter
from citefidelity.ports import Clock, Journal, Sink
from citefidelity.records import CitationKey, Delivery, Receipt

BATCH = 200
"""Citations in one transaction: beyond this, rates hardly rise and a failed transaction costs more."""

BOUND = 2_000
"""Citations that may wait for the store; beyond it asking pauses, as each holds its outcomes in memory."""

LINGER_S = 0.1
"""How long the first of a batch waits for company: a commit costs a flush of the disk."""

PATIENCE_S = 120.0
"""How long the store may be away before the run stops; all that is answered is safe in the journal."""

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 10.0


class Deliverer:
    """A bounded queue of finished citations and the one task that empties it into the sink."""

    def __init__(  # noqa: PLR0913 - a composition, called in one place
        self,
        *,
        sink: Sink,
        journal: Journal,
        meter: Meter,
        clock: Clock,
        screening: str,
        run: str,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._sink = sink
        self._journal = journal
        self._meter = meter
        self._clock = clock
        self._screening = screening
        self._run = run
        self._patience_s = patience_s
        self._waiting: deque[Delivery] = deque()
        self._writing = 0
        self._due = asyncio.Event()
        self._closing = False
        self._hurried = False
        self.undeliverable: dict[CitationKey, Receipt] = {}
        self.drained: Callable[[], None] = lambda: None
        """Called whenever the queue has become shorter."""
        self.lost: Callable[[StoreError], None] = lambda _: None
        """Called once, when the store or the journal is given up; what waits stays in the journal."""

    @property
    def backlog(self) -> int:
        """Citations that are finished and not yet in the store."""
        return len(self._waiting) + self._writing

    @property
    def full(self) -> bool:
        """Whether asking should pause until the store has caught up."""
        return self.backlog >= BOUND

    def put(self, delivery: Delivery) -> None:
        """Queue one finished citation."""
        self._waiting.append(delivery)
        if len(self._waiting) >= BATCH:
            self._due.set()
        elif len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(LINGER_S, self._due.set)

    def close(self) -> None:
        """Nothing more comes: deliver what waits, then end."""
        self._closing = True
        self._due.set()

    def hurry(self) -> None:
        """The run leaves: once closed, a store that is away is not waited for."""
        self._hurried = True

    async def run(self) -> None:
        """Deliver until closed and empty, or until the store is given up."""
        while True:
            await self._due.wait()
            self._due.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                self._writing = len(batch)
                try:
                    await self._bring(batch)
                except StoreError as error:
                    self.lost(error)
                    return
                finally:
                    self._writing = 0
                self.drained()
                if len(self._waiting) < BATCH and not self._closing:
                    break
            if self._closing and not self._waiting:
                return
            if self._waiting:
                asyncio.get_running_loop().call_later(LINGER_S, self._due.set)

    async def _bring(self, batch: Sequence[Delivery]) -> None:
        at = self._clock.wall()
        receipts = await self._until_known(batch, iso(at))
        facts: list[Delivered] = []
        for receipt in receipts:
            if receipt.result == "undeliverable":
                self._meter.undeliverable += receipt.key not in self.undeliverable
                self.undeliverable[receipt.key] = receipt
                continue
            self._meter.delivered += receipt.result == "written"
            facts.append(
                Delivered(run=self._run, screening=self._screening, key=receipt.key, at=at, result=receipt.result)
            )
        await self._journal.append(facts)

    async def _until_known(self, batch: Sequence[Delivery], at: str) -> Sequence[Receipt]:
        """Deliver again until the outcome is known: what an unknown commit did write is found, not doubled."""
        give_up = self._clock.monotonic() + self._patience_s
        wait = FIRST_WAIT_S
        while True:
            try:
                return await self._sink.deliver(self._screening, self._run, at, batch)
            except StoreUnavailable:
                if (self._closing and self._hurried) or self._clock.monotonic() + wait > give_up:
                    raise
                await self._clock.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_S)
