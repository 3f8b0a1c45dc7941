"""A process that writes a journal is killed; what it was told is on disk is there."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from citefidelity.journal import JournalReader
from support.dice import dice
from support.journals import open_sqlite_journal

CHILD = Path(__file__).parents[1] / "support" / "journal_child.py"
KILLS = 6


def kill_after(path: Path, acknowledgements: int) -> set[int]:
    """Start a writer, kill it after so many acknowledgements, and return all that it ever got."""
    with subprocess.Popen([sys.executable, CHILD, path], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(acknowledgements)]
        child.kill()
        lines += child.stdout.readlines()
    assert child.returncode == -signal.SIGKILL
    return {int(line) for line in lines if line.endswith(b"\n")}


async def test_sigkill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """G3: killed again and again on one journal, every acknowledged context is settled in it, and none in part."""
    path, random, acknowledged = tmp_path / "j", dice(3), set[int]()
    for _ in range(KILLS):
        got = kill_after(path, random.randint(1, 150))
        assert not got & acknowledged, "an attempt number was given twice"
        acknowledged |= got
        with closing(JournalReader(path)) as reader:
            assert reader.damage() == []
            ended = {one.asked.attempt for one in reader.attempts("main") if one.ended is not None}
            settled = {one.settled.attempt for one in reader.settled("main")}
        assert ended == settled
        assert acknowledged <= settled
    async with await open_sqlite_journal(path) as journal:
        assert journal.number() > max(acknowledged)
