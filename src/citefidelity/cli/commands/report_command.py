"""``citefidelity report``: one self-contained file about a screening."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from citefidelity.cli.words import Call, Command, Example, Option
from citefidelity.errors import UsageError

if TYPE_CHECKING:
    from citefidelity.compiling import Gold

PROGRESS_S = 5.0


def handle(call: Call) -> int:
    """Draw up the report, and write the page."""
    from citefidelity.cli.report_text import report_text  # noqa: PLC0415 - loaded when the command runs
    from citefidelity.compiling import compile_report  # noqa: PLC0415 - as above

    name, force = call.given["output"], call.given["force"]
    if force and name is None:
        raise UsageError("--force is about the file that -o names. Nothing was done.", "Add -o FILE.")
    gold = _gold(call)
    settings = call.settings()
    report = asyncio.run(
        compile_report(
            settings,
            None if name is None else call.directory / name,
            journals=[call.directory / one for one in call.given["journals"]],
            gold=gold,
            audit=not call.given["no_audit"],
            force=force,
            on_page=_progress(call, time.monotonic),
        )
    )
    call.out.result(report, "\n".join(report_text(report, name, call.out.bold, call.out.width)))
    return 0


def _gold(call: Call) -> Gold | None:
    from citefidelity.compiling import Gold  # noqa: PLC0415 - loaded when the command runs

    field, file = call.given["gold"], call.given["gold_file"]
    mapping = {}
    for pair in call.given["gold_map"]:
        one, sign, other = pair.partition("=")
        if not (one and sign and other) or one in mapping:
            raise UsageError(f"--gold-map {pair!r}: it must be LABEL=CATEGORY, each label once. Nothing was done.")
        mapping[one] = other
    if field is None:
        if file is not None or mapping:
            raise UsageError("Which field holds the labels is not said. Nothing was done.", "Add --gold FIELD.")
        return None
    return Gold(field=field, file=None if file is None else call.directory / file, mapping=mapping)


def _progress(call: Call, now: Callable[[], float]) -> Callable[[str, int], None]:
    """Tells how many citations were looked at, every few seconds."""
    told = now()

    def tell(what: str, citations: int) -> None:
        nonlocal told
        if now() - told >= PROGRESS_S:
            told = now()
            call.out.say(f"{citations:,} citations {what}")

    return tell


COMMAND = Command(
    name="report",
    summary="one self-contained HTML file: verdicts, agreement with labels, failures, cost, methods",
    about="""
    Draws up the report of a screening: how often which verdict was given, with intervals and plots, how confident, the
    articles to look at first, what has no verdict and why, texts that look odd, cost and time, the audit's result, and
    how it was made, down to the whole spec and a text for a methods section. With --gold, verdicts are compared with
    labels that people gave.

    With -o, one HTML file that loads nothing from anywhere, to be opened, printed or attached to a paper; it appears
    whole or not at all, and replaces nothing but an earlier report, unless --force. Without -o, only a summary; with
    --json all numbers. Costs nothing, changes nothing in the store; may be done while a run goes on, and shows what is
    delivered by then.
    """,
    handle=handle,
    options=(
        Option("output", ("-o", "--output"), "the file to write, such as report.html", "FILE"),
        Option("force", ("--force",), "replace the file even where it is no report"),
        Option("gold", ("--gold",), "the field of each context that holds a label given by people", "FIELD"),
        Option(
            "gold_file",
            ("--gold-file",),
            "take the labels from this file instead: JSON Lines with source_id, target_id, reference_id, instance_id",
            "FILE",
        ),
        Option(
            "gold_map",
            ("--gold-map",),
            "read this name as that one, in labels and verdicts alike: ACCURATE=SUPPORT",
            "NAME=NAME",
            many=True,
        ),
        Option("no_audit", ("--no-audit",), "leave out the audit (verify), which takes longer than the rest"),
        Option("journals", ("--journal",), "a journal of the screening; by default the usual one", "FILE", many=True),
    ),
    settings=(("Where", ("store", "screening", "partition")),),
    examples=(
        Example("citefidelity report -o report.html", "after a run"),
        Example("citefidelity report -o report.html --gold expert_label --gold-map ACCURATE=SUPPORT", "with labels"),
        Example("citefidelity report --json --no-audit | jq .categories", "the numbers alone"),
    ),
)
