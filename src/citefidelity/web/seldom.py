"""What takes its time to find out, found out now and then, once for all who ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from citefidelity.errors import CitefidelityError
from citefidelity.ports import Clock

T = TypeVar("T")

EVERY_S = 10.0
SHARE = 20
"""At most one part of so many of the time is spent on it, so that a large store is not kept busy by those who look."""


class Seldom(Generic[T]):
    """Keeps what was found for a while.

    Args:
        find: finds it out.
        clock: time.
    """

    def __init__(self, find: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._find = find
        self._clock = clock
        self._lock = asyncio.Lock()
        self._found: T | str | None = None
        self._due_at = 0.0

    async def get(self) -> T | str:
        """What is the case, as of some seconds ago; or why it cannot be told."""
        async with self._lock:
            if self._found is None or self._clock.monotonic() >= self._due_at:
                self._found = await self._look()
            return self._found

    def expire(self) -> None:
        """What was found is known to be old."""
        self._due_at = 0.0

    async def _look(self) -> T | str:
        began = self._clock.monotonic()
        # Set before, so that what becomes old meanwhile stays so.
        self._due_at = began + EVERY_S
        try:
            return await self._find()
        except CitefidelityError as err:
            return err.message
        finally:
            if self._due_at:
                self._due_at = max(self._due_at, began + SHARE * (self._clock.monotonic() - began))
