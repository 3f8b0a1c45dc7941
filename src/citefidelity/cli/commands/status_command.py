"""``citefidelity status``: where the store, the journal and a live run stand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from citefidelity.cli.words import Call, Command, Example

if TYPE_CHECKING:
    from citefidelity.config.settings import Settings


def handle(call: Call) -> int:
    """Take stock, and show it."""
    return asyncio.run(_show(call, call.settings()))


async def _show(call: Call, settings: Settings) -> int:
    from citefidelity.cli.status_text import status_text  # noqa: PLC0415 - loaded when the command runs
    from citefidelity.reading import status_of  # noqa: PLC0415 - as above

    status = await status_of(settings)
    call.out.result(status, "\n".join(status_text(status, call.out.bold)))
    return 0


COMMAND = Command(
    name="status",
    summary="where the store, the journal and a live run stand",
    about="""
    What is in the store, how far the screening is, what waits in the journal, who holds it, and how a run that is
    under way goes. Only reads: it may be called at any time, also beside a run, and stops nothing. Costs nothing.
    """,
    handle=handle,
    settings=(("Where", ("store", "journal", "screening", "partition")),),
    examples=(
        Example("citefidelity status", "of the screening main"),
        Example("watch -n 5 citefidelity status", "beside a run"),
        Example("citefidelity status --json | jq .remaining", "citations still to do"),
    ),
)
