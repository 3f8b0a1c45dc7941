"""``citefidelity export``: citations with their verdicts into a file."""

from __future__ import annotations

import asyncio

from citefidelity.cli.settings_rows import WHERE
from citefidelity.cli.words import Call, Command, Example, Option
from citefidelity.errors import CitefidelityError, UsageError


def handle(call: Call) -> int:
    """Write all citations of the store, with the outcomes of one screening."""
    from citefidelity.cli.run_text import same_command  # noqa: PLC0415 - loaded when the command runs
    from citefidelity.exports import Output  # noqa: PLC0415 - as above
    from citefidelity.moving import export_from  # noqa: PLC0415 - as above

    name = call.given["output"]
    if name is None and call.out.json:
        raise UsageError("With --json stdout holds the report, so the citations need a file.", "Add -o FILE.")
    settings = call.settings()
    output = Output(
        path=None if name is None else call.directory / name,
        format=call.given["format"],
        raw=call.given["raw"],
        stdout=call.out.stdout.buffer,
    )
    try:
        report = asyncio.run(export_from(settings, output))
    except BrokenPipeError:
        raise
    except OSError as err:
        raise CitefidelityError(
            f"The export could not be written to stdout: {err.strerror}. It is not whole.",
            "Make room, or write to a file with -o, which appears whole or not at all.",
            kind="output",
        ) from err
    said = f"{report.citations:,} citations with {report.contexts:,} contexts, {report.delivered:,} of them judged"
    if report.citations and not report.delivered:
        known = same_command("screenings", settings)
        call.out.say(f"Screening {settings.screening} has judged none of them; `{known}` lists those that have begun.")
    if name is None:
        call.out.say(said)
    else:
        call.out.result(report, f"{said}, in {name}")
    return 0


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
