"""``citefidelity repair``: find and mend what another program damaged in a graph."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from citefidelity.cli.words import Call, Command, Example, Option
from citefidelity.errors import UsageError


def handle(call: Call) -> int:
    """List what is damaged; mend it where that was asked for."""
    from citefidelity.cli.repair_text import repair_text  # noqa: PLC0415 - loaded when the command runs
    from citefidelity.cli.run_text import same_command  # noqa: PLC0415 - as above
    from citefidelity.upkeep import repair_graph  # noqa: PLC0415 - as above

    apply, name = call.given["apply"], call.given["backup"]
    if name is not None and not apply:
        raise UsageError("--backup is for --apply; a list changes nothing.", "Add --apply, or leave --backup out.")
    settings = call.settings()
    usual = f"citefidelity-repair-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl"
    backup = call.directory / (name or usual) if apply else None
    report = asyncio.run(repair_graph(settings, backup))
    call.out.result(report, "\n".join(repair_text(report, same_command("repair --apply", settings))))
    return report.exit_code


COMMAND = Command(
    name="repair",
    summary="list what another program damaged in a graph; --apply mends it",
    about="""
    Looks through a Neo4j graph whose citations were classified by the program that such graphs come from, and names
    each one that it damaged: contexts that lost text and evidence when a call failed (blanked), citations marked as
    classified that hold errors only (only_errors), contexts in the order in which calls ended (out_of_order), and
    parallel citations of which one was overwritten by the other (overwritten). For each it says what can be put back.

    With --apply it puts contexts in order, puts back a text where another edge surely holds the same context, and takes
    the mark `classified` off citations whose failed contexts have their text, so that a run asks them. Every edge goes
    with all its properties into a backup, on disk, before it is changed. It never changes an edge that a screening of
    this program has reached, nor one that was overwritten: whose text it holds cannot be told.

    Only lists, unless --apply is given. Safe to repeat. Costs nothing; asks no model. In an embedded store there is
    nothing to repair.
    """,
    handle=handle,
    options=(
        Option("apply", ("--apply",), "mend what can be mended, after a backup"),
        Option(
            "backup",
            ("--backup",),
            "where edges go before they are changed; by default citefidelity-repair-TIME.jsonl here",
            "FILE",
        ),
    ),
    settings=(("Where", ("store",)),),
    examples=(
        Example("citefidelity repair --store neo4j", "what is damaged, citation by citation"),
        Example("citefidelity repair --store neo4j --json | jq .by_kind", "how much of what"),
        Example("citefidelity repair --store neo4j --apply && citefidelity run --store neo4j", "mend, and ask again"),
    ),
)
