"""``citefidelity verify``: audit the guarantees over store and journal."""

from __future__ import annotations

from citefidelity.cli.words import Call, Command, Example, Option


def handle(call: Call) -> int:
    """Audit, and name every violation."""
    raise NotImplementedError


COMMAND = Command(
    name="verify",
    summary="audit store and journal: is every context in exactly one state?",
    about="""
    Looks at the store and the journal from outside and checks what this program promises: each context is in exactly
    one state (G2), every answer that counts is in the journal and none was asked again (G3), each citation was
    delivered as a whole, once, and says what the journal says (G4). It also names verdicts whose input has changed
    since. Exit code 0: clean; 6: violations, each named.

    Costs nothing, changes nothing.
    """,
    handle=handle,
    options=(Option("journals", ("--journal",), "a journal to audit", "FILE", many=True),),
    settings=(("Where", ("store", "screening")),),
    examples=(
        Example("citefidelity verify", "after a run"),
        Example("citefidelity verify --journal a.1of2 --journal a.2of2", "all parts of a screening"),
    ),
)
