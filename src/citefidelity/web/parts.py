"""Small parts that several pages are made of.

Whatever comes from a paper or a model is given as the text of an element or the value of an attribute, where a browser
takes nothing for markup.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from citefidelity.views.amounts import percent

Made = TypeVar("Made", bound=ui.element)
Key = TypeVar("Key", bound=Hashable)
Part = TypeVar("Part")

GREY = "#8a94a3"
"""Can be read on light and on dark ground."""

AXIS = {"axisLabel": {"color": GREY}, "splitLine": {"lineStyle": {"color": "rgba(138,148,163,0.25)"}}}
UNITS = (("h", 3_600), ("min", 60), ("s", 1))
FEWEST = 3
"""Of a larger unit, before time is told in it."""

COLOURS = ("#2f81d8", "#d9822b", "#3fa45b", "#c9505a")


def text(tag: str, content: str, classes: str = "", **attributes: str) -> TextElement:
    """An element of HTML with this text in it; ``set_text`` changes it."""
    return attributed(TextElement(tag=tag, text=content).classes(classes), **attributes)


def box(tag: str, classes: str = "", **attributes: str) -> ui.element:
    """An element of HTML to put others into."""
    return attributed(ui.element(tag).classes(classes), **attributes)


def tell(place: TextElement, said: str) -> None:
    """Say this in this place, which takes no room where there is nothing to say."""
    place.set_text(said)
    place.set_visibility(bool(said))


def attributed(element: Made, **attributes: str) -> Made:
    """The element with these attributes; an underscore in a name is written as a dash."""
    for name, value in attributes.items():
        element.props[name.replace("_", "-")] = value
    return element


def field(kind: str, name: str, value: str, **attributes: str) -> ui.element:
    """A field of a form to write into, with ``value`` in it at first.

    An attribute that begins with ``^`` is written as an attribute and not as a property (Vue's ``h()``): the property
    ``value`` would be put back at every change of anything on the page, over what somebody has written meanwhile.
    """
    made = box("input", type=kind, name=name, **attributes)
    made.props["^value"] = value
    return made


def tick(name: str, value: str, *, ticked: bool) -> ui.element:
    """A box to tick."""
    made = box("input", type="checkbox", name=name, value=value)
    if ticked:
        made.props["checked"] = True
    return made


def heading(content: str, level: int = 2) -> TextElement:
    """A heading."""
    return text(f"h{level}", content)


def pairs(rows: Iterable[tuple[str, str]], label: str) -> None:
    """Names and what stands for them; what is empty is left out."""
    with box("table", "plain pairs", aria_label=label), box("tbody"):
        for name, value in rows:
            if value:
                with box("tr"):
                    text("th", name, scope="row")
                    text("td", value)


def arranged(
    place: ui.element,
    before: Mapping[Key, Part],
    wanted: Sequence[Key],
    make: Callable[[Key], Part],
    element_of: Callable[[Part], ui.element],
) -> dict[Key, Part]:
    """The parts of ``place`` that are wanted, in this order; what is there already stays what it is.

    On one that is put in anew, a click would be lost, and the keyboard's place, and what somebody has selected.
    """
    if list(before) == list(wanted):
        return dict(before)
    for key in before.keys() - set(wanted):
        element_of(before[key]).delete()
    with place:
        now = {key: before[key] if key in before else make(key) for key in wanted}
    for at, part in enumerate(now.values()):
        element_of(part).move(target_index=at)
    return now


class _Count(NamedTuple):
    """A row of :class:`Counts`."""

    row: ui.element
    number: TextElement
    share: TextElement


class Counts:
    """How many of each, the most first, with their share.

    Args:
        link: the address that a name leads to.
        attributes: of the element around it.
    """

    def __init__(self, link: Callable[[str], str] | None = None, **attributes: str) -> None:
        self._link = link
        self._rows: dict[str, _Count] = {}
        with box("div", **attributes):
            self._none = text("p", "None.", "muted")
            with box("table", "plain"):
                self._body = box("tbody")

    def show(self, counts: Mapping[str, int]) -> None:
        """These counts in the place of the last ones."""
        names = sorted(counts, key=lambda name: (-counts[name], name))
        self._none.set_visibility(not names)
        self._rows = arranged(self._body, self._rows, names, self._added, lambda count: count.row)
        whole = sum(counts.values())
        for name, row in self._rows.items():
            row.number.set_text(f"{counts[name]:,}")
            row.share.set_text(percent(counts[name] / whole))

    def _added(self, name: str) -> _Count:
        with box("tr", data_name=name) as row:
            with box("th", scope="row"):
                text("span", name) if self._link is None else ui.link(name, self._link(name))
            return _Count(row, text("td", "", "number"), text("td", "", "number"))


def copyable(command: str, label: str) -> None:
    """A command in a field that can be selected, and a button that copies it."""
    with box("div", "command"):
        box("input", type="text", readonly="readonly", value=command, aria_label=label)
        # In the browser itself: a browser copies only while it handles a click.
        text("button", "Copy", type="button", aria_label=f"Copy: {label}").on("click", js_handler=COPY)


COPY = """(event) => {
  const button = event.currentTarget, field = button.parentElement.querySelector("input");
  field.select();
  const copied = navigator.clipboard ? navigator.clipboard.writeText(field.value) : document.execCommand("copy");
  Promise.resolve(copied).then(() => { button.textContent = "Copied"; });
}"""


class Plot:
    """Lines over the time of a run.

    Args:
        title: what it shows, with its unit.
        names: of its lines.
    """

    def __init__(self, title: str, names: Sequence[str]) -> None:
        options: dict[str, Any] = {
            "title": {"text": title, "left": 0, "top": 0, "textStyle": {"color": GREY, "fontSize": 13}},
            "aria": {"enabled": True},
            "animation": False,
            "color": list(COLOURS),
            "grid": {"left": 8, "right": 16, "top": 56, "bottom": 8, "containLabel": True},
            "legend": {"left": 0, "top": 20, "show": len(names) > 1, "textStyle": {"color": GREY}},
            "tooltip": {"trigger": "axis", "renderMode": "richText"},
            "xAxis": {"type": "value", **AXIS},
            "yAxis": {"type": "value", "min": 0, **AXIS},
            "series": [{"name": name, "type": "line", "showSymbol": False, "data": []} for name in names],
        }
        self._chart = attributed(ui.echart(options).classes("plot"), role="img", aria_label=title)

    def show(self, elapsed_s: Sequence[float], columns: Sequence[Sequence[float | None]]) -> None:
        """These values at these times since the run began."""
        unit, length = next(one for one in UNITS if not elapsed_s or elapsed_s[-1] >= FEWEST * one[1] or one[1] == 1)
        times = [round(seconds / length, 3) for seconds in elapsed_s]
        options = self._chart.options
        options["xAxis"]["axisLabel"] = {"color": GREY, "formatter": f"{{value}} {unit}", "hideOverlap": True}
        for series, column in zip(options["series"], columns, strict=True):
            series["data"] = [list(point) for point in zip(times, column, strict=True)]
        self._chart.update()
