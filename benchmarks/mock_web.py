"""The counting provider on a web framework, as most people would write a mock.

It needs several times the CPU of ``citefidelity.testing.provider``, whose HTTP is by hand. So it shows what the ratio
to a bare loop is where the server bounds that loop, and not the loop's own core.
"""

from __future__ import annotations

import asyncio
import sys
import time

import msgspec
from aiohttp import web

from citefidelity.testing.acts import completion
from citefidelity.testing.answers import choices_in
from citefidelity.testing.hits import Book, Hit

LARGEST_REQUEST = 16_000_000


class Counting:
    """Answers every chat at once, and keeps book."""

    def __init__(self) -> None:
        self._book = Book(time.monotonic)

    async def chat(self, request: web.Request) -> web.Response:
        """``POST /v1/chat/completions``."""
        asked = await request.json()
        fixed, variable = (message["content"] for message in asked["messages"])
        schema = asked.get("response_format", {}).get("json_schema", {}).get("schema")
        hit = Hit(
            fixed=fixed,
            variable=variable,
            model=asked["model"],
            choices=choices_in(schema),
            arrived=time.monotonic(),
        )
        self._book.arrive(hit)
        said = completion(hit)
        if said.billed is not None:
            self._book.bill(hit, said.billed)
        self._book.end(hit, answered=True, good=True)
        return web.Response(body=said.body, content_type="application/json")

    async def stats(self, request: web.Request) -> web.Response:
        """``GET /stats``."""
        del request
        return web.Response(body=msgspec.json.encode(self._book.stats()), content_type="application/json")


async def main() -> None:
    """Serve on a free port, whose address is the one line on standard output, until terminated."""
    counting = Counting()
    application = web.Application(client_max_size=LARGEST_REQUEST)
    application.router.add_post("/v1/chat/completions", counting.chat)
    application.router.add_get("/stats", counting.stats)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4_096).start()
    port = runner.addresses[0][1]
    sys.stdout.write(msgspec.json.encode({"base_url": f"http://127.0.0.1:{port}/v1"}).decode() + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
