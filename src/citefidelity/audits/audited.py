"""What an audit finds: violations, notes and counts. ``docs/verify.md`` explains each kind to people."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

import msgspec

from citefidelity.ports import JournalRow
from citefidelity.records import CitationKey

NAMED = 100
"""So many violations, and so many notes, are named in a report; all are counted."""


class Violation(StrEnum):
    """What must not be."""

    HALF_DELIVERED = "half_delivered"
    """A citation has outcomes without the mark of a delivery, or the mark without outcomes."""
    MISSING = "missing"
    """A delivery has lost an outcome that it brought."""
    DOUBLED = "doubled"
    """A context has two outcomes in the store."""
    MALFORMED = "malformed"
    """An outcome is not exactly one of verdict, unassessable and failed for good."""
    OUT_OF_SPEC = "out_of_spec"
    """A verdict has values that the screening's spec does not know."""
    MADE_UP = "made_up"
    """An outcome in the store was never settled in the journal that its delivery came from."""
    DIFFERS = "differs"
    """An outcome in the store is another one than the journal's."""
    UNKNOWN_RUN = "unknown_run"
    """A delivery comes from a run that no journal knows, though all journals are at hand."""
    NO_REPLY = "no_reply"
    """An outcome was settled without an attempt that had been asked for it and had ended."""
    REPLY_DIFFERS = "reply_differs"
    """The raw reply, read again, says something else than what was noted of it."""
    SUMS_DIFFER = "sums_differ"
    """Calls, tokens or cost of an outcome are not those of its attempts, or an attempt's not those of its reply."""
    ASKED_AGAIN = "asked_again"
    """A context was asked although it had a usable outcome."""
    SETTLED_TWICE = "settled_twice"
    """A context with a usable outcome was settled again without having been reopened."""
    ASKED_WITHOUT_EVIDENCE = "asked_without_evidence"
    """A context settled as unassessable has an attempt."""
    PROMPT_DIFFERS = "prompt_differs"
    """What was sent is not there, or is not what its input hash stands for."""
    STRAY = "stray"
    """Rows of the journal belong to nothing: an end without its attempt, an outcome without its citation or run."""
    ROWS_DISAGREE = "rows_disagree"
    """The journal's short row about an outcome says something else than the outcome itself."""
    UNREADABLE = "unreadable"
    """An entry of the store or the journal cannot be read."""
    SPEC_DIFFERS = "spec_differs"
    """Store and journal do not keep the same spec for the screening, or it is not the one of its fingerprint."""
    DAMAGED = "damaged"
    """SQLite finds the file of the store or of a journal damaged."""


class Note(StrEnum):
    """What is good to know, and in order."""

    CHANGED = "changed"
    """The text has changed since it was judged."""
    ADDED = "added"
    """The context was added after its citation was delivered."""
    REMOVED = "removed"
    """The context was removed after its citation was delivered."""
    WAITING = "waiting"
    """All outcomes of the citation are in the journal and wait to be delivered."""
    RESTORED = "restored"
    """It was delivered once, and the store does not have it any more: the next run delivers it again, at no cost."""
    RETRY_INTERRUPTED = "retry_interrupted"
    """The context was reopened, and its old outcome is still in the store."""
    GONE = "gone"
    """The citation is no longer in the store; its outcomes wait in the journal."""
    UNDELIVERABLE = "undeliverable"
    """The citation cannot be worked on as it stands: nothing is asked about it."""
    UNREADABLE_RECORD = "unreadable_record"
    """The record of a delivered citation can no longer be read."""
    NOT_AUDITED = "not_audited"
    """Outcomes come from journals that are not at hand."""
    NO_JOURNAL = "no_journal"
    """There is no journal in the usual place."""
    NOT_BEGUN = "not_begun"
    """The screening has not begun."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One violation or note. What it is not about is None."""

    kind: str
    source_id: str | None = None
    target_id: str | None = None
    reference_id: str | None = None
    instance_id: str | None = None
    message: str

    def place(self) -> str:
        """Which citation and context, for people; "" where it is about none."""
        if self.source_id is None or self.target_id is None:
            return ""
        key = str(CitationKey(self.source_id, self.target_id, self.reference_id or ""))
        return key if self.instance_id is None else f"{key} {self.instance_id}"


class Findings:
    """Counts all, and keeps the first few."""

    def __init__(self) -> None:
        self.first: list[Finding] = []
        self.by_kind: Counter[str] = Counter()

    def add(self, kind: str, message: str, key: CitationKey | None = None, instance_id: str | None = None) -> None:
        """One more."""
        self.by_kind[str(kind)] += 1
        if len(self.first) < NAMED:
            source_id, target_id, reference_id = key or (None, None, None)
            self.first.append(
                Finding(
                    kind=str(kind),
                    source_id=source_id,
                    target_id=target_id,
                    reference_id=reference_id,
                    instance_id=instance_id,
                    message=message,
                )
            )


class ContextStates(msgspec.Struct, kw_only=True):
    """Contexts of qualified citations, each in one state; the first three wherever the outcome is, journal or store.

    ``done_elsewhere``: another program has marked the citation as classified.
    """

    verdict: int = 0
    unassessable: int = 0
    failed: int = 0
    to_do: int = 0
    undeliverable: int = 0
    done_elsewhere: int = 0


class AuditedJournal(msgspec.Struct, frozen=True):
    """A journal that was audited."""

    journal_id: str
    path: str


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked, and what was found.

    ``citations`` are all of the store, ``contexts`` those of the qualified ones. ``failures`` and ``undeliverable`` are
    contexts by kind. ``delivered`` and ``waiting`` are citations. ``audited`` and ``not_audited`` are outcomes in the
    store, with and without the journal that they come from. ``attempts`` and ``maybe_paid`` are of the journals given.
    """

    clean: bool
    store: str
    screening: str
    spec: str | None
    citations: int
    contexts: int
    states: ContextStates
    failures: dict[str, int]
    undeliverable: dict[str, int]
    delivered: int
    waiting: int
    audited: int
    not_audited: int
    attempts: int
    maybe_paid: int
    journals: list[AuditedJournal]
    other_journals: list[JournalRow]
    violations_total: int
    violations_by_kind: dict[str, int]
    violations: list[Finding]
    notes_total: int
    notes_by_kind: dict[str, int]
    notes: list[Finding]

    @property
    def exit_code(self) -> int:
        """0 where it is clean, 6 where it is not."""
        return 0 if self.clean else 6
