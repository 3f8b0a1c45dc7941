"""``citefidelity verify``: audit the guarantees over store and journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from citefidelity.cli.words import Call, Command, Example, Option

PROGRESS_S = 5.0


def handle(call: Call) -> int:
    """Audit, and name every violation."""
    from citefidelity.cli.verify_text import verify_text  # noqa: PLC0415 - loaded when the command runs
    from citefidelity.upkeep import verify  # noqa: PLC0415 - as above

    settings = call.settings()
    journals = [call.directory / name for name in call.given["journals"]]
    audit = asyncio.run(verify(settings, journals, on_page=_progress(call, time.monotonic)))
    call.out.result(audit, "\n".join(verify_text(audit, settings, call.out.bold)))
    return audit.exit_code


def _progress(call: Call, now: Callable[[], float]) -> Callable[[int], None]:
    """Tells how many citations were looked at, every few seconds."""
    told = now()

    def tell(citations: int) -> None:
        nonlocal told
        if now() - told >= PROGRESS_S:
            told = now()
            call.out.say(f"{citations:,} citations looked at")

    return tell


COMMAND = Command(
    name="verify",
    summary="audit store and journal: is every context in exactly one state?",
    about="""
    Looks at the store and the journal from outside and checks what this program promises: each context is in exactly
    one state (G2), every answer that counts is in the journal and none was asked again (G3), each citation was
    delivered as a whole, once, and says what the journal says (G4). Each raw reply is read again. It also names
    verdicts whose input has changed since. Exit code 0: clean; 6: violations, each named.

    Without --journal it takes the one that a run would take. Outcomes of journals that it was not given are counted as
    not audited. Costs nothing, changes nothing; may be done while a run goes on.
    """,
    handle=handle,
    options=(Option("journals", ("--journal",), "a journal to audit", "FILE", many=True),),
    settings=(("Where", ("store", "screening", "partition")),),
    examples=(
        Example("citefidelity verify", "after a run"),
        Example("citefidelity verify --journal a.1of2 --journal a.2of2", "all parts of a screening"),
    ),
)
