"""``citefidelity export``: citations with their verdicts into a file."""

from __future__ import annotations

from citefidelity.cli.settings_rows import WHERE
from citefidelity.cli.words import Call, Command, Example, Option


def handle(call: Call) -> int:
    """Write all citations of the store, with the outcomes of one screening."""
    raise NotImplementedError


COMMAND = Command(
    name="export",
    summary="citations with their verdicts as JSON Lines, CSV or Parquet",
    about="""
    Writes every citation of the store as it came in, and on each context what this screening found: its state, the
    verdict, or why there is none, and where the answer comes from. JSON Lines has one citation a line, CSV and
    Parquet one row per context. In CSV, cells that a spreadsheet would run as formulas are quoted, unless --raw.

    A file that exists is replaced at once and as a whole. Costs nothing, changes nothing in the store; may be done
    while a run goes on, and shows what is delivered by then.
    """,
    handle=handle,
    options=(
        Option("output", ("-o", "--output"), "the file; by default stdout", "FILE"),
        Option(
            "format",
            ("--format",),
            "by default told by the file's name, else jsonl",
            "jsonl|csv|parquet",
            allowed=("jsonl", "csv", "parquet"),
        ),
        Option("raw", ("--raw",), "CSV cells as they are, even those that a spreadsheet would run"),
    ),
    settings=WHERE,
    examples=(
        Example("citefidelity export -o verdicts.csv", "for a spreadsheet"),
        Example("citefidelity export --screening strict -o strict.parquet", "another screening"),
        Example("citefidelity export | jq 'select(.classified)'", "to another program"),
    ),
)
