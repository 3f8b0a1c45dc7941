"""What somebody writes into a page stays there, whatever the page does meanwhile; in a real browser."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from support.browser import browser_mark, visit
from support.cli import provider
from support.journals import make_began, make_settled, open_sqlite_journal
from support.makers import make_key
from support.pages import fill, pages, screen

pytestmark = browser_mark

MANY = 250_000
"""Results that are gathered over some seconds, even after a page has waited a moment for each of its questions."""

PATIENCE_MS = 120_000
"""The pages' process gives way to all others."""


def write_into(page: Page) -> None:
    """The form of the page *Results*."""
    page.click("summary")
    page.select_option("select[name=category]", "SUPPORT")
    page.fill("input[name=min]", "0.5")
    page.fill("input[name=words]", "aspirin")
    page.check("input[name=waiting]")


def is_written(page: Page) -> bool:
    """Whether it is still there."""
    fields = [page.input_value(f"[name={name}]") for name in ("category", "min", "words")]
    return fields == ["SUPPORT", "0.5", "aspirin"] and page.is_checked("input[name=waiting]")


def keep_many_results(journal: Path) -> None:
    """A journal with so many verdicts, made beside the browser's own event loop."""

    async def write() -> None:
        async with await open_sqlite_journal(journal) as opened:
            await opened.append([make_began(), *(make_settled(key=make_key(number)) for number in range(MANY))])

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, write()).result()


def test_what_is_written_stays_while_a_run_adds_results(tmp_path: Path, browser: Browser) -> None:
    """A form half filled in is as it was when the page has told, unasked, that there is something new."""
    fill(tmp_path, 60)
    with provider() as url:
        screen(tmp_path, url, "--limit", "55")
        with pages(tmp_path) as serving, visit(browser, f"{serving['url']}results") as page:
            page.wait_for_selector("#total[data-gathered=true]")
            write_into(page)
            page.fill(".pager input[type=number]", "2")
            assert is_written(page)
            screen(tmp_path, url)
            page.wait_for_selector("#progress a")
            assert is_written(page)
            assert page.input_value(".pager input[type=number]") == "2"
            assert page.input_value("select[name=category]") == "SUPPORT"


@pytest.mark.timeout(400)
def test_what_is_written_stays_while_results_are_gathered(tmp_path: Path, browser: Browser) -> None:
    """A large journal fills the page by and by; what is written or ticked meanwhile stays, on both pages that do so."""
    keep_many_results(tmp_path / "citefidelity.db.journal")
    with pages(tmp_path) as serving, visit(browser, f"{serving['url']}papers") as page:
        assert "Reading the journal" in page.inner_text("#papers")
        page.check("input[value=SUPPORT]")
        page.fill("input[name=at_least]", "3")
        over = "!document.querySelector('#papers').innerText.includes('Reading the journal')"
        page.wait_for_function(over, timeout=PATIENCE_MS)
        assert page.is_checked("input[value=SUPPORT]")
        assert page.input_value("input[name=at_least]") == "3"
    with pages(tmp_path) as serving, visit(browser, f"{serving['url']}results") as page:
        page.wait_for_selector("#total[data-gathered=false]")
        write_into(page)
        page.wait_for_selector(f"#total[data-total='{MANY}'][data-gathered=true]", timeout=PATIENCE_MS)
        assert is_written(page)
