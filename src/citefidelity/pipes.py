"""The ends of the pipes to a child process."""

from __future__ import annotations

import asyncio
from contextlib import suppress


async def close_pipes(process: asyncio.subprocess.Process) -> None:
    """Let go of both pipes of an ended process now: an event loop that closes first would warn of them."""
    if process.stdin is not None:
        process.stdin.close()
        with suppress(BrokenPipeError, ConnectionResetError):
            await process.stdin.wait_closed()
    if process.stdout is not None:
        await process.stdout.read()
