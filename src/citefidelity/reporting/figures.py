"""What a report says, as plain values: ``report --json`` prints them, the page shows them.

Lists of single citations are cut at :data:`LISTED`; every number counts all.
"""

from __future__ import annotations

import msgspec

from citefidelity.records import CitationKey
from citefidelity.reporting.calibration import Agreement
from citefidelity.specs.spec import Spec
from citefidelity.views.problem_papers import ProblemPapers

LISTED = 50
"""Citations named under one heading."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One context, and what is to be said of it."""

    source_id: str
    target_id: str
    reference_id: str
    instance_id: str
    message: str = ""

    @classmethod
    def of(cls, key: CitationKey, instance_id: str, message: str = "") -> Place:
        """The context of this name in this citation."""
        return cls(
            source_id=key.source_id,
            target_id=key.target_id,
            reference_id=key.reference_id,
            instance_id=instance_id,
            message=message,
        )


class States(msgspec.Struct, kw_only=True):
    """Contexts by where they stand in the store. ``not_qualified`` are those of citations that do not count."""

    verdict: int = 0
    unassessable: int = 0
    failed: int = 0
    to_do: int = 0
    undeliverable: int = 0
    done_elsewhere: int = 0
    not_qualified: int = 0

    @property
    def qualified(self) -> int:
        """All but those that do not count."""
        judged = self.verdict + self.unassessable + self.failed
        return judged + self.to_do + self.undeliverable + self.done_elsewhere


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How many verdicts, what share of all, and the 95 % Wilson interval of that share."""

    name: str
    contexts: int
    share: float | None
    interval: tuple[float, float] | None


class Confidence(msgspec.Struct, frozen=True, kw_only=True):
    """The confidence of verdicts, of all (``category`` is empty) or of one category; quartiles to a hundredth.

    ``histogram`` has twenty classes of 0.05; the last one holds 1, too.
    """

    category: str
    contexts: int
    mean: float | None
    lower_quartile: float | None
    median: float | None
    upper_quartile: float | None
    histogram: list[int]


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Contexts that share a kind or a flag: how many, what it means, and the first of them."""

    kind: str
    contexts: int
    meaning: str
    first: list[Place]


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """Calls, tokens and cost, which is None where no price was known. ``unpriced``: contexts without a known cost."""

    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: float | None
    unpriced: int = 0


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run that the journal knows. ``stopped`` is None where it was killed, or still goes on."""

    run: str
    program: str
    began_at: str
    ended_at: str | None
    seconds: float | None
    stopped: str | None


class Journals(msgspec.Struct, frozen=True, kw_only=True):
    """What the journals add: ``spent`` holds every attempt, those in vain too.

    ``answer_seconds`` are the quantiles 0.5, 0.95 and 0.99 of the time to an answer. ``waiting``: whether outcomes wait
    there to be delivered.
    """

    ids: list[str]
    runs: list[RunRow]
    spent: Spent
    maybe_paid: int
    attempts_failed: dict[str, int]
    answer_seconds: tuple[float, float, float] | None
    flags: list[Group]
    flagged: int
    waiting: bool


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """The result of ``verify``."""

    clean: bool
    audited: int
    not_audited: int
    violations: dict[str, int]
    notes: dict[str, int]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. Shares are of verdicts. ``notes`` say what is missing, and why."""

    made_at: str
    program: str
    store: str
    store_id: str
    screening: str
    begun_at: str
    fingerprint: str
    spec: Spec
    fixed_prompt: str
    citations: int
    qualified_citations: int
    delivered_citations: int
    states: States
    categories: list[Share]
    types: list[Share]
    confidence: list[Confidence]
    agreement: Agreement | None
    papers: ProblemPapers
    failures: list[Group]
    unassessable: list[Group]
    undeliverable: list[Group]
    models: dict[str, int]
    programs: dict[str, int]
    first_answer_at: str | None
    last_answer_at: str | None
    spent: Spent
    journals: Journals | None
    audit: Audited | None
    notes: list[str]
