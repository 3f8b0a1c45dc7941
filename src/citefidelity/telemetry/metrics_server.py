"""``run --metrics``: the numbers of a run over HTTP, for as long as it lasts."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable
from typing import NamedTuple, Self

from aiohttp import web
from aiohttp.typedefs import Handler

from citefidelity.config.listening import ListenAddress, is_called_rightly, why_not
from citefidelity.errors import UsageError
from citefidelity.meter import Snapshot
from citefidelity.telemetry.readings import Moment
from citefidelity.views.report import Started

PATH = "/metrics"
FRESH_S = 0.2
"""A scrape within so short a time gets what the one before it got: however many ask, the run is not slowed."""
GOODBYE_S = 0.5

Expose = Callable[[str, Moment | None, str], tuple[bytes, str]]


class Page(NamedTuple):
    """What was served, to whom it is still good."""

    at: float
    accept: str
    body: bytes
    content_type: str


class MetricsServer:
    """Answers scrapes in the run's own process and loop. An observer of one run.

    Before the run it tells the version; after it, until it is closed, the last numbers.
    """

    def __init__(self, address: ListenAddress, version: str, expose: Expose) -> None:
        self._address = address
        self._version = version
        self._expose = expose
        self._names = frozenset({address.host.lower(), platform.node().lower()})
        self._look: Callable[[], Moment | None] = lambda: None
        self._page: Page | None = None
        self._failed: asyncio.Future[None] | None = None
        application = web.Application(middlewares=[self._checked])
        application.router.add_get(PATH, self._scraped)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=GOODBYE_S)

    @property
    def url(self) -> str:
        """Where the metrics are; of port 0, the one that it came to."""
        port = self._runner.addresses[0][1] if self._runner.addresses else self._address.port
        return f"http://{ListenAddress(self._address.host_to_call, port)}{PATH}"

    async def __aenter__(self) -> Self:
        """Begin to listen.

        Raises:
            UsageError: nobody can listen there.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._address.host, self._address.port).start()
        except OSError as err:
            await self._runner.cleanup()
            raise UsageError(
                f"Metrics cannot be served at {self._address}: {why_not(err)}. Nothing was asked.",
                "Give another address with --metrics, or 0 as its port for any that is free.",
                kind="metrics_address",
            ) from err
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def watch(self, started: Started, numbers: Callable[[], Snapshot], stopping: Callable[[], bool]) -> None:
        """Serve this run's numbers until cancelled, and its last ones from then on.

        Raises:
            Exception: a scrape could not be answered; no other will be.
        """
        self._look = lambda: Moment(started, numbers(), stopping())
        self._failed = asyncio.get_running_loop().create_future()
        try:
            await self._failed
        finally:
            if self._failed.cancelled():
                last = self._look()
                self._look = lambda: last
                self._page = None
            else:
                await self._runner.cleanup()

    async def _scraped(self, request: web.Request) -> web.Response:
        try:
            page = self._fresh(request.headers.get("Accept", ""))
        except Exception as error:
            # Told once, by whoever watches the observers; from then on there is nothing here.
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(error)
            raise web.HTTPInternalServerError(text="The metrics of this run are broken; the run goes on.\n") from error
        return web.Response(body=page.body, headers={"Content-Type": page.content_type})

    def _fresh(self, accept: str) -> Page:
        now = asyncio.get_running_loop().time()
        page = self._page
        if page is None or page.accept != accept or now - page.at >= FRESH_S:
            page = self._page = Page(now, accept, *self._expose(self._version, self._look(), accept))
        return page

    @web.middleware
    async def _checked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_called_rightly(request.headers.get("Host", ""), self._names):
            return web.Response(status=403, text="This is not the server that the Host header names.\n")
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return web.Response(status=404, text=f"There is only {PATH} here.\n")
