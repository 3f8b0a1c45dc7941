"""Where a server of ours listens, and by which names it may be called."""

from __future__ import annotations

import platform

import pytest

from citefidelity.config.listening import EVERYWHERE, ListenAddress, is_called_rightly, listen_address


@pytest.mark.parametrize(
    ("raw", "address", "written", "loopback"),
    [
        ("127.0.0.1:9464", ListenAddress("127.0.0.1", 9464), "127.0.0.1:9464", True),
        ("9464", ListenAddress("127.0.0.1", 9464), "127.0.0.1:9464", True),
        (9464, ListenAddress("127.0.0.1", 9464), "127.0.0.1:9464", True),
        ("localhost:0", ListenAddress("localhost", 0), "localhost:0", True),
        ("[::1]:9464", ListenAddress("::1", 9464), "[::1]:9464", True),
        ("0.0.0.0:9464", ListenAddress("0.0.0.0", 9464), "0.0.0.0:9464", False),  # noqa: S104 - it is what is tested
        ("node-7.example.org:80", ListenAddress("node-7.example.org", 80), "node-7.example.org:80", False),
    ],
)
def test_good_addresses(raw: object, address: ListenAddress, written: str, loopback: bool) -> None:
    """Each way to write an address gives it, and it is written in one way; a port alone stays on this machine."""
    assert listen_address(raw) == address
    assert str(address) == written
    assert listen_address(written) == address
    assert address.is_loopback is loopback


@pytest.mark.parametrize(
    "raw",
    ["", "host", "host:", ":9464", "host:65536", "host:-1", "http://host:1", "::1:9464", "a b:1", "[x]:1",
     "[1.2.3.4]:1", "host:1/metrics", "user@host:1", "²", "99999", True, None, 1.5],
)  # fmt: skip
def test_bad_addresses(raw: object) -> None:
    """What names no host and port is refused."""
    with pytest.raises(ValueError, match="must"):
        listen_address(raw)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:9464", "localhost", "LOCALHOST.:1", "[::1]:9", "10.0.0.7:9464", "node-7", "Node-7.:1"]
)
def test_names_that_are_ours(host: str) -> None:
    """This machine, any address and the names that were given are good names."""
    assert is_called_rightly(host, frozenset({"node-7"}))


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:9464", "127.0.0.1.evil.example", "[::1", "node-7.evil"]
)
def test_names_that_are_not(host: str) -> None:
    """A name that somebody else pointed here is refused: a page of theirs would read along."""
    assert not is_called_rightly(host, frozenset({"node-7"}))


@pytest.mark.parametrize(
    ("host", "called"),
    [("127.0.0.1", "127.0.0.1"), *((host, platform.node()) for host in sorted(EVERYWHERE))],
)
def test_what_listens_everywhere_is_called_by_name(host: str, called: str) -> None:
    """An address that is none to call is not given to people: from elsewhere it would lead to their own machine."""
    assert ListenAddress(host, 1).host_to_call == called
