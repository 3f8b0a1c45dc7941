"""Source to model to journal: a bounded number of workers, each holding one context from *asked* to acknowledged.

The order of writes for one context (``docs/architecture.md``): *asked* is on disk before the request leaves; the raw
reply and the outcome are on disk, in one append, before the context counts. A worker that has a next context to ask
puts its *asked* into the same append, so that a call costs one commit, shared with everybody else's.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from citefidelity.engine_parts import Limits, Parts
from citefidelity.errors import StoreError
from citefidelity.facts import Asked, ContextPast, Fact, Settled
from citefidelity.kinds import FailureKind, ProviderFault
from citefidelity.line import Line
from citefidelity.opening import Job, Opened, open_citation
from citefidelity.pacing.calls import Halt
from citefidelity.ports import CallFault, Question, RawReply, ToDo
from citefidelity.records import Citation, CitationKey, Unusable
from citefidelity.rulings import Again, Leave, PushBack, Ruling, Settle

Why = Literal["complete", "limit", "time", "interrupted", "provider", "budget", "store"]

CITATIONS_A_TURN = 16
"""Citations opened before the loop may turn: rendering is pure computing and would hold everybody up."""


class Engine:
    """One run over one source. Built for one use."""

    def __init__(self, parts: Parts, limits: Limits) -> None:
        self._parts = parts
        self._limits = limits
        self._line = self._new_line()
        self._room_made = asyncio.Event()
        self._open = self._citations_asked = self._successes = 0
        self._undone = 0
        """Citations taken up whose outcomes are not all there: those open, and those of which a context was left."""
        self._limit_reached = False
        self._grace: asyncio.TimerHandle | None = None
        self.stopped: Why | None = None
        self.halt: Halt | None = None
        self.error: StoreError | None = None
        self.unusable: dict[CitationKey, Unusable] = {}
        parts.deliverer.drained = self._store_has_room
        parts.deliverer.lost = self._store_lost

    async def run(self, to_do: ToDo) -> Why:
        """Work until nothing is left to do, or until something stops the run; what was in flight is kept."""
        loop = asyncio.get_running_loop()
        limit = self._limits.max_time
        time_is_up = None if limit is None else loop.call_later(limit, self.stop, "time")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._parts.deliverer.run())
                await self._feed_and_ask(to_do)
                while self._line.overtaken and not self.stopped:
                    self._start_over()
                    await self._feed_and_ask(to_do)
                self._parts.deliverer.close()
        finally:
            # Where the run was cancelled or broke off, contexts wait for their time to be asked again.
            self._line.close()
            for timer in (time_is_up, self._grace):
                if timer is not None:
                    timer.cancel()
        if self.stopped is None and self._parts.meter.left and not self._successes:
            self.halt = self._nothing_answered()
            self.stopped = "provider"
        return self.stopped or ("limit" if self._limit_reached else "complete")

    def stop(self, why: Why) -> None:
        """Ask nothing more; what is in flight has the time of grace. The first reason stands."""
        if self.stopped is not None:
            return
        self.stopped = why
        self._grace = asyncio.get_running_loop().call_later(self._limits.grace, self._parts.deadlines.cut_all)
        self._line.close()
        self._parts.deliverer.hurry()
        self._room_made.set()

    async def _feed_and_ask(self, to_do: ToDo) -> None:
        """Its end is the end of all that may still bring a citation to the deliverer."""
        async with asyncio.TaskGroup() as asking:
            asking.create_task(self._feed(to_do, asking))
            for _ in range(self._limits.concurrency):
                asking.create_task(self._work())

    def _start_over(self) -> None:
        """Another run has had the claim: what was read before, and is still to ask, may have been asked by that one.

        What comes up again is counted again: contexts that were left, too.
        """
        meter = self._parts.meter
        meter.citations -= self._undone
        meter.contexts -= self._line.unfinished + meter.left
        meter.left = 0
        self._citations_asked -= self._undone
        self._open = self._undone = 0
        self._limit_reached = False
        self._line = self._new_line()

    def _new_line(self) -> Line:
        parts = self._parts
        line = Line(
            admission=parts.admission,
            claim=parts.claim,
            clock=parts.clock,
            store_is_full=lambda: parts.deliverer.full,
        )
        line.halted, line.claim_lost, line.taken = self._halted, self._store_lost, self._look_for_room
        return line

    # Feeding: citations are opened only as fast as their contexts are wanted.

    async def _feed(self, to_do: ToDo, group: asyncio.TaskGroup) -> None:
        try:
            async for page in self._parts.source.pages(to_do):
                keys = [found.key for found in page if isinstance(found, Citation)]
                past = await self._parts.journal.recall(to_do.screening, keys)
                for number, found in enumerate(page):
                    if isinstance(found, Unusable):
                        self._parts.meter.undeliverable += found.key not in self.unusable
                        self.unusable[found.key] = found
                        continue
                    if number % CITATIONS_A_TURN == 0:
                        await asyncio.sleep(0)
                    await self._room()
                    if self._line.closed or not self._take_up(found, past.get(found.key, {}), group):
                        return
        except StoreError as error:
            self._store_lost(error)
        finally:
            self._line.end()

    async def _room(self) -> None:
        """Wait until more contexts are wanted: few are ready, not too many citations are open, the store keeps up."""
        while not self._line.closed and not self._wants_more():
            self._room_made.clear()
            await self._room_made.wait()

    def _wants_more(self) -> bool:
        limits = self._limits
        full = self._parts.deliverer.full
        return len(self._line) < limits.concurrency and self._open < limits.citation_workers and not full

    def _look_for_room(self) -> None:
        if not self._room_made.is_set() and (self._line.closed or self._wants_more()):
            self._room_made.set()

    def _store_has_room(self) -> None:
        self._look_for_room()
        self._line.pump()

    def _take_up(self, citation: Citation, past: ContextPast, group: asyncio.TaskGroup) -> bool:
        """Open one citation; False when the limit forbids it."""
        opened, jobs, without_evidence = open_citation(citation, past, self._parts.prompter, self._parts.concluder.load)
        if not opened.missing:
            self._parts.deliverer.put(opened.delivery())
            return True
        if jobs and self._citations_asked == self._limits.citations:
            self._limit_reached = True
            return False
        self._citations_asked += bool(jobs)
        self._parts.meter.citations += 1
        self._parts.meter.contexts += opened.missing
        self._open += 1
        self._undone += 1
        if without_evidence:
            at = self._parts.clock.wall()
            conclude = self._parts.concluder.unassessable
            facts = [conclude(opened.key, instance_id, nothing, at) for instance_id, nothing in without_evidence]
            group.create_task(self._settle_unassessable(opened, facts))
        self._line.add(jobs)
        return True

    async def _settle_unassessable(self, opened: Opened, facts: list[Settled]) -> None:
        try:
            await self._parts.journal.append(facts)
        except StoreError as error:
            self._store_lost(error)
            return
        for settled in facts:
            self._count(opened, settled)
        self._close_if_over(opened)

    # Asking: one worker, one call at a time.

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "a worker is a task"  # noqa: S101 - narrows the type
        done: tuple[Job, Ruling] | None = None
        try:
            while True:
                job = self._line.take()
                if job is None:
                    if done is not None:
                        await self._parts.journal.append(self._facts(done))
                        self._land(*done)
                        done = None
                    job = await self._line.next()
                    if job is None:
                        return
                attempt = self._parts.journal.number()
                question = self._parts.concluder.question(job, self._line.held_back)
                asked = self._parts.concluder.asked(job, attempt, question, self._parts.clock.wall())
                await self._parts.journal.append([*self._facts(done), asked])
                if done is not None:
                    self._land(*done)
                done = job, await self._ask(task, job, question, asked)
        except StoreError as error:
            self._store_lost(error)

    async def _ask(self, task: asyncio.Task[Any], job: Job, question: Question, asked: Asked) -> Ruling:
        parts = self._parts
        if job.successes_before is None:
            job.successes_before = self._successes
        load, began = job.load, parts.clock.monotonic()
        answer = await self._answer(task, job, question)
        ruling = parts.concluder.conclude(
            job,
            question,
            asked.attempt,
            answer,
            at=parts.clock.wall(),
            seconds=parts.clock.monotonic() - began,
            provider_well=self._successes > job.successes_before,
        )
        self._successes += ruling.end.outcome == "success"
        parts.admission.leave(load, ruling.end)
        parts.meter.call_ended(ruling.ended)
        if isinstance(ruling.next, Halt):
            self._halted(ruling.next)
        return ruling

    async def _answer(self, task: asyncio.Task[Any], job: Job, question: Question) -> RawReply | CallFault:
        """The reply, or why there is none. A reply that is there is kept, whoever wants to cut the call off."""
        # Both may have changed while *asked* was on its way to the disk.
        why = self._line.held_back()
        if why:
            return CallFault(FailureKind.ABANDONED, why, sent=False)
        self._parts.meter.retries += job.asked_in_vain
        job.asked_in_vain = False
        call = self._parts.deadlines.enter(task)
        try:
            return await self._parts.model.ask(question)
        except CallFault as fault:
            return fault
        except asyncio.CancelledError:
            if call.cut is None:
                raise
            task.uncancel()
            waited = self._parts.clock.monotonic() - call.began
            return CallFault(call.cut, f"no complete reply after {waited:.0f} s", sent=True)
        finally:
            self._parts.deadlines.leave(call)

    # What follows, once it is on disk.

    def _facts(self, done: tuple[Job, Ruling] | None) -> list[Fact]:
        if done is None:
            return []
        _, ruling = done
        facts: list[Fact] = [ruling.ended]
        if isinstance(ruling.next, Settle):
            facts.append(ruling.next.settled)
        return facts

    def _land(self, job: Job, ruling: Ruling) -> None:
        following = ruling.next
        if isinstance(following, Again):
            job.asked_in_vain |= ruling.ended.fault != FailureKind.ABANDONED.value
            self._line.again(job, following.delay)
            return
        if isinstance(following, PushBack):
            self._parts.meter.pushbacks += 1
            self._line.again(job, 0.0)
            return
        if isinstance(following, Settle):
            self._count(job.opened, following.settled)
        elif isinstance(following, Leave):
            job.opened.leave()
            self._parts.meter.left += 1
        self._line.finished()
        self._close_if_over(job.opened)
        self._line.pump()

    def _count(self, opened: Opened, settled: Settled) -> None:
        outcome = settled.outcome
        self._parts.meter.settled(outcome, settled.flags)
        if not outcome.usable:
            opened.leave()
            return
        opened.put(outcome)
        if not opened.missing:
            self._undone -= 1
            self._parts.deliverer.put(opened.delivery())

    def _close_if_over(self, opened: Opened) -> None:
        if opened.over:
            self._open -= 1
            self._look_for_room()

    def _halted(self, halt: Halt) -> None:
        self.halt = self.halt or halt
        self.stop("budget" if halt.kind == "budget" else "provider")

    def _nothing_answered(self) -> Halt:
        kind, _ = self._parts.meter.faults.most_common(1)[0]
        return Halt(ProviderFault.OUTAGE.value, f"Not one call was answered; most ended with {kind}.")

    def _store_lost(self, error: StoreError) -> None:
        self.error = self.error or error
        self.stop("store")
