"""The part of the page about labels given by people."""

from __future__ import annotations

from citefidelity.reporting.calibration import Agreement
from citefidelity.reporting.figures import Report
from citefidelity.reporting.markup import Child, Markup, definitions, foreign, paragraph, table, together
from citefidelity.reporting.svg import reliability
from citefidelity.reporting.words import decimal, of, percent, span


def agreement_section(report: Report) -> Markup:
    """How far verdicts and labels agree, and whether confidence tells how often they do."""
    found = report.agreement
    if found is None:
        return paragraph(
            "No labels were given, so nothing here tells how often the verdicts are right. Labels that people gave, in "
            "a field of the contexts, are compared by report --gold FIELD."
        )
    if not found.compared:
        return together(
            [_counts(found), paragraph("No context has both a label that stands for a category and a verdict.")]
        )
    return together(
        [
            _counts(found),
            _results(found),
            reliability("Agreement by confidence: on the dashed line, confidence is the share that agrees", found.bins),
            _bins(found),
            _scores(found),
            _confusion(found),
        ]
    )


def _counts(found: Agreement) -> Markup:
    unknown = ", ".join(f"{name} ({number:,})" for name, number in found.unknown.items())
    mapping = ", ".join(f"{one} as {other}" for one, other in found.mapping.items())
    return definitions(
        [
            ("labels", foreign(found.field)),
            ("read as", foreign(mapping)),
            ("compared", of(found.compared, "context")),
            ("without a label", of(found.without_label, "context")),
            ("labelled, without a verdict", of(found.without_verdict, "context") if found.without_verdict else None),
            (
                "label stands for no category",
                together([of(found.unknown_contexts, "context"), ": ", foreign(unknown)])
                if found.unknown_contexts
                else None,
            ),
        ]
    )


def _results(found: Agreement) -> Markup:
    decided = None
    if found.decided < found.compared:
        abstained = of(found.compared - found.decided, "verdict")
        decided = f"{percent(found.decided_accuracy)} of {found.decided:,} (without {abstained} of UNCERTAIN)"
    return definitions(
        [
            ("agree", f"{percent(found.accuracy)} (95 % interval {span(found.interval)})"),
            ("agree where decided", decided),
            (
                "always the commonest label",
                together([percent(found.baseline), " would agree (", foreign(found.baseline_label), ")"]),
            ),
            ("Cohen's kappa", decimal(found.kappa)),
            ("macro F1", f"{decimal(found.macro_f1)} (over the categories that occur among the labels)"),
            ("mean confidence", decimal(found.confidence)),
            (
                "expected calibration error",
                f"{decimal(found.calibration_error, 3)} ({len(found.bins)} classes of confidence of equal width)",
            ),
        ]
    )


def _bins(found: Agreement) -> Markup:
    head = ("confidence", "contexts", "mean confidence", "agree", "95 % interval")
    last = found.bins[-1]
    rows: list[list[Child]] = [
        [
            f"{one.low:.1f} to {'' if one is last else 'below '}{one.high:.1f}",
            f"{one.contexts:,}",
            decimal(one.confidence),
            percent(one.agreement),
            span(one.interval),
        ]
        for one in found.bins
    ]
    return table("Agreement by confidence", head, rows)


def _scores(found: Agreement) -> Markup:
    head = ("category", "labels", "verdicts", "precision", "recall", "F1")
    rows: list[list[Child]] = [
        [
            foreign(one.category),
            f"{one.labels:,}",
            f"{one.verdicts:,}",
            decimal(one.precision),
            decimal(one.recall),
            decimal(one.f1),
        ]
        for one in found.scores
    ]
    return table("By category", head, rows)


def _confusion(found: Agreement) -> Markup:
    rows: list[list[Child]] = [
        [foreign(label), *(f"{number:,}" for number in numbers)] for label, numbers in found.confusion.items()
    ]
    return table("Labels (rows) against verdicts (columns)", ("label", *found.columns), rows, upright=True)
