"""The way to a provider: which addresses may be asked at all, through which proxy, trusting which certificates."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from citefidelity.config.addresses import is_this_machine
from citefidelity.config.secret import Secret
from citefidelity.errors import UsageError

METADATA_HOSTS = frozenset({"metadata.google.internal", "metadata.goog"})
METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(address) for address in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254")
)
"""Where cloud machines offer their credentials, besides the link-local 169.254.169.254."""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """What stands between this machine and others. ``proxy`` may hold a password, so it is a secret."""

    proxy: Secret | None = None
    no_proxy: str = ""
    ca_file: Path | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Network:
        """As ``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY`` (upper or lower case) and ``SSL_CERT_FILE`` say.

        ``HTTP_PROXY`` is for plain http, which only ever goes to this machine, and there no proxy is used.
        """

        def value(name: str) -> str:
            return environ.get(name.lower()) or environ.get(name) or ""

        proxy = value("HTTPS_PROXY") or value("ALL_PROXY")
        ca_file = environ.get("SSL_CERT_FILE")
        return cls(
            proxy=Secret(proxy) if proxy else None,
            no_proxy=value("NO_PROXY"),
            ca_file=Path(ca_file) if ca_file else None,
        )


DIRECT = Network()


class Proxy(msgspec.Struct, frozen=True):
    """A proxy as aiohttp takes it: the address without its password, which goes into a header of its own."""

    url: URL
    headers: dict[str, str]
    secrets: tuple[Secret, ...]


def checked_base_url(base_url: str) -> URL:
    """The address, if a key and paper text may go there.

    Raises:
        UsageError: it is no http(s) address, holds a password, would go in plain text over the network, or leads to
            where a cloud machine keeps its credentials.
    """
    try:
        url = URL(base_url)
        host = url.host or ""
    except ValueError:
        url, host = URL(), ""
    if url.scheme not in {"http", "https"} or not host or url.raw_query_string or url.raw_fragment:
        raise _refused("The base URL is no http or https address.", "Give one such as https://api.example.org/v1")
    if url.raw_user is not None or url.raw_password is not None:
        raise _refused("The base URL holds a user name or password.", "Keys come from the environment.")
    if host.lower().rstrip(".") in METADATA_HOSTS or _is_credential_source(host) or _is_disguised(host):
        raise _refused(f"{host} is no address of a model server.", "Give the server's name or usual address.")
    if url.scheme == "http" and not is_this_machine(host):
        raise _refused(
            f"The base URL would send the key and the papers' text to {host} unencrypted.",
            "Use https, or reach the server through a tunnel that ends on this machine.",
        )
    return url


def proxy_for(url: URL, network: Network) -> Proxy | None:
    """The proxy on the way to ``url``; never one on the way to this machine.

    Raises:
        UsageError: the proxy is not an http(s) address.
    """
    host = url.host or ""
    if network.proxy is None or is_this_machine(host):
        return None
    if any(_bypasses(entry, host, url.port) for entry in network.no_proxy.split(",")):
        return None
    written = network.proxy.reveal()
    try:
        proxy = URL(written if "://" in written else f"http://{written}")
    except ValueError:
        proxy = URL()
    if proxy.scheme not in {"http", "https"} or not proxy.host:
        raise _refused("The proxy in the environment is no http or https address.", "Check HTTPS_PROXY and ALL_PROXY.")
    bare = proxy.with_user(None).with_path("/").with_query(None).with_fragment(None)
    if proxy.raw_user is None:
        return Proxy(bare, {}, (network.proxy,))
    password = unquote(proxy.raw_password or "")
    credentials = aiohttp.encode_basic_auth(unquote(proxy.raw_user), password)
    secrets = (network.proxy, Secret(password), Secret(credentials.removeprefix("Basic ")))
    return Proxy(bare, {"Proxy-Authorization": credentials}, secrets)


def tls_context(network: Network) -> ssl.SSLContext:
    """Certificates are always checked, against the system's authorities or those in ``ca_file``.

    Raises:
        UsageError: ``ca_file`` cannot be read; the system's library would say nothing and refuse every server.
    """
    try:
        return ssl.create_default_context(cafile=network.ca_file)
    except (OSError, ssl.SSLError) as err:
        raise _refused(
            f"The certificates in {network.ca_file} cannot be read ({err}).", "Check SSL_CERT_FILE, or unset it."
        ) from err


class GuardedResolver(AbstractResolver):
    """Resolves names, and gives no address behind which credentials lie, whatever the name server says."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of ``host``.

        Raises:
            OSError: there is none, or one of them may not be asked.
        """
        found = await self._resolver.resolve(host, port, family)
        for result in found:
            address = result["host"]
            if _is_credential_source(address) or (is_this_machine(host) and not is_this_machine(address)):
                raise OSError(None, f"{host} resolves to {address}, which is no address of a model server")
        return found

    async def close(self) -> None:
        """Let go of the resolver."""
        await self._resolver.close()


def _bypasses(entry: str, host: str, port: int | None) -> bool:
    """Whether one entry of ``NO_PROXY`` fits: ``*``, a name and all names under it, an address or a net of them."""
    entry = entry.strip().lower()
    name = entry.removesuffix(f":{port}").removeprefix("*").strip(".[]")
    host = host.lower().rstrip(".")
    if entry == "*" or (name and (host == name or host.endswith(f".{name}"))):
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _is_credential_source(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_link_local or address.is_multicast or address in METADATA_ADDRESSES


def _is_disguised(host: str) -> bool:
    """Whether it is an IPv4 address in a spelling that only the operating system reads (``2130706433``, ``127.1``)."""
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def _refused(message: str, hint: str) -> UsageError:
    return UsageError(f"{message} Nothing was asked.", hint, kind="bad_setting")
