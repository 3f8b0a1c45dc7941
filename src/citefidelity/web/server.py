"""The server of the pages, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket

import uvicorn

from citefidelity.clock import SystemClock
from citefidelity.config.settings import Settings
from citefidelity.errors import StoreError
from citefidelity.reading import journal_of, status_of
from citefidelity.results_index.index import ResultsIndex
from citefidelity.views.observing import status_path
from citefidelity.web.guard import Guard
from citefidelity.web.listener import Listener, Serving
from citefidelity.web.pages import application
from citefidelity.web.site import Site
from citefidelity.web.watching import Watching

GOODBYE_S = 1
"""How long the end of the server waits for browsers."""


async def serve(
    settings: Settings,
    listener: Listener,
    command: Callable[[str], str],
    ready: Callable[[Serving], None],
    stop: asyncio.Event,
) -> None:
    """Serve the pages until ``stop``.

    Args:
        settings: what they show.
        listener: where.
        command: ``citefidelity LINE`` for the same place, to copy.
        ready: told once the pages can be opened.
        stop: ends it.

    Raises:
        StoreError: there is nothing to show: no store, no journal, and no numbers of a run.
    """
    journal = await journal_of(settings)
    await _require_something(settings, journal)
    watching = Watching(journal, lambda: status_of(settings), SystemClock())
    results = ResultsIndex(journal, settings.screening, SystemClock())
    app = Guard(application(Site(settings, journal, watching, results, command)), listener.names, listener.token)
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GOODBYE_S,
    )
    server = _Server(config, lambda: ready(listener.serving()))
    async with asyncio.TaskGroup() as group:
        sampling = group.create_task(watching.watch())
        ending = group.create_task(_end(server, stop))
        await server.serve([listener.socket])
        await results.close()
        sampling.cancel()
        ending.cancel()


async def _require_something(settings: Settings, journal: Path) -> None:
    try:
        await status_of(settings)
    except StoreError:
        if not journal.exists() and not status_path(journal).exists():  # noqa: ASYNC240 - before anything is served
            raise


async def _end(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True


class _Server(uvicorn.Server):
    """Says when it listens, and leaves the signals to us."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them as they are."""
        yield
