"""The page *Problem papers*: the articles with the most unsupported citations, cited ones and citing ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from fastapi import Request
from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from citefidelity.errors import StoreError
from citefidelity.results_index.rows import Progress
from citefidelity.views.amounts import percent
from citefidelity.views.problem_papers import DEFINITION, ProblemPaper, unsupported_of
from citefidelity.web.parts import box, field, heading, tell, text, tick
from citefidelity.web.results_page import EVERY_S
from citefidelity.web.site import PAPERS, PATIENCE_S, Site, results_url

MOST = 50
AT_LEAST = "at_least"
DIGITS = 6
CHOOSE = "None of these categories counts as unsupported unless you say so: choose those that do."


def papers_page(site: Site) -> None:
    """Register the page."""

    @ui.page(PAPERS, response_timeout=PATIENCE_S)
    async def show(request: Request) -> None:
        chosen = request.query_params.getlist("category")
        at_least = _number(request.query_params.get(AT_LEAST, ""))
        with site.frame("Problem papers"):
            places = _places(at_least)
        shown = await _fill(site, places, chosen, at_least)

        async def look() -> None:
            nonlocal shown
            if shown is not None and shown.complete:
                return
            now = await site.results.progress()
            # Not before all is read: to sort the articles anew each second would only make that take longer.
            if shown is None or now.complete:
                shown = await _fill(site, places, chosen, at_least)
            else:
                tell(places.news, _reading(now))

        ui.timer(EVERY_S, look)


class _Places(NamedTuple):
    """What the page is made of. Articles are put in anew while results are gathered; what is chosen above stays."""

    news: TextElement
    form: _Form
    problem: TextElement
    papers: ui.element


def _places(at_least: int) -> _Places:
    with box("div", "cards", id="papers"):
        news = text("p", "")
        text("p", DEFINITION)
        return _Places(news, _Form(at_least), text("p", "", "serious wrap"), box("div", "cards"))


def _number(given: str) -> int:
    return max(1, int(given[:DIGITS])) if given.isascii() and given.isdigit() else 1


async def _fill(site: Site, places: _Places, chosen: Sequence[str], at_least: int) -> Progress | None:
    """Show what there is; how far the copying was, None while there is nothing."""
    try:
        there = sorted({group.detail for group in await site.results.groups() if group.state == "verdict"})
        counted = tuple(category for category in there if category in chosen) if chosen else unsupported_of(there)
        found = await site.results.papers(counted, most=MOST, at_least=at_least) if counted else None
    except StoreError as err:
        places.papers.clear()
        tell(places.news, "")
        tell(places.problem, err.message)
        return None
    progress = await site.results.progress()
    tell(places.news, _reading(progress))
    tell(places.problem, "")
    places.form.offer(there, counted)
    places.papers.clear()
    with places.papers:
        if found is None:
            text("p", CHOOSE if there else f"No context has a verdict in screening {site.screening} yet.", id="none")
        else:
            _side("Cited articles", "cited", found.cited, found.cited_articles)
            _side("Citing articles", "citing", found.citing, found.citing_articles)
    return progress if there else None


def _reading(progress: Progress) -> str:
    if progress.complete or not progress.of_citations:
        return ""
    return f"Reading the journal: {progress.citations:,} of {progress.of_citations:,} citations so far."


class _Form:
    """Which categories count as unsupported; those that no verdict has are not offered."""

    def __init__(self, at_least: int) -> None:
        self._offered: set[str] = set()
        with box("form", "row", method="get", action=PAPERS, aria_label="What counts"):
            self._categories = box("div", "row")
            with box("label"):
                text("span", "Contexts judged, at least ")
                field("number", AT_LEAST, f"{at_least}", min="1")
            text("button", "Show", type="submit")

    def offer(self, there: Sequence[str], counted: Collection[str]) -> None:
        """Let these be chosen, too; those that are ``counted`` are ticked at first."""
        with self._categories:
            for category in there:
                if category not in self._offered:
                    self._offered.add(category)
                    with box("label", "tick"):
                        tick("category", category, ticked=category in counted)
                        text("span", category)


def _side(title: str, role: str, papers: Sequence[ProblemPaper], articles: int) -> None:
    heading(title)
    if not papers:
        text("p", "None has an unsupported context.", "muted")
        return
    if articles > len(papers):
        text("p", f"The first {len(papers):,} of {articles:,} with an unsupported context.", "muted")
    with box("ol", "cards", data_side=role):
        for paper in papers:
            _paper(paper, role)


def _paper(paper: ProblemPaper, role: str) -> None:
    with box("li", "card", data_article=paper.article_id):
        if paper.title:
            text("div", paper.title, "wrap")
        with box("div", "wrap"):
            ui.link(paper.article_id, results_url(**{role: paper.article_id}))
        text(
            "div",
            f"{paper.unsupported:,} of {paper.judged:,} contexts unsupported ({percent(paper.share)}), "
            f"in {paper.citations_unsupported:,} of {paper.citations:,} citations",
            "share",
        )
        with box("div", "row"):
            for category, contexts in sorted(paper.categories.items(), key=lambda item: (-item[1], item[0])):
                ui.link(f"{category} {contexts:,}", results_url(**{role: paper.article_id, "category": category}))
