"""``citefidelity retry``: make permanent failures to-do again."""

from __future__ import annotations

from citefidelity.cli.words import Call, Command, Example, Option


def handle(call: Call) -> int:
    """Set outcomes aside, in the journal and then in the store."""
    raise NotImplementedError


COMMAND = Command(
    name="retry",
    summary="make permanent failures to-do again",
    about="""
    Contexts that failed for good are not asked again by `run`. This sets their failures aside, in the journal and in
    the store, so that the next run asks them. Verdicts of the same citations stay, and are delivered with them.
    With --changed it does the same for contexts whose text has changed since they were judged.

    Safe to repeat. It asks nothing itself; the next run pays for what it reopens.
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
