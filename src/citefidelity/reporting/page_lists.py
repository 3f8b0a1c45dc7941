"""The parts of the page that name articles and contexts."""

from __future__ import annotations

from collections.abc import Sequence

from citefidelity.reporting.figures import Group, Place, Report
from citefidelity.reporting.markup import Child, Markup, element, folded, foreign, paragraph, table, together
from citefidelity.reporting.statistics import wilson
from citefidelity.reporting.words import of, percent, span
from citefidelity.views.problem_papers import DEFINITION, ProblemPaper


def papers_section(report: Report) -> Markup:
    """Articles with most unsupported citations."""
    papers = report.papers
    if not papers.counted:
        return paragraph("No category of this spec counts as unsupported, so no article is named.")
    if not (papers.cited or papers.citing):
        return paragraph(f"No verdict is one of {', '.join(papers.counted)}.")
    return together(
        [
            paragraph(f"{DEFINITION} The categories: {', '.join(papers.counted)}."),
            _papers("Cited articles with most unsupported contexts", papers.cited, papers.cited_articles),
            _papers("Citing articles with most unsupported contexts", papers.citing, papers.citing_articles),
        ]
    )


def _papers(caption: str, papers: Sequence[ProblemPaper], in_all: int) -> Markup:
    head = ("article", "title", "unsupported", "judged", "share", "95 % interval", "categories")
    rows: list[list[Child]] = [
        [
            foreign(one.article_id),
            foreign(one.title),
            f"{one.unsupported:,}",
            f"{one.judged:,}",
            percent(one.share),
            span(wilson(one.unsupported, one.judged)),
            ", ".join(f"{name} {number:,}" for name, number in one.categories.items()),
        ]
        for one in papers
    ]
    more = f" (the first {len(papers):,} of {in_all:,})" if in_all > len(papers) else ""
    return table(f"{caption}{more}", head, rows, words=(0, 1, 6))


def failures_section(report: Report) -> Markup:
    """Contexts that were not judged, by why."""
    groups = [
        ("Failed for good", report.failures),
        ("Unassessable", report.unassessable),
        ("Undeliverable", report.undeliverable),
    ]
    if not any(found for _, found in groups):
        return paragraph("Every context that was taken up has a verdict.")
    return together([_groups(heading, found) for heading, found in groups if found])


def flags_section(report: Report) -> Markup:
    """Contexts whose texts look like an attack on the model, or hold what nobody sees."""
    journals = report.journals
    if journals is None:
        return paragraph("What texts look odd is noted in the journal, which was not read.")
    if not journals.flagged:
        return paragraph("No text that was judged looks like an attack on the model or holds unseen characters.")
    said = (
        f"{of(journals.flagged, 'context')} with a text that looks odd. Nothing was left out or changed; a flag is a "
        "reason to read the text before its verdict is trusted, and an article on language models may quote an attack."
    )
    return together([paragraph(said), _groups("By kind", journals.flags)])


def _groups(heading: str, groups: Sequence[Group]) -> Markup:
    rows: list[list[Child]] = [[one.kind, one.meaning, f"{one.contexts:,}"] for one in groups]
    return together(
        [
            element("h3", heading),
            table(heading, ("kind", "meaning", "contexts"), rows, words=(0, 1)),
            *(_places(one) for one in groups),
        ]
    )


def _places(group: Group) -> Markup:
    in_all = f" (the first {len(group.first):,})" if group.contexts > len(group.first) else ""
    caption = f"{group.kind}: {of(group.contexts, 'context')}{in_all}"
    told = any(place.message for place in group.first)
    head = ("citing article", "cited article", "reference", "context", *(["message"] if told else []))
    rows = [[*_place(place), *([foreign(place.message)] if told else [])] for place in group.first]
    return folded(f"Show {group.kind}{in_all}", table(caption, head, rows, words=range(len(head))))


def _place(place: Place) -> list[Child]:
    return [
        foreign(place.source_id),
        foreign(place.target_id),
        foreign(place.reference_id),
        foreign(place.instance_id or "all"),
    ]
