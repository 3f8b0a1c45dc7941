"""Where the pages listen, and the token they are asked with."""

from __future__ import annotations

import importlib.util
import os
import platform
import secrets
import socket

import msgspec

from citefidelity.config.listening import ListenAddress, why_not
from citefidelity.errors import UsageError

DEFAULT = ListenAddress("127.0.0.1", 8650)
TOKEN_BYTES = 24
SHORTEST_TOKEN = 16


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """Where the pages are. ``url`` holds the token where one was made up; one that was given is not repeated."""

    url: str
    host: str
    port: int
    token_needed: bool
    pid: int


def require_pages() -> None:
    """Refuse early where the pages cannot be served at all.

    Raises:
        UsageError: the extra is not installed.
    """
    if importlib.util.find_spec("nicegui") is None:
        raise UsageError(
            "The pages in a browser need the extra `web`, which is not installed. Nothing was asked.",
            "pip install 'citefidelity[web]'",
            kind="no_web",
        )


class Listener:
    """A socket that listens, and the token to ask with.

    Args:
        address: where; None for this machine only, at the usual port, or at a free one where that is taken.
        token: what must be asked with; None makes one up where others than this machine can ask.

    Raises:
        UsageError: it cannot listen there, or the token is easily guessed.
    """

    def __init__(self, address: ListenAddress | None, token: str | None) -> None:
        if token is not None and len(token) < SHORTEST_TOKEN:
            raise UsageError(
                f"The token for the pages has fewer than {SHORTEST_TOKEN} characters, so it could be guessed.",
                "Leave CITEFIDELITY_WEB_TOKEN unset, and one is made up.",
                kind="bad_setting",
            )
        self.socket = _bound(address)
        self.address = address or DEFAULT
        self._made_up = token is None and not self.address.is_loopback
        self.token = secrets.token_hex(TOKEN_BYTES) if self._made_up else token

    @property
    def names(self) -> frozenset[str]:
        """Host names by which it may be called, besides this machine's own."""
        return frozenset(name.lower() for name in (self.address.host, platform.node(), socket.getfqdn()) if name)

    def serving(self) -> Serving:
        """What to tell the person who opens it."""
        port = self.socket.getsockname()[1]
        query = f"?token={self.token}" if self._made_up else ""
        return Serving(
            url=f"http://{ListenAddress(self.address.host_to_call, port)}/{query}",
            host=self.address.host,
            port=port,
            token_needed=self.token is not None,
            pid=os.getpid(),
        )


def _bound(address: ListenAddress | None) -> socket.socket:
    try:
        return _listening(address or DEFAULT)
    except OSError as err:
        if address is None:
            return _listening(ListenAddress(DEFAULT.host, 0))
        raise UsageError(
            f"The pages cannot be served at {address}: {why_not(err)}.",
            "Choose another port with --web-address HOST:PORT; port 0 takes a free one.",
            kind="cannot_listen",
        ) from err


def _listening(address: ListenAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    return socket.create_server((address.host, address.port), family=family, backlog=64)
