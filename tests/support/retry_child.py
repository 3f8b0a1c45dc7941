"""A process that tries again what failed, and is killed just before or just after the store lets go of it.

Usage: retry_child.py STORE before|after
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from citefidelity.audits.reopening import Wish
from citefidelity.audits.retrying import failure_kinds, retry
from citefidelity.clock import SystemClock
from citefidelity.config.loading import load_settings
from citefidelity.holding import hold
from citefidelity.ports import JournalRow
from citefidelity.records import CitationKey
from citefidelity.testing.faults_store import StoreAround


class Killed(StoreAround):
    """A store whose process is killed at that moment."""

    when = "before"

    async def withdraw(self, screening: str, keys: Sequence[CitationKey]) -> int:
        """Kill, before or after."""
        if self.when == "after":
            await self.inner.withdraw(screening, keys)
        os.kill(os.getpid(), signal.SIGKILL)
        return 0


async def main(store: str, when: str) -> None:
    """Retry until killed."""
    Killed.when = when
    wish = Wish(screening="main", kinds=failure_kinds([]))
    async with hold(load_settings({"store": f"sqlite:///{store}"}, environ={}), "retry", SystemClock()) as held:
        row = JournalRow(journal_id=held.journal.journal_id, host=held.host, path=str(held.journal.path))
        await retry(Killed(held.store), held.journal, wish, own_row=row, now=SystemClock().wall)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
