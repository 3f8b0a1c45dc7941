"""How far verdicts agree with labels given by people, and whether their confidence tells how often they do.

A label and a verdict are compared by name, after both went through the same mapping: ``ACCURATE=SUPPORT`` makes a label
of another scheme one of the spec's, and several categories mapped to one name are compared as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from citefidelity.records import Outcome, Verdict
from citefidelity.reporting.statistics import calibration_error, kappa, margins, mean, ratio, wilson

BINS = 10
UNKNOWN_NAMED = 20
"""Different labels without a category that are named; of a field that holds free text there are as many as contexts."""

ABSTAINED = "UNCERTAIN"
"""The category by which the built-in spec lets a model say that it cannot tell."""


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Labelled verdicts with a confidence from ``low`` up to, but not with, ``high``; the last one holds 1, too."""

    low: float
    high: float
    contexts: int
    confidence: float | None
    agreement: float | None
    interval: tuple[float, float] | None


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """One category: ``labels`` and ``verdicts`` say how often it was given by each side."""

    category: str
    labels: int
    verdicts: int
    precision: float | None
    recall: float | None
    f1: float | None


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts against labels. ``compared`` contexts have both, and a label that stands for a category.

    ``unknown`` are labels that stand for none, by name; ``unknown_contexts`` counts all of them. ``macro_f1`` is over
    the categories that occur among the labels. ``baseline`` is what always answering the commonest label would reach.
    ``decided`` leaves out verdicts of UNCERTAIN where no label says so. ``confusion`` has a row for each label,
    ``columns`` its verdicts.
    """

    field: str
    mapping: dict[str, str]
    labelled: int
    without_label: int
    without_verdict: int
    unknown: dict[str, int]
    unknown_contexts: int
    compared: int
    agreed: int
    accuracy: float | None
    interval: tuple[float, float] | None
    baseline_label: str | None
    baseline: float | None
    decided: int
    decided_accuracy: float | None
    kappa: float | None
    macro_f1: float | None
    confidence: float | None
    calibration_error: float | None
    bins: list[Bin]
    scores: list[Scores]
    columns: list[str]
    confusion: dict[str, list[int]]


class Comparison:
    """Takes up one context after another; the memory it needs does not grow.

    Args:
        categories: those of the spec, in its order.
        field: where labels come from, for people.
        mapping: from names to names, for labels and verdicts alike.
    """

    def __init__(self, categories: Sequence[str], field: str, mapping: Mapping[str, str]) -> None:
        self._field = field
        self._mapping = dict(mapping)
        self._order = list(dict.fromkeys(self._mapping.get(name, name) for name in categories))
        self._confusion: Counter[tuple[str, str]] = Counter()
        self._bins = [[0, 0.0, 0] for _ in range(BINS)]
        self._unknown: Counter[str] = Counter()
        self._unknown_contexts = self._labelled = self._without_label = self._without_verdict = 0

    def add(self, label: str | None, outcome: Outcome | None) -> None:
        """One context, with its label and how it ended, as far as there are such."""
        if label is None:
            self._without_label += 1
            return
        self._labelled += 1
        name = self._mapping.get(label, label)
        if name not in self._order:
            self._unknown_contexts += 1
            if label in self._unknown or len(self._unknown) < UNKNOWN_NAMED:
                self._unknown[label] += 1
        elif outcome is None or outcome.verdict is None:
            self._without_verdict += 1
        else:
            self._compare(name, outcome.verdict)

    def _compare(self, label: str, verdict: Verdict) -> None:
        said = self._mapping.get(verdict.category, verdict.category)
        self._confusion[label, said] += 1
        one = self._bins[min(int(verdict.confidence * BINS), BINS - 1)]
        one[0] += 1
        one[1] += verdict.confidence
        one[2] += label == said

    def result(self) -> Agreement:
        """What it comes to."""
        confusion = self._confusion
        labels, verdicts = margins(confusion)
        compared = sum(confusion.values())
        agreed = sum(number for (label, said), number in confusion.items() if label == said)
        commonest = max(labels, key=lambda name: (labels[name], -self._order.index(name)), default=None)
        abstained = 0 if ABSTAINED in labels else verdicts.get(ABSTAINED, 0)
        columns = [name for name in self._order if name in verdicts or name in labels]
        columns += sorted(set(verdicts) - set(columns))
        scores = [self._scores(name, labels.get(name, 0), verdicts.get(name, 0)) for name in columns]
        return Agreement(
            field=self._field,
            mapping=self._mapping,
            labelled=self._labelled,
            without_label=self._without_label,
            without_verdict=self._without_verdict,
            unknown=dict(self._unknown),
            unknown_contexts=self._unknown_contexts,
            compared=compared,
            agreed=agreed,
            accuracy=ratio(agreed, compared),
            interval=wilson(agreed, compared),
            baseline_label=commonest,
            baseline=ratio(labels[commonest], compared) if commonest is not None else None,
            decided=compared - abstained,
            decided_accuracy=ratio(agreed, compared - abstained),
            kappa=kappa(confusion),
            macro_f1=mean([one.f1 or 0.0 for one in scores if one.labels]),
            confidence=ratio(sum(confidence for _, confidence, _ in self._bins), compared),
            calibration_error=calibration_error((int(n), confidence, int(hits)) for n, confidence, hits in self._bins),
            bins=[self._bin(at) for at in range(BINS)],
            scores=scores,
            columns=columns,
            confusion={name: [confusion[name, said] for said in columns] for name in columns if name in labels},
        )

    def _bin(self, at: int) -> Bin:
        number, confidence, agreed = self._bins[at]
        return Bin(
            low=at / BINS,
            high=(at + 1) / BINS,
            contexts=int(number),
            confidence=ratio(confidence, number),
            agreement=ratio(agreed, number),
            interval=wilson(int(agreed), int(number)),
        )

    def _scores(self, name: str, labels: int, verdicts: int) -> Scores:
        both = self._confusion[name, name]
        return Scores(
            category=name,
            labels=labels,
            verdicts=verdicts,
            precision=ratio(both, verdicts),
            recall=ratio(both, labels),
            f1=ratio(2 * both, labels + verdicts),
        )
