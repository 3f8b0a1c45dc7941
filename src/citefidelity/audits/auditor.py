"""Audits citation by citation, and keeps nothing of them but counts and the first findings. Blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from citefidelity.audits.audit_delivery import Home, audit_outcomes, audit_wholeness, changes_since
from citefidelity.audits.audit_facts import Find, Terms, audit_facts
from citefidelity.audits.audited import Audit, AuditedJournal, ContextStates, Findings, Note, Violation
from citefidelity.errors import UsageError
from citefidelity.journal.evidence import Evidence, Facts
from citefidelity.kinds import UndeliverableKind
from citefidelity.ports import JournalRow, ScreeningRow
from citefidelity.prompt import Prompter
from citefidelity.record_format import found
from citefidelity.records import Citation, CitationKey, Outcome, StoredCitation, Unusable
from citefidelity.specs.spec import Spec

States = ContextStates.__struct_fields__
NO_CONTEXTS = frozenset({b"", b"[]", b"null"})
"""Citations of a graph that have none yet, and announce none: there is nothing to do about them."""

Held = Mapping[Evidence, Facts]
"""The journals that know the citation at hand, and what they hold of it."""


class Auditor:
    """The audit of one screening.

    Args:
        screening: its name.
        row: the screening as the store knows it.
        journals: those at hand.
        known: those that the store knows.

    Attributes:
        citations: looked at so far.
    """

    def __init__(
        self, screening: str, row: ScreeningRow | None, journals: Sequence[Evidence], known: Sequence[JournalRow]
    ) -> None:
        self.citations = 0
        self._screening = screening
        self._violations, self._notes = Findings(), Findings()
        self._journals = []
        for journal in journals:
            damage = journal.damage()
            if damage:
                self.damaged(str(journal.path), damage)
            else:
                self._journals.append(journal)
        at_hand = {journal.header.journal_id for journal in self._journals}
        self._others = [one for one in known if one.journal_id not in at_hand]
        self._terms = self._agree_on_spec(screening, row)
        self._prompter = Prompter(self._terms.spec) if self._terms is not None else None
        self._states: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._undeliverable: Counter[str] = Counter()
        self._delivered = self._waiting = self._audited = self._not_audited = self._attempts = self._maybe_paid = 0
        for journal in self._journals:
            for table, rows in journal.stray().items():
                self._violations.add(Violation.STRAY, f"{rows:,} rows of {table} in {journal.path} belong to nothing")

    def look_at(self, page: Sequence[StoredCitation]) -> None:
        """Audit these citations."""
        for stored in page:
            self._look_at(stored)

    def look_at_the_rest(self) -> None:
        """Audit what the journals hold of citations that the store does not have."""
        for journal in self._journals:
            for key, facts in journal.unseen():
                self._facts(key, journal, facts)
                standing = {
                    one.instance_id
                    for one in facts.settled
                    if one.outcome is not None and one.outcome.usable and one.seq > _last(facts, one.instance_id)
                }
                # What was delivered and then deleted with its citation is nobody's to deliver.
                if standing and not _noted_as_delivered(facts):
                    self._states["undeliverable"] += len(standing)
                    self._undeliverable[UndeliverableKind.EDGE_GONE] += len(standing)
                    message = "the citation is no longer in the store; its outcomes wait in the journal"
                    self._notes.add(Note.GONE, message, key)

    def damaged(self, what: str, damage: Sequence[str]) -> None:
        """A file cannot be trusted, and is not read."""
        self._violations.add(Violation.DAMAGED, f"{what} is damaged and was not audited: {damage[0]}")

    def unreadable(self, problem: str) -> None:
        """The store gave something that cannot be read; what follows it is not looked at."""
        message = f"an entry of the store cannot be read ({problem}); after {self.citations:,} citations this ended"
        self._violations.add(Violation.UNREADABLE, message)

    def report(self, address: str, missing: Path | None) -> Audit:
        """What was found. ``address`` is the store's; ``missing`` is a journal that was looked for in vain."""
        self._note_what_is_missing(missing)
        violations, notes = self._violations, self._notes
        return Audit(
            clean=not violations.by_kind,
            store=address,
            screening=self._screening,
            spec=self._terms.fingerprint if self._terms is not None else None,
            citations=self.citations,
            contexts=self._states.total(),
            states=ContextStates(**self._states),
            failures=dict(self._failures),
            undeliverable=dict(self._undeliverable),
            delivered=self._delivered,
            waiting=self._waiting,
            audited=self._audited,
            not_audited=self._not_audited,
            attempts=self._attempts,
            maybe_paid=self._maybe_paid,
            journals=[AuditedJournal(one.header.journal_id, str(one.path)) for one in self._journals],
            other_journals=self._others,
            violations_total=violations.by_kind.total(),
            violations_by_kind=dict(violations.by_kind),
            violations=violations.first,
            notes_total=notes.by_kind.total(),
            notes_by_kind=dict(notes.by_kind),
            notes=notes.first,
        )

    def _look_at(self, stored: StoredCitation) -> None:
        self.citations += 1
        key = stored.record.key
        held = {journal: facts for journal in self._journals if (facts := journal.facts(key)) is not None}
        for journal, facts in held.items():
            self._facts(key, journal, facts)
        citation = stored.unusable or found(stored.record)
        hashes = self._hashes(citation) if isinstance(citation, Citation) else None
        if stored.classified_at is not None or stored.outcomes:
            self._delivery(stored, hashes, held)
        elif stored.record.qualified:
            self._undelivered(stored, citation, hashes, held)

    def _facts(self, key: CitationKey, journal: Evidence, facts: Facts) -> None:
        self._attempts += len(facts.attempts)
        self._maybe_paid += sum(one.ended is None or one.ended.billed == "unknown" for one in facts.attempts)
        if self._terms is not None:
            audit_facts(facts, self._terms, journal.run, self._find(key))

    def _delivery(self, stored: StoredCitation, hashes: Mapping[str, str] | None, held: Held) -> None:
        key, outcomes, find = stored.record.key, stored.outcomes, self._find(stored.record.key)
        self._delivered += stored.classified_at is not None
        if stored.record.qualified:
            self._count_delivered(outcomes, hashes)
        if stored.classified_at is None or not outcomes:
            what = "outcomes, and is not marked as delivered" if outcomes else "the mark of a delivery, and no outcome"
            find(Violation.HALF_DELIVERED, f"the citation has {what}")
            return
        home = self._home(stored.run or "", held)
        if home is None or self._terms is None:
            self._not_audited += len(outcomes)
            if self._journals and not self._others:
                find(Violation.UNKNOWN_RUN, f"it was delivered by run {stored.run}, which no journal knows")
        else:
            self._audited += len(outcomes)
        if self._terms is None:
            return
        audit_outcomes(outcomes, home, self._terms, find)
        missing = audit_wholeness(stored, hashes, home, find)
        if hashes is None:
            self._notes.add(Note.UNREADABLE_RECORD, "its record can no longer be read", key)
            return
        for note, instance_id, message in changes_since(stored, hashes, home, missing):
            self._notes.add(note, message, key, instance_id)

    def _undelivered(
        self, stored: StoredCitation, citation: Citation | Unusable, hashes: Mapping[str, str] | None, held: Held
    ) -> None:
        contexts = stored.record.context_count
        if isinstance(citation, Unusable):
            self._states["undeliverable"] += contexts
            self._undeliverable[citation.kind] += contexts
            if not stored.elsewhere and (contexts or stored.record.contexts.strip() not in NO_CONTEXTS):
                self._notes.add(Note.UNDELIVERABLE, f"{citation.kind}: {citation.message}", citation.key)
        elif stored.elsewhere and not held:
            self._states["done_elsewhere"] += contexts
        else:
            outcomes = [_standing(held, *context) for context in (hashes or {}).items()]
            for outcome in outcomes:
                self._count(outcome)
            if outcomes and all(outcomes):
                self._waiting += 1
                self._note_waiting(stored.record.key, held)

    def _note_waiting(self, key: CitationKey, held: Held) -> None:
        if any(_noted_as_delivered(facts) for facts in held.values()):
            message = "it was delivered, and the store does not have it: the next run delivers it again, without a call"
            self._notes.add(Note.RESTORED, message, key)
        else:
            message = "its outcomes are in the journal: the next run delivers them, without a call"
            self._notes.add(Note.WAITING, message, key)

    def _home(self, name: str, held: Held) -> Home | None:
        for journal in self._journals:
            run = journal.run(name)
            if run is not None:
                return Home(run, held.get(journal))
        return None

    def _hashes(self, citation: Citation) -> dict[str, str]:
        """The input hash that each context has now; empty ones where there is no spec to show it under."""
        render = self._prompter.render if self._prompter is not None else None
        return {
            context.instance_id: render(citation, context).input_hash.hex() if render is not None else ""
            for context in citation.contexts
        }

    def _count_delivered(self, outcomes: Sequence[Outcome], hashes: Mapping[str, str] | None) -> None:
        by_context = {outcome.instance_id: outcome for outcome in outcomes}
        for instance_id in by_context if hashes is None else hashes:
            self._count(by_context.get(instance_id))

    def _count(self, outcome: Outcome | None) -> None:
        state = outcome.state if outcome is not None else "to_do"
        if state in States:
            self._states[state] += 1
        if outcome is not None and outcome.state == "failed" and outcome.failure is not None:
            self._failures[outcome.failure.kind] += 1

    def _agree_on_spec(self, screening: str, row: ScreeningRow | None) -> Terms | None:
        kept = {str(journal.path): journal.spec for journal in self._journals if journal.spec is not None}
        if row is not None:
            kept = {"the store": row.spec} | kept
        specs: dict[str, Spec] = {}
        for where, text in kept.items():
            try:
                specs[where] = Spec.from_json(text)
            except UsageError as err:
                self._violations.add(Violation.SPEC_DIFFERS, f"the spec in {where} cannot be read: {err.message}")
        if not specs:
            return None
        first, spec = next(iter(specs.items()))
        if row is not None and "the store" in specs and spec.fingerprint() != row.fingerprint:
            self._violations.add(Violation.SPEC_DIFFERS, "the spec in the store is not the one of its fingerprint")
        for where, other in specs.items():
            if other != spec:
                self._violations.add(Violation.SPEC_DIFFERS, f"{first} and {where} keep different specs")
        return Terms(screening, spec, spec.fingerprint())

    def _note_what_is_missing(self, missing: Path | None) -> None:
        if self._terms is None:
            self._notes.add(Note.NOT_BEGUN, f"screening {self._screening} has not begun")
        elif missing is not None:
            self._notes.add(Note.NO_JOURNAL, f"there is no journal at {missing}")
        for row in self._others:
            self._notes.add(Note.NOT_AUDITED, f"the journal {row.path} on {row.host} was not audited")

    def _find(self, key: CitationKey) -> Find:
        def find(kind: Violation, message: str, instance_id: str | None = None) -> None:
            self._violations.add(kind, message, key, instance_id)

        return find


def _standing(held: Held, instance_id: str, input_hash: str) -> Outcome | None:
    """The outcome that counts for a context as it is now."""
    counting = [
        one.outcome
        for facts in held.values()
        for one in facts.settled_of(instance_id)
        if one.outcome is not None
        and one.outcome.usable
        and one.input_hash.hex() == input_hash
        and one.seq > _last(facts, instance_id)
    ]
    return counting[-1] if counting else None


def _last(facts: Facts, instance_id: str) -> int:
    """The place of the context's last *reopened*; 0 where there was none."""
    return max(facts.reopened.get(instance_id, ()), default=0)


def _noted_as_delivered(facts: Facts) -> bool:
    """Whether the journal says that the citation is in the store, and was not taken out since."""
    reopened = max((max(places) for places in facts.reopened.values()), default=0)
    return facts.delivered is not None and facts.delivered > reopened
