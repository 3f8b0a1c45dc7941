"""``citefidelity show``: everything about one citation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from citefidelity.cli.words import Argument, Call, Command, Example

if TYPE_CHECKING:
    from citefidelity.config.settings import Settings


def handle(call: Call) -> int:
    """Show the citations between two articles, with all that is known of them."""
    return asyncio.run(_show(call, call.settings()))


async def _show(call: Call, settings: Settings) -> int:
    from citefidelity.cli.show_text import show_text  # noqa: PLC0415 - loaded when the command runs
    from citefidelity.reading import shown  # noqa: PLC0415 - as above
    from citefidelity.views.show import Wanted  # noqa: PLC0415 - as above

    given = call.given
    found = await shown(settings, Wanted(given["source"], given["target"], given["reference"], given["instance"]))
    call.out.result(found, "\n".join(show_text(found, call.out.bold, width=call.out.width)))
    return 0


COMMAND = Command(
    name="show",
    summary="everything about one citation: text, prompt, raw reply, verdict, cost",
    about="""
    Shows for each context of a citation the text that was judged, the evidence, the exact prompt that was sent, the
    raw reply, the verdict or why there is none, every attempt, what it cost, which model answered and which version
    of this program asked. Without REFERENCE all citations between the two articles, without INSTANCE all contexts.
    A reference that is empty is written ''.

    Only reads. Where the journal is elsewhere, the prompt and the replies are missing, and it says so.
    """,
    handle=handle,
    arguments=(
        Argument("SOURCE", "the citing article's id"),
        Argument("TARGET", "the cited article's id"),
        Argument("REFERENCE", "the reference_id, where several citations join the two", required=False),
        Argument("INSTANCE", "the instance_id of one context", required=False),
    ),
    settings=(("Where", ("store", "journal", "screening", "partition")),),
    examples=(
        Example("citefidelity show PMC10 PMC7", "all citations of PMC7 in PMC10"),
        Example("citefidelity show PMC10 PMC7 R3 2 --json", "one context, exact to the byte"),
    ),
)
