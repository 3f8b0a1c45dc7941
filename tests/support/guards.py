"""What every test is held to: nothing from the machine gets in, nothing gets out, nothing stays behind."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import psutil

FOREIGN_PREFIXES = ("OPENAI_", "DEEPSEEK_", "NEO4J_", "CITEFIDELITY_", "OTEL_")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY")

SKIPS_ALLOWED_IN_CI = ("needs ../shared", "the real citations are not here", "needs root", "must not be root")
"""What a CI machine may lack: how the reason of such a skip begins. Any other skipped test fails there."""

LIVES_ON = ("java", "chromium", "chrome")
"""The child processes that a test may leave behind, by how their names begin: the Neo4j server, shared by all tests of
one process, and the browser, shared by those of one file."""


class NetworkUsed(Exception):
    """A test reached for an address that is not on this machine."""


def foreign_names(environment: Mapping[str, str]) -> list[str]:
    """The variables that would change what a test sees on one machine and not on another."""
    return [name for name in environment if name.startswith(FOREIGN_PREFIXES) or name.upper() in PROXIES]


def is_this_machine(address: object) -> bool:
    """Whether a socket address is of the loopback range, or a path."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0])
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host in {"", "localhost"}


def forbid_network(also_allowed: Iterable[str] = ()) -> None:
    """Let no socket of this process connect beyond this machine and ``also_allowed`` hosts, from now on for good."""
    allowed = {str(found[4][0]) for host in also_allowed for found in socket.getaddrinfo(host, None)}

    def look(event: str, arguments: tuple[object, ...]) -> None:
        if event in {"socket.connect", "socket.sendto"}:
            address = arguments[1]
            if not is_this_machine(address) and not (isinstance(address, tuple) and address[0] in allowed):
                raise NetworkUsed(f"a test reaches for {address}; only this machine is allowed")

    sys.addaudithook(look)


def hosts_of_servers_to_test(environment: Mapping[str, str]) -> list[str]:
    """The host of a Neo4j server that somebody points the tests at."""
    host = urlsplit(environment.get("NEO4J_URI", "")).hostname
    return [host] if host else []


def children() -> set[psutil.Process]:
    """The child processes, and theirs."""
    try:
        # Tells at once that there is none: to look through all processes of the machine takes milliseconds a test.
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return set()
    return set(psutil.Process().children(recursive=True))


def end_leftovers(before: set[psutil.Process]) -> list[str]:
    """End the processes that were not there ``before``; what each of them was."""
    found = []
    for process in children() - before:
        try:
            name, command = process.name(), " ".join(process.cmdline())
            if name.startswith(LIVES_ON):
                continue
            process.kill()
        except psutil.NoSuchProcess:
            continue
        found.append(f"{process.pid} {command or name}")
    return found


def must_not_be_skipped(reason: str) -> bool:
    """Whether a test that is skipped for ``reason`` counts as failed in CI."""
    return not reason.removeprefix("Skipped: ").startswith(SKIPS_ALLOWED_IN_CI)


def reason_of(longrepr: object) -> str:
    """Why a report says that its test was skipped."""
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)
