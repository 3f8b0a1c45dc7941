"""``citefidelity copy``: citations and verdicts from one store into another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from citefidelity.cli.words import Call, Command, Example, Option
from citefidelity.errors import UsageError

if TYPE_CHECKING:
    from citefidelity.config.settings import Settings
    from citefidelity.copying import CopyReport

PROGRESS_S = 5.0


def handle(call: Call) -> int:
    """Copy, and say what came and what did not."""
    from citefidelity.cli.copy_text import copy_text  # noqa: PLC0415 - loaded when the command runs
    from citefidelity.moving import copy_between  # noqa: PLC0415 - as above

    source, target = _settings(call, "from"), _settings(call, "to")
    report = asyncio.run(copy_between(source, target, on_page=_progress(call, time.monotonic)))
    call.out.result(report, "\n".join(copy_text(report, str(source.store), str(target.store))))
    return report.exit_code


def _settings(call: Call, side: str) -> Settings:
    """The settings of one side: those of this command, with that side's store."""
    from citefidelity.config.addresses import parse_store  # noqa: PLC0415 - as above

    url = call.given[side]
    if url is None:
        raise UsageError(f"--{side} is missing: {_ABOUT[side]}.", "citefidelity copy --help")
    # Parsed here first, so that the message names the option that was given.
    if url != "neo4j":
        try:
            parse_store(url)
        except ValueError as err:
            raise UsageError(f"--{side} {err}.", "It is written as --store is.", kind="bad_setting") from err
    return call._replace(flags={**call.flags, "store": url}).settings()


def _progress(call: Call, now: Callable[[], float]) -> Callable[[CopyReport], None]:
    """Tells how far it is, every few seconds."""
    told = now()

    def tell(report: CopyReport) -> None:
        nonlocal told
        if now() - told >= PROGRESS_S:
            told = now()
            call.out.say(f"{report.citations:,} citations read, {report.delivered + report.found:,} judged ones")

    return tell


_ABOUT = {"from": "the store to copy from, written as for --store", "to": "the store to copy into"}

COMMAND = Command(
    name="copy",
    summary="citations and verdicts from one store into another; safe to repeat",
    about="""
    Copies all citations with their contexts, and every screening with its verdicts, failures and answers, the times
    and the runs they come from, between any two stores: from a graph into a file, from a file into a graph, from file
    to file. The store to copy into is made if it is a file that is not there; nobody else may write to it meanwhile.

    Safe to repeat: what is there unchanged stays as it is, and the first delivery of a citation stands. A citation
    that differs gets the text of --from. A screening of the same name under another spec is refused (exit code 2)
    before anything is written. A citation that cannot be copied is named, and the exit code is 3.

    Answers that wait in a journal are not in the store yet: let `citefidelity run` end first. Credentials of Neo4j come
    from the environment, as for --store, and are the same for both sides. Costs nothing; the source is only read.
    """,
    handle=handle,
    options=(
        Option("from", ("--from",), _ABOUT["from"], "URL"),
        Option("to", ("--to",), f"{_ABOUT['to']}; a file that is not there is made", "URL"),
    ),
    examples=(
        Example("citefidelity copy --from neo4j://localhost:7687 --to sqlite:///graph.db", "a graph into a file"),
        Example("citefidelity copy --from sqlite:///laptop.db --to neo4j", "verdicts into the graph of NEO4J_URI"),
        Example("citefidelity copy --from sqlite:///a.db --to sqlite:///b.db --json | jq .delivered", "file to file"),
    ),
)
