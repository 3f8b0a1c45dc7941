"""A TCP proxy in front of a Neo4j server that breaks connections where a test wants them broken."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

COMMIT = b"\x00\x02\xb0\x12\x00\x00"
"""The Bolt message COMMIT: a chunk of two bytes, and the end of the message."""

DELIVERY = b"CREATE (a)-[:JUDGED_IN]->(:FidelityVerdict"
"""What is said in a transaction that delivers, and in no other."""

READING = b"ORDER BY source, target, reference LIMIT $limit"
"""What is said to read the next citations, and for nothing else."""


class Cut(Exception):
    """The place to break the connection is reached."""


class Neo4jProxy:
    """Passes bytes on until told otherwise.

    ``cut_request`` and ``cut_reply``: how many bytes of the next COMMIT, and of what is answered to it, get through
    before both ends are reset. ``hold``: the next COMMIT waits until it is set. ``hold_reply``: what is answered to the
    next COMMIT waits until it is set. Each works once. ``hearing``: while it is not set, nothing gets through in either
    direction, and no connection ends. With ``only``, all this is about the COMMIT of transactions in which these bytes
    were said, and others pass.
    """

    def __init__(self, port: int, host: str = "127.0.0.1", *, only: bytes = b"") -> None:
        self.host = host
        self.port = port
        self.only = only
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self.cut_request: int | None = None
        self.cut_reply: int | None = None
        self.hold: asyncio.Event | None = None
        self.held = asyncio.Event()
        self.hold_reply: asyncio.Event | None = None
        self.answered = asyncio.Event()
        """Set when the reply that is held back has come: the server has committed."""
        self.hearing = asyncio.Event()
        self.hearing.set()
        self.deaf_at: tuple[bytes, int] | None = None
        """When these bytes are said for the so-manieth time, ``hearing`` is cleared first, and ``deaf`` is set."""
        self.deaf = asyncio.Event()
        self.replied = 0
        """Bytes that the server answered to the last COMMIT."""

    @property
    def uri(self) -> str:
        """Where to connect to."""
        assert self._server is not None
        return f"bolt://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def count(self, data: bytes) -> None:
        """See whether it is time to grow deaf."""
        if self.deaf_at is None or self.deaf_at[0] not in data:
            return
        said, times = self.deaf_at
        self.deaf_at = (said, times - 1) if times > 1 else None
        if self.deaf_at is None:
            self.hearing.clear()
            self.deaf.set()

    def reset(self) -> None:
        """Reset all connections that stand now; new ones can be made."""
        for pair in self._pairs:
            pair.task.cancel()

    def strand(self) -> None:
        """Leave all connections that stand now half open: nothing gets through any more. New ones can be made."""
        self.hearing.clear()
        self.hearing = asyncio.Event()
        self.hearing.set()

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
        self.reset()
        await asyncio.gather(*(pair.task for pair in self._pairs), return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        pair = _Pair(self, task)
        self._pairs.add(pair)
        try:
            with suppress(OSError, asyncio.CancelledError):
                server, onward = await asyncio.open_connection(self.host, self.port)
                try:
                    await pair.pass_on(client, onward, server, back)
                finally:
                    # Reset, not closed: what is on its way is lost as well.
                    onward.transport.abort()
        finally:
            back.transport.abort()
            self._pairs.discard(pair)


class _Pair:
    """A connection from a client and the one that it goes on in."""

    def __init__(self, proxy: Neo4jProxy, task: asyncio.Task[None]) -> None:
        self.task = task
        self._proxy = proxy
        self._hearing = proxy.hearing
        self._committing = False
        self._replied = asyncio.Event()
        self._said = b""
        self._meant = not proxy.only

    async def pass_on(
        self,
        client: asyncio.StreamReader,
        onward: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        back: asyncio.StreamWriter,
    ) -> None:
        with suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._requests(client, onward))
                group.create_task(self._replies(server, back))

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            self._proxy.count(data)
            await self._hearing.wait()
            self._listen(data)
            self._committing = self._meant and data.endswith(COMMIT)
            if self._committing:
                self._replied.clear()
                self._proxy.replied = 0
                writer.write(data[: -len(COMMIT)])
                data = await self._commit(writer)
            if data.endswith(COMMIT):
                self._meant, self._said = not self._proxy.only, b""
            writer.write(data)
            await writer.drain()
        if self._committing:
            # The client is dead; that its commit arrives is not up to it any more.
            await self._replied.wait()
        raise Cut

    def _listen(self, data: bytes) -> None:
        """Note whether what is looked for was said, across the border of two pieces, too."""
        only = self._proxy.only
        if only and not self._meant:
            self._meant = only in self._said + data
            self._said = data[-len(only) :]

    async def _commit(self, writer: asyncio.StreamWriter) -> bytes:
        proxy = self._proxy
        if proxy.hold is not None:
            hold, proxy.hold = proxy.hold, None
            proxy.held.set()
            await hold.wait()
        if proxy.cut_request is not None:
            through, proxy.cut_request = proxy.cut_request, None
            writer.write(COMMIT[:through])
            await writer.drain()
            raise Cut
        return COMMIT

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._hearing.wait()
            if self._committing:
                data = await self._reply(data, writer)
            writer.write(data)
            await writer.drain()
        raise Cut

    async def _reply(self, data: bytes, writer: asyncio.StreamWriter) -> bytes:
        proxy = self._proxy
        proxy.replied += len(data)
        self._replied.set()
        if proxy.hold_reply is not None:
            hold, proxy.hold_reply = proxy.hold_reply, None
            proxy.answered.set()
            await hold.wait()
        if proxy.cut_reply is not None and proxy.replied > proxy.cut_reply:
            through = len(data) - (proxy.replied - proxy.cut_reply)
            proxy.cut_reply, self._committing = None, False
            writer.write(data[:through])
            await writer.drain()
            raise Cut
        return data
