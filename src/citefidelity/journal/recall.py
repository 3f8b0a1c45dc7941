"""What the journal knows of a few citations' contexts; a few look-ups in indexes for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import apsw
import msgspec

from citefidelity.facts import ContextPast, Past
from citefidelity.journal.connection import scalar
from citefidelity.journal.numbering import find_citation, find_screening
from citefidelity.kinds import FailureKind
from citefidelity.records import CitationKey, Outcome

_REOPENED = "SELECT instance_id, max(seq) FROM reopened WHERE screening = ? AND citation = ? GROUP BY instance_id"

_SETTLED = """
SELECT s.instance_id, s.input_hash, s.seq, s.run, CASE WHEN s.usable THEN o.json END
FROM settled s JOIN outcome o ON o.seq = s.seq
WHERE s.screening = ? AND s.citation = ? ORDER BY s.instance_id, s.seq
"""

_FAULTS = """
SELECT a.instance_id, a.input_hash, e.seq, e.fault
FROM asked a CROSS JOIN ended e ON e.attempt = a.attempt
WHERE a.screening = ? AND a.citation = ? AND e.fault IN ('unreadable_reply', 'truncated')
"""


class _Known:
    """What has been found of one context under one input hash so far."""

    def __init__(self) -> None:
        self.latest: bytes | None = None
        self.transient_runs: set[int] = set()
        self.unreadable = 0
        self.truncated = 0

    def past(self, decode: msgspec.json.Decoder[Outcome]) -> Past:
        return Past(
            outcome=decode.decode(self.latest) if self.latest else None,
            transient_runs=len(self.transient_runs),
            unreadable=self.unreadable,
            truncated=self.truncated,
        )


def recall(connection: apsw.Connection, screening: str, keys: Sequence[CitationKey]) -> dict[CitationKey, ContextPast]:
    """See :meth:`citefidelity.ports.Journal.recall`."""
    screening_number = find_screening(connection, screening)
    if screening_number is None:
        return {}
    decode = msgspec.json.Decoder(Outcome)
    any_reopened = bool(scalar(connection, "SELECT EXISTS (SELECT 1 FROM reopened)"))
    found = {}
    for key in keys:
        citation = find_citation(connection, key)
        if citation is not None:
            context_past = _recall_one(connection, (screening_number, citation), decode, any_reopened=any_reopened)
            if context_past:
                found[key] = context_past
    return found


def _recall_one(
    connection: apsw.Connection, ours: tuple[int, int], decode: msgspec.json.Decoder[Outcome], *, any_reopened: bool
) -> ContextPast:
    reopened = dict(connection.execute(_REOPENED, ours)) if any_reopened else {}
    known: defaultdict[tuple[str, bytes], _Known] = defaultdict(_Known)
    for instance_id, input_hash, seq, run, json in connection.execute(_SETTLED, ours):
        if seq > reopened.get(instance_id, 0):
            one = known[instance_id, input_hash]
            if json is None:
                one.transient_runs.add(run)
            else:
                one.latest = json
    for instance_id, input_hash, seq, fault in connection.execute(_FAULTS, ours):
        if seq > reopened.get(instance_id, 0):
            one = known[instance_id, input_hash]
            one.unreadable += fault == FailureKind.UNREADABLE_REPLY
            one.truncated += fault == FailureKind.TRUNCATED
    return {context: one.past(decode) for context, one in known.items()}
