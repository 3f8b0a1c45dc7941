"""Opening a journal: made once and for its owner only, and refused with one clear message where it cannot be."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from citefidelity.errors import JournalError
from citefidelity.journal import JournalReader, schema
from citefidelity.journal.connection import log_ahead, open_for_writing
from support.journals import make_asked, make_began, make_settled, open_sqlite_journal
from support.makers import make_key


async def refusal(path: Path, **options: object) -> JournalError:
    """How opening this journal is refused."""
    with pytest.raises(JournalError) as refused:
        await open_sqlite_journal(path, **options)
    assert refused.value.exit_code == 5
    assert str(path) in refused.value.message
    assert refused.value.hint
    return refused.value


def change(path: Path, *statements: str) -> None:
    """Do something to a journal's file behind its back."""
    with closing(apsw.Connection(str(path))) as connection:
        for statement in statements:
            connection.execute(statement)


def names(directory: Path) -> list[str]:
    """The files there."""
    return sorted(path.name for path in directory.iterdir())


def modes(directory: Path) -> set[int]:
    """The rights on the files there."""
    return {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


async def test_a_new_journal_is_for_its_owner_only(tmp_path: Path) -> None:
    """Nobody else may read the journal, its log, its shared memory or its lock: papers and replies are in them."""
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([make_settled()])
        assert names(tmp_path) == ["j", "j-shm", "j-wal", "j.lock"]
        assert modes(tmp_path) == {0o600}


async def test_a_clean_close_leaves_one_file(tmp_path: Path) -> None:
    """Whoever copies the journal's file alone has all of it."""
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([make_settled()])
    assert names(tmp_path) == ["j", "j.lock"]
    (tmp_path / "j").rename(tmp_path / "copy")
    with JournalReader(tmp_path / "copy") as reader:
        assert len(list(reader.settled("main"))) == 1


async def test_a_journal_keeps_its_name_and_store(tmp_path: Path) -> None:
    """Its header says whose it is, and a later opening finds the same."""
    async with await open_sqlite_journal(tmp_path / "j", new_id=lambda: "j-1") as journal:
        assert journal.journal_id == "j-1"
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        assert journal.journal_id == "j-1"
        header = await journal.look(lambda view: view.header)
    assert (header.store_id, header.version) == ("store-1", schema.VERSION)


async def test_commits_are_flushed(tmp_path: Path) -> None:
    """G3: the connection that writes has WAL and synchronous=FULL in effect."""
    await (await open_sqlite_journal(tmp_path / "j")).close()
    with closing(open_for_writing(tmp_path / "j", exclusive=False)) as connection:
        log_ahead(connection, tmp_path / "j")
        assert connection.pragma("journal_mode") == "wal"
        assert connection.pragma("synchronous") == 2


async def test_a_connection_that_does_not_flush_is_refused(tmp_path: Path) -> None:
    """Where SQLite keeps another mode (in memory it can have no log), the journal is not used."""
    with closing(apsw.Connection(":memory:")) as connection, pytest.raises(JournalError) as refused:
        log_ahead(connection, tmp_path / "j")
    assert refused.value.kind == "journal_not_durable"


async def test_a_journal_of_another_store(tmp_path: Path) -> None:
    """It is refused, with both names, and not touched."""
    await (await open_sqlite_journal(tmp_path / "j")).close()
    before = (tmp_path / "j").read_bytes()
    refused = await refusal(tmp_path / "j", store_id="store-2")
    assert refused.kind == "journal_of_another_store"
    assert "store-1" in refused.message
    assert "store-2" in refused.message
    assert (tmp_path / "j").read_bytes() == before


async def test_what_is_no_journal(tmp_path: Path) -> None:
    """A text, another database, a directory and a link are told apart, and left as they were."""
    (tmp_path / "text").write_text("not a database, " * 100)
    change(tmp_path / "other", "CREATE TABLE t (a)")
    (tmp_path / "directory").mkdir()
    await (await open_sqlite_journal(tmp_path / "real")).close()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    other = (tmp_path / "other").read_bytes()
    assert (await refusal(tmp_path / "text")).kind == "not_a_journal"
    assert (await refusal(tmp_path / "other")).kind == "not_a_journal"
    assert (await refusal(tmp_path / "directory")).kind == "not_a_journal"
    linked = await refusal(tmp_path / "link")
    assert linked.kind == "journal_is_link"
    assert str(tmp_path / "real") in linked.hint
    assert (tmp_path / "other").read_bytes() == other


async def test_a_missing_journal_where_none_may_be_made(tmp_path: Path) -> None:
    """It is refused, and nothing is left behind."""
    assert (await refusal(tmp_path / "j", create=False)).kind == "journal_missing"
    assert names(tmp_path) == []


async def test_a_place_that_takes_no_file(tmp_path: Path) -> None:
    """A directory that is not there, or is no directory, is named."""
    (tmp_path / "file").touch()
    assert (await refusal(tmp_path / "nowhere" / "j")).kind == "journal_unwritable"
    assert (await refusal(tmp_path / "file" / "j")).kind == "journal_unwritable"


async def test_an_empty_file_becomes_a_journal(tmp_path: Path) -> None:
    """A file just made by somebody, with nothing in it, is no reason to refuse."""
    (tmp_path / "j").touch()
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([make_settled()])
    with JournalReader(tmp_path / "j") as reader:
        assert reader.header.store_id == "store-1"


async def test_a_log_without_its_journal(tmp_path: Path) -> None:
    """Where only the file was deleted, its log may hold paid answers: a new journal does not overwrite it."""
    (tmp_path / "j-wal").write_bytes(b"frames")
    refused = await refusal(tmp_path / "j")
    assert refused.kind == "journal_missing"
    assert (tmp_path / "j-wal").read_bytes() == b"frames"


async def test_a_newer_journal(tmp_path: Path) -> None:
    """What a later program wrote is refused by writer and reader, with the way out."""
    await (await open_sqlite_journal(tmp_path / "j")).close()
    change(tmp_path / "j", "PRAGMA user_version = 99")
    assert (await refusal(tmp_path / "j")).kind == "journal_too_new"
    with pytest.raises(JournalError, match="newer"):
        JournalReader(tmp_path / "j")


async def older_journal(path: Path) -> None:
    """A journal of a made-up version 0, in which runs did not tell why they stopped."""
    async with await open_sqlite_journal(path) as journal:
        await journal.append([make_began(), make_asked(1), make_settled()])
    change(path, "ALTER TABLE stopped DROP COLUMN why", "PRAGMA user_version = 0")


async def test_an_older_journal_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its facts are kept, and the next opening finds the version of today."""
    await older_journal(tmp_path / "j")
    migrations = {0: ["ALTER TABLE stopped ADD COLUMN why TEXT NOT NULL DEFAULT ''"]}
    async with await open_sqlite_journal(tmp_path / "j", migrations=migrations) as journal:
        assert journal.number() == 2
        assert await journal.recall("main", [make_key()])
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        assert (await journal.look(lambda view: view.header)).version == schema.VERSION


async def test_an_older_journal_that_cannot_be(tmp_path: Path) -> None:
    """Without a way from its version it is refused, not touched, and by readers too."""
    await older_journal(tmp_path / "j")
    assert (await refusal(tmp_path / "j")).kind == "journal_too_old"
    with pytest.raises(JournalError, match="older"):
        JournalReader(tmp_path / "j")


@pytest.mark.parametrize("failing", [["DROP TABLE asked", "NOT SQL"], ["CREATE TABLE more (a)"]])
async def test_a_migration_that_fails_changes_nothing(tmp_path: Path, failing: Sequence[str]) -> None:
    """It is all or nothing: the facts are still there for the program that knows how."""
    await older_journal(tmp_path / "j")
    await refusal(tmp_path / "j", migrations={0: failing})
    with closing(apsw.Connection(str(tmp_path / "j"))) as connection:
        assert connection.execute("SELECT count(*) FROM asked").get == 1


async def test_tables_that_were_changed(tmp_path: Path) -> None:
    """A trigger in a journal from elsewhere would run as we write: such a file is refused."""
    await (await open_sqlite_journal(tmp_path / "j")).close()
    change(tmp_path / "j", "CREATE TRIGGER t AFTER INSERT ON asked BEGIN DELETE FROM settled; END")
    assert (await refusal(tmp_path / "j")).kind == "journal_changed"
    with pytest.raises(JournalError, match="changed"):
        JournalReader(tmp_path / "j")


async def test_a_damaged_journal(tmp_path: Path) -> None:
    """Pages full of nonsense are damage, not an unexpected error."""
    async with await open_sqlite_journal(tmp_path / "j") as journal:
        await journal.append([make_settled(key=make_key(number)) for number in range(500)])
    content = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(content[:200] + b"\xff" * (len(content) - 200))
    assert (await refusal(tmp_path / "j")).kind == "journal_damaged"


async def test_whoever_stops_waiting_for_the_opening_holds_nothing(tmp_path: Path) -> None:
    """A cancelled opening lets go of the lock."""
    opening = asyncio.ensure_future(open_sqlite_journal(tmp_path / "j"))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    deadline = asyncio.get_running_loop().time() + 5
    while asyncio.get_running_loop().time() < deadline:
        try:
            journal = await open_sqlite_journal(tmp_path / "j")
        except Exception:  # noqa: BLE001 - held for a moment still
            await asyncio.sleep(0.01)
        else:
            await journal.close()
            return
    pytest.fail("the lock is still held")
