"""The page *Run*: how a run goes, and where its screening stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from citefidelity.views.advice import Advice
from citefidelity.views.history import History
from citefidelity.views.observing import EVERY_S, LiveStatus
from citefidelity.views.status import Status
from citefidelity.views.status_rows import elsewhere, journal_rows, screening_rows, store_rows
from citefidelity.web.parts import Counts, Plot, attributed, box, heading, pairs, text
from citefidelity.web.site import RUN, Site, results_url
from citefidelity.web.tiles import TILES
from citefidelity.web.watching import LOOK_EVERY_S, Course

Column = Sequence[float | None]


class Plotted(NamedTuple):
    """One plot: its title, its lines, and where they come from."""

    title: str
    names: tuple[str, ...]
    columns: Callable[[History], tuple[Column, ...]]


PLOTS = (
    Plotted("calls a second", ("calls a second",), lambda past: (past.calls_per_s,)),
    Plotted("seconds a call takes", ("half within", "95 % within"), lambda past: (past.latency_p50, past.latency_p95)),
    Plotted("calls in flight", ("in flight",), lambda past: (past.in_flight,)),
    Plotted(
        "done so far",
        ("contexts", "delivered", "failed"),
        lambda past: (past.contexts_done, past.delivered, past.failed),
    ),
    Plotted("errors lately, %", ("errors",), lambda past: ([100 * share for share in past.error_rate],)),
    Plotted("citations waiting for the store", ("waiting",), lambda past: (past.deliver_backlog,)),
    Plotted(
        "memory of the run, MB",
        ("memory",),
        lambda past: ([None if octets is None else octets / 1e6 for octets in past.memory_bytes],),
    ),
)


def run_page(site: Site) -> None:
    """Register the page."""

    @ui.page(RUN)
    def show() -> None:
        with site.frame("Run"):
            run, standing = _Run(site.screening), _Standing()
        seen = [-1]

        def look() -> None:
            if site.watching.looks != seen[0]:
                seen[0] = site.watching.looks
                run.show(site.watching.live, site.watching.course)

        async def take_stock() -> None:
            standing.show(await site.watching.status.get())

        look()
        ui.timer(LOOK_EVERY_S, look)
        ui.timer(EVERY_S, take_stock)


class _Run:
    """The numbers of the run, live or last.

    Args:
        screening: the one that the pages are about; the run may be of another.
    """

    def __init__(self, screening: str) -> None:
        self._screening = screening
        with box("p", "muted wrap", id="course"):
            self._course = text("span", "", role="status")
            self._moment = text("span", "")
        self._advice = _Advised()
        self._numbers = box("div", "cards")
        with self._numbers:
            self._bar = box("div", "bar", role="progressbar", aria_label="citations delivered")
            with self._bar:
                self._filled = box("div")
            with box("div", "tiles"):
                self._tiles = [_tile(one.key, one.name) for one in TILES]
            heading("Over time")
            with box("div", "plots"):
                self._plots = [Plot(one.title, one.names) for one in PLOTS]
            with box("div", "sides"):
                with box("section", "cards"):
                    heading("Verdicts of this run")
                    self._categories = Counts(lambda name: results_url(category=name), id="categories")
                with box("section", "cards"):
                    heading("Failures of this run")
                    self._failures = Counts(lambda name: results_url(failure=name), id="failures")

    def show(self, live: LiveStatus | None, course: Course) -> None:
        """These numbers in the place of the last ones."""
        self._course.set_text(course_of(live, course, self._screening))
        # Beside it: a screen reader reads aloud what changes there, and this does so every two seconds.
        self._moment.set_text(f" As of {live.updated_at}." if live is not None and course == "running" else "")
        self._numbers.set_visibility(live is not None)
        self._advice.show(live.advice if live is not None and course == "running" else ())
        if live is None:
            return
        numbers = live.numbers
        for tile, (value, note) in zip(TILES, self._tiles, strict=True):
            value.set_text(tile.value(numbers))
            note.set_text(tile.note(numbers))
        self._progress(numbers.delivered, numbers.to_do_at_start or 0)
        self._categories.show(numbers.categories)
        self._failures.show(numbers.failures_by_kind)
        for plot, shown in zip(self._plots, PLOTS, strict=True):
            plot.show(live.history.elapsed_s, shown.columns(live.history))

    def _progress(self, delivered: int, to_do: int) -> None:
        share = 100 * min(1.0, delivered / to_do) if to_do else 100.0
        self._filled.style(f"width: {share:.1f}%")
        attributed(self._bar, aria_valuemin="0", aria_valuemax="100", aria_valuenow=f"{share:.0f}")


class _Advised:
    """The advice that stands. Its numbers change every two seconds; what is new in it is read aloud, once."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, str], tuple[TextElement, TextElement]] = {}
        self._heard = text("p", "", "heard", role="status")
        self._place = box("div", "cards", id="advice")

    def show(self, said: Sequence[Advice]) -> None:
        """This advice in the place of the last."""
        before, now = self._shown.keys(), [(one.code, one.level) for one in said]
        if now != list(before):
            self._heard.set_text(" ".join(_what(one) for one in said if (one.code, one.level) not in before))
            self._place.clear()
            with self._place:
                self._shown = {(one.code, one.level): _advice(one) for one in said}
        for one, (what, hint) in zip(said, self._shown.values(), strict=True):
            what.set_text(_what(one))
            hint.set_text(one.hint)


class _Standing:
    """Where the screening stands, over all runs: the numbers of ``citefidelity status``."""

    def __init__(self) -> None:
        heading("The screening, over all runs")
        self._place = box("div", "cards", id="standing")
        with self._place:
            text("p", "Counting ...", "muted")
        self._shown: Status | str | None = None

    def show(self, status: Status | str) -> None:
        """These numbers, or why there are none."""
        if status == self._shown:
            return
        self._shown = status
        self._place.clear()
        with self._place:
            if isinstance(status, str):
                text("p", status, "serious wrap")
                return
            for name, rows in (
                ("Store", store_rows(status)),
                ("Screening", screening_rows(status)),
                ("Journal", [("file", status.journal_path), *journal_rows(status)]),
            ):
                heading(name, 3)
                pairs(rows, name)
            for note in (*status.notes, *(f"unfinished elsewhere: {elsewhere(row)}" for row in status.other_journals)):
                text("p", note, "warning wrap")


def course_of(live: LiveStatus | None, course: Course, screening: str) -> str:
    """What there is to say of the run before its numbers, on the pages of a screening."""
    if live is None:
        return "No run has left numbers beside this journal. The page fills by itself when one begins."
    of = "" if live.run.screening == screening else f" of screening {live.run.screening}, not of {screening}"
    run = f"Run {live.run.run_id}{of}: {live.run.model} ({live.run.provider}) on {live.host}"
    return {
        "running": f"{run}, process {live.pid}.",
        "ended": f"{run} has ended; its last numbers, of {live.updated_at}.",
        "killed": f"{run} did not come to its end; its last numbers, of {live.updated_at}. "
        "Run again: what has an answer is not asked again.",
        "none": "",
    }[course]


def _tile(key: str, name: str) -> tuple[TextElement, TextElement]:
    with box("div", "tile", data_key=key):
        text("div", name, "name")
        return text("div", "", "value"), text("div", "", "note")


def _advice(one: Advice) -> tuple[TextElement, TextElement]:
    with box("div", f"advice {one.level}", data_code=one.code):
        return text("div", "", "wrap"), text("div", "", "muted wrap")


def _what(one: Advice) -> str:
    return f"{one.level.capitalize()}: {one.what}."
