"""``citefidelity import``: citations from files into a store."""

from __future__ import annotations

from citefidelity.cli.settings_rows import WHERE
from citefidelity.cli.words import Argument, Call, Command, Example, Option


def handle(call: Call) -> int:
    """Import the files, say what changed, and name each line that was wrong."""
    raise NotImplementedError


COMMAND = Command(
    name="import",
    summary="citations from files into a store; safe to repeat",
    about="""
    Reads citations with their contexts and the evidence found for them, and puts them into the store, which is made
    if it is not there. Files are JSON Lines (one citation a line), CSV or Parquet (one row per context), also as .gz
    and .zst; - is stdin. Fields that are not known are kept, and come out again in the export.

    Safe to repeat: what is there unchanged stays as it is. A citation that changed is replaced, and you are told how
    many contexts have to be asked again for it; verdicts already delivered stay. A line that is wrong is named and
    left out, the others are kept, and the exit code is 2. Costs nothing.
    """,
    handle=handle,
    arguments=(Argument("FILE", "a .jsonl, .csv or .parquet file, or - for stdin", many=True),),
    options=(
        Option("map", ("--map",), "read FIELD from COLUMN, for CSV and Parquet", "FIELD=COLUMN", many=True),
        Option(
            "format",
            ("--format",),
            "what the files are; by default told by their names, else jsonl",
            "jsonl|csv|parquet",
            allowed=("jsonl", "csv", "parquet"),
        ),
    ),
    settings=WHERE,
    examples=(
        Example("citefidelity import citations.jsonl", "into citefidelity.db"),
        Example("citefidelity import table.csv --map source_id=citing --map target_id=cited", "your own column names"),
        Example("zcat old.gz | citefidelity import - --store sqlite:///old.db", "from another program"),
    ),
)
