"""The report as one HTML file: nothing is loaded from anywhere, no script, and all text of others is escaped."""

from __future__ import annotations

from importlib import resources

from citefidelity.reporting.figures import Report, Share
from citefidelity.reporting.markup import (
    Child,
    Markup,
    definitions,
    element,
    folded,
    foreign,
    paragraph,
    section,
    table,
    together,
)
from citefidelity.reporting.page_agreement import agreement_section
from citefidelity.reporting.page_lists import failures_section, flags_section, papers_section
from citefidelity.reporting.page_making import cost_section, making_section
from citefidelity.reporting.svg import bars, histogram, spreads
from citefidelity.reporting.words import decimal, of, percent, span

GENERATOR = "citefidelity report"
"""By this name in its head a file is known as a report that may be replaced."""

NOTHING_LOADED = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The page may load nothing and send nothing, whatever stands in it."""

CAUTION = (
    "A verdict is what a language model answered to the passages it was shown. It is a reason to look at a citation, "
    "not a finding about an article or its authors."
)


def page(report: Report) -> str:
    """The whole file. The same report gives the same text."""
    title = f"Citation screening {report.screening}"
    parts = [
        ("summary", "Summary", summary_section),
        ("distributions", "Distributions", distributions_section),
        ("agreement", "Agreement with labels", agreement_section),
        ("papers", "Articles to look at first", papers_section),
        ("failures", "Without a verdict", failures_section),
        ("flags", "Odd texts", flags_section),
        ("cost", "Cost and time", cost_section),
        ("making", "How it was made", making_section),
    ]
    body = element(
        "body",
        _header(title, report),
        element("nav", element("ol", *(_link(ident, name) for ident, name, _ in parts)), aria_label="Contents"),
        element("main", *(section(ident, name, build(report)) for ident, name, build in parts)),
    )
    return f"<!DOCTYPE html>\n{element('html', _head(title), body, lang='en')}\n"


def is_report(beginning: bytes) -> bool:
    """Whether a file that begins so is a report of ours."""
    return b'<meta name="generator" content="' + GENERATOR.encode() + b'">' in beginning


def _head(title: str) -> Markup:
    style = resources.files("citefidelity.reporting").joinpath("style.css").read_text(encoding="utf-8")
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="generator", content=GENERATOR),
        element("meta", http_equiv="Content-Security-Policy", content=NOTHING_LOADED),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        # Ours, and free of markup; escaped, its quotes would mean nothing to a browser.
        element("style", Markup(style)),
    )


def _header(title: str, report: Report) -> Markup:
    made = f"{report.spec.model} ({report.spec.provider}), report of {report.made_at}, {report.program}"
    return element(
        "header", element("h1", title), paragraph(foreign(made), class_="faint"), paragraph(CAUTION, class_="note")
    )


def _link(ident: str, name: str) -> Markup:
    return element("li", element("a", name, href=f"#{ident}"))


def summary_section(report: Report) -> Markup:
    """The few numbers that matter, and what every verdict came to."""
    states = report.states
    tiles = [
        (report.qualified_citations, "citations qualified"),
        (states.qualified, "contexts in them"),
        (states.verdict, "with a verdict"),
        (states.unassessable, "unassessable"),
        (states.failed, "failed for good"),
        (states.to_do + states.undeliverable + states.done_elsewhere, "not judged"),
    ]
    return together(
        [
            element(
                "div", *(element("div", element("b", f"{number:,}"), name) for number, name in tiles), class_="tiles"
            ),
            *(paragraph(foreign(note), class_="note") for note in (*_unfinished(report), *report.notes)),
            _share_table("Verdicts by category, with 95 % Wilson intervals", "category", report.categories),
            _other_counts(report),
        ]
    )


def _unfinished(report: Report) -> list[str]:
    states = report.states
    notes = []
    if states.to_do:
        notes.append(
            f"The screening is not finished: {of(states.to_do, 'context')} are still to do. All shares are of what is "
            "delivered so far."
        )
    if report.journals is not None and report.journals.waiting:
        notes.append("The journal holds outcomes that are not delivered yet, and not counted here.")
    return notes


def _other_counts(report: Report) -> Markup:
    states = report.states
    return definitions(
        [
            (
                "citations",
                f"{report.citations:,} in the store, {report.delivered_citations:,} judged by this screening",
            ),
            ("to do", f"{of(states.to_do, 'context')}" if states.to_do else None),
            ("undeliverable", of(states.undeliverable, "context") if states.undeliverable else None),
            ("judged by another program", of(states.done_elsewhere, "context") if states.done_elsewhere else None),
            ("not qualified", of(states.not_qualified, "context") if states.not_qualified else None),
        ]
    )


def distributions_section(report: Report) -> Markup:
    """Categories, types and confidence, each as a plot and as a table."""
    if not report.states.verdict:
        return paragraph("There is no verdict yet.")
    together_, *each = report.confidence
    head = ("category", "verdicts", "mean", "lower quartile", "median", "upper quartile")
    rows: list[list[Child]] = [
        [
            one.category or "all",
            f"{one.contexts:,}",
            decimal(one.mean),
            decimal(one.lower_quartile),
            decimal(one.median),
            decimal(one.upper_quartile),
        ]
        for one in report.confidence
    ]
    classes = len(together_.histogram)
    classes_table: list[list[Child]] = [
        [f"{at / classes:.2f} to {(at + 1) / classes:.2f}", f"{number:,}"]
        for at, number in enumerate(together_.histogram)
        if number
    ]
    return element(
        "div",
        element(
            "div",
            bars("Verdicts by category", report.categories),
            bars("Verdicts by citation type", report.types),
            class_="plots",
        ),
        _share_table("Verdicts by citation type", "citation type", report.types),
        element(
            "div",
            histogram("Confidence of all verdicts", together_),
            spreads("Confidence by category", each),
            class_="plots",
        ),
        table("Confidence by category", head, rows),
        folded(
            "Show the confidence of all verdicts as a table",
            table("Confidence of all verdicts", ("confidence", "verdicts"), classes_table),
        ),
    )


def _share_table(caption: str, name: str, shares: list[Share]) -> Markup:
    rows = [[foreign(one.name), f"{one.contexts:,}", percent(one.share), span(one.interval)] for one in shares]
    return table(caption, (name, "contexts", "share", "95 % interval"), rows)
