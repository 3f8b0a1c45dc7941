"""Files turned into batches of checked records: parsed, and no key twice."""

from __future__ import annotations

import io
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import msgspec

from citefidelity.errors import RecordError, UsageError
from citefidelity.formats.reading import read_lines
from citefidelity.formats.scratch import Seen, scratch
from citefidelity.formats.shapes import Fault, Format, Line
from citefidelity.record_format import parse_record
from citefidelity.records import Record

BATCH = 500
BATCH_BYTES = 4 << 20

_CONTEXT = re.compile(r"contexts\[([0-9]+)\]")


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """What to import.

    Args:
        names: files, or ``-`` for stdin.
        mapping: the column of a field, for CSV and Parquet.
        format: of all of them; told by each one's name where it is None.
        stdin: what ``-`` stands for; the process's own unless given.
    """

    names: Sequence[str]
    mapping: Mapping[str, str] = msgspec.field(default_factory=dict)
    format: Format | None = None
    stdin: io.BufferedReader | None = None


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """A line that was not taken in: where, which field (or ""), and why. Line 0 is the file as a whole."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        """``FILE:LINE: why``; of a whole file, why alone where that begins with its name."""
        if self.line:
            return f"{self.file}:{self.line}: {self.message}"
        return self.message if self.message.startswith(self.file) else f"{self.file}: {self.message}"


class Batch(msgspec.Struct):
    """Records for one transaction, and what was met on the way to them. ``left_out`` counts by field."""

    records: list[Record]
    rejections: list[Rejection]
    left_out: Counter[str]

    @classmethod
    def empty(cls) -> Batch:
        """Nothing yet."""
        return cls([], [], Counter())


def batches(inputs: Inputs) -> Iterator[Batch]:
    """All records of all inputs, a key's first only. An input that cannot be read to its end is told as a rejection.

    Blocking: it is meant for a thread.
    """
    with scratch(Seen.TABLES) as connection:
        seen = Seen(connection)
        for name in inputs.names:
            yield from _batches_of(name, inputs, seen)


def _batches_of(name: str, inputs: Inputs, seen: Seen) -> Iterator[Batch]:
    batch, size = Batch.empty(), 0
    stdin = inputs.stdin or cast("io.BufferedReader", sys.stdin.buffer)
    try:
        for one in read_lines(name, stdin=stdin, mapping=inputs.mapping, file_format=inputs.format):
            if isinstance(one, Fault):
                batch.rejections.append(_rejection(name, one))
            else:
                _take(batch, name, one, seen)
                size += len(one.data)
            if size > BATCH_BYTES or len(batch.records) + len(batch.rejections) >= BATCH:
                yield batch
                batch, size = Batch.empty(), 0
    except UsageError as err:
        batch.rejections.append(_rejected(name, 0, "", f"{err.message} {err.hint}".strip()))
    yield batch


def _take(batch: Batch, name: str, line: Line, seen: Seen) -> None:
    try:
        record, left_out = parse_record(line.data)
    except RecordError as err:
        batch.rejections.append(_rejected(name, _line_of(err.field, line), err.field, _advised(err)))
        return
    earlier = seen.before(record.key, name, line.number)
    if earlier:
        file, number = earlier
        where = f"line {number}" if file == name else f"{file}, line {number}"
        message = f"{record.key} stands twice: it was taken from {where}, and this one is left out"
        batch.rejections.append(_rejected(name, line.number, "", message))
        return
    batch.records.append(record)
    batch.left_out.update(left_out)


def _line_of(field: str, line: Line) -> int:
    context = _CONTEXT.match(field)
    return line.context_lines[int(context[1])] if context and line.context_lines else line.number


def _advised(err: RecordError) -> str:
    return f"{err.message}. {err.hint}" if err.hint else err.message


def _rejection(name: str, fault: Fault) -> Rejection:
    message = f"{fault.field}: {fault.message}" if fault.field else fault.message
    return _rejected(name, fault.number, fault.field, message)


def _rejected(name: str, line: int, field: str, message: str) -> Rejection:
    # The name of a file need not be text, and a report in JSON has to be.
    file, why = (told.encode(errors="backslashreplace").decode() for told in (name, message))
    return Rejection(file, line, field, why)
