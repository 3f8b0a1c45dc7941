"""What it costs to be watched: case b alone, and with the page open in a browser and /metrics scraped each second.

``python benchmarks/watched.py [ROUNDS]``. Rounds are interleaved. Times are from the first request to the last reply,
as the mock provider sees them.
"""

from __future__ import annotations

import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from playwright.sync_api import Browser

from bench import CASES, Mock, Work
from support.browser import chromium

ADDRESS = re.compile(r"Watch it in a browser: (\S+)")


class Took(NamedTuple):
    """One round: how long it took, how often its metrics were read, and how many calls the page showed last."""

    seconds: float
    scrapes: int
    shown: int


def main() -> None:
    """Measure, and print the medians."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory(prefix="citefidelity-watched-") as name, chromium() as browser:
        work = Work(Path(name) / "b", CASES["b"])
        alone, watched = [], []
        for number in range(rounds):
            alone.append(measure(work, None))
            watched.append(measure(work, browser))
            print(f"{number + 1}/{rounds}: alone {alone[-1].seconds:.2f} s, watched {watched[-1]}", flush=True)
    before, after = (statistics.median(one.seconds for one in times) for times in (alone, watched))
    print(f"alone {before:.2f} s, watched {after:.2f} s: {after / before - 1:+.1%}")


def measure(work: Work, browser: Browser | None) -> Took:
    """One run, watched in this browser if there is one."""
    work.number += 1
    with Mock(work.case) as mock:
        port = free_port()
        command = [word for word in work.command("ours", mock.url) if word != "-q"]
        if browser is not None:
            command += ["--web", "--web-address", "127.0.0.1:0", "--metrics", f"127.0.0.1:{port}"]
        environ = os.environ | {"NO_PROXY": "*"}
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8", env=environ
        ) as run:
            scrapes = shown = 0
            if browser is not None:
                scrapes, shown = watch(run, browser, f"http://127.0.0.1:{port}/metrics")
            _, said = run.communicate()
        stats = mock.stats()
    if run.returncode or stats["answered"] != work.contexts:
        raise SystemExit(f"the run failed ({run.returncode}): {stats['answered']} answered\n{said}")
    return Took(stats["last_answer"] - stats["first_arrival"], scrapes, shown)


def watch(run: subprocess.Popen[str], browser: Browser, metrics: str) -> tuple[int, int]:
    """Keep the page open and read the metrics each second until the run ends; how often, and the calls last shown."""
    assert run.stderr is not None  # noqa: S101 - it was asked for as a pipe; for the type checker
    found = next(filter(None, map(ADDRESS.search, run.stderr)))
    page = browser.new_page()
    shown = 0
    try:
        with scraping(metrics) as scrapes:
            page.goto(found[1])
            page.wait_for_selector("canvas")
            while run.poll() is None:
                shown = int(page.inner_text("[data-key=calls] .value").replace(",", ""))
                page.wait_for_timeout(1_000)
        return len(scrapes), shown
    finally:
        page.close()


@contextmanager
def scraping(url: str) -> Iterator[list[int]]:
    """Read the metrics each second meanwhile; the sizes of what was read."""
    sizes: list[int] = []
    over = threading.Event()

    def scrape() -> None:
        while not over.wait(1.0):
            try:
                with urllib.request.urlopen(url) as reply:  # noqa: S310 - the run's own address on this machine
                    sizes.append(len(reply.read()))
            except OSError:
                return

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield sizes
    finally:
        over.set()
        thread.join()


def free_port() -> int:
    """A port that nobody listens at just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
