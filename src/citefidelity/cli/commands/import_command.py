"""``citefidelity import``: citations from files into a store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from citefidelity.cli.settings_rows import WHERE
from citefidelity.cli.words import Argument, Call, Command, Example, Option

if TYPE_CHECKING:
    from citefidelity.imports import ImportReport

PROGRESS_S = 5.0


def handle(call: Call) -> int:
    """Import the files, say what changed, and name each line that was wrong."""
    from citefidelity.cli.import_text import import_text  # noqa: PLC0415 - loaded when the command runs
    from citefidelity.formats.reading import parse_mapping  # noqa: PLC0415 - as above
    from citefidelity.intake import Inputs  # noqa: PLC0415 - as above
    from citefidelity.moving import import_into  # noqa: PLC0415 - as above

    settings = call.settings()
    inputs = Inputs(
        names=[_from(call, name) for name in call.given["file"]],
        mapping=parse_mapping(call.given["map"]),
        format=call.given["format"],
    )
    report = asyncio.run(
        import_into(
            settings,
            inputs,
            # Not a note but an error of the input: told with -q, too.
            on_rejection=lambda rejection: call.out.log(str(rejection)),
            on_batch=_progress(call, time.monotonic),
        )
    )
    call.out.result(report, "\n".join(import_text(report, settings)))
    return report.exit_code


def _from(call: Call, name: str) -> str:
    return name if name == "-" else str(call.directory / name)


def _progress(call: Call, now: Callable[[], float]) -> Callable[[ImportReport], None]:
    """Tells how many records were read, every few seconds."""
    told = now()

    def tell(report: ImportReport) -> None:
        nonlocal told
        if now() - told >= PROGRESS_S:
            told = now()
            call.out.say(f"{report.records:,} citations read")

    return tell


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
