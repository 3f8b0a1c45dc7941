"""What is written to an embedded store: each function is one transaction, on disk when it returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import apsw
import msgspec

from citefidelity.errors import StoreError
from citefidelity.kinds import UndeliverableKind
from citefidelity.ports import JournalRow, Put, ScreeningRow
from citefidelity.record_changes import changed_contexts, same_record
from citefidelity.records import CitationKey, Delivery, Outcome, Receipt, Record
from citefidelity.stores.sqlite_database import rows, writing
from citefidelity.stores.sqlite_reading import record_of, screening_id

_FIND = "SELECT id FROM citation WHERE source_id = ? AND target_id = ? AND reference_id = ?"
_FIND_RECORD = """
SELECT id, source_id, target_id, reference_id, qualified, context_count, fields, contexts
FROM citation WHERE source_id = ? AND target_id = ? AND reference_id = ?
"""
_INSERT = """
INSERT INTO citation (source_id, target_id, reference_id, digest, qualified, context_count, fields, contexts)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_REPLACE = "UPDATE citation SET qualified = ?, context_count = ?, fields = ?, contexts = ? WHERE id = ?"
_JUDGED_BY = """
SELECT name FROM screening JOIN delivered ON screening_id = screening.id WHERE citation_id = ? ORDER BY screening.id
"""
_MARK = """
INSERT INTO delivered (screening_id, citation_id, classified_at, run, outcome_count) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""
_OUTCOME = "INSERT INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ENROL = """
INSERT INTO screening_journal (screening_id, journal_id, host, path, part, of, finished) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET host = excluded.host, path = excluded.path, part = excluded.part, of = excluded.of,
    finished = excluded.finished
"""

_encode = msgspec.json.Encoder().encode


class Mark(NamedTuple):
    """What a delivery leaves on each citation."""

    screening: str
    run: str
    at: str


def deliver(connection: apsw.Connection, mark: Mark, batch: Sequence[Delivery]) -> Sequence[Receipt]:
    """All outcomes of each citation that the screening has not reached yet, or none of that citation's."""
    with writing(connection):
        number = _known(connection, mark.screening)
        return [_deliver_one(connection, number, mark, delivery) for delivery in batch]


def put(connection: apsw.Connection, records: Sequence[Record]) -> Sequence[Put]:
    """Insert or replace; of a key that stands twice among them, the first."""
    seen: set[CitationKey] = set()
    puts = []
    with writing(connection):
        for record in records:
            puts.append(Put(record.key, "duplicate") if record.key in seen else _put_one(connection, record))
            seen.add(record.key)
    return puts


def withdraw(connection: apsw.Connection, screening: str, keys: Sequence[CitationKey]) -> int:
    """Take the screening and its outcomes off these citations; how many had it."""
    withdrawn = 0
    with writing(connection):
        number = screening_id(connection, screening)
        for key in keys:
            for (citation,) in list(rows(connection, _FIND, *key)):
                place = (number, citation)
                connection.execute("DELETE FROM outcome WHERE screening_id = ? AND citation_id = ?", place)
                connection.execute("DELETE FROM delivered WHERE screening_id = ? AND citation_id = ?", place)
                withdrawn += connection.changes()
    return withdrawn


def begin_screening(connection: apsw.Connection, row: ScreeningRow) -> None:
    """Register it unless the name is there."""
    with writing(connection):
        connection.execute(
            "INSERT INTO screening (name, spec, fingerprint, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (row.name, row.spec, row.fingerprint, row.created_at),
        )


def enrol_journal(connection: apsw.Connection, screening: str, row: JournalRow) -> None:
    """Insert or update the row of this journal."""
    with writing(connection):
        number = _known(connection, screening)
        connection.execute(_ENROL, (number, row.journal_id, row.host, row.path, *row.partition, row.finished))


def _known(connection: apsw.Connection, screening: str) -> int:
    number = screening_id(connection, screening)
    if not number:
        raise StoreError(f"The store knows no screening '{screening}', so nothing was written under it.")
    return number


def _deliver_one(connection: apsw.Connection, screening: int, mark: Mark, delivery: Delivery) -> Receipt:
    row = connection.execute(_FIND, delivery.key).fetchone()
    if row is None:
        message = "the citation is no longer in the store"
        return Receipt(delivery.key, "undeliverable", UndeliverableKind.EDGE_GONE, message)
    connection.execute("SAVEPOINT one")
    try:
        connection.execute(_MARK, (screening, row[0], mark.at, mark.run, len(delivery.outcomes)))
        if not connection.changes():
            return Receipt(delivery.key, "found")
        connection.executemany(_OUTCOME, _outcome_rows(screening, row[0], delivery.outcomes))
    except apsw.TooBigError as err:
        connection.execute("ROLLBACK TO one")
        return Receipt(delivery.key, "undeliverable", UndeliverableKind.TOO_LARGE, str(err))
    finally:
        connection.execute("RELEASE one")
    return Receipt(delivery.key, "written")


def _outcome_rows(screening: int, citation: int, outcomes: Sequence[Outcome]) -> Iterator[tuple[apsw.SQLiteValue, ...]]:
    for position, outcome in enumerate(outcomes):
        verdict, failure, answer = outcome.verdict, outcome.failure, outcome.answer
        yield (
            screening,
            citation,
            position,
            outcome.instance_id,
            outcome.state,
            verdict and verdict.category,
            verdict and verdict.citation_type,
            verdict and verdict.confidence,
            verdict and verdict.justification,
            failure and failure.kind,
            failure and _encode(failure).decode(),
            answer and _encode(answer).decode(),
            outcome.input_hash,
        )


def _put_one(connection: apsw.Connection, record: Record) -> Put:
    row = connection.execute(_FIND_RECORD, record.key).fetchone()
    content = (record.qualified, record.context_count, record.fields, record.contexts)
    if row is None:
        connection.execute(_INSERT, (*record.key, record.key.digest(), *content))
        return Put(record.key, "new")
    citation, *columns = row
    old = record_of(columns)
    if same_record(old, record):
        return Put(record.key, "unchanged")
    connection.execute(_REPLACE, (*content, citation))
    delivered = tuple(name for (name,) in rows(connection, _JUDGED_BY, citation))
    return Put(record.key, "changed", changed_contexts(old, record), delivered)
