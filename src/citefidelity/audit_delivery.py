"""The audit of one delivered citation: is what the store has whole, and is it what the journal says? Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from citefidelity.audit_facts import Find, Terms, shape_fault, value_fault
from citefidelity.audited import Note, Violation
from citefidelity.journal.evidence import Facts, RunRow, SettledRow
from citefidelity.records import Outcome

EXCERPT = 60


class Home(NamedTuple):
    """Where a delivery came from: its run, and what the journal of that run holds of the citation, if anything."""

    run: RunRow
    facts: Facts | None

    def usable(self, instance_id: str) -> list[SettledRow]:
        """The outcomes of a context that ever counted, the latest last."""
        settled = self.facts.settled if self.facts is not None else ()
        return [one for one in settled if one.instance_id == instance_id and one.outcome and one.outcome.usable]

    def has_unreadable(self, instance_id: str) -> bool:
        """Whether an outcome of the context cannot be read."""
        settled = self.facts.settled if self.facts is not None else ()
        return any(one.instance_id == instance_id and one.outcome is None for one in settled)

    def reopened(self, instance_id: str) -> list[int]:
        """The places of the context's *reopened* in the sequence of facts."""
        return self.facts.reopened.get(instance_id, []) if self.facts is not None else []


def audit_outcomes(outcomes: tuple[Outcome, ...], home: Home | None, terms: Terms, find: Find) -> None:
    """Each outcome of a delivery: one a context, well formed, within the spec, and the journal's.

    ``home`` is None where the journal is not at hand. One violation an outcome is named, the plainest.
    """
    for instance_id, number in Counter(outcome.instance_id for outcome in outcomes).items():
        if number > 1:
            find(Violation.DOUBLED, f"it has {number} outcomes in the store", instance_id)
    for outcome in outcomes:
        shape = shape_fault(outcome) or (None if outcome.usable else "it failed for the moment only")
        value = value_fault(outcome.verdict, terms.spec) if outcome.verdict is not None else None
        if shape is not None:
            find(Violation.MALFORMED, f"in the store {shape}", outcome.instance_id)
        elif value is not None:
            find(Violation.OUT_OF_SPEC, value, outcome.instance_id)
        elif home is not None:
            _audit_against_journal(outcome, home, find)


def _audit_against_journal(outcome: Outcome, home: Home, find: Find) -> None:
    settled = [one for one in home.usable(outcome.instance_id) if one.input_hash.hex() == outcome.input_hash]
    if not settled and home.has_unreadable(outcome.instance_id):
        # That is named already, and this may be the one.
        return
    if not settled:
        message = "its outcome in the store was never settled in the journal of the run that delivered it"
        find(Violation.MADE_UP, message, outcome.instance_id)
    elif all(one.outcome != outcome for one in settled):
        find(Violation.DIFFERS, _difference(outcome, settled[-1].outcome), outcome.instance_id)


def audit_wholeness(
    outcomes: tuple[Outcome, ...], hashes: Mapping[str, str], home: Home | None, find: Find
) -> Iterator[tuple[Note, str, str]]:
    """Whether a delivery has an outcome for each context that its citation had; what has changed since, as notes.

    ``hashes`` are the input hashes that the contexts of the record have now.
    """
    judged = {outcome.instance_id: outcome.input_hash for outcome in outcomes}
    for instance_id, now in hashes.items():
        if instance_id not in judged:
            if home is not None and _counted_at(home, instance_id):
                message = "it was settled before its citation was delivered, and is not in the store"
                find(Violation.MISSING, message, instance_id)
            else:
                yield Note.ADDED, instance_id, "the context was added after its citation was delivered"
        elif judged[instance_id] != now:
            yield Note.CHANGED, instance_id, "its text has changed since it was judged"
    for outcome in outcomes:
        if outcome.instance_id not in hashes:
            yield Note.REMOVED, outcome.instance_id, "the context was removed after its citation was delivered"
        if home is not None and _is_set_aside(home, outcome):
            message = "it was reopened, and its outcome is still in the store: `retry` was interrupted"
            yield Note.RETRY_INTERRUPTED, outcome.instance_id, message


def _counted_at(home: Home, instance_id: str) -> bool:
    """Whether the context had a usable outcome when the delivering run was through with the citation.

    A run never comes back to a citation that it has delivered, so all that this run has settled was settled before.
    """
    settled = [one for one in home.usable(instance_id) if one.run == home.run.number or one.seq < home.run.seq]
    reopened = [seq for seq in home.reopened(instance_id) if seq < home.run.seq]
    return bool(settled) and settled[-1].seq > max(reopened, default=0)


def _is_set_aside(home: Home, outcome: Outcome) -> bool:
    same = [one.seq for one in home.usable(outcome.instance_id) if one.outcome == outcome]
    return bool(same) and max(home.reopened(outcome.instance_id), default=0) > same[-1]


def _difference(stored: Outcome, settled: Outcome | None) -> str:
    """What differs, with both values."""
    ours, theirs = _flat(msgspec.to_builtins(stored)), _flat(msgspec.to_builtins(settled))
    differing = [name for name in ours | theirs if ours.get(name) != theirs.get(name)]
    name = differing[0]
    more = f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""
    return f"{name} is {_short(ours.get(name))} in the store, {_short(theirs.get(name))} in the journal{more}"


def _flat(value: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, part in value.items():
        flat |= _flat(part, f"{prefix}{name}.") if isinstance(part, Mapping) else {f"{prefix}{name}": part}
    return flat


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= EXCERPT else f"{text[: EXCERPT - 3]}..."
