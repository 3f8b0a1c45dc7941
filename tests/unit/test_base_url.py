"""Base URLs: one form for one server, and none that carries a secret."""

from __future__ import annotations

import pytest

from citefidelity.config.base_url import LOOPBACK, normalise_base_url
from citefidelity.errors import UsageError


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/v1",
        "http://127.8.9.10/",
        "http://localhost:11434/v1",
        "HTTP://LocalHost.:1/x",
        "https://gpu.localhost/v1",
        "http://[::1]:8080/v1",
        "http://[::ffff:127.0.0.1]:8080",
        LOOPBACK,
    ],
)
def test_every_loopback_address_is_the_one_word(url: str) -> None:
    """The port of a local server changes from start to start; what it answers does not."""
    assert normalise_base_url(url) == LOOPBACK


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("HTTPS://API.Example.ORG:443/V1/", "https://api.example.org/V1"),
        ("http://gpu-box:80", "http://gpu-box"),
        (" https://api.example.org./v1// ", "https://api.example.org/v1"),
        ("https://api.example.org:8443/v1", "https://api.example.org:8443/v1"),
        ("http://[2001:DB8::1]:8080/v1", "http://[2001:db8::1]:8080/v1"),
        ("http://10.0.0.7:8000", "http://10.0.0.7:8000"),
    ],
)
def test_two_ways_to_write_a_server_become_one(url: str, normal: str) -> None:
    """Case of the host, a default port and slashes at the end make no difference; the path's case does."""
    assert normalise_base_url(url) == normal
    assert normalise_base_url(normal) == normal


@pytest.mark.parametrize(
    "url",
    [
        "api.example.org/v1",
        "ftp://api.example.org",
        "https://",
        "https://api.example.org?version=2",
        "https://api.example.org/#a",
        "https://api.example.org:notaport/",
        "https://[::1",
        "",
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    """A base URL to which no path could be added is a usage error."""
    with pytest.raises(UsageError):
        normalise_base_url(url)


def test_a_url_with_a_password_is_refused_without_repeating_it() -> None:
    """A password in a URL would end in journals, so it gets no further than this, and not into the message."""
    with pytest.raises(UsageError) as caught:
        normalise_base_url("https://someone:hunter2@api.example.org/v1")
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_a_name_that_only_looks_local_is_not_loopback() -> None:
    """Loopback servers get no key and no proxy, so a name on the net must never count as one."""
    for host in ("localhost.example.org", "127.0.0.1.example.org", "mylocalhost"):
        assert normalise_base_url(f"http://{host}") == f"http://{host}"
