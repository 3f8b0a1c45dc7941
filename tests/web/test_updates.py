"""What the pages do by themselves while somebody looks at them; in a real browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page

from support.browser import browser_mark, visit
from support.cli import provider
from support.pages import fill, pages, running, screen

pytestmark = browser_mark

HEARD = """() => {
  window.heard = [];
  new MutationObserver((changes) => {
    for (const {target} of changes) {
      const element = target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement;
      const live = element && element.closest("[role=status], [role=alert], [aria-live]");
      if (live) window.heard.push(live.textContent);
    }
  }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""
"""Collects what a screen reader would read aloud, unasked."""


def listen(page: Page) -> None:
    """Note from now on what is read aloud."""
    page.evaluate(HEARD)


def heard(page: Page) -> list[str]:
    """What was, without what was the same as before it."""
    said: list[str] = page.evaluate("window.heard")
    return [one for at, one in enumerate(said) if one and said[at - 1 : at] != [one]]


def test_pages_that_are_open_before_the_first_run_fill_by_themselves(tmp_path: Path, browser: Browser) -> None:
    """Where there was no journal yet, results and papers are shown once there is one, without a reload."""
    fill(tmp_path, 9)
    with (
        pages(tmp_path) as serving,
        visit(browser, f"{serving['url']}results") as results,
        visit(browser, f"{serving['url']}results?words=scripted") as words,
        visit(browser, f"{serving['url']}papers") as papers,
    ):
        assert "There is no journal" in results.inner_text("#main")
        assert "Reading texts" not in words.inner_text("#main")
        assert "There is no journal" in papers.inner_text("#papers")
        with provider() as url:
            screen(tmp_path, url)
        results.wait_for_selector(".results a")
        papers.wait_for_selector("[data-side=cited]")
        assert "There is no journal" not in results.inner_text("#main") + papers.inner_text("#papers")


def test_what_is_offered_stays_where_the_keyboard_is(tmp_path: Path, browser: Browser) -> None:
    """The way to new results keeps the focus while more of them come, and is read aloud once."""
    fill(tmp_path, 6)
    with provider() as url:
        screen(tmp_path, url, "--limit", "1")
        with pages(tmp_path) as serving, visit(browser, f"{serving['url']}results") as page:
            page.wait_for_selector("#total[data-gathered=true]")
            listen(page)
            screen(tmp_path, url, "--limit", "2")
            page.focus("#progress a")
            screen(tmp_path, url)
            page.wait_for_timeout(2_500)
            assert page.evaluate("document.activeElement.textContent") == "Show it"
            assert heard(page)[-1] == "The journal has something new. Show it"
            assert len(heard(page)) <= 2
            page.keyboard.press("Enter")
            page.wait_for_selector("#total[data-total='6']")


def test_a_run_is_not_read_aloud_all_the_time(tmp_path: Path, browser: Browser) -> None:
    """While numbers go on, a screen reader says that there is advice, and what; it does not repeat each number."""
    fill(tmp_path, 2_000)
    faults = ("--fault", "server_error@share:0.5*1", "--latency", "0.2")
    with (
        provider(*faults) as url,
        running(tmp_path, url, "--concurrency", "10") as run,
        visit(browser, run.url) as page,
    ):
        page.wait_for_selector("#course:has-text('As of')")
        listen(page)
        advice = page.wait_for_selector("#advice [data-code=errors]")
        assert advice is not None
        before = advice.inner_text()
        page.wait_for_function(
            "before => document.querySelector('[data-code=errors]').innerText !== before", arg=before
        )
        page.wait_for_timeout(3_000)
        assert advice.evaluate("advice => advice.isConnected")
        assert "went wrong" in (page.text_content(".heard") or "")
        # It may become more serious, which is said.
        assert len(heard(page)) <= 2


def test_failures_stay_where_they_are_while_more_come(tmp_path: Path, browser: Browser) -> None:
    """The button to copy a command keeps the focus, and a text the selection, while the numbers around it grow."""
    fill(tmp_path, 1_000)
    faults = ("--fault", "half_verdict@every:5*always", "--fault", "too_long_openai@every:7*always")
    with (
        provider(*faults, "--latency", "0.3") as url,
        running(tmp_path, url, "--concurrency", "6") as run,
        visit(browser, f"{run.url}failures") as page,
    ):
        page.wait_for_selector("[data-kind=too_long] li")
        page.focus("[data-kind=too_long] button")
        page.evaluate("getSelection().selectAllChildren(document.querySelector('[data-kind=too_long] li'))")
        selected = page.evaluate("getSelection().toString()")
        listen(page)
        before = page.inner_text("[data-kind=too_long] a")
        page.wait_for_function(
            "before => document.querySelector('[data-kind=too_long] a').innerText !== before", arg=before
        )
        assert page.evaluate("document.activeElement.ariaLabel") == "Copy: Retry too_long"
        assert page.evaluate("getSelection().toString()") == selected != ""
        assert heard(page) == []


def test_an_address_that_leads_nowhere_says_so(tmp_path: Path, browser: Browser) -> None:
    """It has the look and the ways of all pages and the status 404, shows nothing of the address, and logs nothing."""
    fill(tmp_path, 1)
    with pages(tmp_path) as serving, visit(browser, serving["url"]) as page:
        request = page.context.request
        for path in ("nowhere", "%3Cscript%3Ealert(1)%3C/script%3E", "results/nowhere", "docs"):
            answer = request.get(f"{serving['url']}{path}")
            assert (answer.status, answer.headers["x-frame-options"]) == (404, "DENY")
            assert "There is no page at this address" in answer.text()
            assert "alert(1)" not in answer.text()
        assert request.get(f"{serving['url']}results/?min=0.5").url == f"{serving['url']}results?min=0.5"
        answer = request.get(f"{serving['url']}/127.0.0.9/", max_redirects=0)
        assert answer.headers["location"] == f"{serving['url']}127.0.0.9"


def test_a_screening_that_has_not_begun_is_named_and_fills_by_itself(tmp_path: Path, browser: Browser) -> None:
    """Its pages say that it has no outcome, and whose the last run's numbers are; once it begins, they show it."""
    fill(tmp_path, 9)
    with provider() as url:
        screen(tmp_path, url)
        with (
            pages(tmp_path, "--screening", "second") as serving,
            visit(browser, serving["url"]) as page,
            visit(browser, f"{serving['url']}results") as results,
            visit(browser, f"{serving['url']}papers") as papers,
        ):
            page.wait_for_selector("#course:has-text('of screening main, not of second')")
            assert "No context has an outcome in screening second yet." in results.inner_text("#total")
            assert "No context has a verdict in screening second yet." in papers.inner_text("#none")
            screen(tmp_path, url, "--screening", "second")
            results.wait_for_selector(".results a")
            papers.wait_for_selector("[data-side=cited]")
            page.wait_for_selector("#course:not(:has-text('not of second'))")
