"""The official SDK, asynchronous, behind a semaphore: what most people write first."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from openai import AsyncOpenAI


async def main(url: str, bodies: list[bytes], concurrency: int) -> None:
    """Send every body once, so many at a time."""
    client = AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
    slots = asyncio.Semaphore(concurrency)

    async def ask(body: bytes) -> None:
        async with slots:
            await client.chat.completions.create(**json.loads(body))

    async with asyncio.TaskGroup() as group:
        for body in bodies:
            group.create_task(ask(body))
    await client.close()


if __name__ == "__main__":
    given_url, given_bodies, given_concurrency = sys.argv[1:]
    asyncio.run(main(given_url, Path(given_bodies).read_bytes().splitlines(), int(given_concurrency)))
