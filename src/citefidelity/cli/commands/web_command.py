"""``citefidelity web``: the pages in a browser."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from citefidelity.cli.words import Call, Command, Example, Option
from citefidelity.errors import UsageError

if TYPE_CHECKING:
    from citefidelity.config.settings import Settings
    from citefidelity.web.listener import Serving

NICENESS = 5
"""Beside a run, the run comes first."""


def handle(call: Call) -> int:
    """Serve the pages until Ctrl-C."""
    from citefidelity.web.listener import require_pages  # noqa: PLC0415 - loaded when the command runs

    settings = call.settings()
    require_pages()
    asyncio.run(_serve(call, settings))
    return 0


async def _serve(call: Call, settings: Settings) -> None:
    from citefidelity.cli.run_text import same_command  # noqa: PLC0415 - as above
    from citefidelity.interrupts import interrupts_handled  # noqa: PLC0415 - as above
    from citefidelity.web.listener import Listener  # noqa: PLC0415 - as above

    token = settings.web_token.reveal() if settings.web_token is not None else None
    listener = Listener(settings.web_address, token)
    # Before the framework is loaded: it would read a file of the working directory, and talk to a server named there.
    os.environ["NICEGUI_STORAGE_PATH"] = f"{os.devnull}/none"
    os.environ.pop("NICEGUI_REDIS_URL", None)
    from citefidelity.web.server import serve  # noqa: PLC0415 - as above

    stop = asyncio.Event()
    async with interrupts_handled(wanted=True) as interrupts:
        interrupts.first = stop.set
        if call.given["with_parent"]:
            os.nice(NICENESS)
            _end_with_parent(stop)
        await serve(
            settings, listener, lambda line: same_command(line, settings), lambda serving: _tell(call, serving), stop
        )


def _end_with_parent(stop: asyncio.Event) -> None:
    descriptor = sys.stdin.fileno()

    def read() -> None:
        if not os.read(descriptor, 4_096):
            asyncio.get_running_loop().remove_reader(descriptor)
            stop.set()

    try:
        asyncio.get_running_loop().add_reader(descriptor, read)
    except PermissionError as err:
        raise UsageError(
            "--with-parent needs a pipe as standard input: that it is closed ends the pages.", "Leave it out."
        ) from err


def _tell(call: Call, serving: Serving) -> None:
    given = serving.token_needed and "?token=" not in serving.url
    token = " with ?token= and what CITEFIDELITY_WEB_TOKEN holds" if given else ""
    call.out.result(serving, f"Open {serving.url}{token} (Ctrl-C ends it)")


COMMAND = Command(
    name="web",
    summary="watch and read a screening in a browser",
    about="""
    Serves pages about one screening: how the run goes, all results, failures, problem papers. Works while a run goes
    on and after it; `citefidelity run --web` starts it beside the run. Needs the extra `web`.

    Only reads: no page changes anything, and the run is neither slowed nor stopped. Reached from this machine only,
    unless --web-address names another address: then whoever opens the pages needs the token in the address that is
    printed, or the one in CITEFIDELITY_WEB_TOKEN. Costs nothing. Ctrl-C ends it.
    """,
    handle=handle,
    options=(
        Option("with_parent", ("--with-parent",), "end when standard input is closed, for programs that start it"),
    ),
    settings=(("Where", ("store", "journal", "screening", "partition", "web_address")),),
    examples=(
        Example("citefidelity web", "prints the address to open"),
        Example("ssh -L 8650:127.0.0.1:8650 HOST citefidelity web --web-address 8650", "of another machine, safely"),
        Example("citefidelity web --web-address 0.0.0.0:8650", "for others in a network you trust; prints a token"),
    ),
)
