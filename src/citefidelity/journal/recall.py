"""What the journal knows of some citations: their usable outcomes, and what was tried in vain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from citefidelity.facts import ContextPast, Past
from citefidelity.kinds import FailureKind
from citefidelity.records import CitationKey, Outcome

CITATIONS_A_QUERY = 200
"""Bound variables of one query; SQLite takes thousands, but a fixed number keeps the statement prepared."""

_MARKS = ", ".join("?" * CITATIONS_A_QUERY)
_CITATIONS = f"SELECT id, digest FROM citation WHERE digest IN ({_MARKS})"  # noqa: S608 - only marks are put in
_REOPENED = f"""SELECT citation, instance_id, max(seq) FROM reopened
WHERE citation IN ({_MARKS}) AND screening = ? GROUP BY citation, instance_id"""  # noqa: S608 - as above
_SETTLED = f"""SELECT s.seq, s.citation, s.instance_id, s.input_hash, s.usable, s.run, o.body
FROM settled AS s JOIN outcome AS o ON o.seq = s.seq
WHERE s.citation IN ({_MARKS}) AND s.screening = ? ORDER BY s.seq"""  # noqa: S608 - as above
_UNUSED = f"""SELECT a.seq, a.citation, a.instance_id, a.input_hash, e.fault
FROM asked AS a JOIN ended AS e ON e.seq = a.seq
WHERE a.citation IN ({_MARKS}) AND a.screening = ? AND e.fault IN
('{FailureKind.UNREADABLE_REPLY}', '{FailureKind.TRUNCATED}')"""  # noqa: S608 - as above

Place = tuple[int, str, bytes]


class _Context:
    """The past of one context under one input hash, as it is gathered."""

    __slots__ = ("body", "runs", "truncated", "unreadable")

    def __init__(self) -> None:
        self.body: bytes | None = None
        self.runs: set[int] = set()
        self.unreadable = 0
        self.truncated = 0


def recall(connection: apsw.Connection, screening: str, keys: Sequence[CitationKey]) -> dict[CitationKey, ContextPast]:
    """The past of these citations in a screening; those without any are left out."""
    row: Any = connection.execute("SELECT id FROM screening WHERE name = ?", (screening,)).fetchone()
    found: dict[CitationKey, ContextPast] = {}
    if row is None:
        return found
    for start in range(0, len(keys), CITATIONS_A_QUERY):
        found |= _recall(connection, int(row[0]), keys[start : start + CITATIONS_A_QUERY])
    return found


def _recall(connection: apsw.Connection, screening: int, keys: Sequence[CitationKey]) -> dict[CitationKey, ContextPast]:
    by_digest = {key.digest(): key for key in keys}
    ids = {int(row[0]): by_digest[bytes(row[1])] for row in _query(connection, _CITATIONS, list(by_digest))}
    if not ids:
        return {}
    since = {(int(row[0]), str(row[1])): int(row[2]) for row in _query(connection, _REOPENED, list(ids), screening)}
    contexts: dict[Place, _Context] = {}
    for seq, citation, instance_id, input_hash, usable, run, body in _query(connection, _SETTLED, list(ids), screening):
        if seq > since.get((citation, instance_id), 0):
            context = contexts.setdefault((citation, instance_id, input_hash), _Context())
            if usable:
                context.body = body
            else:
                context.runs.add(run)
    for seq, citation, instance_id, input_hash, fault in _query(connection, _UNUSED, list(ids), screening):
        if seq > since.get((citation, instance_id), 0):
            context = contexts.setdefault((citation, instance_id, input_hash), _Context())
            context.unreadable += fault == FailureKind.UNREADABLE_REPLY
            context.truncated += fault == FailureKind.TRUNCATED
    found: dict[CitationKey, ContextPast] = {}
    for (citation, instance_id, input_hash), context in contexts.items():
        found.setdefault(ids[citation], {})[instance_id, input_hash] = Past(
            outcome=None if context.body is None else msgspec.json.decode(context.body, type=Outcome),
            transient_runs=len(context.runs),
            unreadable=context.unreadable,
            truncated=context.truncated,
        )
    return found


def _query(connection: apsw.Connection, sql: str, values: Sequence[Any], *more: Any) -> list[Any]:
    padded = [*values, *([None] * (CITATIONS_A_QUERY - len(values)))]
    return connection.execute(sql, (*padded, *more)).fetchall()
