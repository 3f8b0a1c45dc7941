"""Which addresses may be asked, and through which proxy."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from aiohttp.abc import ResolveResult
from yarl import URL

from citefidelity.config.secret import Secret
from citefidelity.errors import UsageError
from citefidelity.models.route import GuardedResolver, Network, checked_base_url, proxy_for, tls_context

PASSWORD = "p4ssw0rd"  # noqa: S105 - made up


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://192.168.1.20:8000/v1",
        "https://[2001:db8::1]/v1",
        "http://localhost:8000/v1",
        "http://127.0.0.1:8000",
        "http://127.9.9.9:8000",
        "http://[::1]:8000/v1",
    ],
)
def test_servers_may_be_asked(url: str) -> None:
    """Https anywhere, plain http on this machine."""
    assert str(checked_base_url(url)).rstrip("/") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.openai.com/v1",
        "http://192.168.1.20:8000/v1",
        "http://0.0.0.0:8000/v1",
        "http://localhost.example.org/v1",
        f"https://user:{PASSWORD}@api.openai.com/v1",
        "https://user@api.openai.com/v1",
        "https://169.254.169.254/latest",
        "https://[fe80::1]/v1",
        "https://[::ffff:169.254.169.254]/v1",
        "https://[fd00:ec2::254]/v1",
        "https://100.100.100.200/v1",
        "https://metadata.google.internal/v1",
        "https://METADATA.google.internal./v1",
        "https://2852039166/v1",
        "https://0xa9.254.169.254/v1",
        "http://2130706433:8000/v1",
        "http://127.1:8000/v1",
        "ftp://localhost/v1",
        "localhost:8000/v1",
        "https:///v1",
        "https://api.openai.com/v1?key=1",
        "https://api.openai.com:99999/v1",
        "",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    """No plain text over the network, no passwords in addresses, no machine's own credentials, no disguises."""
    with pytest.raises(UsageError) as caught:
        checked_base_url(url)
    assert PASSWORD not in str(caught.value)
    assert caught.value.hint


async def test_a_name_that_leads_to_credentials_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a name server says is checked too: a harmless name may lead to the link-local address."""
    resolver = GuardedResolver()
    found = [ResolveResult(hostname="x", host="169.254.169.254", port=443, family=socket.AF_INET, proto=6, flags=0)]

    async def resolve(*_: object) -> list[ResolveResult]:
        return found

    monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", resolve)
    with pytest.raises(OSError, match=r"169\.254"):
        await resolver.resolve("models.example.org", 443)
    found[0]["host"] = "192.0.2.7"
    assert await resolver.resolve("models.example.org", 443) == found
    with pytest.raises(OSError, match="localhost resolves to"):
        await resolver.resolve("localhost", 443)
    await resolver.close()


def proxy_of(url: str, **environ: str) -> str | None:
    """The proxy on the way to ``url`` in this environment."""
    proxy = proxy_for(URL(url), Network.from_environment(environ))
    return str(proxy.url) if proxy else None


def test_the_proxy_comes_from_the_environment() -> None:
    """``HTTPS_PROXY`` before ``ALL_PROXY``, in upper or lower case, with or without a scheme."""
    url = "https://api.openai.com/v1"
    assert proxy_of(url) is None
    assert proxy_of(url, HTTPS_PROXY="http://proxy:3128") == "http://proxy:3128/"
    assert proxy_of(url, https_proxy="proxy:3128") == "http://proxy:3128/"
    assert proxy_of(url, ALL_PROXY="https://proxy:3129") == "https://proxy:3129/"
    assert proxy_of(url, ALL_PROXY="http://other", HTTPS_PROXY="http://proxy") == "http://proxy/"
    assert proxy_of(url, HTTP_PROXY="http://proxy:3128") is None


@pytest.mark.parametrize("url", ["http://localhost:8000/v1", "https://127.0.0.1/v1", "https://[::1]:8443/v1"])
def test_this_machine_is_never_reached_through_a_proxy(url: str) -> None:
    """A proxy elsewhere could not reach a local server, and should not see what it is sent."""
    assert proxy_of(url, HTTPS_PROXY="http://proxy:3128", ALL_PROXY="http://proxy:3128") is None


@pytest.mark.parametrize(
    ("no_proxy", "passed"),
    [
        ("*", True),
        ("models.example.org", True),
        ("example.org", True),
        (".example.org", True),
        ("*.example.org", True),
        ("other.net, EXAMPLE.org ", True),
        ("models.example.org:8443", True),
        ("models.example.org:443", False),
        ("xample.org", False),
        ("example.org.net", False),
        ("", False),
        (",,", False),
    ],
)
def test_no_proxy_names_who_is_reached_directly(no_proxy: str, *, passed: bool) -> None:
    """A name stands for itself and all names under it, with a port only for that port."""
    proxy = proxy_of("https://models.example.org:8443/v1", HTTPS_PROXY="http://proxy", NO_PROXY=no_proxy)
    assert (proxy is None) == passed


def test_no_proxy_takes_nets() -> None:
    """An address is reached directly if it lies in a net that is named."""
    assert proxy_of("https://192.168.1.20/v1", HTTPS_PROXY="http://proxy", NO_PROXY="192.168.0.0/16") is None
    assert proxy_of("https://192.0.2.7/v1", HTTPS_PROXY="http://proxy", NO_PROXY="192.168.0.0/16") is not None


def test_the_password_of_a_proxy_stays_out_of_its_address() -> None:
    """It goes into a header, is known as a secret in every form, and no repr shows it."""
    network = Network.from_environment({"HTTPS_PROXY": f"http://me:{PASSWORD}@proxy:3128"})
    proxy = proxy_for(URL("https://api.openai.com/v1"), network)
    assert proxy is not None
    assert str(proxy.url) == "http://proxy:3128/"
    assert proxy.headers["Proxy-Authorization"].startswith("Basic ")
    secrets = {secret.reveal() for secret in proxy.secrets}
    assert {PASSWORD, proxy.headers["Proxy-Authorization"].removeprefix("Basic ")} <= secrets
    assert PASSWORD not in repr(network)


@pytest.mark.parametrize("proxy", ["socks5://proxy:1080", "http://", "://", "http://proxy:99999"])
def test_a_proxy_that_cannot_be_used_is_named(proxy: str) -> None:
    """No silent way around a proxy that was asked for."""
    with pytest.raises(UsageError, match="proxy"):
        proxy_of("https://api.openai.com/v1", HTTPS_PROXY=proxy)


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """A missing or wrong ``SSL_CERT_FILE`` is said at once, not as a refusal of every server later."""
    wrong = tmp_path / "ca.pem"
    for content in (None, "no certificate"):
        if content is not None:
            wrong.write_text(content, encoding="utf-8")
        with pytest.raises(UsageError, match="certificates"):
            tls_context(Network.from_environment({"SSL_CERT_FILE": str(wrong)}))


def test_a_network_needs_no_settings() -> None:
    """Without any, the way is direct and the system's authorities are trusted."""
    network = Network.from_environment({})
    assert network == Network(proxy=None, no_proxy="", ca_file=None)
    assert Network(proxy=Secret("http://proxy")) != network
