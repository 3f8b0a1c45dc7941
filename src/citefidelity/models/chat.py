"""Asks a model over HTTP, as OpenAI's chat completions are asked; nearly every provider and local server speaks it.

One question, one request: nothing is retried, no redirect followed, no deadline set for the reply. A reply of any
status is handed on as it came, without the key should it hold one.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp
import msgspec
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict
from yarl import URL

from citefidelity.config.secret import Secret
from citefidelity.models.blank import Blanker
from citefidelity.models.presets import LimitParameter
from citefidelity.models.route import (
    DIRECT,
    GuardedResolver,
    Network,
    checked_base_url,
    proxy_for,
    tls_context,
)
from citefidelity.ports import CallFault, Question, RawReply
from citefidelity.replies.complaint import parse

LARGEST_BODY = 2_000_000
"""Bytes read of a reply, packed or unpacked; a verdict has two thousand."""

KEPT_OF_LARGER = 65_536
"""Bytes kept of a reply that is larger: it is no completion, and the journal need not hold all of it."""

KEEP_ALIVE_S = 4.0
"""Below the 5 s after which uvicorn (vLLM and many gateways) closes an idle connection: a POST that meets the closing
may or may not have been served, so it would count as maybe paid. A busy run never idles so long."""

MOST_FRAMES = 16


class Frame(NamedTuple):
    """The bytes of a request around the variable part, which all questions of a kind have in common."""

    schema: dict[str, object]
    before: bytes
    after: bytes


class ChatModel:
    """An OpenAI-compatible server: ``async with ChatModel(...) as model: await model.ask(question)``.

    ``connections`` bounds the connections open at once; make it the number of calls in flight. ``temperature`` None
    sends none. ``extra_body`` is sent with each request, over everything else of the same name. The key goes to the
    host of ``base_url`` and nowhere else.

    Raises:
        UsageError: the address, the proxy or the certificates cannot be used.
    """

    def __init__(  # noqa: PLR0913 - all by name; each is one line of a preset
        self,
        base_url: str,
        model: str,
        *,
        api_key: Secret | None = None,
        temperature: float | None = None,
        extra_body: Mapping[str, object] | None = None,
        limit_parameter: LimitParameter = "max_tokens",
        connections: int = 100,
        connect_timeout: float = 30.0,
        network: Network = DIRECT,
    ) -> None:
        self._base_url = checked_base_url(base_url)
        self._url = self._base_url / "chat/completions"
        self._proxy = proxy_for(self._base_url, network)
        self._tls = tls_context(network) if self._base_url.scheme == "https" else True
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout)
        self._headers = _headers(api_key)
        secrets = [api_key] if api_key else []
        self._blanker = Blanker([*secrets, *(self._proxy.secrets if self._proxy else ())])
        fixed: dict[str, object] = {"model": model, "stream": False}
        self._always = fixed if temperature is None else fixed | {"temperature": temperature}
        self._extra = dict(extra_body or {})
        self._limit_parameter = limit_parameter
        self._frames: dict[tuple[str, int, str], Frame] = {}
        self._session: aiohttp.ClientSession | None = None

    @property
    def host(self) -> str:
        """Whom it asks."""
        return self._base_url.host or ""

    @property
    def proxy(self) -> str | None:
        """The proxy on the way there, without its password; None where there is none."""
        return str(self._proxy.url) if self._proxy else None

    async def __aenter__(self) -> Self:
        """Get ready; no connection is made yet."""
        connector = aiohttp.TCPConnector(
            limit=self._connections, keepalive_timeout=KEEP_ALIVE_S, ssl=self._tls, resolver=GuardedResolver()
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            # Unpacked here, under a cap of our own; and the environment is read once, not by a thread at each call.
            auto_decompress=False,
            trust_env=False,
            proxy=self._proxy.url if self._proxy else None,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self.close()

    async def close(self) -> None:
        """Close all connections; safe to call twice."""
        if self._session is not None:
            await self._session.close()

    async def ask(self, question: Question) -> RawReply:
        """The whole answer, whatever its status.

        Raises:
            CallFault: there is none; ``sent`` is whether the request had begun to leave.
        """
        frame = self._frame(question)
        return await self._request(
            "POST",
            self._url,
            Body(frame.before + msgspec.json.encode(question.variable) + frame.after, question.held_back),
        )

    async def fetch(self, path: str) -> RawReply:
        """What the server has at ``path`` under its base URL, such as ``models``.

        Raises:
            CallFault: no answer came.
        """
        return await self._request("GET", self._base_url / path, None)

    async def _request(self, method: str, url: URL, body: Body | None) -> RawReply:
        if self._session is None:
            raise RuntimeError("ChatModel is used outside of its `async with`")
        chunks: list[bytes] = []
        response = None
        try:
            async with self._session.request(
                method,
                url,
                data=body,
                # Not as the session's: those go to the proxy too, which would get the key as its own.
                headers=self._headers,
                allow_redirects=False,
                proxy_headers=self._proxy.headers if self._proxy else None,
            ) as response:
                await _read(response.content, chunks)
                if sum(map(len, chunks)) > LARGEST_BODY:
                    response.close()
                return self._reply(response, b"".join(chunks))
        except (aiohttp.ClientError, OSError) as error:
            fault = self._fault(error, body, b"".join(chunks))
        if response is not None and isinstance(parse(b"".join(chunks)), dict):
            # Only the end of the transfer is missing: the answer is whole, and paid.
            return self._reply(response, b"".join(chunks))
        # Not chained: aiohttp's errors carry the headers of the request with them, and so the key.
        raise fault

    def _reply(self, response: aiohttp.ClientResponse, body: bytes) -> RawReply:
        headers = {name.lower(): value for name, value in response.headers.items()}
        body = self._blanker.body(_unpacked(body, headers.get("content-encoding", "")))
        if len(body) > LARGEST_BODY:
            body = self._blanker.cut_body(body[:KEPT_OF_LARGER])
        return RawReply(response.status, body, {name: self._blanker.text(value) for name, value in headers.items()})

    def _fault(self, error: Exception, body: Body | None, arrived: bytes) -> CallFault:
        if body is not None and body.kept:
            return CallFault("abandoned", body.kept, sent=False)
        sent = body is not None and body.began
        message = self._blanker.text(_said(error, sent=sent))
        return CallFault("connection", message, sent=sent, body=self._blanker.cut_body(arrived) or None)

    def _frame(self, question: Question) -> Frame:
        kind = (question.fixed, question.max_output_tokens, question.style)
        frame = self._frames.get(kind)
        if frame is None or frame.schema != question.schema:
            if len(self._frames) >= MOST_FRAMES:
                self._frames.clear()
            frame = self._frames[kind] = self._built(question)
        return frame

    def _built(self, question: Question) -> Frame:
        rest = self._always | {self._limit_parameter: question.max_output_tokens} | _format(question) | self._extra
        before = b'{"messages":[{"role":"system","content":%b},{"role":"user","content":' % msgspec.json.encode(
            question.fixed
        )
        return Frame(question.schema, before, b"}]," + msgspec.json.encode(rest)[1:])


class Body(aiohttp.Payload):
    """The body of a request, which knows whether it began to leave: the headers leave with its first bytes.

    ``held_back`` is asked just before them, as a connection may have taken its time; ``kept`` is what it said.
    """

    began = False
    kept: str | None = None

    def __init__(self, value: bytes, held_back: Callable[[], str | None]) -> None:
        super().__init__(value, content_type="application/json")
        self._size = len(value)
        self._held_back = held_back

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """As text, for aiohttp's own use."""
        return bytes(self._value).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send it."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send it; aiohttp passes the length that it has from here."""
        del content_length
        self.kept = self._held_back()
        if self.kept:
            raise OSError(self.kept)
        self.began = True
        await writer.write(self._value)


def _headers(api_key: Secret | None) -> CIMultiDict[str]:
    headers = CIMultiDict(
        {
            "Accept": "application/json",
            # Packing two thousand bytes saves nothing, and what is not packed cannot be a bomb.
            "Accept-Encoding": "identity",
            "User-Agent": "citefidelity",
        }
    )
    if api_key is not None:
        headers["Authorization"] = f"Bearer {api_key.reveal()}"
    return headers


def _format(question: Question) -> dict[str, object]:
    if question.style == "json_schema":
        schema: dict[str, Any] = {"name": "verdict", "strict": True, "schema": question.schema}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    return {"response_format": {"type": "json_object"}} if question.style == "json_object" else {}


async def _read(content: aiohttp.StreamReader, chunks: list[bytes]) -> None:
    size = 0
    while size <= LARGEST_BODY:
        chunk = await content.readany()
        chunks.append(chunk)
        size += len(chunk)
        if content.at_eof():
            return


def _unpacked(body: bytes, encoding: str) -> bytes:
    """What a server packed although it was asked not to; as it came, where that cannot be undone."""
    if encoding.lower() not in {"gzip", "x-gzip", "deflate"}:
        return body
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, LARGEST_BODY + 1)
    except zlib.error:
        return body


def _said(error: Exception, *, sent: bool) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy does not let it through (HTTP {error.status}: {error.message})"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{error.host} shows a certificate that is not trusted ({error.certificate_error})"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"what came back is no HTTP ({error.message})"
    if isinstance(error, asyncio.TimeoutError):
        return "no connection within the time for connecting"
    reason = str(error) or type(error).__name__
    return f"the connection broke before the reply was whole ({reason})" if sent else f"no connection ({reason})"
