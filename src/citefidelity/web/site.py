"""What every page of the site has: where things lie, the frame around it, and the addresses of the other pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from nicegui import ui

from citefidelity.config.settings import Settings
from citefidelity.records import CitationKey
from citefidelity.results_index.index import ResultsIndex
from citefidelity.web.parts import attributed, box, heading, text
from citefidelity.web.watching import Watching

RUN, RESULTS, FAILURES, PAPERS, CITATION = "/", "/results", "/failures", "/papers", "/citation"
PATIENCE_S = 60.0
"""How long a page that reads a journal or a store may take until it is there: a graph may be slow to connect to."""
NAVIGATION = (("Run", RUN), ("Results", RESULTS), ("Failures", FAILURES), ("Problem papers", PAPERS))


@dataclass(frozen=True)
class Site:
    """What the pages are about. Each page module has one function that takes it and registers its page.

    Attributes:
        settings: as of every command; the store, the screening and the partition are those that are shown.
        journal: the journal's path; whether it is there yet is for the reader to see.
        watching: the numbers of the run, sampled once for all pages.
        results: the outcomes of the screening, to filter and search.
        command: ``citefidelity LINE`` on the same store, journal and screening, quoted for a shell, to copy.
    """

    settings: Settings
    journal: Path
    watching: Watching
    results: ResultsIndex
    command: Callable[[str], str]

    @property
    def screening(self) -> str:
        """Which set of verdicts is shown."""
        return self.settings.screening

    @contextmanager
    def frame(self, title: str) -> Iterator[None]:
        """The common parts of a page; what is built within goes between them."""
        ui.page_title(f"{title} - {self.screening} - citefidelity")
        text("a", "Skip to the content", "skip", href="#main")
        with box("header", "top"):
            with box("nav", aria_label="Pages"):
                for name, address in NAVIGATION:
                    link = ui.link(name, address)
                    if name == title:
                        attributed(link, aria_current="page")
            text("div", f"screening {self.screening}, {self.settings.store}", "place")
        # The framework has put a <main> around everything.
        with box("div", "content", id="main", tabindex="-1"):
            heading(title, 1)
            yield


def results_url(**filters: object) -> str:
    """The page *Results* with these filters, such as ``category="CONTRADICT"`` or ``failure="refused"``."""
    return _with_query(RESULTS, filters)


def citation_url(key: CitationKey, instance_id: str | None = None) -> str:
    """The page of one citation, or of one of its contexts."""
    query = {"source": key.source_id, "target": key.target_id, "reference": key.reference_id, "instance": instance_id}
    return _with_query(CITATION, query)


def _with_query(path: str, query: Mapping[str, object]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path
