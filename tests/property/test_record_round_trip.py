"""Whatever a record holds comes out as it went in. The oracle is the standard library, which knows nothing of ours."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citefidelity.clock import SystemClock
from citefidelity.exports import Output, export
from citefidelity.imports import ImportReport, import_files
from citefidelity.intake import Inputs
from citefidelity.record_format import exported, parse_record
from citefidelity.records import StoredCitation
from citefidelity.stores.sqlite import open_sqlite
from citefidelity.testing.store import MemoryStore
from support.tables import as_csv

OURS_ON_CITATION = ("classified", "classified_at")
OURS_ON_CONTEXT = ("state", "verdict", "failure", "answer")
KNOWN = {"source_id", "target_id", "reference_id", "source_title", "target_title", "contexts", "qualified"}
KNOWN_IN_CONTEXT = {"instance_id", "context_text", "section", "citation_sentence", "evidence_segments"}
RESERVED = KNOWN | KNOWN_IN_CONTEXT | {*OURS_ON_CITATION, *OURS_ON_CONTEXT}
MARK = "\ue000"
MARKED = re.compile(r'"(?:\\ue000|\ue000)([^"\\\ue000]+)(?:\\ue000|\ue000)"')

text = st.text(st.characters(exclude_categories=["Cs", "Co"]), max_size=12)
solid = text.filter(lambda one: bool(one) and not one.isspace())
optional_text = st.none() | text


def spelled(number: str) -> str:
    """Stands for a number, with this very spelling, until the JSON is written."""
    return f"{MARK}{number}{MARK}"


integers = st.integers(-(10**25), 10**25).map(str).map(spelled)
numbers = st.sampled_from(["0", "-0", "1.0", "1e5", "-1.50E-3", "9" * 40, "1e400", "0.1"]).map(spelled)
scores = st.sampled_from(["1", "0.50"]).map(spelled)
json_values = st.recursive(
    st.none() | st.booleans() | text | numbers,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
unknown = st.dictionaries(text.filter(lambda name: name not in RESERVED), json_values, max_size=3)
segments = st.builds(
    lambda known, more: more | known,
    st.fixed_dictionaries(
        {"text": optional_text},
        optional={
            "section": optional_text,
            "similarity_score": st.none() | st.sampled_from(["1", "0.50"]).map(spelled),
        },
    ),
    unknown.map(lambda more: {name: value for name, value in more.items() if name != "text"}),
)
contexts = st.builds(
    lambda known, more: more | known,
    st.fixed_dictionaries(
        {"instance_id": solid | integers, "context_text": solid},
        optional={
            "section": optional_text,
            "citation_sentence": optional_text,
            "evidence_segments": st.none() | st.lists(segments, max_size=2),
        },
    ),
    unknown,
)
records = st.builds(
    lambda known, more: more | known,
    st.fixed_dictionaries(
        {
            "source_id": solid | integers,
            "target_id": solid | integers,
            "contexts": st.lists(contexts, max_size=3, unique_by=lambda one: one["instance_id"].strip(MARK)),
        },
        optional={
            "reference_id": optional_text | integers,
            "source_title": optional_text,
            "target_title": optional_text,
            "qualified": st.booleans(),
        },
    ),
    unknown,
)


def written(record: dict[str, Any], *, ascii_only: bool, spaced: bool) -> bytes:
    """The record as one line of JSON, by the standard library."""
    separators = (" ,  ", " : ") if spaced else (",", ":")
    line = json.dumps(record, ensure_ascii=ascii_only, separators=separators)
    return MARKED.sub(r"\1", line).encode()


def read(line: bytes) -> Any:
    """JSON by the standard library, numbers as they are spelled."""
    return json.loads(line, parse_int=lambda one: ("number", one), parse_float=lambda one: ("number", one))


def without_ours(record: dict[str, Any]) -> dict[str, Any]:
    """An exported record as it was before."""
    for name in OURS_ON_CITATION:
        del record[name]
    for context in record["contexts"]:
        for name in OURS_ON_CONTEXT:
            del context[name]
    return record


def unique_by_key(several: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Only the first record of each key, as an import has it."""
    by_key: dict[Any, dict[str, Any]] = {}
    for record in several:
        names = ("source_id", "target_id", "reference_id")
        by_key.setdefault(tuple((record.get(name) or "").strip(MARK) for name in names), record)
    return list(by_key.values())


@given(record=records, ascii_only=st.booleans(), spaced=st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_record_comes_out_as_it_went_in(record: dict[str, Any], ascii_only: bool, spaced: bool) -> None:
    """Every field at every level, known or not, with every number as it was spelled."""
    line = written(record, ascii_only=ascii_only, spaced=spaced)
    parsed, left_out = parse_record(line)
    assert left_out == []
    assert without_ours(read(exported(StoredCitation(parsed)))) == read(line)


async def through(content: bytes, suffix: str, output: Output, *, sqlite: bool) -> tuple[ImportReport, bytes]:
    """Import these bytes into a new store, and export it."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / f"in{suffix}"
        path.write_bytes(content)
        clock = SystemClock()
        store = await open_sqlite(f"{directory}/store.db", create=True, clock=clock) if sqlite else MemoryStore()
        try:
            report = await import_files(store, Inputs(names=[str(path)]))
            stdout = io.BytesIO()
            await export(store, "main", Output(format=output.format, raw=output.raw, stdout=stdout))
        finally:
            await store.close()
        return report, stdout.getvalue()


@pytest.mark.parametrize("sqlite", [False, True], ids=["memory", "sqlite"])
@given(several=st.lists(records, min_size=1, max_size=4).map(unique_by_key))
@settings(max_examples=40, deadline=None)
def test_a_store_gives_back_what_it_was_given(sqlite: bool, several: list[dict[str, Any]]) -> None:
    """The same through import, store and export, in the order of the import."""
    lines = [written(record, ascii_only=False, spaced=False) for record in several]
    report, out = asyncio.run(through(b"\n".join(lines), ".jsonl", Output(), sqlite=sqlite))
    assert (report.new, report.rejections) == (len(several), [])
    assert [without_ours(read(line)) for line in out.split(b"\n")[:-1]] == [read(line) for line in lines]


cell = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
columns = cell.filter(
    lambda name: bool(name) and name not in RESERVED and not name.startswith(("citation.", "context.", "\ufeff"))
)
rows_of_citations = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(["source_title", "target_authors", "target_ids", "source_year"]), cell),
        st.lists(
            st.builds(
                lambda known, more: known | more,
                st.fixed_dictionaries(
                    {"context_text": solid}, optional={"section": cell, "evidence_segments": st.just('[{"text":"=1"}]')}
                ),
                st.dictionaries(columns, cell, max_size=2),
            ),
            max_size=3,
        ),
    ),
    min_size=1,
    max_size=3,
)


@given(citations=rows_of_citations, data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_table_comes_out_as_it_went_in(citations: list[Any], data: st.DataObject) -> None:
    """Every cell of a CSV file comes out of a raw export, whatever order its rows had."""
    rows: list[dict[str, str]] = []
    for number, (shared, inner) in enumerate(citations):
        key = {"source_id": f"s{number}", "target_id": "t"}
        empty = {"instance_id": "", "context_text": ""}
        rows += [shared | context | key | {"instance_id": str(place)} for place, context in enumerate(inner)]
        rows += [] if inner else [shared | key | empty]
    shuffled = data.draw(st.permutations(rows))
    report, out = asyncio.run(through(as_csv(*shuffled), ".csv", Output(format="csv", raw=True), sqlite=False))
    assert report.rejections == []
    names = {name for row in rows for name in row}
    again = csv.DictReader(io.StringIO(out.decode(), newline=""))

    def by_place(row: dict[str, str]) -> tuple[str, str]:
        return row["source_id"], row["instance_id"]

    before = [{name: row.get(name, "") for name in names} for row in sorted(rows, key=by_place)]
    after = [{name: row.get(name, "") for name in names} for row in sorted(again, key=by_place)]
    assert after == before


DEV = Path(__file__).parents[3] / "shared" / "data" / "citation-integrity" / "dev.citations.jsonl"


@pytest.mark.skipif(not DEV.exists(), reason="the real citations are not here")
@pytest.mark.parametrize("sqlite", [False, True], ids=["memory", "sqlite"])
def test_real_citations_come_out_as_they_went_in(sqlite: bool) -> None:
    """133 citations of the Citation-Integrity corpus, field by field."""
    content = DEV.read_bytes()
    report, out = asyncio.run(through(content, ".jsonl", Output(), sqlite=sqlite))
    assert (report.new, report.rejected) == (133, 0)
    assert [without_ours(read(line)) for line in out.splitlines()] == [read(line) for line in content.splitlines()]
