"""The form of the page *Results*: a plain form whose fields go into the address, so that it can be kept and shared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from nicegui import ui

from citefidelity.results_index.filters import Filter, Sort, State
from citefidelity.results_index.rows import Group
from citefidelity.web.parts import box, field, text, tick
from citefidelity.web.site import RESULTS, results_url

STATES: Mapping[State, str] = {
    "verdict": "verdict",
    "unassessable": "unassessable",
    "failed": "failed for good",
    "to_do": "failed for the moment",
}
SORTS: Mapping[Sort, str] = {"latest": "latest", "lowest": "lowest confidence", "highest": "highest confidence"}

# What asks nothing need not stand in the address.
_LEAVE_OUT_EMPTY = """(event) => {
  for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
}"""


class FilterForm:
    """Fields for everything that can be asked, with what is asked now.

    Built once for a page: results that come in add to what is offered, and leave alone what somebody is writing.

    Args:
        chosen: what is asked now.
    """

    def __init__(self, chosen: Filter) -> None:
        self._chosen = chosen
        with _form("filters", "Filter"):
            _choice("state", "How it ended", chosen.state).offer(STATES.items())
            self._category = _choice("category", "Category", chosen.category)
            self._failure = _choice("failure", "Failure", chosen.failure)
            self._type = _choice("type", "Citation type", chosen.type)
            _number("min", "Confidence from", chosen.min)
            _number("max", "Confidence to", chosen.max)
            _text("article", "Article id, or a part of it", chosen.article)
            _text("citing", "Citing article, whole id", chosen.citing)
            _text("cited", "Cited article, whole id", chosen.cited)
            _text("words", "Words in titles and texts", chosen.words)
            _tick("flagged", "Text looks odd", ticked=chosen.flagged)
            _tick("waiting", "Not in the store yet", ticked=chosen.waiting)
            _choice("sort", "Sort by", chosen.sort, "latest").offer(
                (name, label) for name, label in SORTS.items() if name != "latest"
            )
            with box("div", "buttons"):
                text("button", "Show", type="submit")
                ui.link("Everything", results_url())

    def offer(self, groups: Iterable[Group], types: Iterable[str]) -> None:
        """Let these be chosen, too."""
        details = {(group.state == "verdict", group.detail) for group in groups}
        self._category.offer_names(name for is_verdict, name in details if is_verdict)
        self._failure.offer_names(name for is_verdict, name in details if not is_verdict)
        self._type.offer_names(types)


def page_form(chosen: Filter, pages: int, *, with_field: bool) -> None:
    """The way to another page of the same results.

    Args:
        chosen: what is asked now, with the number of this page.
        pages: how many there are.
        with_field: whether a number can be written; not where the form will soon be put in anew.
    """
    address = {name: value for name, value in chosen.query().items() if name != "page"}
    with box("nav", "row pager", aria_label="Pages of results"):
        for label, page in (("First", 1), ("Previous", chosen.page - 1), ("Next", chosen.page + 1), ("Last", pages)):
            if 1 <= page <= pages and page != chosen.page:
                ui.link(label, results_url(**address, page=page))
            else:
                text("span", label, "muted", aria_disabled="true")
        if not with_field:
            text("span", f"Page {chosen.page} of {pages:,}")
            return
        with _form("row", "Page"):
            for name, value in address.items():
                box("input", type="hidden", name=name, value=value)
            with box("label"):
                text("span", "Page ")
                field("number", "page", f"{chosen.page}", min="1", max=f"{pages}")
            text("span", f"of {pages:,}")
            text("button", "Go", type="submit")


@contextmanager
def _form(classes: str, label: str) -> Iterator[None]:
    with box("form", classes, method="get", action=RESULTS, aria_label=label) as form:
        form.on("formdata", js_handler=_LEAVE_OUT_EMPTY)
        yield


class _Choice:
    """A field with values to choose from; more can be added."""

    def __init__(self, select: ui.element, chosen: str | None, nothing: str) -> None:
        self._select = select
        self._chosen = chosen
        self._offered = {nothing}
        with select:
            text("option", nothing, value="")

    def offer(self, choices: Iterable[tuple[str, str]]) -> None:
        """Add those that are not there yet."""
        for value, shown in choices:
            self._add(value, shown)
        if self._chosen is not None:
            # An address may ask for what no result has: then it says so here, too.
            self._add(self._chosen, self._chosen)

    def offer_names(self, names: Iterable[str]) -> None:
        """Add those that are not there yet, each shown as it is."""
        self.offer((name, name) for name in sorted(names))

    def _add(self, value: str, shown: str) -> None:
        if value in self._offered:
            return
        self._offered.add(value)
        with self._select:
            option = text("option", shown, value=value)
        if value == self._chosen:
            option.props["selected"] = True


def _choice(name: str, label: str, chosen: str | None, nothing: str = "any") -> _Choice:
    with _labelled(label):
        return _Choice(box("select", name=name), chosen, nothing)


def _number(name: str, label: str, value: float | None) -> None:
    with _labelled(label):
        field("number", name, "" if value is None else f"{value:g}", min="0", max="1", step="any")


def _text(name: str, label: str, value: str | None) -> None:
    with _labelled(label):
        field("text", name, value or "")


def _tick(name: str, label: str, *, ticked: bool) -> None:
    with box("label", "tick"):
        tick(name, "1", ticked=ticked)
        text("span", label)


@contextmanager
def _labelled(label: str) -> Iterator[None]:
    with box("label", "field"):
        text("span", label)
        yield
