"""The audit of one delivered citation: is what the store has whole, and is it what the journal says? Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

import msgspec

from citefidelity.audits.audit_facts import Find, Terms, shape_fault, value_fault
from citefidelity.audits.audited import Note, Violation
from citefidelity.journal.evidence import Facts, RunRow, SettledRow
from citefidelity.records import Outcome, StoredCitation

EXCERPT = 60


class Home(NamedTuple):
    """Where a delivery came from: its run, and what the journal of that run holds of the citation, if anything."""

    run: RunRow
    facts: Facts | None

    def usable(self, instance_id: str) -> list[SettledRow]:
        """The outcomes of a context that ever counted, the latest last."""
        settled = self.facts.settled_of(instance_id) if self.facts is not None else ()
        return [one for one in settled if one.outcome and one.outcome.usable]

    def has_unreadable(self, instance_id: str) -> bool:
        """Whether an outcome of the context cannot be read."""
        settled = self.facts.settled_of(instance_id) if self.facts is not None else ()
        return any(one.outcome is None for one in settled)

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
    stored: StoredCitation, hashes: Mapping[str, str] | None, home: Home | None, find: Find
) -> set[str]:
    """Whether a delivery still has all the outcomes that it brought; the contexts whose outcomes are named as missing.

    ``hashes`` has the contexts that are in the record now, None where it cannot be read.
    """
    judged = {outcome.instance_id for outcome in stored.outcomes}
    lacking = {}
    if home is not None and hashes is not None:
        lacking = {name: home.usable(name) for name in hashes if name not in judged}
    if stored.outcome_count is None:
        # What the delivering run settled itself was in the record then; of the rest one cannot tell.
        run = home.run.number if home is not None else None
        missing = [name for name, settled in lacking.items() if any(one.run == run for one in settled)]
    elif stored.outcome_count <= len(judged):
        return set()
    else:
        missing = [name for name, settled in lacking.items() if settled]
        if not missing:
            message = f"of {stored.outcome_count} outcomes that were delivered {len(judged)} are in the store"
            find(Violation.MISSING, message)
    for name in missing:
        find(Violation.MISSING, "it was settled before its citation was delivered, and is not in the store", name)
    return set(missing)


def changes_since(
    stored: StoredCitation, hashes: Mapping[str, str], home: Home | None, missing: Collection[str]
) -> Iterator[tuple[Note, str, str]]:
    """What has happened to a citation after its delivery, context by context; ``missing`` ones are named already.

    ``hashes`` are the input hashes that the contexts of the record have now.
    """
    judged = {outcome.instance_id: outcome.input_hash for outcome in stored.outcomes}
    for name, now in hashes.items():
        if name in judged and judged[name] != now:
            yield Note.CHANGED, name, "its text has changed since it was judged"
        elif name not in judged and name not in missing:
            yield Note.ADDED, name, "the context was added after its citation was delivered"
    for outcome in stored.outcomes:
        if outcome.instance_id not in hashes:
            yield Note.REMOVED, outcome.instance_id, "the context was removed after its citation was delivered"
        if home is not None and _is_set_aside(home, outcome):
            message = "it was reopened, and its outcome is still in the store: `retry` was interrupted"
            yield Note.RETRY_INTERRUPTED, outcome.instance_id, message


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
