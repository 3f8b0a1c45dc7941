"""CSV and Parquet in: rows become citations."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from citefidelity.imports import import_files
from citefidelity.intake import Inputs
from citefidelity.testing.store import MemoryStore
from support.stores import all_stored
from support.tables import BASE, as_csv, as_parquet, import_bytes, imported

EVIDENCE = [{"text": 'A, "quoted"\nline', "similarity_score": 0.5}]


@pytest.fixture
def store() -> MemoryStore:
    """An empty store."""
    return MemoryStore()


@pytest.mark.parametrize(("write", "name"), [(as_csv, "a.csv"), (as_parquet, "a.parquet")], ids=["csv", "parquet"])
async def test_rows_in_any_order_become_citations(store: MemoryStore, tmp_path: Path, write: Any, name: str) -> None:
    """The rows of a citation stand anywhere; citations come by their first row, contexts by theirs."""
    rows = [
        {"source_id": f"s{number % 3}", "target_id": "t", "instance_id": str(number), "context_text": f"text {number}"}
        for number in range(3000)
    ]
    report = await import_bytes(store, write(*rows), tmp_path / name)
    assert (report.new, report.rejected) == (3, 0)
    for place, record in enumerate(await imported(store)):
        assert record["source_id"] == f"s{place}"
        assert [context["instance_id"] for context in record["contexts"]] == list(range(place, 3000, 3))


async def test_columns_find_their_fields(store: MemoryStore, tmp_path: Path) -> None:
    """Known columns are read for what they are, unknown ones are fields of the context, empty cells are absent."""
    row = BASE | {
        "reference_id": "",
        "source_title": "1984",
        "source_year": "1949",
        "target_year": "in press",
        "source_authors": '["A", "B"]',
        "target_authors": "[a bracket",
        "target_ids": '{"pmid": 007}',
        "source_ids": '{"pmid": 7.0}',
        "qualified": "TRUE",
        "section": "",
        "evidence_segments": json.dumps(EVIDENCE),
        "note": "0012",
        "citation.batch": "7",
        "context.source_title": "of the context",
    }
    assert (await import_bytes(store, as_csv(row), tmp_path / "a.csv")).rejected == 0
    assert await imported(store) == [
        {
            "source_id": "a",
            "target_id": "b",
            "source_title": "1984",
            "source_year": 1949,
            "target_year": "in press",
            "source_authors": ["A", "B"],
            "target_authors": "[a bracket",
            "target_ids": '{"pmid": 007}',
            "source_ids": {"pmid": 7.0},
            "qualified": True,
            "batch": "7",
            "contexts": [
                {
                    "instance_id": 1,
                    "context_text": "x",
                    "evidence_segments": EVIDENCE,
                    "note": "0012",
                    "source_title": "of the context",
                }
            ],
        }
    ]


@pytest.mark.parametrize(
    ("cell", "value"), [("0", 0), ("-7", -7), ("9" * 30, int("9" * 30)), ("007", "007"), ("-0", "-0"), ("1.0", "1.0")]
)
async def test_only_plain_integers_become_numbers(
    store: MemoryStore, tmp_path: Path, cell: str, value: int | str
) -> None:
    """What would not come out as it went in stays text."""
    assert (await import_bytes(store, as_csv(BASE | {"instance_id": cell}), tmp_path / "a.csv")).rejected == 0
    assert (await imported(store))[0]["contexts"][0]["instance_id"] == value


async def test_parquet_keeps_types(store: MemoryStore, tmp_path: Path) -> None:
    """Integers, lists and structs of Parquet come in as they are; NaN and null are absent, dates are text."""
    row = BASE | {
        "instance_id": 7,
        "target_id": 12,
        "evidence_segments": EVIDENCE,
        "source_year": float("nan"),
        "note": None,
        "score": 0.25,
        "seen": dt.date(2026, 1, 2),
    }
    assert (await import_bytes(store, as_parquet(row), tmp_path / "a.parquet")).rejected == 0
    ((stored),) = await all_stored(store)
    assert stored.record.key == ("a", "12", "")
    assert await imported(store) == [
        {
            "source_id": "a",
            "target_id": 12,
            "contexts": [
                {
                    "instance_id": 7,
                    "context_text": "x",
                    "evidence_segments": EVIDENCE,
                    "score": 0.25,
                    "seen": "2026-01-02",
                }
            ],
        }
    ]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
async def test_parquet_comes_through_a_pipe(store: MemoryStore, pack: Any) -> None:
    """What cannot be read from its end goes to disk first."""
    stdin: Any = io.BufferedReader(io.BytesIO(pack(as_parquet(BASE))))
    report = await import_files(store, Inputs(names=["-"], stdin=stdin, format="parquet"))
    assert (report.new, report.rejected) == (1, 0)


@pytest.mark.parametrize(
    "content", [b"PAR1", b"no parquet at all", as_parquet(BASE)[:-30]], ids=["head", "text", "cut"]
)
async def test_what_is_no_parquet_is_refused(store: MemoryStore, tmp_path: Path, content: bytes) -> None:
    """A broken file is named, without a stack trace."""
    report = await import_bytes(store, content, tmp_path / "a.parquet")
    assert (report.new, report.rejected) == (0, 1)
    assert "no Parquet file, or is damaged" in report.rejections[0].message


WRONG_ROWS = [
    (BASE | {"instance_id": "2", "evidence_segments": "not json"}, "evidence_segments", 3),
    (BASE | {"instance_id": "2", "source_title": "Another"}, "source_title", 3),
    (BASE | {"instance_id": "2", "context_text": ""}, "contexts[1].context_text", 3),
    (BASE | {"instance_id": "1"}, "contexts[1].instance_id", 3),
    (BASE | {"instance_id": "2", "qualified": "perhaps"}, "qualified", 2),
]


@pytest.mark.parametrize(("row", "field", "line"), WRONG_ROWS, ids=[field for _, field, _ in WRONG_ROWS])
async def test_a_wrong_row_keeps_its_whole_citation_out(
    store: MemoryStore, tmp_path: Path, row: dict[str, str], field: str, line: int
) -> None:
    """No citation comes in with a part of its contexts: the wrong row is named, the other citations are in."""
    first = BASE | {"source_title": "Title"}
    report = await import_bytes(store, as_csv(first, row, BASE | {"source_id": "c"}), tmp_path / "a.csv")
    assert [(one.line, one.field) for one in report.rejections] == [(line, field)]
    assert [record["source_id"] for record in await imported(store)] == ["c"]


async def test_an_empty_cell_contradicts_nothing(store: MemoryStore, tmp_path: Path) -> None:
    """The title may stand in any one row of a citation."""
    rows = [BASE, BASE | {"instance_id": "2", "source_title": "Title"}, BASE | {"instance_id": "3"}]
    assert (await import_bytes(store, as_csv(*rows), tmp_path / "a.csv")).rejected == 0
    (record,) = await imported(store)
    assert (record["source_title"], len(record["contexts"])) == ("Title", 3)


@pytest.mark.parametrize(
    ("lines", "message", "line"),
    [
        (b"a,b,1\n", "has 3 cells, the header has 4", 2),
        (b"a,b,1,x,y\n", "has 5 cells, the header has 4", 2),
        (b"\n,b,1,x\n", "source_id: is missing", 3),
        (b"a,,1,x\n", "target_id: is missing", 2),
        (b'a,b,1,"x\ny"z\n', "no CSV", 2),
        (b"a,b,1,\xff\n", "not UTF-8: save the file as `CSV UTF-8`", 2),
        (b'a,b,1,"never closed\n', "no CSV", 2),
    ],
)
async def test_a_broken_row_is_named(store: MemoryStore, tmp_path: Path, lines: bytes, message: str, line: int) -> None:
    """A row that cannot be a context is told with its line and the reason."""
    content = b"source_id,target_id,instance_id,context_text\n" + lines
    report = await import_bytes(store, content, tmp_path / "a.csv")
    assert [one.line for one in report.rejections] == [line]
    assert message in report.rejections[0].message
    assert await imported(store) == []


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "a.csv",
            b"citing,cited,instance_id,text\na,b,1,x\n",
            (
                "a.csv has no column 'source_id', 'target_id', 'context_text'. Its columns are: citing, cited, "
                "instance_id, text. Say which columns hold them: --map source_id=COLUMN --map target_id=COLUMN "
                "--map context_text=COLUMN."
            ),
        ),
        (
            "a.csv",
            b"source_id,target_id,instance_id\na,b,1\n",
            (
                "a.csv has no column 'context_text'. Its columns are: source_id, target_id, instance_id. "
                "Say which column holds it: --map context_text=COLUMN."
            ),
        ),
        (
            "a.csv",
            b" Source_ID,Target ID ,instance_id,text\na,b,1,x\n",
            (
                "a.csv has no column 'source_id', 'target_id', 'context_text'. Its columns are:  Source_ID, "
                "Target ID , instance_id, text. Say which columns hold them: --map source_id=' Source_ID' "
                "--map target_id='Target ID ' --map context_text=COLUMN."
            ),
        ),
        (
            "a",
            b"source_id,target_id,instance_id,context_text\na,b,1,x\n",
            "a seems to be a table, and was to be read as JSON Lines. Add --format csv.",
        ),
        (
            "a",
            b"PAR1\x15\x04",
            "a seems to be a table, and was to be read as JSON Lines. Add --format parquet.",
        ),
        (
            "a.csv",
            b"source_id;target_id;instance_id;context_text\na;b;1;x\n",
            (
                "a.csv seems to have a semicolon between its cells, where a comma is needed. "
                "Save it as CSV with commas, in UTF-8."
            ),
        ),
        (
            "a.tsv.gz",
            b"source_id\ttarget_id\n",
            (
                "a.tsv.gz: tables of the kind .tsv are neither read nor written. Use CSV (with commas, in UTF-8) and a "
                "name that ends in .csv, or say with --format what the file is."
            ),
        ),
        (
            "a.json",
            b'[\n{"source_id": "a"}\n]\n',
            (
                "a.json is one JSON array, where one citation a line is needed (JSON Lines). "
                "`jq -c '.[]' a.json` makes these lines."
            ),
        ),
        (
            "a.json",
            b'{\n  "source_id": "a"\n}\n',
            (
                "a.json is JSON over many lines, where one citation a line is needed (JSON Lines). "
                "`jq -c '.' a.json` makes these lines."
            ),
        ),
    ],
)
async def test_a_file_of_another_kind_is_told_once(
    store: MemoryStore, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    """What is wrong with a whole file is one message that says what to do, and names all that is missing."""
    report = await import_bytes(store, content, tmp_path / name)
    assert [str(one).replace(f"{tmp_path}/", "") for one in report.rejections] == [said]
    assert await imported(store) == []


@pytest.mark.parametrize("blank", [b"\r\n", b",,,\r\n", b"\xef\xbb\xbf\r\n\r\n"])
async def test_blank_rows_are_passed_over(store: MemoryStore, tmp_path: Path, blank: bytes) -> None:
    """A row of nothing, as spreadsheets leave them, is no row: before the header, between rows and at the end."""
    header, row, _ = as_csv(BASE).split(b"\r\n")
    content = b"\r\n".join([blank + header, b"", row, b",,,", b""])
    report = await import_bytes(store, content, tmp_path / "a.csv")
    assert (report.new, report.rejections) == (1, [])


async def test_evidence_that_is_plain_text_says_what_a_cell_holds(store: MemoryStore, tmp_path: Path) -> None:
    """Evidence that is no JSON is told with an example of what it has to be."""
    report = await import_bytes(store, as_csv(BASE | {"evidence_segments": "Yields rose."}), tmp_path / "a.csv")
    assert [one.line for one in report.rejections] == [2]
    assert 'Such a cell holds a list: [{"text": "..."}]' in report.rejections[0].message


async def test_rows_after_a_broken_one_are_read(store: MemoryStore, tmp_path: Path) -> None:
    """One bad row costs only itself."""
    content = as_csv(BASE) + b"c,b,1\r\n" + b'd,b,1,"x"y\r\n' + b"e,b,1,x\r\n"
    report = await import_bytes(store, content, tmp_path / "a.csv")
    assert [one.line for one in report.rejections] == [3, 4]
    assert [record["source_id"] for record in await imported(store)] == ["a", "e"]


async def test_a_citation_without_contexts_has_a_row(store: MemoryStore, tmp_path: Path) -> None:
    """A row that names no context is a citation with none."""
    row = BASE | {"instance_id": "", "context_text": "", "source_title": "Title"}
    assert (await import_bytes(store, as_csv(row), tmp_path / "a.csv")).rejected == 0
    assert (await imported(store))[0]["contexts"] == []


async def test_long_cells_and_marks_of_byte_order_are_read(store: MemoryStore, tmp_path: Path) -> None:
    """Evidence beyond the csv module's usual limit is no mistake, nor is what spreadsheets put at the beginning."""
    row = BASE | {"context_text": "x" * 200_000}
    report = await import_bytes(store, b"\xef\xbb\xbf" + as_csv(row), tmp_path / "a.csv")
    assert (report.new, report.rejected) == (1, 0)
