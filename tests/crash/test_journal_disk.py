"""The disk fills up or fails: asking stops, nothing acknowledged is lost, and what was paid for is kept elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from citefidelity.errors import JournalError
from citefidelity.facts import Fact
from citefidelity.journal import JournalReader, SqliteJournal
from citefidelity.journal.connection import log_ahead, open_for_writing
from citefidelity.journal.writer import Writer
from support.disk import FailingDisk, What
from support.journals import make_asked, make_ended, make_settled, open_sqlite_journal
from support.makers import make_key, make_outcome

CHILD = Path(__file__).parents[1] / "support" / "journal_child.py"


def facts_of(number: int) -> list[Fact]:
    """One context, asked and answered."""
    key = make_key(number)
    return [make_asked(number, key), make_ended(number), make_settled(make_outcome(), key, attempt=number)]


def attempts_in(path: Path) -> list[int]:
    """The attempts that a journal holds, whole."""
    with closing(JournalReader(path)) as reader:
        assert reader.damage() == []
        return [one.asked.attempt for one in reader.attempts("main") if one.ended is not None]


def spilled_into(directory: Path, refusal: JournalError) -> list[dict[str, Any]]:
    """The facts in the one file that the refusal names."""
    (spilled,) = directory.glob("*.jsonl")
    assert str(spilled) in refusal.message
    return [json.loads(line) for line in spilled.read_text().splitlines()]


async def append_until_broken(journal: SqliteJournal) -> list[int]:
    """Append context after context; those acknowledged before the first failure, of sixteen at most."""
    acknowledged = []
    for number in range(1, 17):
        try:
            await journal.append(facts_of(number))
        except JournalError:
            break
        acknowledged.append(number)
    return acknowledged


@pytest.mark.parametrize(
    ("what", "code", "kind"),
    [
        ("write", apsw.SQLITE_FULL, "disk_full"),
        ("write", apsw.SQLITE_IOERR_WRITE, "journal_failed"),
        ("flush", apsw.SQLITE_IOERR_FSYNC, "journal_failed"),
    ],
)
async def test_whichever_write_or_flush_fails(tmp_path: Path, what: What, code: int, kind: str) -> None:
    """Each of the calls in turn: all acknowledged facts stay, the rest goes to another place, and so it remains."""
    broken = 0
    for at in range(1, 40):
        directory = tmp_path / f"{at}"
        directory.mkdir()
        path, name = directory / "j", f"failing-{kind}-{what}-{at}"
        await (await open_sqlite_journal(path)).close()
        disk = FailingDisk(name, what, at, code)
        try:
            journal = await open_sqlite_journal(path, vfs=name, spill_directory=directory)
        except JournalError:
            continue
        acknowledged = await append_until_broken(journal)
        if disk.failed:
            broken += 1
            with pytest.raises(JournalError) as refusal:
                await journal.append(facts_of(99))
            assert refusal.value.kind == kind
            assert refusal.value.exit_code == 5
            first, *_, last = spilled_into(directory, refusal.value)
            assert first["attempt"] == len(acknowledged) + 1
            assert last["outcome"]["verdict"]["category"] == "SUPPORT"
        await journal.close()
        assert attempts_in(path)[: len(acknowledged)] == acknowledged
    assert broken > 10


async def test_a_disk_that_works_again_is_not_believed(tmp_path: Path) -> None:
    """After one failed flush the next may succeed and prove nothing: the journal stays shut until it is opened anew."""
    path = tmp_path / "j"
    await (await open_sqlite_journal(path)).close()
    disk = FailingDisk("failing-once", "flush", 8, apsw.SQLITE_IOERR_FSYNC, for_good=False)
    journal = await open_sqlite_journal(path, vfs="failing-once", spill_directory=tmp_path)
    acknowledged = await append_until_broken(journal)
    assert disk.failed
    with pytest.raises(JournalError):
        await journal.append(facts_of(99))
    await journal.close()
    assert attempts_in(path)[: len(acknowledged)] == acknowledged
    async with await open_sqlite_journal(path) as again:
        assert not (tmp_path / "j-wal").stat().st_size, "what may be in memory only was built upon"
        await again.append(facts_of(99))
    assert attempts_in(path)[-1] == 99


async def test_all_who_wait_for_a_batch_are_told(tmp_path: Path) -> None:
    """Nobody is left waiting, and each gets the refusal, when their common batch fails."""
    await (await open_sqlite_journal(tmp_path / "j")).close()
    disk = FailingDisk("failing-batch", "write", 20, apsw.SQLITE_FULL)
    journal = await open_sqlite_journal(tmp_path / "j", vfs="failing-batch", spill_directory=tmp_path)
    while not disk.failed:
        appends = [journal.append(facts_of(journal.number())) for _ in range(20)]
        results = await asyncio.gather(*appends, return_exceptions=True)
    assert {type(result) for result in results} == {JournalError}
    with pytest.raises(JournalError) as refusal:
        await journal.append(facts_of(journal.number()))
    assert len(spilled_into(tmp_path, refusal.value)) == 3 * 21
    await journal.close()


async def test_a_spill_that_fails_too_says_so(tmp_path: Path) -> None:
    """Where no other place takes the facts either, the refusal tells that they are gone."""
    await (await open_sqlite_journal(tmp_path / "j")).close()
    FailingDisk("failing-spill", "write", 8, apsw.SQLITE_FULL)
    journal = await open_sqlite_journal(tmp_path / "j", vfs="failing-spill", spill_directory=tmp_path / "nowhere")
    await append_until_broken(journal)
    with pytest.raises(JournalError, match="could be put nowhere else"):
        await journal.append(facts_of(99))
    await journal.close()


async def test_a_full_file_rolls_back_the_batch_as_a_whole(tmp_path: Path) -> None:
    """G3: SQLite's own rollback leaves no transaction open in which the rest of a batch would be written alone."""
    path = tmp_path / "j"
    await (await open_sqlite_journal(path)).close()
    with closing(open_for_writing(path, exclusive=False)) as connection:
        log_ahead(connection, path)
        writer = Writer(connection)
        writer.commit(facts_of(1))
        connection.pragma("max_page_count", connection.pragma("page_count") + 8)
        with pytest.raises(apsw.FullError):
            writer.commit([fact for number in range(2, 500) for fact in facts_of(number)])
        assert not connection.in_transaction
        writer.commit(facts_of(2))
    assert attempts_in(path) == [1, 2]


def test_a_real_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """A process that the system lets write no further keeps every context it was told was safe."""
    result = subprocess.run(
        [sys.executable, CHILD, tmp_path / "j", "--callers", "4"],
        capture_output=True,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
    )
    assert result.returncode == 5, result.stderr.decode()
    acknowledged = {int(line) for line in result.stdout.split()}
    assert acknowledged
    assert acknowledged <= set(attempts_in(tmp_path / "j"))
    assert b"Everything acknowledged is in it" in result.stderr
