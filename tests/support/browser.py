"""A real browser: the system's Chromium, without a window, held to what every page must keep."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESK, PHONE = 1_200, 390
"""Widths of a window, in pixels."""

PATIENCE_MS = 60_000
"""Twice what the library waits: browser, pages and a run may share one core."""

browser_mark = pytest.mark.timeout(120)
"""For every test that needs the browser: all in one worker, so that there is one at a time."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, ended with the block; skips the test where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium: `make browser` installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(browser: Browser, url: str, *, width: int = DESK, dark: bool = False) -> Iterator[Page]:
    """The page at ``url``, ready for use.

    Fails in the end if anything was loaded from elsewhere, or a script failed, or the browser complained.
    """
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
    origin = "/".join(url.split("/")[:3])
    troubles: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((f"{origin}/", "data:", "blob:")):
            troubles.append(f"loaded {request.url}")

    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", note)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda said: troubles.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("dialog", lambda dialog: troubles.append(dialog.message))
        page.goto(url)
        page.wait_for_selector("h1")
        yield page
    finally:
        context.close()
    assert troubles == []


def is_too_wide(page: Page) -> bool:
    """Whether one has to scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))
