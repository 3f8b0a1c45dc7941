"""``citefidelity screenings``: what has been screened here, under which spec."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from citefidelity.cli.rows import columns
from citefidelity.cli.words import Call, Command, Example

if TYPE_CHECKING:
    from citefidelity.config.settings import Settings


def handle(call: Call) -> int:
    """List the screenings of the store."""
    return asyncio.run(_list(call, call.settings()))


async def _list(call: Call, settings: Settings) -> int:
    from citefidelity.reading import screenings_of  # noqa: PLC0415 - loaded when the command runs

    listing = await screenings_of(settings)
    head = ("screening", "provider", "model", "begun", "delivered", "spec")
    rows = [
        (row.screening, row.provider, row.model, row.begun_at[:16], f"{row.delivered:,}", row.fingerprint[:12])
        for row in listing.screenings
    ]
    if rows:
        table = columns([head, *rows], call.out.width, right=(4,))
        call.out.result(listing, "\n".join([call.out.bold(table[0]), *table[1:]]))
    else:
        call.out.result(listing, f"Nothing has been screened in {settings.store} yet: citefidelity run")
    return 0


COMMAND = Command(
    name="screenings",
    summary="what has been screened here, under which spec",
    about="""
    Lists the screenings of this store: several sets of verdicts over the same citations can stand side by side, each
    made under one spec. With --json each one comes with its whole spec. Costs nothing, changes nothing.
    """,
    handle=handle,
    settings=(("Where", ("store",)),),
    examples=(
        Example("citefidelity screenings", "what is here"),
        Example("citefidelity screenings --json | jq '.screenings[].spec.model'", "with the whole specs"),
    ),
)
