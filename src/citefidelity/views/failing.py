"""What went wrong in a screening, grouped by kind, with examples: out of the journal alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import msgspec

from citefidelity.facts import Settled
from citefidelity.journal import JournalReader
from citefidelity.kinds import FailureKind
from citefidelity.records import CitationKey

EXAMPLES = 5
"""So many of each kind."""

MOST_LOOKED_AT = 100_000
"""Where so many failures hold no example of a kind, it goes without: it is a rare one."""

WAITING_NAMED = 20


class Example(msgspec.Struct, frozen=True):
    """A context that ended so, and what was said."""

    key: CitationKey
    instance_id: str
    message: str


class FailureGroup(msgspec.Struct, frozen=True):
    """All contexts that ended in one way."""

    kind: str
    contexts: int
    examples: list[Example]


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong. Contexts are counted by what stands now, over all runs.

    Attributes:
        settled: contexts with an outcome that counts, failures included.
        groups: the largest first; those that could not be asked (unassessable) among them.
        left: contexts with transient failures only, which the next run asks again.
        faults: attempts that went wrong, by kind, whatever became of their contexts.
        undelivered: the first citations whose outcomes are in the journal and not in the store.
        more_undelivered: whether there are others.
    """

    settled: int
    groups: list[FailureGroup]
    left: int
    faults: dict[str, int]
    undelivered: list[CitationKey]
    more_undelivered: bool


def read_failing(journal: Path, screening: str) -> Failing:
    """Read it. Blocks; takes a second or two where the journal holds a million outcomes.

    Raises:
        StoreError: there is no journal that can be read.
    """
    with JournalReader(journal) as reader:
        totals = reader.totals(screening)
        counts = dict(totals.failures)
        if unassessable := totals.states.get("unassessable"):
            counts[FailureKind.NO_EVIDENCE.value] = unassessable
        examples = _examples(reader.standing(screening, failures_only=True), counts)
        waiting = list(islice(reader.undelivered_citations(screening), WAITING_NAMED + 1))
    groups = [
        FailureGroup(kind, contexts, examples.get(kind, []))
        for kind, contexts in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    return Failing(
        settled=sum(totals.states.values()),
        groups=groups,
        left=totals.waiting,
        faults=totals.faults,
        undelivered=waiting[:WAITING_NAMED],
        more_undelivered=len(waiting) > WAITING_NAMED,
    )


def _examples(failures: Iterator[Settled], counts: Mapping[str, int]) -> dict[str, list[Example]]:
    found: dict[str, list[Example]] = {}
    missing = sum(min(EXAMPLES, number) for number in counts.values())
    for settled in islice(failures, MOST_LOOKED_AT):
        if not missing:
            break
        failure = settled.outcome.failure
        if failure is None or len(found.setdefault(failure.kind, [])) >= EXAMPLES:
            continue
        found[failure.kind].append(Example(settled.key, settled.outcome.instance_id, failure.message))
        missing -= 1
    return found
