"""Pictures of the pages for the documents: ``make screenshots``. Invented citations, and a scripted provider."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from playwright.sync_api import Browser, Page

from citefidelity.demo_data import demo_records
from support.browser import DESK, PHONE, chromium, visit
from support.cli import provider, run_cli
from support.pages import pages, running

PLACE = Path(__file__).parents[2] / "docs" / "screenshots"
COPIES = 20
FAULTS = ("half_verdict@share:0.03*always", "refusal@share:0.02*always", "server_error@share:0.04*1")
WHILE_RUNNING = ("0.6:1.8", "40")
"""Latency of the provider in seconds, and how many calls at once."""


def write_records(path: Path) -> None:
    """The invented citations, several times under different references."""
    with path.open("wb") as file:
        for number in range(COPIES):
            for line in demo_records().splitlines():
                record = msgspec.json.decode(line)
                record["reference_id"] = f"{record.get('reference_id') or 'r'}-{number}"
                file.write(msgspec.json.encode(record) + b"\n")


@contextmanager
def opened(browser: Browser, url: str, ready: str, width: int) -> Iterator[Page]:
    """A page that shows what it is about."""
    with visit(browser, url, width=width) as page:
        page.wait_for_selector(ready)
        yield page


def take(page: Page, name: str, width: int) -> None:
    """One picture of what is seen first."""
    page.screenshot(path=PLACE / f"{name}{'-phone' if width == PHONE else ''}.png")


def main() -> None:
    """Take them all."""
    PLACE.mkdir(exist_ok=True)
    faults = [word for fault in FAULTS for word in ("--fault", fault)]
    latency, concurrency = WHILE_RUNNING
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        directory = Path(name)
        write_records(directory / "records.jsonl")
        run_cli(["import", "records.jsonl"], cwd=directory)
        with (
            provider("--latency", latency, *faults) as url,
            running(directory, url, "--concurrency", concurrency, "--price", "0.3,1.2") as run,
        ):
            for width in (DESK, PHONE):
                with opened(browser, run.url, "canvas", width) as page:
                    page.wait_for_function("document.querySelector('[data-key=calls] .value').textContent > 300")
                    take(page, "run", width)
            run.process.communicate()
        with pages(directory) as serving:
            for width in (DESK, PHONE):
                for path, ready in (
                    ("failures", "[data-kind]"),
                    ("results", "a[href^='/citation']"),
                    ("papers", "[data-article]"),
                ):
                    with opened(browser, f"{serving['url']}{path}", ready, width) as page:
                        take(page, path, width)
                        if path == "results":
                            page.click("a[href^='/citation']")
                            page.wait_for_load_state("networkidle")
                            take(page, "citation", width)
    sys.stdout.write(f"written to {PLACE}\n")


if __name__ == "__main__":
    main()
