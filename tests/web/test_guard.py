"""Who may ask the server of the pages, with real requests to a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.pages import fill, pages

TOKEN = "a-token-of-enough-letters"  # noqa: S105 - made up, for this test
SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
POLLING = "/_nicegui_ws/socket.io/?EIO=4&transport=polling"


@pytest.fixture(scope="module")
def open_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Pages that need no token; their address."""
    directory = tmp_path_factory.mktemp("open")
    fill(directory, 1)
    with pages(directory) as serving:
        assert not serving["token_needed"]
        yield serving["url"].rstrip("/")


@pytest.fixture(scope="module")
def locked_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Pages that need a token; their address."""
    directory = tmp_path_factory.mktemp("locked")
    fill(directory, 1)
    with pages(directory, env={"CITEFIDELITY_WEB_TOKEN": TOKEN}) as serving:
        assert serving["token_needed"]
        assert "token" not in serving["url"]
        yield serving["url"].rstrip("/")


async def ask(url: str, path: str = "/", method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and text of one request, as it was made."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.request(method, f"{url}{path}", headers=named, allow_redirects=False) as reply,
    ):
        return reply.status, {name.lower(): value for name, value in reply.headers.items()}, await reply.text()


async def connect(url: str, **headers: str) -> int:
    """The status that a websocket is answered with; 101 is a connection."""
    try:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}{SOCKET}", headers=headers) as socket:
            first: Any = await socket.receive(timeout=5)
            assert str(first.data).startswith("0"), first
            return 101
    except aiohttp.WSServerHandshakeError as refused:
        return refused.status


async def test_a_page_of_this_machine_is_shown_with_safe_headers(open_site: str) -> None:
    """What is shown may be framed by nobody, loads from nowhere else, and tells no one where it was opened from."""
    status, headers, text = await ask(open_site)
    assert (status, "Skip to the content" in text) == (200, True)
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/", "/failures", POLLING, "/citefidelity.css"])
async def test_a_name_that_is_not_ours_is_refused(open_site: str, path: str) -> None:
    """A page elsewhere that points its own name at this machine reads nothing."""
    status, headers, text = await ask(open_site, path, Host="rebound.example:8650")
    assert (status, text) == (421, "This server is not called by that name.\n")
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", POLLING])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://[", "data:,"])
async def test_another_site_may_not_ask(open_site: str, path: str, origin: str) -> None:
    """A page of another origin is refused, one on another port of this machine too, whatever it asks for."""
    status, headers, _ = await ask(open_site, path, Origin=origin)
    assert status == 403
    assert "access-control-allow-origin" not in headers


async def test_another_site_may_not_embed_anything(open_site: str) -> None:
    """A script or an image of ours in a page elsewhere is refused; a link that is followed is not."""
    assert (await ask(open_site, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors"))[0] == 403
    assert (await ask(open_site, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate"))[0] == 200


async def test_our_own_page_may_ask(open_site: str) -> None:
    """The origin that the pages themselves have passes, and no other site is told that it may read the answer."""
    status, headers, _ = await ask(open_site, POLLING, Origin=open_site)
    assert status == 200
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_can_be_changed(open_site: str, method: str) -> None:
    """Every method but reading is refused on every page, even to our own origin."""
    status, _, text = await ask(open_site, "/", method, Origin=open_site)
    assert (status, text) == (405, "These pages only show; nothing can be changed here.\n")
    assert (await ask(open_site, "/", method))[0] == 403


async def test_the_websocket_takes_our_own_page_only(open_site: str) -> None:
    """A websocket of another site, or of none, or by another name is refused; that of our page is not."""
    assert await connect(open_site, Origin=open_site) == 101
    assert await connect(open_site, Origin="http://evil.example") == 403
    assert await connect(open_site) == 403
    assert await connect(open_site, Origin="http://evil.example", Host="evil.example") == 403


@pytest.mark.parametrize("path", ["/", "/failures", POLLING, "/citefidelity.css", "/?token=", f"/?token={TOKEN}x"])
async def test_without_the_token_nothing_is_shown(locked_site: str, path: str) -> None:
    """No token and a wrong one are refused alike, for every address."""
    status, headers, text = await ask(locked_site, path)
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert TOKEN not in text


@pytest.mark.parametrize("header", ["Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}\u00e9"])
async def test_a_wrong_header_is_no_token(locked_site: str, header: str) -> None:
    """What is not the token after ``Bearer`` is refused."""
    assert (await ask(locked_site, Authorization=header))[0] == 401


async def test_the_token_moves_from_the_address_into_a_cookie(locked_site: str) -> None:
    """Opening the printed address leads to the same page without the token, which a cookie then carries."""
    status, headers, _ = await ask(locked_site, f"/failures?kind=a%26b&token={TOKEN}")
    assert (status, headers["location"]) == (303, "/failures?kind=a%26b")
    cookie, *rules = headers["set-cookie"].split("; ")
    assert set(rules) == {"HttpOnly", "SameSite=Lax", "Path=/"}
    assert (await ask(locked_site, Cookie=cookie))[0] == 200
    assert (await ask(locked_site, Cookie=cookie + "x"))[0] == 401
    assert (await ask(locked_site, Authorization=f"Bearer {TOKEN}"))[0] == 200


async def test_the_redirect_stays_here(locked_site: str) -> None:
    """An address that begins with two slashes leads to no other host."""
    _, headers, _ = await ask(locked_site, f"//evil.example/?token={TOKEN}")
    assert headers["location"] == "/evil.example/"


async def test_the_websocket_needs_the_token_too(locked_site: str) -> None:
    """The right origin alone opens no websocket."""
    port = locked_site.rpartition(":")[2]
    assert await connect(locked_site, Origin=locked_site) == 403
    assert await connect(locked_site, Origin=locked_site, Cookie=f"citefidelity_{port}=wrong") == 403
    assert await connect(locked_site, Origin=locked_site, Cookie=f"citefidelity_{port}={TOKEN}") == 101


async def test_a_foreign_site_is_refused_even_with_the_token(locked_site: str) -> None:
    """The browser of a user who is let in cannot be used by another site."""
    assert (await ask(locked_site, POLLING, Origin="http://evil.example", Authorization=f"Bearer {TOKEN}"))[0] == 403


def test_it_leaves_nothing_in_the_directory(tmp_path: Path) -> None:
    """No folder or file of the framework stays where the command was started."""
    fill(tmp_path, 1)
    before = sorted(tmp_path.iterdir())
    with pages(tmp_path):
        pass
    assert sorted(tmp_path.iterdir()) == before
