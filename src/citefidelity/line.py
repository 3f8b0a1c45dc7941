"""The line between feeding and asking: contexts that are ready, workers that wait for one, and what holds both back.

A worker that finds nothing it may ask now parks here; whatever may change that (a context becomes ready, a call ends, a
pause is over, the store has caught up) pumps. Nobody polls, but for a claim that is not surely ours.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable

from citefidelity.errors import StoreHeld
from citefidelity.opening import Job
from citefidelity.pacing.admission import Admission
from citefidelity.pacing.calls import Halt
from citefidelity.ports import Claim, Clock

CLAIM_CHECK_S = 0.5
"""How soon to look again at a claim that is not surely ours."""

CLAIM_PATIENCE_S = 120.0
"""How long a claim may be unsure before it counts as lost: the store is away, or another has taken it."""


class Line:
    """Hands out contexts to workers, as far as admission, the claim and the store allow."""

    def __init__(
        self,
        *,
        admission: Admission,
        claim: Claim,
        clock: Clock,
        store_is_full: Callable[[], bool],
    ) -> None:
        self._admission = admission
        self._claim = claim
        self._clock = clock
        self._store_is_full = store_is_full
        self._ready: deque[Job] = deque()
        self._parked: deque[asyncio.Future[Job | None]] = deque()
        self._later: set[asyncio.TimerHandle] = set()
        self._wake: asyncio.TimerHandle | None = None
        self.unfinished = 0
        """Contexts that were added and are not done with, in this run."""
        self._more_to_come = True
        self._losses = claim.losses()
        self.closed = False
        """Whether nothing is handed out any more."""
        self.overtaken = False
        """Whether it was closed because another run has had the claim since it was made."""
        self._unsure_since: float | None = None
        self.halted: Callable[[Halt], None] = lambda _: None
        """Called when admission says that the run must stop."""
        self.claim_lost: Callable[[StoreHeld], None] = lambda _: None
        """Called when the claim has not been surely ours for too long."""
        self.taken: Callable[[], None] = lambda: None
        """Called when a context has been handed out: there may be room for more."""

    def __len__(self) -> int:
        """Contexts that are ready to be asked."""
        return len(self._ready)

    def add(self, jobs: list[Job]) -> None:
        """Put new contexts into the line."""
        self.unfinished += len(jobs)
        self._ready.extend(jobs)
        self.pump()

    def again(self, job: Job, delay: float) -> None:
        """Put a context back, to be asked after ``delay`` seconds; no slot is held meanwhile."""
        if delay <= 0 or self.closed:
            self._back(job)
            return

        def come_back() -> None:
            self._later.discard(handle)
            self._back(job)

        handle = asyncio.get_running_loop().call_later(delay, come_back)
        self._later.add(handle)

    def finished(self) -> None:
        """A context that was handed out will not come back in this run."""
        self.unfinished -= 1
        if not self.unfinished and not self._more_to_come:
            self.close()

    def end(self) -> None:
        """No new context comes; the line closes when those in it are finished."""
        self._more_to_come = False
        if not self.unfinished:
            self.close()

    def close(self) -> None:
        """Hand out nothing more: every worker that asks gets None."""
        self.closed = True
        for handle in (*self._later, self._wake):
            if handle is not None:
                handle.cancel()
        while self._parked:
            future = self._parked.popleft()
            if not future.done():
                future.set_result(None)

    def take(self) -> Job | None:
        """The next context, if one may be asked right now; its call is then admitted."""
        if self.closed or not self._ready or self._store_is_full():
            return None
        if not self.claim_holds():
            self._wait_for_claim()
            return None
        self._unsure_since = None
        if self._others_have_been_here():
            self.overtaken = True
            self.close()
            self.taken()
            return None
        wait = self._admission.try_enter(self._ready[0].load)
        if wait == 0:
            job = self._ready.popleft()
            self.taken()
            return job
        if wait < math.inf:
            self._pump_in(wait)
        else:
            halt = self._admission.halt()
            if halt is not None:
                self.halted(halt)
        return None

    async def next(self) -> Job | None:
        """Wait for a context; None when the line is closed."""
        job = self.take()
        if job is not None or self.closed:
            return job
        future: asyncio.Future[Job | None] = asyncio.get_running_loop().create_future()
        self._parked.append(future)
        return await future

    def pump(self) -> None:
        """Something has changed: hand out what can be."""
        while self._parked:
            if self._parked[0].done():
                # Its worker was cancelled: a context handed to it would be asked by nobody.
                self._parked.popleft()
                continue
            job = self.take()
            if job is None:
                return
            self._parked.popleft().set_result(job)

    def claim_holds(self) -> bool:
        """Whether the claim on the store is surely ours at this moment."""
        return self._clock.monotonic() < self._claim.holds_until()

    def held_back(self) -> str | None:
        """Why a request must not leave at this moment, though its context was handed out."""
        if self._others_have_been_here():
            # It may be ours again by now, and this very context be answered.
            return "another run has had the claim on the store since this was read"
        if self.closed:
            return "the run was stopped before the request left"
        if not self.claim_holds():
            return "the claim on the store was not surely held"
        return None

    def _others_have_been_here(self) -> bool:
        return self._claim.losses() != self._losses

    def _wait_for_claim(self) -> None:
        now = self._clock.monotonic()
        if self._unsure_since is None:
            self._unsure_since = now
        if now - self._unsure_since > CLAIM_PATIENCE_S:
            self.claim_lost(_claim_lost())
        else:
            self._pump_in(CLAIM_CHECK_S)

    def _back(self, job: Job) -> None:
        if not self.closed:
            self._ready.appendleft(job)
            self.pump()

    def _pump_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._wake is not None:
            if self._wake.when() <= loop.time() + seconds:
                return
            self._wake.cancel()
        self._wake = loop.call_later(seconds, self._woken)

    def _woken(self) -> None:
        self._wake = None
        self.pump()


def _claim_lost() -> StoreHeld:
    return StoreHeld(
        f"The claim on the store could not be renewed for {CLAIM_PATIENCE_S:.0f} s: the store does not answer, or "
        "another run has taken it over. Asking has stopped; every answer is safe in the journal.",
        "See that no other run works on it, then run again.",
        kind="claim_lost",
    )
