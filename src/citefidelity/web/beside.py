"""The pages beside a run: a process of its own, which can neither slow the run nor break it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from citefidelity.config.settings import Settings
from citefidelity.meter import Snapshot
from citefidelity.views.report import Started

PROGRAM = (sys.executable, "-P", "-m", "citefidelity")


class PagesBeside:
    """Serves the pages while a run goes on. An observer: what befalls it is said once, and the run goes on.

    Args:
        settings: those of the run.
        environ: of the run's process; the child gets the same, so that no secret is an argument.
        directory: where the run was started.
        say: tells the person who started it.
    """

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], directory: Path, say: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._directory = directory
        self._say = say

    async def watch(self, started: Started, numbers: Callable[[], Snapshot], stopping: Callable[[], bool]) -> None:
        """Serve until cancelled."""
        del numbers, stopping
        try:
            process = await asyncio.create_subprocess_exec(
                *PROGRAM,
                *_arguments(self._settings, started.journal),
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
                self._say("The pages end with the run; `citefidelity web` shows them again.")
            raise
        why = problem or f"their process ended with code {code}"
        self._say(f"The pages are gone: {why}. The run goes on; `citefidelity web` serves them anew.")


def _arguments(settings: Settings, journal: str) -> list[str]:
    words = ["web", "--with-parent", "--json", "--journal", journal]
    words += ["--store", str(settings.store), "--screening", settings.screening, "--partition", str(settings.partition)]
    return words + (["--web-address", str(settings.web_address)] if settings.web_address is not None else [])


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
    if process.stdin is not None:
        process.stdin.close()
        with suppress(BrokenPipeError, ConnectionResetError):
            await process.stdin.wait_closed()
    if process.stdout is not None:
        await process.stdout.read()
