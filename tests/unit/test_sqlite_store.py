"""What only the embedded store does: its file, its errors, its locks, its indexes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from citefidelity.clock import SystemClock
from citefidelity.errors import StoreError, StoreHeld, StoreMissing, StoreUnavailable
from citefidelity.exports import Output, export
from citefidelity.imports import import_files
from citefidelity.intake import Inputs
from citefidelity.kinds import UndeliverableKind
from citefidelity.ports import ToDo
from citefidelity.records import WHOLE, Delivery, Partition
from citefidelity.stores import sqlite_reading, sqlite_schema
from citefidelity.stores.sqlite import SqliteStore, open_sqlite
from support.makers import AT, make_delivery, make_holder, make_key, make_outcome, make_record, make_screening_row
from support.stores import all_stored, deliver, to_do
from support.tables import names_in


async def make_store(path: Path, records: int = 0) -> SqliteStore:
    """A store with the screening "main" and so many citations."""
    store = await open_sqlite(path, create=True, clock=SystemClock())
    await store.begin_screening(make_screening_row())
    await store.put([make_record(number) for number in range(records)])
    return store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A store with five citations."""
    store = await make_store(tmp_path / "store.db", records=5)
    yield store
    await store.close()


async def on_writer(store: SqliteStore, sql: str) -> list[Any]:
    """What a statement gives on the connection that writes."""
    return await store._writer.run(lambda connection: connection.execute(sql).fetchall())  # noqa: SLF001 - its settings are what is tested


async def test_a_store_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    """Opening without leave to make one says what to do first, and leaves no file behind."""
    with pytest.raises(StoreMissing) as caught:
        await open_sqlite(tmp_path / "none.db", create=False, clock=SystemClock())
    assert "citefidelity import" in caught.value.hint
    assert caught.value.exit_code == 5
    assert names_in(tmp_path) == []


async def test_an_empty_file_is_no_store_yet(tmp_path: Path) -> None:
    """A file without a byte counts as missing, and may be made into a store."""
    path = tmp_path / "empty.db"
    path.touch()
    with pytest.raises(StoreMissing):
        await open_sqlite(path, create=False, clock=SystemClock())
    await (await make_store(path)).close()


@pytest.mark.parametrize("create", [True, False])
async def test_other_files_are_refused_and_left_alone(tmp_path: Path, create: bool) -> None:
    """A text, somebody else's database and a directory are no stores, and stay as they are."""
    text, foreign = tmp_path / "text.db", tmp_path / "foreign.db"
    text.write_bytes(b"not a database, but long enough to look like one " * 50)
    connection = apsw.Connection(str(foreign))
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = [path.read_bytes() for path in (text, foreign)]
    for path in (text, foreign, tmp_path):
        with pytest.raises(StoreError) as caught:
            await open_sqlite(path, create=create, clock=SystemClock())
        assert str(path) in caught.value.message
    assert [path.read_bytes() for path in (text, foreign)] == before


async def test_no_directory_is_made_for_a_store(tmp_path: Path) -> None:
    """A path that leads nowhere is a mistake to be told, not to be mended."""
    with pytest.raises(StoreError, match="no directory"):
        await open_sqlite(tmp_path / "nowhere" / "store.db", create=True, clock=SystemClock())


async def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """An older program does not touch what it does not understand."""
    path = tmp_path / "store.db"
    await (await make_store(path)).close()
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", sqlite_schema.SCHEMA_VERSION + 1)
    connection.close()
    with pytest.raises(StoreError, match="newer version"):
        await open_sqlite(path, create=False, clock=SystemClock())


async def test_commits_are_on_disk_before_they_count(store: SqliteStore) -> None:
    """The connection that writes keeps a write-ahead log and waits for the disk."""
    assert await on_writer(store, "PRAGMA synchronous") == [(2,)]
    assert await on_writer(store, "PRAGMA journal_mode") == [("wal",)]
    assert await on_writer(store, "PRAGMA trusted_schema") == [(0,)]


async def test_after_closing_one_file_holds_everything(tmp_path: Path) -> None:
    """Whoever copies the one file copies the store: no log stays beside it."""
    path = tmp_path / "store.db"
    await (await make_store(path, records=3)).close()
    assert names_in(tmp_path) == ["store.db"]


async def test_a_delivery_too_large_harms_no_neighbour(store: SqliteStore) -> None:
    """What SQLite refuses for its size is rolled back alone, and says so in its receipt."""
    await store._writer.run(lambda connection: connection.limit(apsw.SQLITE_LIMIT_LENGTH, 5_000))  # noqa: SLF001 - no test writes a gigabyte
    long = make_outcome("2")
    long = type(long)(instance_id="2" * 6_000, input_hash=long.input_hash, state=long.state, verdict=long.verdict)
    batch = [make_delivery(1), Delivery(make_key(2), (make_outcome("1"), long)), make_delivery(3)]
    receipts = await store.deliver("main", "run-1", AT, batch)
    assert [receipt.result for receipt in receipts] == ["written", "undeliverable", "written"]
    assert receipts[1].kind == UndeliverableKind.TOO_LARGE
    assert [len(one.outcomes) for one in await all_stored(store)] == [0, 1, 0, 1, 0]
    assert await to_do(store) == [make_key(number) for number in (0, 2, 4)]


async def test_a_full_disk_loses_nothing_that_was_acknowledged(store: SqliteStore) -> None:
    """The batch that does not fit is not there in part; when there is room again, it is simply delivered again."""
    await deliver(store, make_delivery(0))
    ((pages,),) = await on_writer(store, "PRAGMA page_count")
    await on_writer(store, f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable, match="disk is full"):
        await store.put([make_record(number, note="x" * 5_000) for number in range(100, 150)])
    assert len(await all_stored(store)) == 5
    await on_writer(store, "PRAGMA max_page_count = 1000000")
    assert await deliver(store, make_delivery(0), make_delivery(1)) == ["found", "written"]


async def test_a_store_locked_by_others_is_unavailable_not_broken(store: SqliteStore, tmp_path: Path) -> None:
    """Another program that keeps the write lock is named as the cause; afterwards everything goes on."""
    await store._writer.run(lambda connection: connection.set_busy_timeout(20))  # noqa: SLF001 - ten seconds are long in a test
    other = apsw.Connection(str(tmp_path / "store.db"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await deliver(store, make_delivery(0))
    other.execute("ROLLBACK")
    other.close()
    assert await deliver(store, make_delivery(0)) == ["written"]


async def test_an_error_of_the_disk_opens_the_file_anew(store: SqliteStore) -> None:
    """After an I/O error the connection is not trusted any more: the next call gets a fresh one."""

    def fail(connection: apsw.Connection) -> None:
        connection.execute("CREATE TEMP TABLE trace (a)")
        raise apsw.IOError("IOError: disk I/O error")

    with pytest.raises(StoreUnavailable, match="disk fails"):
        await store._writer.run(fail)  # noqa: SLF001 - there is no disk to break in a test
    assert await deliver(store, make_delivery(0)) == ["written"]
    assert await on_writer(store, "SELECT name FROM temp.sqlite_schema") == []


@pytest.mark.parametrize("other_name", ["link.db", "sub/../store.db"])
async def test_one_file_under_two_names_has_one_lock(tmp_path: Path, other_name: str) -> None:
    """A symlink or another spelling of the path leads to the same claims."""
    store = await make_store(tmp_path / "store.db")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "store.db")
    other = await open_sqlite(tmp_path / other_name, create=False, clock=SystemClock())
    await store.claim(None, WHOLE, make_holder(pid=4711))
    with pytest.raises(StoreHeld, match="4711"):
        await other.claim("main", WHOLE, make_holder())
    await other.close()
    await store.close()


HOLDER = """
import asyncio, sys, time
from citefidelity.clock import SystemClock
from citefidelity.ports import Holder
from citefidelity.records import Partition
from citefidelity.stores.sqlite import open_sqlite

async def main():
    store = await open_sqlite(sys.argv[1], create=False, clock=SystemClock())
    await store.claim("main", Partition(1, 2), Holder(host="there", pid=99, command="citefidelity run"))
    print("held", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_claim_ends_with_its_process(store: SqliteStore, tmp_path: Path) -> None:
    """The claim of another process keeps out whom it must, until that process is killed (G5)."""
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "store.db")], stdout=subprocess.PIPE)  # noqa: ASYNC220 - one line is waited for
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreHeld, match=r"there \(pid 99\)"):
            await store.claim("main", WHOLE, make_holder())
        await (await store.claim("main", Partition(2, 2), make_holder())).release()
    finally:
        holder.kill()
        assert holder.wait() == -signal.SIGKILL
        holder.communicate()
    await (await store.claim("main", Partition(1, 2), make_holder())).release()
    await (await store.claim(None, WHOLE, make_holder())).release()


async def test_claims_that_cannot_be_taken_are_explained(store: SqliteStore, tmp_path: Path) -> None:
    """A place for locks that cannot be used is a clear error, not a run without a lock."""
    (tmp_path / "store.db.claims").write_bytes(b"in the way")
    with pytest.raises(StoreError, match=r"lock cannot be taken in .*store\.db\.claims"):
        await store.claim("main", WHOLE, make_holder())


async def test_closing_gives_claims_back(tmp_path: Path) -> None:
    """A store that is closed holds nobody up, and its claim may be released afterwards."""
    store = await make_store(tmp_path / "store.db")
    claim = await store.claim(None, WHOLE, make_holder())
    await store.close()
    await claim.release()
    again = await make_store(tmp_path / "store.db")
    await again.claim(None, WHOLE, make_holder())
    await again.close()


async def test_the_file_has_the_rights_that_the_user_asked_for(tmp_path: Path) -> None:
    """The store follows the umask, as any file does."""
    await (await make_store(tmp_path / "store.db")).close()
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "store.db").stat().st_mode & 0o777 == 0o644 & ~mask


@pytest.mark.usefixtures("no_blocking")
async def test_the_event_loop_never_waits_for_the_disk(tmp_path: Path) -> None:
    """Opening, claims, writing, reading, import, export and closing all happen in threads."""
    store = await make_store(tmp_path / "store.db", records=3)
    claim = await store.claim(None, WHOLE, make_holder())
    await deliver(store, make_delivery(1))
    assert await to_do(store) == [make_key(0), make_key(2)]
    for name in ("out.jsonl.gz", "out.csv", "out.parquet"):
        await export(store, "main", Output(path=tmp_path / name))
        report = await import_files(store, Inputs(names=[str(tmp_path / name)]))
        assert report.records == 3
    await claim.release()
    await store.close()


async def test_scans_read_indexes_not_texts(store: SqliteStore) -> None:
    """What is to do, and the totals, come from the covering index: a store of millions starts at once."""
    for sql in (sqlite_reading._TO_DO, sqlite_reading._TOTALS):  # noqa: SLF001 - the plan is what is tested
        plan = await on_writer(
            store, f"EXPLAIN QUERY PLAN {sql.replace('?1', '0').replace('?2', '1').replace('?3', '9')}"
        )
        scans = [detail for *_, detail in plan if "citation" in detail and "delivered" not in detail]
        assert scans
        assert all("COVERING INDEX citation_scan" in detail for detail in scans), plan
        assert not any("TEMP B-TREE" in detail for *_, detail in plan), plan


@pytest.mark.parametrize("part", [1, 2])
async def test_a_part_goes_on_where_others_work(store: SqliteStore, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    """A stretch of citations of which none is ours does not end the pages."""
    monkeypatch.setattr(sqlite_reading, "PAGE", 1)
    await store.put([make_record(number) for number in range(5, 60)])
    mine = Partition(part, 2)
    keys = [make_key(number) for number in range(60)]
    assert await to_do(store, ToDo(screening="main", partition=mine)) == [key for key in keys if mine.holds(key)]


async def test_a_page_is_bounded_in_bytes(store: SqliteStore) -> None:
    """Huge records come in small pages, so that memory stays flat."""
    size = sqlite_reading.PAGE_BYTES // 3
    await store.put([make_record(number, note="x" * size) for number in range(100, 108)])
    pages = [len(page) async for page in store.pages(ToDo(screening="main"))]
    assert sum(pages) == 13
    assert max(pages[1:]) <= 4
    assert [len(page) async for page in store.stored("main")] == pages
