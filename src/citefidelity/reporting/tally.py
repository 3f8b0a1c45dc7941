"""Counts a store while it is read, a citation at a time. Memory grows with the articles, not with the contexts."""

from __future__ import annotations

from collections import Counter

import msgspec

from citefidelity.kinds import UndeliverableKind
from citefidelity.records import Answer, CitationKey, Outcome, StoredCitation, Verdict
from citefidelity.reporting.calibration import Agreement, Comparison
from citefidelity.reporting.figures import LISTED, Confidence, Group, Place, Share, Spent, States
from citefidelity.reporting.labels import Labels
from citefidelity.reporting.meanings import MEANINGS
from citefidelity.reporting.statistics import quantile, ratio, wilson
from citefidelity.specs.spec import Spec
from citefidelity.views.problem_papers import JudgedCitation, PaperTally, ProblemPapers, unsupported_of

FINEST = 100
"""Confidences are counted to a hundredth: models give no finer ones."""

CLASSES = 20
PAPERS = 20
"""Problem papers listed, of each role."""


class _Titles(msgspec.Struct, frozen=True, gc=False):
    source_title: str | None = None
    target_title: str | None = None


_NO_TITLES = _Titles()
_read_titles = msgspec.json.Decoder(_Titles).decode


class Groups:
    """Contexts by kind: all counted, the first few kept."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, list[Place]] = {}

    def add(self, kind: str, key: CitationKey, instance_id: str, message: str = "", contexts: int = 1) -> None:
        """One more; ``contexts`` where it stands for several."""
        self._counts[kind] += contexts
        first = self._first.setdefault(kind, [])
        if len(first) < LISTED:
            first.append(Place.of(key, instance_id, message))

    def groups(self) -> list[Group]:
        """The largest first."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return [
            Group(kind=kind, contexts=number, meaning=MEANINGS.get(kind, ""), first=self._first[kind])
            for kind, number in ordered
        ]


class Tally:
    """All that a report counts in the store.

    Args:
        spec: of the screening; its categories and types are listed in its order, those never given too.
        labels: where people's labels are, if anywhere.
        mapping: of labels and categories, for the comparison.
    """

    def __init__(self, spec: Spec, labels: Labels | None = None, mapping: dict[str, str] | None = None) -> None:
        self._spec = spec
        self._labels = labels
        self._comparison = Comparison(list(spec.categories), labels.source, mapping or {}) if labels else None
        self.citations = self.qualified = self.delivered = 0
        self.states = States()
        self._types: Counter[str] = Counter()
        self._confidences: dict[str, Counter[int]] = {}
        self._sums: dict[str, float] = {}
        self.failures, self.unassessable, self.undeliverable = Groups(), Groups(), Groups()
        self._papers = PaperTally(unsupported_of(spec.categories))
        self._unsupported = frozenset(unsupported_of(spec.categories))
        self.models: Counter[str] = Counter()
        self.programs: Counter[str] = Counter()
        self.answered_at: tuple[str, str] | None = None
        self._tokens = [0, 0, 0, 0]
        self._cost: float | None = None
        self._unpriced = 0

    def add(self, stored: StoredCitation) -> None:
        """One citation."""
        self.citations += 1
        self.qualified += stored.record.qualified
        self.delivered += stored.classified_at is not None
        for outcome in stored.outcomes:
            self._outcome(stored.record.key, outcome)
        self._without_outcome(stored)
        self._paper(stored)
        if self._comparison is not None and self._labels is not None:
            outcomes = {outcome.instance_id: outcome for outcome in stored.outcomes}
            for instance_id, label in self._labels.of(stored).items():
                self._comparison.add(label, outcomes.get(instance_id))

    def _outcome(self, key: CitationKey, outcome: Outcome) -> None:
        kind = outcome.failure.kind if outcome.failure else ""
        message = outcome.failure.message if outcome.failure else ""
        if outcome.verdict is not None:
            self.states.verdict += 1
            self._verdict(outcome.verdict)
        elif outcome.state == "unassessable":
            self.states.unassessable += 1
            self.unassessable.add(kind, key, outcome.instance_id)
        else:
            self.states.failed += 1
            self.failures.add(kind, key, outcome.instance_id, message)
        if outcome.answer is not None:
            self._answer(outcome.answer)

    def _verdict(self, verdict: Verdict) -> None:
        self._types[verdict.citation_type] += 1
        counts = self._confidences.setdefault(verdict.category, Counter())
        counts[round(verdict.confidence * FINEST)] += 1
        self._sums[verdict.category] = self._sums.get(verdict.category, 0.0) + verdict.confidence

    def _answer(self, answer: Answer) -> None:
        self.models[answer.answering_model or answer.model] += 1
        self.programs[answer.program] += 1
        first, last = self.answered_at or (answer.answered_at, answer.answered_at)
        # ISO 8601 in UTC sorts as time does.
        self.answered_at = (min(first, answer.answered_at), max(last, answer.answered_at))
        told = (answer.attempts, answer.input_tokens, answer.output_tokens, answer.cached_tokens)
        for at, number in enumerate(told):
            self._tokens[at] += number or 0
        if answer.cost_usd is None:
            self._unpriced += 1
        else:
            self._cost = (self._cost or 0.0) + answer.cost_usd

    def _without_outcome(self, stored: StoredCitation) -> None:
        """Contexts that the screening has not reached: of a citation that is delivered, those added since."""
        record = stored.record
        left = max(0, record.context_count - len(stored.outcomes))
        if not record.qualified:
            self.states.not_qualified += left
        elif stored.elsewhere and stored.classified_at is None:
            self.states.done_elsewhere += left
        elif stored.unusable is not None:
            self.states.undeliverable += left
            kind = UndeliverableKind(stored.unusable.kind)
            self.undeliverable.add(kind, record.key, "", stored.unusable.message, contexts=left)
        else:
            self.states.to_do += left

    def _paper(self, stored: StoredCitation) -> None:
        categories = [one.verdict.category for one in stored.outcomes if one.verdict is not None]
        # A title is shown only of an article that is listed.
        titles = _titles_of(stored) if self._unsupported.intersection(categories) else _NO_TITLES
        key = stored.record.key
        self._papers.add(JudgedCitation(key, categories, titles.source_title, titles.target_title))

    def categories(self) -> list[Share]:
        """How often each category was given."""
        counts = {name: counts.total() for name, counts in self._confidences.items()}
        return self._shares(self._spec.categories, counts)

    def types(self) -> list[Share]:
        """How often each type of citation was given."""
        return self._shares(self._spec.types, self._types)

    def _shares(self, names: dict[str, str], counts: dict[str, int]) -> list[Share]:
        total = self.states.verdict
        ordered = [*names, *sorted(set(counts) - set(names))]
        return [
            Share(
                name=name,
                contexts=counts.get(name, 0),
                share=ratio(counts.get(name, 0), total),
                interval=wilson(counts.get(name, 0), total),
            )
            for name in ordered
        ]

    def confidence(self) -> list[Confidence]:
        """The confidence of all verdicts, then of each category that was given."""
        together: Counter[int] = Counter()
        for counts in self._confidences.values():
            together.update(counts)
        ordered = [share.name for share in self.categories() if share.name in self._confidences]
        each = [_confidence(name, self._confidences[name], self._sums[name]) for name in ordered]
        return [_confidence("", together, sum(self._sums[name] for name in ordered)), *each]

    def agreement(self) -> Agreement | None:
        """Verdicts against labels; None without labels."""
        return self._comparison.result() if self._comparison is not None else None

    def papers(self) -> ProblemPapers:
        """The articles with most unsupported citations."""
        return self._papers.worst(PAPERS)

    def spent(self) -> Spent:
        """Sums over the answers in the store: what led to outcomes, without what was tried in vain before."""
        calls, input_tokens, output_tokens, cached_tokens = self._tokens
        return Spent(
            calls=calls,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cached_tokens=cached_tokens,
            cost_usd=self._cost,
            unpriced=self._unpriced,
        )


def _confidence(category: str, counts: Counter[int], total: float) -> Confidence:
    histogram = [0] * CLASSES
    for value, number in counts.items():
        histogram[min(value * CLASSES // FINEST, CLASSES - 1)] += number
    lower, median, upper = (quantile(counts, share) for share in (0.25, 0.5, 0.75))
    return Confidence(
        category=category,
        contexts=counts.total(),
        mean=ratio(total, counts.total()),
        lower_quartile=None if lower is None else lower / FINEST,
        median=None if median is None else median / FINEST,
        upper_quartile=None if upper is None else upper / FINEST,
        histogram=histogram,
    )


def _titles_of(stored: StoredCitation) -> _Titles:
    try:
        return _read_titles(stored.record.fields)
    except msgspec.MsgspecError:
        return _NO_TITLES
