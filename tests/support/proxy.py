"""A tiny forward proxy on this machine: notes what it is asked for, and leads every tunnel to one port."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class TunnelProxy:
    """Answers ``CONNECT`` with a tunnel to ``port`` on this machine, or with ``refuse`` as its status line.

    ``heads`` are the requests as it saw them, ``relayed`` the bytes that went towards the server.
    """

    def __init__(self, port: int, refuse: str | None = None) -> None:
        self._port = port
        self._refuse = refuse
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.heads: list[str] = []
        self.relayed = bytearray()

    @property
    def address(self) -> str:
        """Host and port."""
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all tunnels."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            if self._refuse is not None:
                writer.write(f"HTTP/1.1 {self._refuse}\r\ncontent-length: 0\r\n\r\n".encode())
                return
            onward_reader, onward = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(self._pump(reader, onward, note=True), self._pump(onward_reader, writer, note=False))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, note: bool) -> None:
        try:
            while data := await reader.read(65_536):
                if note:
                    self.relayed += data
                writer.write(data)
        finally:
            writer.close()
