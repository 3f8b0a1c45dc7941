"""Who may ask: every request, the websocket's too, passes here before anything else sees it.

Refused are a host name that is not ours (a page elsewhere that points its own name at this machine), a foreign origin
(a page elsewhere that asks in a user's browser), a missing or wrong token where one is needed, and every method that
could change something. Nothing of a refused request reaches the pages.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from citefidelity.config.listening import is_called_rightly

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SOCKET = "/_nicegui_ws/"
COOKIE = "citefidelity"
POLICY_VIOLATION = 1008

# The pages' framework compiles its templates in the browser, from scripts in the page itself.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = (
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
)


class Refusal(NamedTuple):
    """Why a request is refused, for the person who made it."""

    status: HTTPStatus
    why: str


WRONG_HOST = Refusal(HTTPStatus.MISDIRECTED_REQUEST, "This server is not called by that name.")
WRONG_ORIGIN = Refusal(HTTPStatus.FORBIDDEN, "Another site may not ask this server.")
WRONG_METHOD = Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "These pages only show; nothing can be changed here.")
NO_TOKEN = Refusal(HTTPStatus.UNAUTHORIZED, "A token is needed: open the address that was printed at the start.")


class Guard:
    """The application behind a check of each request.

    Args:
        app: what is guarded.
        names: host names it may be called by, besides this machine's own and any IP address.
        token: what every request must carry, as a cookie, as ``Authorization: Bearer`` or once as ``?token=``;
            None where none is needed.
    """

    def __init__(self, app: App, names: frozenset[str], token: str | None) -> None:
        self.app = app
        self._names = names
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass, with safe headers on the answer; answer the rest here."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = _headers(scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _refuse(scope, send, refusal)
        elif self._token is not None and _query_token(scope) is not None:
            await self._keep_token(scope, headers, send)
        else:
            await self.app(scope, receive, _safely(send))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> Refusal | None:
        is_socket = scope["type"] == "websocket"
        host, origin = headers.get("host", ""), headers.get("origin")
        if not is_called_rightly(host, self._names):
            return WRONG_HOST
        reads = not is_socket and scope["method"] in {"GET", "HEAD"}
        # A browser names the origin wherever it matters: whoever leaves it out there is no browser with our page.
        if (origin is None and not reads) or (origin is not None and not _is_own(origin, host)):
            return WRONG_ORIGIN
        if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            return WRONG_ORIGIN
        if not self._has_token(scope, headers):
            return NO_TOKEN
        if not reads and not is_socket and (scope["method"] != "POST" or not scope["path"].startswith(SOCKET)):
            return WRONG_METHOD
        return None

    def _has_token(self, scope: Scope, headers: dict[str, str]) -> bool:
        if self._token is None:
            return True
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = (
            _query_token(scope) if scope["type"] == "http" else None,
            bearer.strip() if scheme.lower() == "bearer" else None,
            _cookie(headers.get("cookie", ""), _cookie_name(headers["host"])),
        )
        # How long it takes tells nothing about how much of a wrong token is right.
        return any(one is not None and secrets.compare_digest(one.encode(), self._token.encode()) for one in given)

    async def _keep_token(self, scope: Scope, headers: dict[str, str], send: Send) -> None:
        """Take the token out of the address, where it would be seen and kept, into a cookie that no script reads."""
        query = urlencode([pair for pair in _query(scope) if pair[0] != "token"])
        name = _cookie_name(headers["host"])
        answer = (
            # Two slashes would make what follows a host.
            ("location", "/" + scope["path"].lstrip("/") + (f"?{query}" if query else "")),
            ("set-cookie", f"{name}={self._token}; HttpOnly; SameSite=Lax; Path=/"),
            ("cache-control", "no-store"),
        )
        await _answer(send, HTTPStatus.SEE_OTHER, "", answer)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _is_own(origin: str, host: str) -> bool:
    """Whether a page of this very server asks: what stands after the scheme is what it was asked for as."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower()


def _query(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _query_token(scope: Scope) -> str | None:
    return next((value for name, value in _query(scope) if name == "token"), None)


def _cookie_name(host: str) -> str:
    # All ports of a host share their cookies: two of these servers beside each other would log each other out.
    return f"{COOKIE}_{urlsplit(f'//{host}').port or 0}"


def _cookie(header: str, name: str) -> str | None:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return None if found is None else found.value


async def _refuse(scope: Scope, send: Send, refusal: Refusal) -> None:
    if scope["type"] == "websocket":
        # Before it is accepted, which the server turns into a plain 403.
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        return
    more = (("www-authenticate", "Bearer"),) if refusal is NO_TOKEN else ()
    await _answer(send, refusal.status, refusal.why + "\n", more)


async def _answer(send: Send, status: HTTPStatus, body: str, headers: tuple[tuple[str, str], ...]) -> None:
    content = body.encode()
    everything = (
        *headers,
        *SECURITY_HEADERS,
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", str(len(content))),
    )
    raw = [(name.encode(), value.encode("latin-1")) for name, value in everything]
    await send({"type": "http.response.start", "status": int(status), "headers": raw})
    await send({"type": "http.response.body", "body": content})


def _safely(send: Send) -> Send:
    added = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS]
    ours = {name for name, _ in added} | {b"access-control-allow-origin", b"access-control-allow-credentials"}

    async def safely(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [pair for pair in message["headers"] if pair[0].lower() not in ours] + added
        await send(message)

    return safely
