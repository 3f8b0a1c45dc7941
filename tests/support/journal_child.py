"""A process that appends to a journal until it is killed, and says on stdout what has been acknowledged.

Usage: journal_child.py PATH [--callers N] [--hold]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from citefidelity.errors import JournalError
from citefidelity.journal import SqliteJournal
from support.journals import make_asked, make_ended, make_settled, open_sqlite_journal
from support.makers import make_holder, make_key, make_outcome


async def work(journal: SqliteJournal) -> None:
    """Ask and settle one context after another; a line on stdout for each once it is on disk."""
    while True:
        attempt = journal.number()
        key = make_key(attempt)
        await journal.append([make_asked(attempt, key)])
        await journal.append([make_ended(attempt, body=b"x" * 500), make_settled(make_outcome(), key, attempt=attempt)])
        os.write(1, b"%d\n" % attempt)


async def main() -> None:
    """Hold the journal, or append to it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--hold", action="store_true", help="open it, say so, and wait for the end of stdin")
    chosen = parser.parse_args()
    async with await open_sqlite_journal(chosen.path, holder=make_holder(pid=os.getpid())) as journal:
        if chosen.hold:
            os.write(1, b"open\n")
            await asyncio.to_thread(sys.stdin.read)
            return
        async with asyncio.TaskGroup() as group:
            for _ in range(chosen.callers):
                group.create_task(work(journal))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except* JournalError as failed:
        print(failed.exceptions[0], file=sys.stderr)  # noqa: T201 - what the test reads
        os._exit(5)
