"""A TCP proxy in front of a Neo4j server that breaks connections where a test wants them broken."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

COMMIT = b"\x00\x02\xb0\x12\x00\x00"
"""The Bolt message COMMIT: a chunk of two bytes, and the end of the message."""


class Cut(Exception):
    """The place to break the connection is reached."""


class Neo4jProxy:
    """Passes bytes on until told otherwise.

    ``cut_request`` and ``cut_reply``: how many bytes of the next COMMIT, and of what is answered to it, get through
    before both ends are reset; each works once. ``hold``: the next COMMIT waits until it is set. ``deaf``: nothing
    gets through in either direction, and no connection ends.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.cut_request: int | None = None
        self.cut_reply: int | None = None
        self.hold: asyncio.Event | None = None
        self.held = asyncio.Event()
        self.hearing = asyncio.Event()
        self.hearing.set()
        self._committing = False
        self.replied = 0
        """Bytes that the server answered to the last COMMIT."""

    @property
    def uri(self) -> str:
        """Where to connect to."""
        assert self._server is not None
        return f"bolt://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all connections."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        server, onward = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            with suppress(OSError, asyncio.CancelledError, ExceptionGroup):
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._requests(client, onward))
                    group.create_task(self._replies(server, back))
        finally:
            # Reset, not closed: what is on its way is lost as well.
            back.transport.abort()
            onward.transport.abort()
            self._tasks.discard(task)

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self.hearing.wait()
            self._committing = data.endswith(COMMIT)
            if self._committing:
                self.replied = 0
                writer.write(data[: -len(COMMIT)])
                data = await self._commit(writer)
            writer.write(data)
            await writer.drain()
        raise Cut

    async def _commit(self, writer: asyncio.StreamWriter) -> bytes:
        if self.hold is not None:
            hold, self.hold = self.hold, None
            self.held.set()
            await hold.wait()
        if self.cut_request is not None:
            through, self.cut_request = self.cut_request, None
            writer.write(COMMIT[:through])
            await writer.drain()
            raise Cut
        return COMMIT

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self.hearing.wait()
            self.replied += len(data)
            if self._committing and self.cut_reply is not None and self.replied > self.cut_reply:
                through = len(data) - (self.replied - self.cut_reply)
                self.cut_reply, self._committing = None, False
                writer.write(data[:through])
                await writer.drain()
                raise Cut
            writer.write(data)
            await writer.drain()
        raise Cut
