"""Columns: which holds which field, by its name or by --map."""

from __future__ import annotations

from pathlib import Path

import pytest

from citefidelity.errors import UsageError
from citefidelity.formats.columns import Field, column_of, field_of
from citefidelity.formats.reading import parse_mapping
from citefidelity.testing.store import MemoryStore
from support.tables import BASE, as_csv, import_bytes, imported


@pytest.fixture
def store() -> MemoryStore:
    """An empty store."""
    return MemoryStore()


async def test_columns_can_be_named_on_the_command_line(store: MemoryStore, tmp_path: Path) -> None:
    """--map reads a field from a column of another name, known or not."""
    row = {"citing": "a", "cited": "b", "n": "1", "sentence around": "x", "remark": "r"}
    mapping = parse_mapping(
        ["source_id=citing", "target_id=cited", "instance_id=n", "context_text=sentence around", "note=remark"]
    )
    report = await import_bytes(store, as_csv(row), tmp_path / "a.csv", mapping=mapping)
    assert (report.new, report.rejected) == (1, 0)
    assert (await imported(store))[0]["contexts"] == [{"instance_id": 1, "context_text": "x", "note": "r"}]


@pytest.mark.parametrize("pair", ["source_id", "=x", "source_id=", ""])
def test_a_mapping_has_two_sides(pair: str) -> None:
    """What is not FIELD=COLUMN is refused, and so is a field with two columns."""
    with pytest.raises(UsageError, match="FIELD=COLUMN"):
        parse_mapping([pair])
    with pytest.raises(UsageError, match="two columns"):
        parse_mapping(["a=b", "a=c"])


@pytest.mark.parametrize(
    ("content", "mapping", "message"),
    [
        (b"source_id,target_id,instance_id\n1,2,3\n", {}, "no column 'context_text'"),
        (as_csv(BASE), {"source_id": "doi"}, "no column 'doi'"),
        (as_csv(BASE | {"doi": "d"}), {"source_id": "doi"}, "two columns for 'source_id'"),
        (b"source_id,source_id,target_id,instance_id,context_text\n", {}, "two columns 'source_id'"),
        (b",source_id,target_id,instance_id,context_text\n", {}, "column 1 has no name"),
        (b'"source_id\n', {}, "header is no CSV"),
    ],
)
async def test_a_wrong_header_is_refused(
    store: MemoryStore, tmp_path: Path, content: bytes, mapping: dict[str, str], message: str
) -> None:
    """A column that is missing, doubled or nameless is one clear message, and nothing comes in."""
    report = await import_bytes(store, content, tmp_path / "a.csv", mapping=mapping)
    assert (report.new, report.rejected) == (0, 1)
    assert message in report.rejections[0].message


async def test_json_lines_have_no_columns(store: MemoryStore, tmp_path: Path) -> None:
    """--map with JSON Lines is a misunderstanding, and said."""
    report = await import_bytes(store, b"{}\n", tmp_path / "a.jsonl", mapping={"source_id": "x"})
    assert "--map is for CSV and Parquet" in report.rejections[0].message


async def test_columns_of_an_export_are_left_out(store: MemoryStore, tmp_path: Path) -> None:
    """Verdict columns beside a state are ours; a category in a table of somebody's own is theirs."""
    ours = {"state": "verdict", "category": "SUPPORT", "failure_kind": "x", "answer": "{}", "classified": "true"}
    rows = [BASE | ours]
    report = await import_bytes(store, as_csv(*rows), tmp_path / "a.csv")
    assert report.left_out_fields == {"contexts[].state": 1, "contexts[].answer": 1, "classified": 1}
    assert (await imported(store))[0]["contexts"] == [{"instance_id": 1, "context_text": "x"}]
    theirs = MemoryStore()
    await import_bytes(theirs, as_csv(BASE | {"category": "gold"}), tmp_path / "b.csv")
    assert (await imported(theirs))[0]["contexts"][0]["category"] == "gold"


@pytest.mark.parametrize(
    ("field", "column"),
    [
        (Field("citation", "source_id"), "source_id"),
        (Field("citation", "note"), "citation.note"),
        (Field("citation", "state"), "citation.state"),
        (Field("citation", "citation.x"), "citation.citation.x"),
        (Field("context", "note"), "note"),
        (Field("context", "section"), "section"),
        (Field("context", "source_id"), "context.source_id"),
        (Field("context", "category"), "context.category"),
        (Field("context", "citation.x"), "context.citation.x"),
        (Field("context", "context."), "context."),
    ],
)
def test_each_field_has_a_column_of_its_own(field: Field, column: str) -> None:
    """Whatever users call their fields, none is taken for another."""
    assert column_of(field) == column
    assert field_of(column) == field
