"""The thread that owns the journal's connection: jobs in their order, one wake-up each way for a job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

Done = Callable[[Any, BaseException | None], None]


class JobThread:
    """Does blocking jobs one after another and tells the event loop when each is done.

    It is not :class:`~citefidelity.one_thread.OneThread`, as a job is a whole batch here and its end is told by a
    callback: a concurrent future and a task for each would cost more than the rows of a small batch.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Done] | None] = SimpleQueue()
        # A daemon, so that a process that must leave at once is not kept: what is not committed was not acknowledged.
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], Any], done: Done) -> None:
        """Do ``job`` in the thread; then ``done(result, None)`` or ``done(None, error)`` in the event loop."""
        self._jobs.put((job, done))

    def run(self, job: Callable[[], T]) -> asyncio.Future[T]:
        """Give in ``job``; the future of what it returns or raises. Cancelled, the job still goes on to its end."""
        future: asyncio.Future[T] = self._loop.create_future()

        def done(result: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self.submit(job, done)
        return future

    def finish(self) -> None:
        """Take no more jobs; the thread ends after those it has."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, done = item
            result, error = None, None
            try:
                result = job()
            except BaseException as raised:  # noqa: BLE001 - whoever waits for the job gets it
                error = raised
            try:
                self._loop.call_soon_threadsafe(done, result, error)
            except RuntimeError:
                # The event loop is closed: nobody waits any more.
                return
            # An idle thread must not keep the last batch alive.
            del item, job, done, result, error
