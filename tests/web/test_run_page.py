"""The page *Run* in a real browser: while a run goes on, after it, and after it was killed."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
from playwright.sync_api import Browser, Page

from citefidelity.meter import Snapshot
from citefidelity.web.tiles import TILES
from support.browser import PHONE, browser_mark, is_too_wide, visit
from support.cli import provider
from support.pages import fill, pages, running, screen, status

pytestmark = browser_mark

AS_OF = re.compile(r"As of (\S+)\.$")
SECONDS = 30


class Seen(NamedTuple):
    """What the page says at one moment: its tiles with their notes, the verdicts, and what it says of the run."""

    tiles: dict[str, list[str]]
    verdicts: dict[str, str]
    course: str


LOOK = """() => {
  const text = (element) => element.textContent, all = (query) => [...document.querySelectorAll(query)];
  const tile = (one) => [one.dataset.key, [...one.querySelectorAll(".value, .note")].map(text)];
  const row = (one) => [one.dataset.name, text(one.querySelector("td"))];
  return [
    Object.fromEntries(all("[data-key]").map(tile)),
    Object.fromEntries(all("#categories tr").map(row)),
    text(document.querySelector("#course")),
  ];
}"""


def look(page: Page) -> Seen:
    """All of it in one step, so that nothing changes in between."""
    return Seen(*page.evaluate(LOOK))


def expected(numbers: Snapshot) -> dict[str, list[str]]:
    """What the tiles say for these numbers."""
    return {tile.key: [tile.value(numbers), tile.note(numbers)] for tile in TILES}


def written(counts: dict[str, int]) -> dict[str, str]:
    """Counts as the page writes them."""
    return {name: f"{number:,}" for name, number in counts.items()}


def at_one_moment(directory: Path, page: Page) -> tuple[Snapshot, Seen]:
    """The numbers of ``status --json`` and those of the page, both of the same writing of the status file."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        live, seen = status(directory)["live"], look(page)
        moment = AS_OF.search(seen.course)
        if live is not None and moment is not None and live["updated_at"] == moment[1] and live["numbers"]["calls"]:
            return msgspec.convert(live["numbers"], Snapshot), seen
    raise AssertionError(seen)


def test_a_run_is_watched_while_it_goes_on(tmp_path: Path, browser: Browser) -> None:
    """The page shows the very numbers of ``status --json``, moves with the run, and ends with the run's own report."""
    fill(tmp_path, 1_000)
    with provider("--latency", "0.4:0.5") as url, running(tmp_path, url, "--concurrency", "6") as run:
        with visit(browser, run.url) as page:
            numbers, seen = at_one_moment(tmp_path, page)
            assert seen.tiles == expected(numbers)
            assert seen.tiles["calls"][0] == f"{numbers.calls:,}"
            assert seen.tiles["in_flight"][0] == f"{numbers.in_flight} of 6"
            assert seen.tiles["memory_bytes"][0] != "?"
            assert seen.verdicts == written(numbers.categories)
            page.wait_for_function(f"document.querySelector('[data-key=calls] .value').textContent > {numbers.calls}")
            page.wait_for_selector("canvas")
            assert not page.is_visible(".nicegui-error-popup")
        run.process.send_signal(signal.SIGINT)
        report = msgspec.json.decode(run.process.communicate(timeout=SECONDS)[0])
    with pages(tmp_path) as serving, visit(browser, serving["url"]) as page:
        seen = look(page)
        assert "has ended" in seen.course
        assert seen.tiles["calls"][0] == f"{report['calls']:,}"
        assert seen.tiles["delivered"][0] == f"{report['delivered']:,} of 1,000"
        assert seen.verdicts == written(report["categories"])
        assert report["calls"] > numbers.calls


def test_what_one_clicks_on_stays_there(tmp_path: Path, browser: Browser) -> None:
    """The way to a category's results is the same while its number grows, so that no click on it is lost."""
    fill(tmp_path, 1_000)
    with (
        provider("--latency", "0.4:0.5") as url,
        running(tmp_path, url, "--concurrency", "6") as run,
        visit(browser, run.url) as page,
    ):
        link = page.wait_for_selector("#categories a")
        assert link is not None
        before = page.inner_text("#categories")
        page.wait_for_function("before => document.querySelector('#categories').innerText != before", arg=before)
        assert link.evaluate("link => link.isConnected")


def test_after_a_run_the_page_says_what_status_says(tmp_path: Path, browser: Browser) -> None:
    """Store, screening and journal stand there as ``citefidelity status`` counts them; a phone shows them, too."""
    fill(tmp_path, 12)
    with provider() as url:
        screen(tmp_path, url, "--limit", "7")
    said = status(tmp_path)
    assert (said["delivered"], said["remaining"]) == (7, 5)
    with pages(tmp_path) as serving, visit(browser, serving["url"], width=PHONE) as page:
        page.wait_for_selector("#standing table")
        standing = page.inner_text("#standing")
        assert f"{said['delivered']} delivered, {said['remaining']} to do" in standing
        assert f"{said['states']['verdict']} verdicts" in standing
        assert f"{said['journal']['answered']} answered" in standing
        assert not is_too_wide(page)


def test_a_killed_run_is_told_from_one_that_goes_on(tmp_path: Path, browser: Browser) -> None:
    """After kill -9 its pages end with it; others show its last numbers and that it did not come to its end."""
    fill(tmp_path, 300)
    with provider("--latency", "0.4") as url, running(tmp_path, url, "--concurrency", "2") as run:
        with visit(browser, run.url) as page:
            page.wait_for_function("document.querySelector('[data-key=calls] .value').textContent > 0")
            os.kill(run.process.pid, signal.SIGKILL)
            run.process.wait(SECONDS)
        with pages(tmp_path) as serving, visit(browser, serving["url"]) as page:
            assert "did not come to its end" in look(page).course
            assert "Run again" in look(page).course


def test_the_last_numbers_are_shown_without_store_and_journal(tmp_path: Path, browser: Browser) -> None:
    """Where only the status file can be read, its numbers are shown, and that the rest is not there."""
    fill(tmp_path, 3)
    with provider() as url:
        report = screen(tmp_path, url)
    for file in tmp_path.glob("citefidelity.db*"):
        if file.is_file() and not file.name.endswith(".status.json"):
            file.unlink()
    with pages(tmp_path) as serving, visit(browser, serving["url"]) as page:
        assert look(page).tiles["calls"][0] == str(report["calls"])
        page.wait_for_selector("#standing .serious")
        assert "There is no store" in page.inner_text("#standing")


def test_advice_is_shown_while_it_stands(tmp_path: Path, browser: Browser) -> None:
    """A run whose calls fail has the advice of ``status --json`` on its page."""
    fill(tmp_path, 2_000)
    faults = ("--fault", "server_error@share:0.5*1", "--latency", "0.2")
    with (
        provider(*faults) as url,
        running(tmp_path, url, "--concurrency", "10") as run,
        visit(browser, run.url) as page,
    ):
        page.wait_for_selector("#advice [data-code=errors]", timeout=1_000 * SECONDS)
        assert "went wrong" in page.inner_text("#advice")


def test_before_any_run_and_by_keyboard(tmp_path: Path, browser: Browser) -> None:
    """A store that was never screened has no numbers, and the pages say so.

    The first stop of the keyboard skips to the content, the next are the pages; colours follow the system.
    """
    fill(tmp_path, 1)
    with pages(tmp_path) as serving:
        for dark in (False, True):
            with visit(browser, serving["url"], dark=dark) as page:
                page.wait_for_selector("#standing table")
                assert "No run has left numbers" in look(page).course
                stops = []
                for _ in range(5):
                    page.keyboard.press("Tab")
                    stops.append(page.evaluate("document.activeElement.textContent"))
                assert stops == ["Skip to the content", "Run", "Results", "Failures", "Problem papers"]
                ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
                assert (ground == "rgb(20, 23, 27)") is dark
                assert page.title() == "Run - main - citefidelity"
                assert page.get_attribute("html", "lang") == "en-US"
        with visit(browser, f"{serving['url']}failures") as page:
            page.wait_for_selector("#failing .serious")
            assert "There is no journal" in page.inner_text("#failing")


def test_an_open_page_goes_on_when_the_pages_are_served_anew(tmp_path: Path, browser: Browser) -> None:
    """The pages end with the run, and say so; served at the same port again, the open page shows how it ended."""
    fill(tmp_path, 300)
    with provider("--latency", "0.3") as url, running(tmp_path, url, "--concurrency", "2") as run:
        context = browser.new_context()
        page = context.new_page()
        page.goto(run.url)
        page.wait_for_selector("#course")
        run.process.send_signal(signal.SIGINT)
        _, said = run.process.communicate(timeout=SECONDS)
    assert "The pages end with the run; `citefidelity web --web-address 127.0.0.1:0` shows them again." in said
    address = run.url.removeprefix("http://").rstrip("/")
    with pages(tmp_path, "--web-address", address):
        page.wait_for_function("(document.querySelector('#course') || {}).textContent?.includes('has ended')")
    context.close()
