"""Which outcomes of a citation ``retry`` sets aside, and whether that is safe. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from citefidelity.facts import ContextPast
from citefidelity.prompt import Prompter
from citefidelity.record_format import found
from citefidelity.records import WHOLE, Citation, CitationKey, Outcome, Partition, StoredCitation

CHANGED, ADDED = "changed", "added"
"""Reasons beside the kinds of failures: another text, or a context that came after the delivery."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be asked again: failures of these kinds; or with ``changed`` instead, what was judged by other texts.

    ``changed`` takes in contexts that were added to a citation after its delivery.
    """

    screening: str
    kinds: Collection[str]
    changed: bool = False
    partition: Partition = WHOLE


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A citation that the wish may concern. ``now`` are the input hashes that its contexts have, in hexadecimal.

    ``wanted`` are delivered outcomes that the wish names, with the reason, by context; ``added`` are contexts that came
    later; ``reopened`` are those that an earlier retry has reopened.
    """

    stored: StoredCitation
    now: dict[str, str]
    wanted: dict[str, str]
    added: int
    reopened: Collection[str]

    @property
    def key(self) -> CitationKey:
        """Of the citation."""
        return self.stored.record.key


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is done with one citation.

    ``reasons`` are those of the contexts that are set aside, of which the ones in ``reopen`` are noted so: for the rest
    the journal has an outcome under their present text. ``too`` counts contexts that the next run asks as well, because
    their texts have changed. ``refused``: nothing is done, as outcomes beside them would be paid for again.
    """

    key: CitationKey
    reasons: list[str] = []
    reopen: dict[str, str] = {}
    withdraw: bool = False
    too: int = 0
    refused: bool = False


def look_at(
    stored: StoredCitation, wish: Wish, prompter: Prompter, reopened: Mapping[CitationKey, Collection[str]]
) -> Look | None:
    """The first look, without the journal; None where the wish does not concern this citation."""
    citation = stored.unusable or found(stored.record)
    if not isinstance(citation, Citation):
        return None
    now = {context.instance_id: prompter.render(citation, context).input_hash.hex() for context in citation.contexts}
    delivered = {outcome.instance_id: outcome for outcome in stored.outcomes}
    wanted, added = {}, 0
    for instance_id, outcome in delivered.items():
        reason = _reason(outcome, now.get(instance_id), wish)
        if reason is not None:
            wanted[instance_id] = reason
    if wish.changed and stored.classified_at is not None:
        added = sum(instance_id not in delivered for instance_id in now)
    before = reopened.get(stored.record.key, ())
    if stored.classified_at is not None and not (wanted or added or before):
        return None
    return Look(stored=stored, now=now, wanted=wanted, added=added, reopened=before)


def plan_for(look: Look, past: ContextPast, wish: Wish, runs: Collection[str]) -> Plan | None:
    """What to do, None where nothing. ``runs`` are the journal's, ``past`` is what it knows of the citation."""
    usable = {
        (instance_id, input_hash.hex()): known.outcome
        for (instance_id, input_hash), known in past.items()
        if known.outcome is not None
    }
    if look.stored.classified_at is None:
        return _plan_undelivered(look, usable, wish)
    ours = look.stored.run in runs
    outcomes = look.stored.outcomes
    aside = {
        one.instance_id
        for one in outcomes
        if ours and one.instance_id in look.reopened and usable.get((one.instance_id, one.input_hash)) != one
    }
    wanted = {instance_id: reason for instance_id, reason in look.wanted.items() if instance_id not in aside}
    if not (wanted or look.added or aside):
        return None
    beside = [one for one in outcomes if one.instance_id not in wanted and one.instance_id not in aside]
    unchanged = [one for one in beside if look.now.get(one.instance_id) == one.input_hash]
    if not ours or any((one.instance_id, one.input_hash) not in usable for one in unchanged):
        return Plan(key=look.key, refused=True)
    return Plan(
        key=look.key,
        reasons=[*wanted.values(), *[ADDED] * look.added],
        reopen={name: reason for name, reason in wanted.items() if not _answered(name, look, usable, wish)},
        withdraw=True,
        too=sum((name, look.now.get(name)) not in usable for name in _names(beside) if name in look.now),
    )


def _plan_undelivered(look: Look, usable: Mapping[tuple[str, str], Outcome], wish: Wish) -> Plan | None:
    reopen = {}
    for context in () if wish.changed else look.now.items():
        outcome = usable.get(context)
        if outcome is not None and _is_wanted_failure(outcome, wish):
            reopen[context[0]] = outcome.failure.kind if outcome.failure else ""
    return Plan(key=look.key, reasons=list(reopen.values()), reopen=reopen) if reopen else None


def _reason(outcome: Outcome, now: str | None, wish: Wish) -> str | None:
    """Why a delivered outcome is to be set aside; None where it is not, or where its context is there no more."""
    if now is None:
        return None
    if wish.changed:
        return CHANGED if outcome.input_hash != now else None
    return outcome.failure.kind if outcome.failure is not None and _is_wanted_failure(outcome, wish) else None


def _is_wanted_failure(outcome: Outcome, wish: Wish) -> bool:
    return outcome.failure is not None and outcome.failure.kind in wish.kinds


def _answered(name: str, look: Look, usable: Mapping[tuple[str, str], Outcome], wish: Wish) -> bool:
    """Whether the journal has what is wished for already, as of a text that was there before: no need to pay again."""
    outcome = usable.get((name, look.now[name]))
    return outcome is not None and (wish.changed or not _is_wanted_failure(outcome, wish))


def _names(outcomes: Collection[Outcome]) -> list[str]:
    return [outcome.instance_id for outcome in outcomes]
