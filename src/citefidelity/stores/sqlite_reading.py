"""What is read from an embedded store: each function is one short read, and no transaction outlives a page.

Pages go by number: each call takes up behind the number at which the last one ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import apsw
import msgspec

from citefidelity.ports import Found, JournalRow, ScreeningRow, StoreCounts, ToDo
from citefidelity.record_format import found
from citefidelity.records import (
    WHOLE,
    Answer,
    CitationKey,
    Failure,
    Outcome,
    Partition,
    Record,
    StoredCitation,
    Unusable,
    Verdict,
)
from citefidelity.stores.sqlite_database import reading, rows

PAGE = 200
PAGE_BYTES = 4 << 20

# EXCEPT merges two ordered scans: a third of the time of looking for each citation among the delivered.
_TO_DO = """
SELECT to_do.id, citation.digest
FROM (
    SELECT id FROM citation INDEXED BY citation_scan WHERE id > ?1 AND qualified AND context_count > 0
    EXCEPT SELECT citation_id FROM delivered WHERE screening_id = ?2 AND citation_id > ?1
    ORDER BY 1 LIMIT ?3
) AS to_do
CROSS JOIN citation INDEXED BY citation_scan ON citation.id = to_do.id
ORDER BY to_do.id
"""
_RECORD = """
SELECT source_id, target_id, reference_id, qualified, context_count, fields, contexts FROM citation WHERE id = ?
"""
_DELIVERED = """
SELECT citation_id, classified_at, run, outcome_count FROM delivered
WHERE screening_id = ? AND citation_id BETWEEN ? AND ?
"""
_OUTCOMES = """
SELECT citation_id, instance_id, input_hash, state, category, citation_type, confidence, justification, failure, answer
FROM outcome WHERE screening_id = ? AND citation_id BETWEEN ? AND ? ORDER BY citation_id, position
"""
_TOTALS = """
SELECT count(*), ifnull(sum(qualified), 0), ifnull(sum(context_count) FILTER (WHERE qualified), 0)
FROM citation INDEXED BY citation_scan
"""
_DELIVERED_DIGESTS = """
SELECT citation.digest FROM delivered CROSS JOIN citation INDEXED BY citation_scan ON citation.id = citation_id
WHERE screening_id = ?
"""
_SCREENINGS = """
SELECT name, spec, fingerprint, created_at, (SELECT count(*) FROM delivered WHERE screening_id = screening.id)
FROM screening ORDER BY id
"""
_JOURNALS = """
SELECT journal_id, host, path, part, of, finished FROM screening_journal
WHERE screening_id = (SELECT id FROM screening WHERE name = ?) ORDER BY rowid
"""

_read_answer = msgspec.json.Decoder(Answer).decode
_read_failure = msgspec.json.Decoder(Failure).decode


def store_id(connection: apsw.Connection) -> str:
    """The random id of this store."""
    return str(next(rows(connection, "SELECT store_id FROM store"))[0])


def screenings(connection: apsw.Connection) -> Sequence[ScreeningRow]:
    """All screenings, oldest first."""
    return [
        ScreeningRow(name=name, spec=spec, fingerprint=fingerprint, created_at=created_at, delivered=delivered)
        for name, spec, fingerprint, created_at, delivered in rows(connection, _SCREENINGS)
    ]


def journals(connection: apsw.Connection, screening: str) -> Sequence[JournalRow]:
    """The journals that have worked on a screening."""
    return [
        JournalRow(journal_id=journal_id, host=host, path=path, partition=Partition(part, of), finished=bool(finished))
        for journal_id, host, path, part, of, finished in rows(connection, _JOURNALS, screening)
    ]


def screening_id(connection: apsw.Connection, name: str) -> int:
    """The number of a screening; 0, which is none's, where there is none of this name."""
    return next((number for (number,) in rows(connection, "SELECT id FROM screening WHERE name = ?", name)), 0)


def page_to_do(connection: apsw.Connection, to_do: ToDo, after: int) -> tuple[int, Sequence[Found]]:
    """The next page of what is to do and the number of its last citation; an empty page is the end."""
    with reading(connection):
        ids = _ids_to_do(connection, screening_id(connection, to_do.screening), to_do.partition, after)
        page = _records(connection, ids)
    return max(page, default=after), [found(record) for record in page.values()]


def page_stored(connection: apsw.Connection, screening: str, after: int) -> tuple[int, Sequence[StoredCitation]]:
    """The next page of all citations and the number of its last one; an empty page is the end."""
    with reading(connection):
        ids = rows(connection, "SELECT id FROM citation WHERE id > ? ORDER BY id LIMIT ?", after, PAGE)
        page = _records(connection, [number for (number,) in ids])
        return max(page, default=after), _with_outcomes(connection, screening, page)


def find(
    connection: apsw.Connection, screening: str, source_id: str, target_id: str, reference_id: str | None
) -> Sequence[StoredCitation]:
    """The citations between two articles, or the one with this reference."""
    sql = "SELECT id, reference_id FROM citation WHERE source_id = ? AND target_id = ? ORDER BY id"
    with reading(connection):
        ids = [
            number
            for number, reference in rows(connection, sql, source_id, target_id)
            if reference_id in {None, reference}
        ]
        return [
            stored for number in ids for stored in _with_outcomes(connection, screening, _records(connection, [number]))
        ]


def counts(connection: apsw.Connection, screening: str, partition: Partition) -> StoreCounts:
    """Count; what is delivered and to do within the part, everything else over the whole store."""
    with reading(connection):
        number = screening_id(connection, screening)
        citations, qualified, contexts = next(rows(connection, _TOTALS))
        states = dict(
            rows(connection, "SELECT state, count(*) FROM outcome WHERE screening_id = ? GROUP BY state", number)
        )
        return StoreCounts(
            citations=citations,
            qualified=qualified,
            contexts=contexts,
            delivered=_count(connection, _DELIVERED_DIGESTS, partition, number),
            to_do=_count(connection, _TO_DO, partition, 0, number, -1),
            done_elsewhere=0,
            verdict=states.get("verdict", 0),
            unassessable=states.get("unassessable", 0),
            failed=states.get("failed", 0),
        )


def damage(connection: apsw.Connection) -> list[str]:
    """What SQLite finds wrong with the file; nothing where it is whole. Reads all of it."""
    return [str(found) for (found,) in rows(connection, "PRAGMA integrity_check") if found != "ok"]


def record_of(row: Sequence[Any]) -> Record:
    """The record from the columns that hold it."""
    source_id, target_id, reference_id, qualified, context_count, fields, contexts = row
    return Record(CitationKey(source_id, target_id, reference_id), bool(qualified), context_count, fields, contexts)


def _ids_to_do(connection: apsw.Connection, screening: int, partition: Partition, after: int) -> list[int]:
    while True:
        chunk = list(rows(connection, _TO_DO, after, screening, PAGE * partition.of))
        ids = [number for number, digest in chunk if partition.holds_digest(digest)]
        if ids or not chunk:
            return ids[:PAGE]
        after, _ = chunk[-1]


def _count(connection: apsw.Connection, sql: str, partition: Partition, *bindings: int) -> int:
    if partition == WHOLE:
        return int(next(rows(connection, f"SELECT count(*) FROM ({sql})", *bindings))[0])  # noqa: S608  # a constant
    return sum(partition.holds_digest(digest) for (*_, digest) in rows(connection, sql, *bindings))


def _records(connection: apsw.Connection, ids: Iterable[int]) -> dict[int, Record]:
    """The records of these numbers, as many of the first as fit into a page's memory."""
    records: dict[int, Record] = {}
    size = 0
    for number in ids:
        record = record_of(next(rows(connection, _RECORD, number)))
        records[number] = record
        size += len(record.fields) + len(record.contexts)
        if size > PAGE_BYTES:
            break
    return records


def _with_outcomes(connection: apsw.Connection, screening: str, records: dict[int, Record]) -> Sequence[StoredCitation]:
    if not records:
        return []
    span = (screening_id(connection, screening), min(records), max(records))
    delivered = {number: (at, run, brought) for number, at, run, brought in rows(connection, _DELIVERED, *span)}
    outcomes = {
        number: tuple(_outcome(row) for row in group)
        for number, group in groupby(rows(connection, _OUTCOMES, *span), key=itemgetter(0))
    }
    return [
        _stored(record, *delivered.get(number, (None, None, None)), outcomes.get(number, ()))
        for number, record in records.items()
    ]


def _stored(
    record: Record, at: str | None, run: str | None, outcome_count: int | None, outcomes: tuple[Outcome, ...]
) -> StoredCitation:
    readable = found(record)
    return StoredCitation(
        record,
        classified_at=at,
        run=run,
        outcomes=outcomes,
        outcome_count=outcome_count,
        unusable=readable if isinstance(readable, Unusable) else None,
    )


def _outcome(row: Sequence[Any]) -> Outcome:
    _, instance_id, input_hash, state, category, citation_type, confidence, justification, failure, answer = row
    return Outcome(
        instance_id=instance_id,
        input_hash=input_hash,
        state=state,
        verdict=None if category is None else Verdict(category, citation_type, confidence, justification),
        failure=None if failure is None else _read_failure(failure),
        answer=None if answer is None else _read_answer(answer),
    )
