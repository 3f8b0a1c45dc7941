"""Blocking work beside the event loop: one thread to a file or connection, so that its calls keep their order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from itertools import islice
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class OneThread:
    """Runs calls one after another in a thread of its own; it belongs to no event loop."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``work`` returns or raises. Cancelled while it runs, it goes on; before that, it is dropped."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*args, **kwargs))

    async def surely(self, work: Callable[[], T]) -> T:
        """As :meth:`run`, for what lets go of something: once given it is done, whoever cancels the wait for it."""
        given = self._pool.submit(work)
        # A call behind it is what is waited for, and what is dropped with the wait.
        await self.run(lambda: None)
        return given.result()

    def submit(self, work: Callable[[], None]) -> None:
        """Do it after what was given before; nobody waits for it, so ``work`` has to tell of its own errors."""
        self._pool.submit(work)

    async def each(self, items: Iterator[T]) -> AsyncIterator[T]:
        """The items of a blocking iterator, each drawn in the thread."""
        while drawn := await self.run(lambda: list(islice(items, 1))):
            yield drawn[0]

    @asynccontextmanager
    async def entered(self, manager: AbstractContextManager[T]) -> AsyncIterator[T]:
        """A blocking context manager, entered and left in the thread."""
        value = await self.run(manager.__enter__)
        try:
            yield value
        except BaseException as err:
            if not await self.run(manager.__exit__, type(err), err, err.__traceback__):
                raise
        else:
            await self.run(manager.__exit__, None, None, None)

    def stop(self) -> None:
        """Takes no more work; what was given is done. Safe to call twice."""
        self._pool.shutdown(wait=False)
