"""The pages beside a run: a process of its own, which can neither slow the run nor break it."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from citefidelity.config.addresses import EmbeddedAddress
from citefidelity.config.settings import Settings
from citefidelity.meter import Snapshot
from citefidelity.pipes import close_pipes
from citefidelity.views.report import Started

PROGRAM = (sys.executable, "-P", "-m", "citefidelity")


class PagesBeside:
    """Serves the pages while a run goes on. An observer: what befalls it is said once, and the run goes on.

    Args:
        settings: those of the run.
        command: that serves these pages at another time; what it says of store and screening, the child is told.
        environ: of the run's process; the child gets the same, so that no secret is an argument.
        directory: where the run was started.
        tell: tells the person who started it, with -q, too: where the pages are was asked for.
    """

    def __init__(
        self,
        settings: Settings,
        command: str,
        environ: Mapping[str, str],
        directory: Path,
        tell: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._command = command
        self._environ = environ
        self._directory = directory
        self._say = tell

    async def watch(self, started: Started, numbers: Callable[[], Snapshot], stopping: Callable[[], bool]) -> None:
        """Serve until cancelled."""
        del numbers, stopping
        try:
            process = await asyncio.create_subprocess_exec(
                *PROGRAM,
                *self._arguments(started.journal),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=dict(self._environ),
                cwd=self._directory,
                start_new_session=True,  # Ctrl-C is for the run, whose end is still to be seen
            )
        except OSError as err:
            self._say(f"The pages could not be started: {err.strerror}. The run goes on without them.")
            return
        try:
            await self._tell(process)
        finally:
            await _end(process)

    async def _tell(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe; for the type checker
        said = await process.stdout.readline()
        url, problem = _understood(said)
        if url:
            self._say(f"Watch it in a browser: {url}")
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            if url:
                self._say(f"The pages end with the run; `{self._command}` shows them again.")
            raise
        why = problem or f"their process ended with code {code}"
        if url:
            self._say(f"The pages are gone: {why}. The run goes on; `{self._command}` serves them anew.")
        else:
            self._say(f"There are no pages: {why}. The run goes on without them; `{self._command}` tries again.")

    def _arguments(self, journal: str) -> list[str]:
        words = [*shlex.split(self._command)[1:], "--with-parent", "--json"]
        # Beside a file it is found without, and the commands on the pages stay short.
        beside = isinstance(self._settings.store, EmbeddedAddress)
        return words if self._settings.journal is not None or beside else [*words, "--journal", journal]


def _understood(line: bytes) -> tuple[str, str]:
    """The address where the pages are, or why there are none."""
    try:
        said = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return "", ""
    error = said.get("error", {})
    return said.get("url", ""), error.get("message", "").rstrip(".")


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
    await close_pipes(process)
