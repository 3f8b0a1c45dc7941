"""Exports: everything comes out, and a file appears whole or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard

from citefidelity.errors import UsageError
from citefidelity.exports import ExportReport, Output, export
from citefidelity.formats.shapes import format_of, known_format
from citefidelity.imports import import_files
from citefidelity.intake import Inputs
from citefidelity.records import Delivery
from citefidelity.testing.store import MemoryStore
from support.makers import AT, make_failed, make_key, make_outcome, make_record, make_screening_row, make_unassessable
from support.stores import all_stored, deliver
from support.tables import names_in


@pytest.fixture
async def store() -> MemoryStore:
    """Three citations: one delivered, one not, one without contexts and not qualified."""
    store = MemoryStore(
        [
            make_record(1, contexts=3, note="of the citation"),
            make_record(2, contexts=[{"instance_id": 9, "context_text": "=1+1", "note": "@home"}]),
            make_record(3, contexts=0, qualified=False),
        ]
    )
    await store.begin_screening(make_screening_row())
    await deliver(store, Delivery(make_key(1), (make_outcome("1"), make_failed("2"), make_unassessable("3"))))
    return store


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


def lines_of(content: bytes) -> list[Any]:
    """JSON Lines, parsed."""
    return [json.loads(line) for line in content.splitlines()]


async def test_json_lines_hold_one_citation_each(store: MemoryStore, tmp_path: Path) -> None:
    """Every citation comes out, delivered or not, with the state of each context; the report counts them."""
    path = tmp_path / "out.jsonl"
    report = await export(store, "main", Output(path=path))
    assert report == ExportReport(citations=3, contexts=4, delivered=1, format="jsonl")
    first, second, third = lines_of(path.read_bytes())
    assert [context["state"] for context in first["contexts"]] == ["verdict", "failed", "unassessable"]
    assert [context["state"] for context in second["contexts"]] == ["to_do"]
    assert (first["classified_at"], second["classified_at"], third["contexts"]) == (AT, None, [])


async def test_a_screening_without_deliveries_is_all_to_do(store: MemoryStore, tmp_path: Path) -> None:
    """Another screening's verdicts do not show."""
    await export(store, "other", Output(path=tmp_path / "out.jsonl"))
    states = [
        context["state"] for one in lines_of((tmp_path / "out.jsonl").read_bytes()) for context in one["contexts"]
    ]
    assert states == ["to_do"] * 4


async def test_stdout_gets_json_lines_or_what_is_asked_for(store: MemoryStore) -> None:
    """Without a file the bytes go to stdout, which stays open."""
    lines, table = io.BytesIO(), io.BytesIO()
    await export(store, "main", Output(stdout=lines))
    await export(store, "main", Output(stdout=table, format="csv"))
    assert len(lines_of(lines.getvalue())) == 3
    assert table.getvalue().startswith(b"source_id,target_id,reference_id,")
    assert table.getvalue().count(b"\r\n") == 6


async def test_tables_hold_one_context_a_row(store: MemoryStore, tmp_path: Path) -> None:
    """Verdicts and failures have columns; a citation without contexts has a row; unknown fields have columns too."""
    path = tmp_path / "out.csv"
    await export(store, "main", Output(path=path))
    rows = read_csv(path)
    assert [(row["source_id"], row["instance_id"], row["state"]) for row in rows] == [
        ("citing-1", "1", "verdict"),
        ("citing-1", "2", "failed"),
        ("citing-1", "3", "unassessable"),
        ("citing-2", "9", "to_do"),
        ("citing-3", "", ""),
    ]
    assert (rows[0]["category"], rows[0]["confidence"], rows[0]["classified"]) == ("SUPPORT", "0.9", "true")
    assert (rows[1]["failure_kind"], rows[1]["failure_retryable"], rows[1]["category"]) == ("refused", "false", "")
    assert (rows[3]["classified"], rows[3]["classified_at"], rows[4]["qualified"]) == ("false", "", "false")
    assert json.loads(rows[0]["answer"])["model"] == "model-1"
    assert json.loads(rows[0]["evidence_segments"])[0]["similarity_score"] == 0.5
    assert (rows[0]["citation.note"], rows[0]["note"]) == ("of the citation", "")


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd", "'+cmd"),
        ("-cmd", "'-cmd"),
        ("@home", "'@home"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        (' "=1+1', "' \"=1+1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("-5", "-5"),
        ("+1.5e-3", "+1.5e-3"),
        ("a=b", "a=b"),
        ("'quoted'", "'quoted'"),
    ],
)
async def test_cells_that_a_spreadsheet_would_run_are_quoted(tmp_path: Path, cell: str, written: str) -> None:
    """Formulas get an apostrophe, numbers and text do not; --raw leaves all as it is."""
    store = MemoryStore([make_record(1, contexts=[{"instance_id": 1, "context_text": cell}])])
    for raw, expected in ((False, written), (True, cell)):
        await export(store, "main", Output(path=tmp_path / "out.csv", raw=raw))
        assert read_csv(tmp_path / "out.csv")[0]["context_text"] == expected


async def test_names_of_columns_are_cells_too(tmp_path: Path) -> None:
    """A field may be named as a formula."""
    store = MemoryStore([make_record(1, contexts=[{"instance_id": 1, "context_text": "x", "=cmd": "y"}])])
    await export(store, "main", Output(path=tmp_path / "out.csv"))
    assert read_csv(tmp_path / "out.csv")[0]["'=cmd"] == "y"


async def test_parquet_has_typed_columns(store: MemoryStore, tmp_path: Path) -> None:
    """Confidence is a number, truth values are such, everything else is text."""
    await export(store, "main", Output(path=tmp_path / "out.parquet"))
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.num_rows == 5
    assert table["confidence"].to_pylist() == [0.9, None, None, None, None]
    assert table["classified"].to_pylist() == [True, True, True, False, False]
    assert table["failure_retryable"].to_pylist() == [None, False, False, None, None]
    assert table["context_text"].to_pylist()[3] == "=1+1"


@pytest.mark.parametrize(("suffix", "unpack"), [(".gz", gzip.decompress), (".zst", None)])
async def test_packed_exports_hold_the_same(store: MemoryStore, tmp_path: Path, suffix: str, unpack: Any) -> None:
    """A name ending in .gz or .zst packs what would be written; the same verdicts give the same bytes."""
    plain, packed = tmp_path / "out.jsonl", tmp_path / f"out.jsonl{suffix}"
    for path in (plain, packed):
        await export(store, "main", Output(path=path))
    unpack = unpack or (lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data))
    assert unpack(packed.read_bytes()) == plain.read_bytes()
    first = packed.read_bytes()
    await export(store, "main", Output(path=packed))
    assert packed.read_bytes() == first


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", "csv"),
        ("A.CSV.GZ", "csv"),
        ("a.parquet", "parquet"),
        ("a.ndjson", "jsonl"),
        ("a", "jsonl"),
        ("a.gz", "jsonl"),
    ],
)
def test_the_name_tells_the_format(name: str, expected: str) -> None:
    """By the suffix, a compression aside; JSON Lines where that does not tell."""
    assert format_of(name) == expected


def test_an_unknown_format_is_refused() -> None:
    """Only three names are formats."""
    assert known_format("csv") == "csv"
    with pytest.raises(UsageError, match="'xlsx'"):
        known_format("xlsx")


class Breaking(MemoryStore):
    """Breaks after the first page."""

    async def stored(self, screening: str) -> Any:
        """One page, then an error."""
        async for page in super().stored(screening):
            yield page
            raise RuntimeError("broken")


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst"])
async def test_an_export_that_breaks_off_replaces_nothing(tmp_path: Path, name: str) -> None:
    """The file that was there is as it was, and nothing lies beside it."""
    path = tmp_path / name
    path.write_bytes(b"before")
    with pytest.raises(RuntimeError, match="broken"):
        await export(Breaking([make_record(1)]), "main", Output(path=path))
    assert path.read_bytes() == b"before"
    assert names_in(tmp_path) == [name]


async def test_an_existing_file_keeps_its_rights_and_its_link(store: MemoryStore, tmp_path: Path) -> None:
    """Replacing a private file does not publish it, and a link goes on leading to the file."""
    real, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
    real.write_bytes(b"before")
    real.chmod(0o600)
    link.symlink_to(real)
    await export(store, "main", Output(path=link))
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert len(lines_of(real.read_bytes())) == 3


async def test_a_new_file_has_the_usual_rights(store: MemoryStore, tmp_path: Path) -> None:
    """The umask decides, as for any file."""
    mask = os.umask(0)
    os.umask(mask)
    await export(store, "main", Output(path=tmp_path / "out.jsonl"))
    assert stat.S_IMODE((tmp_path / "out.jsonl").stat().st_mode) == 0o666 & ~mask


async def test_a_place_that_cannot_be_written_is_named(store: MemoryStore, tmp_path: Path) -> None:
    """A directory, or a path that leads nowhere, is a clear error."""
    for path in (tmp_path, tmp_path / "nowhere" / "out.jsonl"):
        with pytest.raises(UsageError) as caught:
            await export(store, "main", Output(path=path))
        assert str(path) in caught.value.message


async def test_a_device_is_written_not_replaced(store: MemoryStore, tmp_path: Path) -> None:
    """/dev/full refuses and stays a device; /dev/null takes everything."""
    for _ in range(2):
        with pytest.raises(UsageError, match="/dev/full cannot be written"):
            await export(store, "main", Output(path=Path("/dev/full")))
    await export(store, "main", Output(path=Path("/dev/null")))
    assert names_in(tmp_path) == []


async def test_a_field_that_comes_during_an_export_is_not_dropped(tmp_path: Path) -> None:
    """Columns are known after the first reading; a record with more in the second one stops the export."""

    class Growing(MemoryStore):
        """Gets a new field after the first reading."""

        async def stored(self, screening: str) -> Any:
            """All, then one more field."""
            async for page in super().stored(screening):
                yield page
            await self.put([make_record(1, surprise=1)])

    with pytest.raises(UsageError, match=r"citation\.surprise"):
        await export(Growing([make_record(1)]), "main", Output(path=tmp_path / "out.csv"))
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
async def test_an_export_can_be_imported_again(store: MemoryStore, tmp_path: Path, name: str) -> None:
    """What is ours stays out, what was given comes back, in every format."""
    await export(store, "main", Output(path=tmp_path / name, raw=True))
    again = MemoryStore()
    report = await import_files(again, Inputs(names=[str(tmp_path / name)]))
    assert (report.new, report.rejected) == (3, 0)
    before, after = await all_stored(store), await all_stored(again)
    assert [json.loads(one.record.fields) for one in after] == [json.loads(one.record.fields) for one in before]
    assert [json.loads(one.record.contexts) for one in after] == [json.loads(one.record.contexts) for one in before]
