"""One writer at a time, across processes; the lock ends with its owner."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from citefidelity.errors import StoreHeld
from citefidelity.journal import JournalReader, current_holder
from citefidelity.journal.lock import lock_path
from support.journals import make_settled, open_sqlite_journal
from support.makers import make_holder

CHILD = Path(__file__).parents[1] / "support" / "journal_child.py"


@contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the journal until its stdin ends."""
    with subprocess.Popen([sys.executable, CHILD, path, "--hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as it:
        assert it.stdout is not None
        assert it.stdout.readline() == b"open\n"
        yield it


async def test_a_second_process_is_refused_and_told_who(tmp_path: Path) -> None:
    """G5: the refusal names the owner's pid, host and command; reading works meanwhile; after its end it opens."""
    with another_process(tmp_path / "j") as owner:
        with pytest.raises(StoreHeld) as refused:
            await open_sqlite_journal(tmp_path / "j")
        for told in (str(owner.pid), "somewhere", "citefidelity run"):
            assert told in refused.value.message
        assert str(owner.pid) in refused.value.hint
        assert refused.value.exit_code == 5
        with JournalReader(tmp_path / "j") as reader:
            assert list(reader.settled("main")) == []
    assert owner.returncode == 0
    await (await open_sqlite_journal(tmp_path / "j")).close()


async def test_the_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    """Killed, its owner leaves nothing that has to be cleared away."""
    with another_process(tmp_path / "j") as owner:
        owner.kill()
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([make_settled()])


async def test_the_same_process_cannot_open_it_twice(tmp_path: Path) -> None:
    """The lock belongs to the open journal, not to the process."""
    async with await open_sqlite_journal(tmp_path / "j"):
        with pytest.raises(StoreHeld):
            await open_sqlite_journal(tmp_path / "j")
    await (await open_sqlite_journal(tmp_path / "j")).close()


async def test_an_owner_who_has_not_yet_said_who(tmp_path: Path) -> None:
    """Between the lock and the note there is no name to tell, and still a refusal."""
    async with await open_sqlite_journal(tmp_path / "j"):
        lock_path(tmp_path / "j").write_bytes(b"")
        with pytest.raises(StoreHeld, match="just opening"):
            await open_sqlite_journal(tmp_path / "j")


async def test_who_holds_it_can_be_seen(tmp_path: Path) -> None:
    """While it is open its owner is told; nobody before, after a close, or once the owner is dead."""
    assert current_holder(tmp_path / "j") is None
    holder = make_holder()
    async with await open_sqlite_journal(tmp_path / "j", holder=holder):
        assert current_holder(tmp_path / "j") == holder
    assert current_holder(tmp_path / "j") is None
    with another_process(tmp_path / "j") as owner:
        owner.kill()
    note = msgspec.structs.replace(make_holder(pid=owner.pid), host=platform.node())
    lock_path(tmp_path / "j").write_bytes(msgspec.json.encode(note))
    assert current_holder(tmp_path / "j") is None


async def test_a_refused_opening_leaves_the_lock_free(tmp_path: Path) -> None:
    """A journal of another store is not left locked behind."""
    await (await open_sqlite_journal(tmp_path / "j")).close()
    with pytest.raises(Exception, match="another store"):
        await open_sqlite_journal(tmp_path / "j", store_id="store-2")
    await (await open_sqlite_journal(tmp_path / "j")).close()
