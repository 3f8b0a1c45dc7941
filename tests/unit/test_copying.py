"""Copies between stores: everything arrives as it was, nothing that stands is overturned, and it may be repeated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from citefidelity.clock import SystemClock
from citefidelity.copying import CopyReport, copy
from citefidelity.errors import UsageError
from citefidelity.kinds import UndeliverableKind
from citefidelity.ports import Store
from citefidelity.records import WHOLE, CitationKey, Delivery, Record
from citefidelity.stores.sqlite import SqliteStore, open_sqlite
from citefidelity.testing.store import MemoryStore
from support.cli import Result, call_cli
from support.makers import (
    make_delivery,
    make_failed,
    make_holder,
    make_key,
    make_outcome,
    make_record,
    make_screening_row,
    make_unassessable,
    make_verdict,
)
from support.stores import all_stored, deliver

MIXED = Delivery(make_key(1), (make_outcome("1"), make_failed("2"), make_unassessable("3")))


async def fill(store: Store) -> None:
    """Four citations, of which the screening "main" judged two, in two runs, and "strict" one of them, too."""
    await store.put([make_record(1, 3, note=1.0), *(make_record(number) for number in (2, 3, 4))])
    for name in ("main", "strict"):
        await store.begin_screening(make_screening_row(name))
    await deliver(store, MIXED)
    await deliver(store, make_delivery(2), run="run-2")
    other = Delivery(make_key(2), (make_outcome("1", make_verdict("CONTRADICT")),))
    await deliver(store, other, screening="strict", run="run-3")


async def content(store: Store) -> list[Any]:
    """All that a copy has to keep."""
    names = ("main", "strict")
    return [*await store.screenings(), *[await all_stored(store, name) for name in names]]


@asynccontextmanager
async def file(path: Path) -> AsyncIterator[SqliteStore]:
    """An embedded store that is made if need be."""
    store = await open_sqlite(path, create=True, clock=SystemClock())
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A filled embedded store."""
    async with file(tmp_path / "source.db") as store:
        await fill(store)
        yield store


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An empty one."""
    async with file(tmp_path / "target.db") as store:
        yield store


def numbers(report: CopyReport) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: n for name, n in msgspec.structs.asdict(report).items() if isinstance(n, int) and n}


async def test_everything_arrives_as_it_was(source: SqliteStore, target: SqliteStore) -> None:
    """Records, specs, states, answers, times and runs of every screening are the same in both files."""
    report = await copy(source, target)
    assert numbers(report) == {"citations": 4, "new": 4, "delivered": 3}
    assert [(one.screening, one.delivered, one.found) for one in report.screenings] == [
        ("main", 2, 0),
        ("strict", 1, 0),
    ]
    assert await content(target) == await content(source)
    assert report.exit_code == 0


async def test_a_copy_may_be_repeated(source: SqliteStore, target: SqliteStore) -> None:
    """The second time nothing is new and everything is found."""
    await copy(source, target)
    before = await content(target)
    assert numbers(await copy(source, target)) == {"citations": 4, "unchanged": 4, "found": 3}
    assert await content(target) == before


@pytest.mark.parametrize("pages", [0, 1, 2])
async def test_a_copy_cut_short_is_mended_by_repeating(pages: int, target: SqliteStore) -> None:
    """Wherever it ended, repeating it brings what is missing."""
    source = MemoryStore(page=2)
    await fill(source)
    left = iter(range(pages))

    def cut(_: CopyReport) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await copy(source, target, on_page=cut)
    await copy(source, target)
    assert [(row.name, row.delivered) for row in await target.screenings()] == [("main", 2), ("strict", 1)]
    assert len(await all_stored(target)) == 4


async def test_the_first_delivery_stands(source: SqliteStore, target: SqliteStore) -> None:
    """A verdict that the target has is not replaced; the rest of that screening is added."""
    standing = Delivery(make_key(2), (make_outcome("1", make_verdict("MISQUOTE")),))
    await target.put([make_record(2)])
    await target.begin_screening(make_screening_row())
    await deliver(target, standing, run="first")
    assert numbers(await copy(source, target)) == {"citations": 4, "new": 3, "unchanged": 1, "delivered": 2, "found": 1}
    stored = {one.record.key: one for one in await all_stored(target)}
    assert stored[make_key(2)].outcomes == standing.outcomes
    assert stored[make_key(2)].run == "first"
    assert stored[make_key(1)].outcomes == MIXED.outcomes


async def test_text_of_the_source_replaces_other_text(source: SqliteStore, target: SqliteStore) -> None:
    """A citation that differs gets the source's text, and is told where a screening had judged it."""
    await target.put([make_record(2, 2), make_record(3, 2)])
    await target.begin_screening(make_screening_row())
    await deliver(target, make_delivery(2))
    report = await copy(source, target)
    assert (report.changed, report.changed_after_delivery) == (2, 0)
    await target.put([make_record(2, [{"instance_id": 1, "context_text": "Another text."}])])
    assert (await copy(source, target)).changed_after_delivery == 1


async def test_another_spec_under_the_same_name_is_refused(source: SqliteStore, target: SqliteStore) -> None:
    """Nothing is written at all, not even the screenings that would fit."""
    row = msgspec.structs.replace(make_screening_row("strict"), fingerprint="ffff")
    await target.begin_screening(row)
    with pytest.raises(UsageError, match="screening 'strict', each under another spec") as refused:
        await copy(source, target)
    assert refused.value.kind == "screening_differs"
    assert [standing.name for standing in await target.screenings()] == ["strict"]
    assert await all_stored(target) == []


async def test_a_store_without_screenings_is_copied(target: SqliteStore) -> None:
    """Citations that nobody has judged come, too."""
    assert numbers(await copy(MemoryStore([make_record(1)]), target)) == {"citations": 1, "new": 1}


async def test_what_cannot_be_copied_is_named_and_harms_no_neighbour() -> None:
    """A record that cannot be read stays out, a delivery that is refused is told, the others are there."""
    broken = Record(CitationKey("x", "y", "z"), True, 1, b"{}", b"{not JSON")
    source = MemoryStore([broken, *(make_record(number) for number in (1, 2, 3))], elsewhere=[make_key(3)])
    await source.begin_screening(make_screening_row())
    await deliver(source, make_delivery(1), make_delivery(2))
    target = MemoryStore(refused={make_key(1): UndeliverableKind.TOO_LARGE})
    report = await copy(source, target)
    assert numbers(report) == {
        "citations": 4, "new": 3, "left_out": 1, "done_elsewhere": 1, "delivered": 1, "undeliverable": 1
    }  # fmt: skip
    told = [(one.source_id, one.kind, one.screening) for one in report.not_copied]
    assert told == [("x", "unreadable_record", None), ("citing-1", "too_large", "main")]
    assert report.exit_code == 3


async def test_a_delivery_that_lacks_outcomes_is_not_passed_off_as_whole(
    source: SqliteStore, target: SqliteStore, tmp_path: Path
) -> None:
    """Where the source lost a verdict, its citation is to do in the target, and is named."""
    import apsw  # noqa: PLC0415 - to hurt one file

    connection = apsw.Connection(str(tmp_path / "source.db"))
    connection.execute("DELETE FROM outcome WHERE instance_id = '3'")
    connection.close()
    report = await copy(source, target)
    assert [(one.source_id, one.kind) for one in report.not_copied] == [("citing-1", "incomplete")]
    assert (await target.counts("main")).to_do == 3


def filled_file(path: Path) -> None:
    """An embedded store as the tests above have it, closed."""

    async def make() -> None:
        async with file(path) as store:
            await fill(store)

    asyncio.run(make())


def copy_files(tmp_path: Path, source: str, target: str) -> Result:
    """Run the command between two files."""
    return call_cli(["copy", "--from", f"sqlite:///{source}", "--to", f"sqlite:///{target}", "--json"], cwd=tmp_path)


def test_the_command_copies_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file to copy into is made; people read numbers, programs one object."""
    monkeypatch.chdir(tmp_path)
    filled_file(tmp_path / "a.db")
    report = copy_files(tmp_path, "a.db", "b.db")
    assert report.code == 0
    assert {name: report.json()[name] for name in ("citations", "new", "delivered")} == {
        "citations": 4, "new": 4, "delivered": 3
    }  # fmt: skip
    said = call_cli(["copy", "--from", "sqlite:///a.db", "--to", "sqlite:///b.db"], cwd=tmp_path).stdout
    assert "0 new, 4 unchanged, 0 changed in sqlite:///b.db" in said
    assert "screening strict: 0 delivered, 1 were there" in said


def test_nothing_is_made_where_there_is_nothing_to_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that is not there is told, and leaves no target behind."""
    monkeypatch.chdir(tmp_path)
    assert copy_files(tmp_path, "nope.db", "b.db").error()["kind"] == "store_missing"
    assert list(tmp_path.glob("b.db*")) == []


def test_a_store_is_not_copied_onto_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither under one name nor under two names of one file; a copy of the file is another store."""
    monkeypatch.chdir(tmp_path)
    filled_file(tmp_path / "a.db")
    (tmp_path / "link.db").symlink_to("a.db")
    for other in ("a.db", "link.db", "./a.db", f"/{tmp_path}/a.db"):
        result = copy_files(tmp_path, "a.db", other)
        assert (result.code, result.error()["kind"]) == (2, "same_store")
    (tmp_path / "twin.db").write_bytes((tmp_path / "a.db").read_bytes())
    assert copy_files(tmp_path, "a.db", "twin.db").json()["found"] == 3


def test_nobody_else_writes_to_the_target_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a run works on the target, it is refused; while one works on the source, it is not."""
    monkeypatch.chdir(tmp_path)
    filled_file(tmp_path / "a.db")

    async def beside(source: str, target: str) -> Result:
        async with file(tmp_path / "a.db") as store:
            claim = await store.claim("main", WHOLE, make_holder())
            result = await asyncio.to_thread(copy_files, tmp_path, source, target)
            await claim.release()
            return result

    assert asyncio.run(beside("a.db", "b.db")).code == 0
    refused = asyncio.run(beside("b.db", "a.db"))
    assert (refused.code, refused.error()["kind"]) == (5, "held")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "sqlite:///b.db"], "--from is missing"),
        (["--from", "sqlite:///a.db"], "--to is missing"),
        (["--from", "a.db", "--to", "sqlite:///b.db"], "--from must be sqlite:///FILE"),
        (["--from", "sqlite:///a.db", "--to", "neo4j://u:p@h"], "--to must not hold a user or password"),
        (["--from", "neo4j", "--to", "sqlite:///b.db"], "NEO4J_URI"),
    ],
)
def test_wrong_addresses_are_told_by_their_option(words: list[str], said: str, tmp_path: Path) -> None:
    """The message names the option that was given, and nothing is written."""
    result = call_cli(["copy", *words, "--json"], cwd=tmp_path)
    assert result.code == 2
    assert said in result.error()["message"]
    assert list(tmp_path.glob("*.db*")) == []
