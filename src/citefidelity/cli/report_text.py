"""The few numbers of a report that fit on a terminal."""

from __future__ import annotations

from collections.abc import Callable

from citefidelity.cli.rows import columns, pairs
from citefidelity.reporting.figures import Report
from citefidelity.reporting.words import decimal, of, percent, span
from citefidelity.views.amounts import cost


def report_text(report: Report, file: str | None, bold: Callable[[str], str], width: int) -> list[str]:
    """Counts, categories, agreement where there are labels, and where the page is."""
    states = report.states
    left = states.to_do + states.undeliverable + states.done_elsewhere
    spent = report.journals.spent if report.journals is not None else report.spent
    counts = (
        f"{states.qualified:,}: {states.verdict:,} with a verdict, {states.unassessable:,} unassessable, "
        f"{states.failed:,} failed for good, {left:,} not judged"
    )
    rows = [
        ("model", f"{report.spec.model} ({report.spec.provider})"),
        ("citations", f"{report.citations:,} in the store, {report.delivered_citations:,} judged"),
        ("contexts", counts),
        ("cost", cost(spent.cost_usd)),
        ("audit", _audit(report)),
    ]
    lines = [bold(f"Screening {report.screening}"), *pairs(rows)]
    shares = [[one.name, f"{one.contexts:,}", percent(one.share), span(one.interval)] for one in report.categories]
    lines += ["", *columns([["category", "contexts", "share", "95 % interval"], *shares], width, right=(1, 2, 3))]
    lines += ["", *pairs(_agreement(report))] if report.agreement is not None else []
    if report.agreement is not None and not report.agreement.labelled:
        lines += [
            f"  No context has a label in a field '{report.agreement.field}'. A file of labels is --gold-file FILE."
        ]
    lines += ["", *report.notes] if report.notes else []
    return [
        *lines,
        "",
        f"The report is in {file}." if file else "Nothing was written: -o FILE writes the whole report.",
    ]


def _audit(report: Report) -> str:
    if report.audit is None:
        return "not run"
    return "no violations" if report.audit.clean else f"{sum(report.audit.violations.values()):,} violations"


def _agreement(report: Report) -> list[tuple[str, str]]:
    found = report.agreement
    if found is None:
        return []
    return [
        ("labels", f"{found.field}, {of(found.compared, 'context')} compared, {found.without_label:,} without a label"),
        ("agree", f"{percent(found.accuracy)} (95 % interval {span(found.interval)}), kappa {decimal(found.kappa)}"),
        ("calibration error", decimal(found.calibration_error, 3)),
    ]
