"""The page *Results*: the contexts that a filter lets through, page by page."""

from __future__ import annotations

from typing import NamedTuple

from fastapi import Request
from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from citefidelity.errors import StoreError
from citefidelity.results_index.filters import Filter, filter_of
from citefidelity.results_index.rows import PAGE, Group, Progress, ResultRow, ResultsPage
from citefidelity.web.filter_form import STATES, FilterForm, page_form
from citefidelity.web.parts import box, tell, text
from citefidelity.web.site import PATIENCE_S, RESULTS, Site, citation_url, results_url

EVERY_S = 1.0
"""How often to look how far the copying is; each look takes a millisecond."""
SHORT = 320
"""Characters of a text that are shown of each result."""


def results_page(site: Site) -> None:
    """Register the page."""

    @ui.page(RESULTS, response_timeout=PATIENCE_S)
    async def show(request: Request) -> None:
        wanted = filter_of(request.query_params)
        with site.frame("Results"):
            places = _places(wanted)
            shown = await _fill(site, places, wanted)
            news = _News(results_url(**wanted.query()))

        async def look() -> None:
            nonlocal shown
            now = await site.results.progress()
            if shown.problem is not None or _has_grown(shown, now, wanted):
                shown = await _fill(site, places, wanted)
            news.show(now.problem or "", _reading(now, wanted), more=_is_more(shown, now))

        news.show("", _reading(shown.progress, wanted), more=False)
        ui.timer(EVERY_S, look)


class _Shown(NamedTuple):
    """What the page knows of: how far the copying was, and the last thing in the journal; or why it shows nothing."""

    progress: Progress
    latest: int = 0
    empty: bool = False
    problem: str | None = None


class _Places(NamedTuple):
    """What the page is made of. Results are put in anew while they are gathered; what is written in the form stays."""

    groups: ui.element
    form: FilterForm
    problem: TextElement
    results: ui.element


def _places(wanted: Filter) -> _Places:
    with box("div", "cards"):
        groups = box("div")
        with box("details") as details:
            if wanted.narrows:
                details.props["open"] = ""
            text("summary", "Filter and sort")
            form = FilterForm(wanted)
        return _Places(groups, form, text("p", "", "serious wrap"), box("div", "cards"))


async def _fill(site: Site, places: _Places, wanted: Filter) -> _Shown:
    """Show what there is now."""
    try:
        page = await site.results.page(wanted)
        groups, types, flagged = await site.results.groups(), await site.results.types(), await site.results.flagged()
    except StoreError as err:
        places.results.clear()
        tell(places.problem, err.message)
        return _Shown(await site.results.progress(), problem=err.message)
    progress = await site.results.progress()
    tell(places.problem, "")
    places.groups.clear()
    with places.groups:
        _groups(groups, flagged)
    places.form.offer(groups, types)
    places.results.clear()
    with places.results:
        _results(page, site.screening, gathered=_is_gathered(progress, wanted))
    return _Shown(progress, page.latest, empty=not groups)


def _is_gathered(shown: Progress, wanted: Filter) -> bool:
    """Whether the page stays as it is until somebody asks for more."""
    return shown.complete and (wanted.words is None or shown.words_complete)


def _has_grown(page: _Shown, now: Progress, wanted: Filter) -> bool:
    """Whether the page shows more by itself: while results are gathered, not while a run adds to those there are."""
    shown = page.progress
    if page.empty and _is_more(page, now):
        return True
    if not shown.complete:
        # A page that is full stays so until all is read: to look each second only makes that take longer.
        return now.complete or (now.results != shown.results and shown.results < PAGE)
    return wanted.words is not None and not shown.words_complete and now != shown


def _is_more(shown: _Shown, now: Progress) -> bool:
    """Whether whoever asks for the page anew is shown more."""
    return shown.problem is None and now.complete and now.latest > shown.latest


def _reading(now: Progress, wanted: Filter) -> str:
    """How far the copying is; nothing once it is over."""
    if not now.complete and now.of_citations:
        return f"Reading the journal: {now.citations:,} of {now.of_citations:,} citations so far."
    if wanted.words is not None and not now.words_complete and now.results:
        return f"Reading texts to search them: {now.words:,} of {now.results:,} so far."
    return ""


class _News:
    """What there is to say below the results.

    What is offered stays as it is until it is taken: a link that is put in anew each second loses the click and the
    keyboard's place, and is read aloud each time. How far the copying is, is not read aloud at all.

    Args:
        address: shows the page anew.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._offered = False
        with box("div", "muted", id="progress"):
            self._problem = text("p", "", "serious wrap")
            self._reading = text("p", "")
            self._offer = box("p", role="status")

    def show(self, problem: str, reading: str, *, more: bool) -> None:
        """Say this, and only this."""
        self._problem.set_text(problem)
        self._reading.set_text(reading)
        offered = more and not problem and not reading
        if offered == self._offered:
            return
        self._offered = offered
        self._offer.clear()
        if offered:
            with self._offer:
                text("span", "The journal has something new. ")
                ui.link("Show it", self._address)


def _groups(groups: list[Group], flagged: int) -> None:
    """How many ended in each way, each a way to see only those."""
    with box("nav", "row", id="groups", aria_label="Contexts by how they ended"):
        for group in groups:
            name = "category" if group.state == "verdict" else "failure"
            link = ui.link(
                f"{group.detail} {group.contexts:,}", results_url(**{name: group.detail, "state": group.state})
            )
            link.props["data-group"] = f"{group.state}:{group.detail}"
        if flagged:
            ui.link(f"text looks odd {flagged:,}", results_url(flagged=1))


def _results(page: ResultsPage, screening: str, *, gathered: bool) -> None:
    said = {"id": "total", "data_total": f"{page.total}", "data_gathered": f"{gathered}".lower()}
    if not page.rows:
        text(
            "p",
            "No context." if page.filter.narrows else f"No context has an outcome in screening {screening} yet.",
            **said,
        )
        return
    last = page.first + len(page.rows) - 1
    text("p", f"{page.first:,} to {last:,} of {page.total:,} contexts", **said)
    with box("ol", "cards results", start=f"{page.first}"):
        for row in page.rows:
            _row(row)
    page_form(page.filter, page.pages, with_field=gathered)


def _row(row: ResultRow) -> None:
    with box("li", "card"):
        with box("div", "row"):
            text("strong", row.detail, "verdict" if row.state == "verdict" else "warning")
            if row.confidence is not None:
                text("span", f"confidence {row.confidence:.2f}")
            if row.citation_type is not None:
                text("span", row.citation_type, "muted")
            if row.state != "verdict":
                text("span", STATES[row.state], "muted")
            elif not row.delivered:
                text("span", "not in the store yet", "muted")
            if row.flags:
                text("span", f"text looks odd: {', '.join(row.flags)}", "warning")
        with box("div", "wrap"):
            ui.link(f"{row.key}, context {row.instance_id}", citation_url(row.key, row.instance_id))
        _titles([title for title in (row.source_title, row.target_title) if title])
        if row.text is not None:
            text("blockquote", _shortened(row.text), "wrap")
        if row.said:
            text("div", _shortened(row.said), "wrap")


def _titles(titles: list[str]) -> None:
    """Each in an element of its own, so that one written from right to left does not turn the other one round."""
    if titles:
        with box("div", "muted wrap"):
            for at, title in enumerate(titles):
                if at:
                    text("span", " cites ")
                text("bdi", title)


def _shortened(said: str) -> str:
    return said if len(said) <= SHORT else f"{said[:SHORT]} ..."
