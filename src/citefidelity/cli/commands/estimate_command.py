"""``citefidelity estimate``: what a run would take."""

from __future__ import annotations

import asyncio

from citefidelity.cli.settings_rows import RUNNING
from citefidelity.cli.words import Call, Command, Example


def handle(call: Call) -> int:
    """Count what is to do, and show one prompt."""
    from citefidelity.cli.estimate_text import estimate_text  # noqa: PLC0415 - loaded when the command runs
    from citefidelity.estimating import estimate_of  # noqa: PLC0415 - as above

    estimated = asyncio.run(estimate_of(call.settings()))
    call.out.result(estimated, "\n".join(estimate_text(estimated, call.out.bold)))
    return 0


COMMAND = Command(
    name="estimate",
    summary="how many calls, tokens and dollars a run would take; asks nothing",
    about="""
    Counts what `run` would ask with the same flags, and shows one prompt as it would be sent. Tokens are estimated
    from the length of the texts. Nothing leaves this machine, nothing changes, and it costs nothing.
    """,
    handle=handle,
    settings=RUNNING,
    examples=(
        Example("citefidelity estimate --provider deepseek --model deepseek-flash", "before the first run"),
        Example("citefidelity estimate --limit 20", "of twenty citations"),
    ),
)
