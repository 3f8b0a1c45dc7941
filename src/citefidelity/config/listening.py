"""Where a server of ours listens, and by which names it may be called."""

from __future__ import annotations

import ipaddress
import os
import platform
import re
from urllib.parse import urlsplit

import msgspec

from citefidelity.config.addresses import is_this_machine

LOOPBACK_HOST = "127.0.0.1"
EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - only told apart here
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


class ListenAddress(msgspec.Struct, frozen=True):
    """A host and a port to listen on. Port 0 is any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        """``HOST:PORT``, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def host_to_call(self) -> str:
        """What to call it by: this machine's name where it listens on all of its addresses."""
        return platform.node() if self.host in EVERYWHERE else self.host

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_this_machine(self.host)


def listen_address(raw: object) -> ListenAddress:
    """``HOST:PORT``, or a port alone, which is on this machine only.

    Raises:
        ValueError: it is neither; says what it must be.
    """
    written = str(raw).strip() if isinstance(raw, int | str) and not isinstance(raw, bool) else ""
    host, separator, port = written.rpartition(":")
    in_brackets = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if in_brackets else host
    if not port.isdecimal() or not port.isascii() or not 0 <= int(port) <= 65_535:  # noqa: PLR2004 - the last port
        raise ValueError("must be HOST:PORT, or a port from 0 to 65535 alone for this machine only")
    if not separator:
        return ListenAddress(LOOPBACK_HOST, int(port))
    if not (":" in bare and _is_ip(bare) if in_brackets else HOST.fullmatch(bare)):
        raise ValueError("must begin with the name or address to listen on: 127.0.0.1:9464, or [::1]:9464")
    return ListenAddress(bare, int(port))


def why_not(error: OSError) -> str:
    """Why nobody can listen there, without the address again, which Python puts into its message."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error)


def is_called_rightly(host_header: str, names: frozenset[str]) -> bool:
    """Whether a request asks for a server by a name it may have: one of ``names``, this machine, or any IP address.

    A web page elsewhere can point a name of its own at this machine and read what is served here; it cannot make a
    browser send another name, nor an address, than the one it was loaded from.
    """
    try:
        host = urlsplit(f"//{host_header}").hostname or ""
    except ValueError:
        return False
    return bool(host) and (is_this_machine(host) or _is_ip(host) or host.rstrip(".").lower() in names)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
