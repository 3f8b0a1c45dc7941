"""The form of the page *Results*: a plain form whose fields go into the address, so that it can be kept and shared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from nicegui import ui

from citefidelity.results_index.filters import Filter, Sort, State
from citefidelity.results_index.rows import Group
from citefidelity.web.parts import box, text
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


def filter_form(chosen: Filter, groups: Sequence[Group], types: Sequence[str]) -> None:
    """Fields for everything that can be asked, with what is asked now."""
    categories = sorted({group.detail for group in groups if group.state == "verdict"})
    kinds = sorted({group.detail for group in groups if group.state != "verdict"})
    with _form("filters", "Filter"):
        _choice("state", "How it ended", STATES.items(), chosen.state)
        _choice("category", "Category", ((name, name) for name in categories), chosen.category)
        _choice("failure", "Failure", ((name, name) for name in kinds), chosen.failure)
        _choice("type", "Citation type", ((name, name) for name in types), chosen.type)
        _number("min", "Confidence from", chosen.min)
        _number("max", "Confidence to", chosen.max)
        _text("article", "Article id, or a part of it", chosen.article)
        _text("citing", "Citing article, whole id", chosen.citing)
        _text("cited", "Cited article, whole id", chosen.cited)
        _text("words", "Words in titles and texts", chosen.words)
        _tick("flagged", "Text looks odd", ticked=chosen.flagged)
        _tick("waiting", "Not in the store yet", ticked=chosen.waiting)
        _choice(
            "sort",
            "Sort by",
            ((name, label) for name, label in SORTS.items() if name != "latest"),
            chosen.sort,
            "latest",
        )
        with box("div", "buttons"):
            text("button", "Show", type="submit")
            ui.link("Everything", results_url())


def page_form(chosen: Filter, pages: int) -> None:
    """The way to another page of the same results."""
    address = {name: value for name, value in chosen.query().items() if name != "page"}
    with box("nav", "row pager", aria_label="Pages of results"):
        for label, page in (("First", 1), ("Previous", chosen.page - 1), ("Next", chosen.page + 1), ("Last", pages)):
            if 1 <= page <= pages and page != chosen.page:
                ui.link(label, results_url(**address, page=page))
            else:
                text("span", label, "muted", aria_disabled="true")
        with _form("row", "Page"):
            for name, value in address.items():
                box("input", type="hidden", name=name, value=value)
            with box("label"):
                text("span", "Page ")
                box("input", type="number", name="page", min="1", max=f"{pages}", value=f"{chosen.page}")
            text("span", f"of {pages:,}")
            text("button", "Go", type="submit")


@contextmanager
def _form(classes: str, label: str) -> Iterator[None]:
    with box("form", classes, method="get", action=RESULTS, aria_label=label) as form:
        form.on("formdata", js_handler=_LEAVE_OUT_EMPTY)
        yield


def _choice(
    name: str, label: str, choices: Iterable[tuple[str, str]], chosen: str | None, nothing: str = "any"
) -> None:
    offered = list(choices)
    if chosen not in (None, *(value for value, _ in offered)) and chosen != nothing:
        # An address may ask for what no result has: then it says so here, too.
        offered.append((chosen or "", chosen or ""))
    with _labelled(label), box("select", name=name):
        text("option", nothing, value="")
        for value, shown in offered:
            option = text("option", shown, value=value)
            if value == chosen:
                option.props["selected"] = True


def _number(name: str, label: str, value: float | None) -> None:
    with _labelled(label):
        box(
            "input", type="number", name=name, min="0", max="1", step="any", value="" if value is None else f"{value:g}"
        )


def _text(name: str, label: str, value: str | None) -> None:
    with _labelled(label):
        box("input", type="text", name=name, value=value or "")


def _tick(name: str, label: str, *, ticked: bool) -> None:
    with box("label", "tick"):
        field = box("input", type="checkbox", name=name, value="1")
        if ticked:
            field.props["checked"] = True
        text("span", label)


@contextmanager
def _labelled(label: str) -> Iterator[None]:
    with box("label", "field"):
        text("span", label)
        yield
