"""The limit: a bare aiohttp loop that sends ready-made bodies and journals nothing."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp


async def main(url: str, bodies: list[bytes], concurrency: int) -> None:
    """Send every body once, so many at a time."""
    waiting = iter(bodies)
    connector = aiohttp.TCPConnector(limit=concurrency)
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session, asyncio.TaskGroup() as group:

        async def work() -> None:
            for body in waiting:
                async with session.post(f"{url}/chat/completions", data=body) as response:
                    json.loads(await response.read())

        for _ in range(concurrency):
            group.create_task(work())


if __name__ == "__main__":
    given_url, given_bodies, given_concurrency = sys.argv[1:]
    asyncio.run(main(given_url, Path(given_bodies).read_bytes().splitlines(), int(given_concurrency)))
