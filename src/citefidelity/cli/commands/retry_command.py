"""``citefidelity retry``: make permanent failures to-do again."""

from __future__ import annotations

import asyncio

from citefidelity.cli.words import Call, Command, Example, Option


def handle(call: Call) -> int:
    """Set outcomes aside, in the journal and then in the store."""
    from citefidelity.cli.retry_text import retry_text  # noqa: PLC0415 - loaded when the command runs
    from citefidelity.upkeep import retry_failed  # noqa: PLC0415 - as above

    settings = call.settings()
    report = asyncio.run(retry_failed(settings, call.given["kind"], changed=call.given["changed"]))
    call.out.result(report, "\n".join(retry_text(report, settings)))
    return report.exit_code


COMMAND = Command(
    name="retry",
    summary="make permanent failures to-do again",
    about="""
    Contexts that failed for good are not asked again by `run`. This sets their failures aside, in the journal and in
    the store, so that the next run asks them. Verdicts of the same citations stay, and are delivered with them.
    With --changed it does the same for contexts whose text has changed since they were judged, and for contexts added
    to a citation after it was delivered.

    Safe to repeat, also after it was interrupted. It asks nothing itself; the next run pays for what it reopens. A
    context without evidence is tried again with --kind no_evidence. Citations that another journal has delivered are
    left as they are, named, and make the exit code 5: with this journal their other answers would be paid again.
    """,
    handle=handle,
    options=(
        Option("kind", ("--kind",), "only failures of this kind, such as too_long or refused", "KIND", many=True),
        Option("changed", ("--changed",), "instead: contexts whose input has changed since they were judged"),
    ),
    settings=(("Where", ("store", "journal", "screening", "partition")),),
    examples=(
        Example("citefidelity retry", "all permanent failures"),
        Example("citefidelity retry --kind unreadable_reply && citefidelity run", "one kind, and ask again"),
    ),
)
