"""The server's side of HTTP/1.1, by hand: a web framework costs more than what it would measure, and is too polite.

A connection can be cut, reset or left hanging at any byte, which no framework allows.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import NamedTuple

from citefidelity.testing.acts import Ending

LARGEST_REQUEST = 16_000_000


class Request(NamedTuple):
    """One request; names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Connection(asyncio.Protocol):
    """One keep-alive connection: hands whole requests to ``handle``, one at a time."""

    def __init__(self, handle: Callable[[Request, Connection], None], lost: Callable[[Connection], None]) -> None:
        self._handle = handle
        self._lost = lost
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self.gone: Callable[[], None] | None = None
        """Called when the client leaves before its answer was finished."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a server of streams gets no other
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left."""
        del exc
        self._transport = None
        self._lost(self)
        if self._timer is not None:
            self._timer.cancel()
        if self.gone is not None:
            self.gone()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._buffer += data
        self._read()

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something later, unless the client leaves before."""
        if seconds <= 0.0:
            act()
        elif self._transport is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, act)

    def send(self, data: bytes) -> None:
        """Put bytes on the way."""
        if self._transport is not None:
            self._transport.write(data)

    def finish(self, ending: Ending) -> None:
        """The answer is over: be ready for the next request, or end the connection in some way."""
        self.gone = None
        if self._transport is None or ending == "silence":
            return
        if ending == "keep":
            self._busy = False
            self._read()
        elif ending == "close":
            self._transport.close()
        else:
            # Zero seconds to linger: the connection ends with a reset, not with an ordinary end.
            end = self._transport.get_extra_info("socket")
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def drop(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()

    def _read(self) -> None:
        if self._busy:
            return
        if self._buffer and not self._buffer[:1].isalpha():
            # TLS, most likely: say so as a web server does.
            self.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            self.finish("close")
            return
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", "0"))
        if length > LARGEST_REQUEST or "transfer-encoding" in headers:
            self.drop()
            return
        if len(self._buffer) < end + 4 + length:
            return
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        method, path, _ = lines[0].split(" ", 2)
        self._busy = True
        self._handle(Request(method, path, headers, body), self)
