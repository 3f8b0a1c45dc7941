"""The way out: certificates are checked, a proxy gets to see an address and nothing else, and a late no counts."""

from __future__ import annotations

import asyncio
import ssl
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
import trustme

from citefidelity.config.secret import Secret
from citefidelity.models.chat import ChatModel
from citefidelity.models.route import Network
from citefidelity.ports import CallFault, Question
from citefidelity.replies.completion import read_completion
from citefidelity.testing.provider import ScriptedProvider
from support.proxy import TunnelProxy

HOST = "models.example.org"
KEY = Secret("sk-canary-Qz81/wX7+Lm02_pR.44-ytHHaa")
PASSWORD = "p4ssw0rd-long"  # noqa: S105 - made up
PROMPT = "The text of the paper, which nobody on the way may read."
QUESTION = Question(fixed="Judge.", variable=PROMPT, schema={}, max_output_tokens=100)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority of our own."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    """Its certificate in a file."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@asynccontextmanager
async def served(authority: trustme.CA, *names: str) -> AsyncIterator[ScriptedProvider]:
    """A provider over TLS that shows a certificate for ``names``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    async with ScriptedProvider(tls=context) as provider:
        yield provider


def port_of(provider: ScriptedProvider) -> int:
    """Where it listens."""
    port = urlsplit(provider.base_url).port
    assert port is not None
    return port


async def fault_of(model: ChatModel) -> CallFault:
    """The fault that asking ends in."""
    with pytest.raises(CallFault) as caught:
        await model.ask(QUESTION)
    return caught.value


async def test_a_certificate_of_a_known_authority_is_trusted(authority: trustme.CA, ca_file: Path) -> None:
    """``SSL_CERT_FILE`` names the authority, and the answer comes over TLS."""
    network = Network.from_environment({"SSL_CERT_FILE": str(ca_file)})
    async with served(authority, "localhost") as provider:
        address = f"https://localhost:{port_of(provider)}/v1"
        async with ChatModel(address, "m", api_key=KEY, network=network) as model:
            assert read_completion(await model.ask(QUESTION)).fault is None


async def test_any_other_certificate_is_refused_before_anything_is_sent(authority: trustme.CA, ca_file: Path) -> None:
    """An unknown authority, or a certificate for another name: no key and no text leave."""
    async with served(authority, "localhost") as stranger, served(authority, "other.example.org") as misnamed:
        for provider, network in ((stranger, Network()), (misnamed, Network(ca_file=ca_file))):
            address = f"https://localhost:{port_of(provider)}/v1"
            async with ChatModel(address, "m", api_key=KEY, network=network) as model:
                fault = await fault_of(model)
            assert (fault.kind, fault.sent) == ("connection", False)
            assert "certificate" in fault.message
            assert provider.stats().received == 0


async def test_a_proxy_sees_an_address_and_nothing_else(authority: trustme.CA, ca_file: Path) -> None:
    """The tunnel carries TLS: neither key nor text nor password shows in what the proxy relays."""
    async with served(authority, HOST) as provider, TunnelProxy(port_of(provider)) as proxy:
        environ = {"HTTPS_PROXY": f"http://me:{PASSWORD}@{proxy.address}", "SSL_CERT_FILE": str(ca_file)}
        async with ChatModel(
            f"https://{HOST}/v1", "m", api_key=KEY, network=Network.from_environment(environ)
        ) as model:
            replies = await asyncio.gather(*[model.ask(QUESTION) for _ in range(3)])
        assert all(read_completion(reply).fault is None for reply in replies)
        assert provider.hits[0].authorization == f"Bearer {KEY.reveal()}"
        assert "proxy-authorization" not in provider.hits[0].headers
    assert proxy.heads
    for head in proxy.heads:
        assert head.startswith(f"CONNECT {HOST}:443 HTTP/1.1\r\n")
        assert "Proxy-Authorization: Basic" in head
        assert KEY.reveal() not in head
    for secret in (KEY.reveal(), PROMPT, "Bearer"):
        assert secret.encode() not in proxy.relayed


@pytest.mark.parametrize("refusal", ["407 Proxy Authentication Required", "502 Bad Gateway", "403 Forbidden"])
async def test_a_proxy_that_refuses_was_sent_no_question(refusal: str) -> None:
    """The request has not left, the proxy's status is named, and its password is not."""
    async with TunnelProxy(0, refusal) as proxy:
        network = Network(proxy=Secret(f"http://me:{PASSWORD}@{proxy.address}"))
        async with ChatModel(f"https://{HOST}/v1", "m", api_key=KEY, network=network) as model:
            fault = await fault_of(model)
    assert (fault.kind, fault.sent) == ("connection", False)
    assert refusal.split(maxsplit=1)[0] in fault.message
    assert PASSWORD not in "".join(traceback.format_exception(fault))


async def test_a_proxy_that_hangs_up_was_sent_no_question() -> None:
    """A tunnel that ends while it is being dug carried nothing."""
    async with TunnelProxy(1) as proxy:  # nothing listens on port 1
        network = Network(proxy=Secret(f"http://{proxy.address}"))
        async with ChatModel(f"https://{HOST}/v1", "m", api_key=KEY, network=network) as model:
            fault = await fault_of(model)
    assert (fault.kind, fault.sent) == ("connection", False)


async def test_a_proxy_that_is_not_there_was_sent_nothing() -> None:
    """The message names the trouble and keeps the password."""
    async with TunnelProxy(1) as proxy:
        address = proxy.address
    network = Network(proxy=Secret(f"http://me:{PASSWORD}@{address}"))
    async with ChatModel(f"https://{HOST}/v1", "m", api_key=KEY, network=network) as model:
        fault = await fault_of(model)
    assert (fault.kind, fault.sent) == ("connection", False)
    assert PASSWORD not in "".join(traceback.format_exception(fault))


async def test_this_machine_is_asked_without_the_proxy() -> None:
    """A proxy in the environment does not see what goes to a local server."""
    async with ScriptedProvider() as provider, TunnelProxy(port_of(provider)) as proxy:
        environ = {"HTTPS_PROXY": f"http://{proxy.address}", "HTTP_PROXY": f"http://{proxy.address}"}
        async with ChatModel(provider.base_url, "m", network=Network.from_environment(environ)) as model:
            assert (await model.ask(QUESTION)).status == 200
        assert proxy.heads == []


async def test_no_proxy_is_respected(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, ca_file: Path) -> None:
    """A host that ``NO_PROXY`` names is reached directly."""
    async with served(authority, HOST) as provider, TunnelProxy(port_of(provider)) as proxy:

        async def resolve(_: object, host: str, port: int, *__: object) -> list[dict[str, object]]:
            return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 6, "flags": 0}]

        monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", resolve)
        environ = {"HTTPS_PROXY": f"http://{proxy.address}", "NO_PROXY": HOST, "SSL_CERT_FILE": str(ca_file)}
        async with ChatModel(
            f"https://{HOST}:{port_of(provider)}/v1", "m", network=Network.from_environment(environ)
        ) as model:
            assert (await model.ask(QUESTION)).status == 200
        assert proxy.heads == []


@pytest.mark.guarantee("G5", "G8")
async def test_what_is_held_back_while_it_connects_sent_nothing() -> None:
    """A reason not to leave that comes up after the call began keeps every byte of the request here."""
    held_back = msgspec.structs.replace(QUESTION, held_back=lambda: "the claim was lost")
    async with ScriptedProvider() as provider, ChatModel(provider.base_url, "m", api_key=KEY) as model:
        await model.ask(QUESTION)
        with pytest.raises(CallFault) as caught:
            await model.ask(held_back)
        await model.ask(QUESTION)  # the connection that was not used does no harm
        stats = provider.stats()
    fault = caught.value
    assert (fault.kind, fault.message, fault.sent, fault.body) == ("abandoned", "the claim was lost", False, None)
    assert (stats.received, stats.answered) == (2, 2)
