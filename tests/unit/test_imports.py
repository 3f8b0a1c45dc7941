"""Imports: what comes in, what is named and left out, and that repeating mends everything."""

from __future__ import annotations

import codecs
import gzip
import io
import json
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import zstandard

from citefidelity.errors import StoreUnavailable, UsageError
from citefidelity.formats import shapes, streams
from citefidelity.imports import ImportReport, import_files
from citefidelity.intake import Inputs, Rejection
from citefidelity.ports import Put
from citefidelity.records import Record
from citefidelity.testing.store import MemoryStore
from support.makers import make_delivery, make_json, make_key, make_line, make_record, make_screening_row
from support.stores import all_stored, deliver, to_do

NOTHING_PACKED = gzip.compress(b"", mtime=0)  # with the time in it, each worker would have another test
PACKED = pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])


@pytest.fixture
def store() -> MemoryStore:
    """An empty store."""
    return MemoryStore()


async def import_bytes(store: MemoryStore, content: bytes, path: Path, **options: Any) -> ImportReport:
    """Import a file with this content."""
    path.write_bytes(content)  # noqa: ASYNC240 - a few bytes
    return await import_files(store, Inputs(names=[str(path)], **options))


async def test_lines_come_in_and_again(store: MemoryStore, tmp_path: Path) -> None:
    """A second import of the same file changes nothing."""
    content = b"".join(make_line(number, contexts=2) for number in range(1200))
    first = await import_bytes(store, content, tmp_path / "a.jsonl")
    second = await import_bytes(store, content, tmp_path / "a.jsonl")
    assert (first.new, first.unchanged, first.rejected, first.exit_code) == (1200, 0, 0, 0)
    assert (second.new, second.unchanged, second.changed, second.exit_code) == (0, 1200, 0, 0)
    assert await to_do(store) == [make_key(number) for number in range(1200)]


async def test_bad_lines_are_named_and_good_ones_stay(store: MemoryStore, tmp_path: Path) -> None:
    """Each wrong line is told with file, line and field; the others are in; the exit code is 2."""
    path = tmp_path / "a.jsonl"
    lines = [make_line(1), b"{\n", b"\n", make_line(2, contexts=[{"instance_id": 1}]), b"\xff\n", make_line(3)]
    told: list[Rejection] = []
    path.write_bytes(b"".join(lines))
    report = await import_files(store, Inputs(names=[str(path)]), on_rejection=told.append)
    assert [(one.file, one.line, one.field) for one in told] == [
        (str(path), 2, ""),
        (str(path), 4, "contexts[0].context_text"),
        (str(path), 5, ""),
    ]
    assert report.rejections == told
    assert (report.new, report.rejected, report.exit_code) == (2, 3, 2)
    assert str(told[0]).startswith(f"{path}:2: not JSON")
    assert await to_do(store) == [make_key(1), make_key(3)]


async def test_a_key_twice_names_both_lines(store: MemoryStore, tmp_path: Path) -> None:
    """Of two records with one key, in one file or in two, the first stands and the second is rejected."""
    lines = b"".join([make_line(1, note="first"), make_line(2), make_line(1, note="second")])
    (tmp_path / "b.jsonl").write_bytes(make_line(2, note="third"))
    (tmp_path / "a.jsonl").write_bytes(lines)
    report = await import_files(store, Inputs(names=[str(tmp_path / name) for name in ("a.jsonl", "b.jsonl")]))
    assert (report.new, report.rejected) == (2, 2)
    assert [one.line for one in report.rejections] == [3, 1]
    assert "from line 1," in report.rejections[0].message
    assert f"from {tmp_path / 'a.jsonl'}, line 2," in report.rejections[1].message
    assert (await all_stored(store))[0].record == make_record(1, note="first")


async def test_a_file_whose_name_is_no_text_is_read(store: MemoryStore, tmp_path: Path) -> None:
    """A name of bytes that are not UTF-8 is a name: its records come in, and what is wrong in it is told in JSON."""
    content = b"".join([make_line(1), make_line(1), b"{\n"])
    report = await import_bytes(store, content, Path(f"{tmp_path}/b\udcff.jsonl"))
    assert (report.new, report.rejected) == (1, 2)
    assert rb"b\\udcff.jsonl" in msgspec.json.encode(report)


async def test_a_rejected_line_does_not_take_its_key(store: MemoryStore, tmp_path: Path) -> None:
    """A wrong record does not stand in the way of a right one with the same key."""
    report = await import_bytes(store, make_line(1, qualified=3) + make_line(1), tmp_path / "a.jsonl")
    assert (report.new, report.rejected) == (1, 1)


async def test_changes_are_counted_by_what_they_cost(store: MemoryStore, tmp_path: Path) -> None:
    """Changed citations, their contexts to judge anew, and those whose verdicts stand nevertheless are told."""
    await store.begin_screening(make_screening_row())
    await import_bytes(store, b"".join(make_line(number) for number in (1, 2, 3)), tmp_path / "a.jsonl")
    await deliver(store, make_delivery(1), make_delivery(3))
    edited = [make_json(number) for number in (1, 2)]
    for one in edited:
        one["contexts"][0]["context_text"] = "Something else."
    noted = make_json(3, note="no prompt shows this")
    content = b"".join(json.dumps(one).encode() + b"\n" for one in (*edited, noted))
    report = await import_bytes(store, content, tmp_path / "a.jsonl")
    assert (report.changed, report.contexts_changed, report.changed_after_delivery) == (3, 2, 1)
    assert report.delivered_before == [(make_key(1), ("main",))]
    assert report.exit_code == 0


async def test_what_is_ours_is_left_out_and_said(store: MemoryStore, tmp_path: Path) -> None:
    """Verdicts of an export do not come in again, and the report says how many fields that were."""
    contexts = [{"instance_id": 1, "context_text": "x", "verdict": {}, "state": "verdict"}]
    content = b"".join(make_line(number, contexts=contexts, classified=True) for number in (1, 2))
    report = await import_bytes(store, content, tmp_path / "a.jsonl")
    assert report.left_out == 6
    assert report.left_out_fields == {"contexts[].verdict": 2, "contexts[].state": 2, "classified": 2}
    assert report.exit_code == 0


@PACKED
@pytest.mark.parametrize("name", ["a.jsonl", "a.dat", "a.jsonl.gz", "a.jsonl.zst"])
async def test_packed_files_are_known_by_their_bytes(store: MemoryStore, tmp_path: Path, pack: Any, name: str) -> None:
    """Whatever its name, what is packed is unpacked."""
    report = await import_bytes(store, pack(make_line(1) + make_line(2)), tmp_path / name)
    assert (report.new, report.rejected) == (2, 0)


@PACKED
async def test_packed_parts_may_be_strung_together(store: MemoryStore, tmp_path: Path, pack: Any) -> None:
    """Several packed files, one after the other, are one file."""
    content = b"".join(pack(make_line(number)) for number in range(20))
    assert (await import_bytes(store, content, tmp_path / "a.jsonl")).new == 20


@PACKED
async def test_a_file_cut_off_is_told_and_its_beginning_kept(store: MemoryStore, tmp_path: Path, pack: Any) -> None:
    """What could be read is in, the file is named as cut off, and importing it whole mends the rest."""
    content = pack(b"".join(make_line(number, note=str(number**9)) for number in range(2000)))
    report = await import_bytes(store, content[: len(content) // 2], tmp_path / "a.jsonl.gz")
    assert 0 < report.new < 2000
    assert report.exit_code == 2
    assert report.rejections[-1].line == 0
    assert "cut off or damaged" in report.rejections[-1].message
    again = await import_bytes(store, content, tmp_path / "a.jsonl.gz")
    assert (again.new + again.unchanged, again.rejected) == (2000, 0)


async def test_a_name_that_promises_packing_is_held_to_it(store: MemoryStore, tmp_path: Path) -> None:
    """Plain text in a .gz is a mistake, and said."""
    report = await import_bytes(store, make_line(1), tmp_path / "a.jsonl.gz")
    assert "not compressed as its name says" in report.rejections[0].message


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", b""), ("a.jsonl", b"\n \n"), ("a.csv", b""), ("a.jsonl.gz", NOTHING_PACKED), ("a.parquet", b"")],
)
async def test_an_empty_file_is_a_mistake(store: MemoryStore, tmp_path: Path, name: str, content: bytes) -> None:
    """A file without a record gets one clear message and exit code 2."""
    report = await import_bytes(store, content, tmp_path / name)
    assert (report.rejected, report.exit_code) == (1, 2)
    assert "empty" in report.rejections[0].message or "no Parquet" in report.rejections[0].message


async def test_missing_files_stop_an_import_before_it_begins(store: MemoryStore, tmp_path: Path) -> None:
    """A wrong name among right ones is told at once, and nothing is imported."""
    good = tmp_path / "a.jsonl"
    good.write_bytes(make_line(1))
    for bad, message in ((tmp_path / "none.jsonl", "no file"), (tmp_path, "is a directory")):
        with pytest.raises(UsageError, match=message) as caught:
            await import_files(store, Inputs(names=[str(good), str(bad)]))
        assert str(bad) in caught.value.message
    with pytest.raises(UsageError, match="only once"):
        await import_files(store, Inputs(names=["-", "-"]))
    assert await all_stored(store) == []


async def test_stdin_is_an_input_like_others(store: MemoryStore) -> None:
    """A dash reads what comes through the pipe, packed or not."""
    stdin = cast("io.BufferedReader", io.BufferedReader(io.BytesIO(gzip.compress(make_line(1)))))
    report = await import_files(store, Inputs(names=["-"], stdin=stdin))
    assert (report.new, report.exit_code) == (1, 0)


async def test_marks_of_byte_order_are_understood(store: MemoryStore, tmp_path: Path) -> None:
    """A UTF-8 mark is passed over; UTF-16 is named for what it is, once."""
    marked = await import_bytes(store, codecs.BOM_UTF8 + make_line(1), tmp_path / "a.jsonl")
    assert (marked.new, marked.rejected) == (1, 0)
    wide = await import_bytes(store, make_line(2).decode().encode("utf-16"), tmp_path / "b.jsonl")
    assert (wide.new, wide.rejected) == (0, 1)
    assert "UTF-16" in wide.rejections[0].message


async def test_a_line_without_end_is_passed_over(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line longer than the bound is named and skipped; the next one counts right."""
    monkeypatch.setattr(streams, "MAX_LINE", 1_000)
    content = make_line(1) + make_line(2, note="x" * 5_000) + b"{\n" + make_line(3)
    report = await import_bytes(store, gzip.compress(content), tmp_path / "a.jsonl")
    assert [(one.line, one.message.split(" (")[0]) for one in report.rejections] == [
        (2, f"longer than {shapes.MAX_LINE >> 20} MB"),
        (3, "not JSON: Expecting property name enclosed in double quotes"),
    ]
    assert report.new == 2


async def test_an_import_cut_short_is_mended_by_repeating(tmp_path: Path) -> None:
    """The store fails in the middle: what was committed stands, and the next import brings the rest."""

    class Failing(MemoryStore):
        """Fails at the second batch."""

        puts = 0

        async def put(self, records: Any) -> Any:
            """Fail once."""
            self.puts += 1
            if self.puts == 2:
                raise StoreUnavailable("gone")
            return await super().put(records)

    store = Failing()
    content = b"".join(make_line(number) for number in range(1200))
    with pytest.raises(StoreUnavailable):
        await import_bytes(store, content, tmp_path / "a.jsonl")
    report = await import_bytes(store, content, tmp_path / "a.jsonl")
    assert (report.new, report.unchanged) == (700, 500)
    assert len(await to_do(store)) == 1200


async def test_a_report_names_a_thousand_and_counts_all(store: MemoryStore, tmp_path: Path) -> None:
    """A file of nothing but mistakes does not fill the memory with them."""
    report = await import_bytes(store, b"x\n" * 1500, tmp_path / "a.jsonl")
    assert (report.rejected, len(report.rejections)) == (1500, 1000)


async def test_progress_is_told_after_each_batch(store: MemoryStore, tmp_path: Path) -> None:
    """Whoever watches sees the numbers grow."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(make_line(number) for number in range(1100)))
    seen: list[int] = []
    await import_files(store, Inputs(names=[str(path)]), on_batch=lambda report: seen.append(report.records))
    assert seen == [500, 1000, 1100]


async def test_a_store_that_meets_one_key_twice_says_so(tmp_path: Path) -> None:
    """Where a store itself calls a record a duplicate, it counts as rejected."""

    class Strict(MemoryStore):
        """Calls everything a duplicate."""

        async def put(self, records: list[Record]) -> list[Put]:  # type: ignore[override]
            """Nothing comes in."""
            return [Put(record.key, "duplicate") for record in records]

    report = await import_bytes(Strict(), make_line(1), tmp_path / "a.jsonl")
    assert (report.new, report.rejected, report.exit_code) == (0, 1, 2)
