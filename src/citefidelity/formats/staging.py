"""Rows of a table brought together into citations, on disk: the rows of one citation may stand anywhere in a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import apsw
import msgspec

from citefidelity.errors import RecordError
from citefidelity.formats.cells import json_of, text_of
from citefidelity.formats.columns import Field, Level
from citefidelity.formats.scratch import scratch
from citefidelity.formats.shapes import Fault, Line
from citefidelity.record_format import Fields
from citefidelity.strict_json import read_exactly

_TABLES = """
CREATE TABLE citation (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE);
CREATE TABLE row (citation INTEGER, line INTEGER, message TEXT, field TEXT, fields BLOB, context BLOB);
CREATE INDEX row_place ON row (citation, line)
"""
_ROWS = "SELECT citation, line, message, field, fields, context FROM row ORDER BY citation, line"

_read_fields = msgspec.json.Decoder(Fields).decode
_encode = msgspec.json.Encoder().encode


class Row(NamedTuple):
    """One row of a table: its line, and its cells with None for an empty one."""

    line: int
    cells: Sequence[Any]


class _Staged(NamedTuple):
    citation: int
    line: int
    message: str | None
    field: str
    fields: bytes
    context: bytes


def records(rows: Iterator[Row | Fault], columns: Sequence[tuple[int, Field]]) -> Iterator[Line | Fault]:
    """One record a citation, in the order of their first rows, their contexts in the order of the rows.

    A citation one of whose rows is wrong, or whose rows contradict each other, is not taken in part.

    Raises:
        StoreError: the temporary file cannot be written.
    """
    with scratch(_TABLES) as connection:
        for row in rows:
            fault = row if isinstance(row, Fault) else _stage(connection, row, columns)
            if fault:
                yield fault
        staged = (_Staged(*row) for row in connection.execute(_ROWS))
        for _, of_one_citation in groupby(staged, key=itemgetter(0)):
            yield from _assembled(list(of_one_citation))


def _stage(connection: apsw.Connection, row: Row, columns: Sequence[tuple[int, Field]]) -> Fault | None:
    parts: dict[Level, Fields] = {"citation": {}, "context": {}}
    message, wrong = None, ""
    for place, field in columns:
        if row.cells[place] is None:
            continue
        try:
            parts[field.level][field.name] = json_of(field, row.cells[place])
        except RecordError as err:
            message, wrong = err.message, field.name
    fields = parts["citation"]
    for name in ("source_id", "target_id"):
        if name not in fields:
            return Fault(row.line, "is missing", name)
    key = _encode([text_of(fields.get(name)) or "" for name in ("source_id", "target_id", "reference_id")])
    connection.execute("INSERT INTO citation (key) VALUES (?) ON CONFLICT DO NOTHING", (key,))
    connection.execute(
        "INSERT INTO row SELECT id, ?, ?, ?, ?, ? FROM citation WHERE key = ?",
        (row.line, message, wrong, _encode(fields), _encode(parts["context"]), key),
    )
    return None


def _assembled(rows: Sequence[_Staged]) -> Iterator[Line | Fault]:
    faults = [Fault(row.line, row.message, row.field) for row in rows if row.message is not None]
    fields: Fields = {}
    told_by: dict[str, int] = {}
    for row in rows:
        for name, value in _read_fields(row.fields).items():
            if name not in fields:
                fields[name] = value
                told_by[name] = row.line
            elif read_exactly(bytes(fields[name])) != read_exactly(bytes(value)):
                faults.append(
                    Fault(row.line, f"differs from line {told_by[name]}, which is of the same citation", name)
                )
    if faults:
        yield from faults
        return
    contexts = [row for row in rows if row.context != b"{}"]
    fields["contexts"] = msgspec.Raw(b"[%b]" % b",".join(row.context for row in contexts))
    yield Line(rows[0].line, _encode(fields), [row.line for row in contexts])
