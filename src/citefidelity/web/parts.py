"""Small parts that several pages are made of.

Whatever comes from a paper or a model is given as the text of an element or the value of an attribute, where a browser
takes nothing for markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from citefidelity.views.amounts import percent

Made = TypeVar("Made", bound=ui.element)

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


def attributed(element: Made, **attributes: str) -> Made:
    """The element with these attributes; an underscore in a name is written as a dash."""
    for name, value in attributes.items():
        element.props[name.replace("_", "-")] = value
    return element


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


def counted(counts: Mapping[str, int], link: Callable[[str], str] | None = None) -> None:
    """How many of each, the most first, with their share; ``link`` gives the address that a name leads to."""
    if not counts:
        text("p", "None.", "muted")
        return
    whole = sum(counts.values())
    with box("table", "plain"), box("tbody"):
        for name, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            with box("tr", data_name=name):
                with box("th", scope="row"):
                    text("span", name) if link is None else ui.link(name, link(name))
                text("td", f"{number:,}", "number")
                text("td", percent(number / whole), "number")


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
