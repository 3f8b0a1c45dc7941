"""The page of a report: well formed, self-contained, the same each time, and not to be broken into."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citefidelity.cli.report_text import report_text
from citefidelity.records import CitationKey
from citefidelity.reporting.figures import Audited, Group, Journals, Place, Report, RunRow, Spent
from citefidelity.reporting.markup import VOID, element
from citefidelity.reporting.methods import what_it_cannot_tell, what_was_done
from citefidelity.reporting.page import is_report, page
from citefidelity.specs.spec import builtin_spec
from support.cli import as_is
from support.reports import HOSTILE, SPEC, full_store, report_on

OUTSIDE = re.compile(
    r"(?:src|srcset|action|data|poster|formaction|background)\s*=|@import|url\(|https?://(?!www\.w3\.org/2000/svg)"
)


class Outline(HTMLParser):
    """Which elements a page has, with their attributes; fails where one is not closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It must be the one that is open."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note it."""
        self.words.append(data)


@pytest.fixture
async def report() -> Report:
    """A report with something under every heading, hostile text wherever others may write."""
    spec = msgspec.structs.replace(SPEC, model="model-1", system=f"{SPEC.system}\n{HOSTILE.replace(chr(0), '')}")
    place = Place.of(CitationKey(HOSTILE, HOSTILE, HOSTILE), HOSTILE, HOSTILE)
    run = RunRow(run=HOSTILE, program=HOSTILE, began_at="a", ended_at=None, seconds=None, stopped=None)
    journals = Journals(
        ids=["j-1"],
        runs=[run, msgspec.structs.replace(run, ended_at="b", seconds=60.0, stopped="complete")],
        spent=Spent(calls=9, input_tokens=90, output_tokens=9, cached_tokens=45, cost_usd=0.5),
        maybe_paid=1,
        attempts_failed={"timeout": 2},
        answer_seconds=(1.0, 2.0, 3.0),
        flags=[Group(kind="fence", contexts=60, meaning="m", first=[place])],
        flagged=60,
        waiting=True,
    )
    return msgspec.structs.replace(
        await report_on(await full_store(spec)),
        journals=journals,
        audit=Audited(clean=False, audited=1, not_audited=2, violations={"missing": 3}, notes={"changed": 4}),
        models={HOSTILE: 1},
        programs={HOSTILE: 1},
        failures=[Group(kind="refused", contexts=1, meaning="m", first=[place])],
        notes=[HOSTILE],
    )


def test_no_text_breaks_out_of_its_place(report: Report) -> None:
    """Hostile titles, ids, messages and prompts come out as the text they are: no script, no image, no handler."""
    text = page(report)
    outline = Outline(text)
    names = {name for name, _ in outline.elements}
    assert names.isdisjoint({"script", "img", "iframe", "object", "link", "base", "form", "input"})
    assert sum(name == "style" for name, _ in outline.elements) == 1
    assert sum(name == "title" for name, _ in outline.elements) > 1  # the page's own, and those of its plots
    for name, attributes in outline.elements:
        assert not [key for key in attributes if key.startswith("on") or key == "style"], name
        assert (attributes.get("href") or "#").startswith("#")
    assert "".join(outline.words).count("<script>alert(1)</script>") > 10
    assert "\u202e" not in text
    assert "\0" not in text


def test_nothing_is_loaded(report: Report) -> None:
    """No address, import or source stands in the page outside of text, and its policy forbids any."""
    outline = Outline(page(report))
    markup = re.sub(r">[^<]*<", "><", page(report))
    assert OUTSIDE.search(markup) is None
    style = next(word for word in outline.words if ":root" in word)
    assert OUTSIDE.search(style) is None
    policies = [given["content"] for name, given in outline.elements if given.get("http-equiv")]
    assert [str(policy).split(";")[0] for policy in policies] == ["default-src 'none'"]


def test_the_same_report_is_the_same_page(report: Report) -> None:
    """Byte for byte; another date changes nothing but the date."""
    assert page(report) == page(report)
    later = msgspec.structs.replace(report, made_at="2027-01-01T00:00:00Z")
    assert page(later).replace("2027-01-01T00:00:00Z", report.made_at) == page(report)


def test_a_report_is_known_by_its_beginning(report: Report) -> None:
    """What may be replaced is told from the first bytes; a text that merely names the program is another file."""
    text = page(report).encode()
    assert is_report(text[:1_000])
    assert not is_report(b"<html><body>citefidelity report</body></html>")


def test_every_plot_has_words_for_those_who_cannot_see_it(report: Report) -> None:
    """Each drawing is an image with a title and a description; each link leads to a place in the page."""
    outline = Outline(page(report))
    drawings = [given for name, given in outline.elements if name == "svg"]
    assert len(drawings) == 5
    assert {given["role"] for given in drawings} == {"img"}
    assert sum(name == "desc" for name, _ in outline.elements) == 5
    places = {given["id"] for name, given in outline.elements if name == "section"}
    links = {str(given["href"])[1:] for name, given in outline.elements if name == "a"}
    assert links == places


def test_it_says_what_it_is(report: Report) -> None:
    """Numbers, spec, prompt, fingerprint, audit and limits stand there; the place of the store does not."""
    words = "".join(Outline(page(report)).words)
    for wanted in (
        report.fingerprint,
        "not a finding",
        "violations: missing 3",
        "[categories]",
        "You check citations in scholarly articles",
        "The screening is not finished",
        "not delivered yet",
        "95 % interval",
    ):
        assert wanted in words
    assert "sqlite:///" not in words


def test_an_empty_screening_has_a_page(report: Report) -> None:
    """Without verdicts, labels, journal and audit it says so and divides nothing by zero."""
    empty = msgspec.structs.replace(
        report, states=type(report.states)(), categories=[], types=[], confidence=[], agreement=None, journals=None,
        audit=None, failures=[], unassessable=[], undeliverable=[], notes=[], models={}, first_answer_at=None,
    )  # fmt: skip
    words = "".join(Outline(page(empty)).words)
    for said in ("There is no verdict yet", "No labels were given", "was not run", "which was not read"):
        assert said in words


def test_the_methods_follow_the_numbers(report: Report) -> None:
    """Without labels the text says that errors are not known; with them it gives the agreement and its interval."""
    assert "4 got a verdict" in what_was_done(report)
    assert "Sarol" in what_was_done(msgspec.structs.replace(report, spec=builtin_spec()))
    other = msgspec.structs.replace(SPEC, categories={"YES": "y", "NO": "n"})
    assert "Sarol" not in what_was_done(msgspec.structs.replace(report, spec=other))
    assert "Of 3 verdicts compared" in what_it_cannot_tell(report)
    assert "error rate is not known" in what_it_cannot_tell(msgspec.structs.replace(report, agreement=None))


def test_the_summary_for_a_terminal(report: Report) -> None:
    """The counts, the shares, the agreement, and where the page is, or how to get one."""
    text = "\n".join(report_text(report, "r.html", as_is, 100))
    assert "4 with a verdict" in text
    assert "3 violations" in text
    assert "kappa" in text
    assert text.endswith("The report is in r.html.")
    assert "-o FILE" in report_text(report, None, as_is, 100)[-1]


@given(st.text(st.characters(codec=None, exclude_categories=())), st.text())
def test_what_is_put_in_comes_out_as_text(inside: str, attribute: str) -> None:
    """Any text, half a surrogate pair included, can be encoded and makes no element of its own."""
    made = element("p", inside, title=attribute)
    outline = Outline(made.encode().decode())
    assert [name for name, _ in outline.elements] == ["p"]
