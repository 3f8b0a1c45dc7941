"""CSV as RFC 4180 has it: one row per context."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from citefidelity.errors import UsageError
from citefidelity.formats.columns import plan
from citefidelity.formats.flattening import Cell, flattened
from citefidelity.formats.shapes import MAX_LINE, Fault, Line
from citefidelity.formats.staging import Row, records
from citefidelity.formats.streams import numbered_lines, refuse_utf16
from citefidelity.records import StoredCitation

# Spreadsheets run a cell that begins so, some after blanks or quotes, some in full width.
_RUNS = re.compile(r"[\t\r\n]|[\s'\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def read_csv(name: str, stream: io.BufferedReader, mapping: Mapping[str, str]) -> Iterator[Line | Fault]:
    """One record a citation, from rows in any order.

    Raises:
        UsageError: the header does not name what is needed.
    """
    refuse_utf16(name, stream)
    # The limit belongs to the whole process; evidence is longer than its default of 128 KB.
    csv.field_size_limit(MAX_LINE)
    table = csv.reader(_lines(name, stream), strict=True)
    try:
        header = next(filter(any, table), None)
    except csv.Error as err:
        raise UsageError(f"{name}: the header is no CSV ({err}).", "Save it as CSV with commas, in UTF-8.") from err
    if header is not None:
        yield from records(_rows(table, len(header)), plan(name, header, mapping))


def _lines(name: str, stream: io.BufferedReader) -> Iterator[str]:
    for number, line in numbered_lines(stream):
        if line is None:
            raise UsageError(f"{name}: line {number} is longer than {MAX_LINE >> 20} MB.")
        # What is not UTF-8 comes through as lone surrogates, so that only its row is lost.
        yield line.decode(errors="surrogateescape")


def _rows(table: Any, width: int) -> Iterator[Row | Fault]:
    """``table`` is what csv.reader makes, which has no public type."""
    while True:
        line = table.line_num + 1
        try:
            cells = next(table, None)
        except csv.Error as err:
            yield Fault(line, f"no CSV: {err}")
            continue
        if cells is None:
            return
        # Spreadsheets write rows that once held something as nothing but commas.
        if any(cells):
            yield _row(line, cells, width)


def _row(line: int, cells: list[str], width: int) -> Row | Fault:
    if len(cells) != width:
        return Fault(line, f"has {len(cells)} cells, the header has {width}")
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return Fault(line, "not UTF-8: save the file as `CSV UTF-8`, or `iconv -f WINDOWS-1252 -t UTF-8`")
    return Row(line, [cell or None for cell in cells])


class CsvWriter:
    """Writes one row per context.

    Args:
        stream: takes the bytes.
        columns: all columns that there will be.
        raw: whether cells that a spreadsheet would run stay as they are.
    """

    def __init__(self, stream: BinaryIO, columns: Sequence[str], *, raw: bool) -> None:
        self._columns = columns
        self._raw = raw
        self._text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
        self._table = csv.writer(self._text)
        self._table.writerow([self._safe(column) for column in columns])

    def write(self, page: Sequence[StoredCitation]) -> None:
        """One row per context; a citation without any has one row all the same."""
        for stored in page:
            for row in flattened(stored, self._columns):
                self._table.writerow([self._safe(cell) for cell in row])

    def finish(self) -> None:
        """Hand the stream back to whoever opened it."""
        self._text.detach()

    def _safe(self, cell: Cell) -> Cell:
        if isinstance(cell, bool):
            return "true" if cell else "false"
        if self._raw or not isinstance(cell, str) or not _RUNS.match(cell) or _NUMBER.fullmatch(cell):
            return cell
        return f"'{cell}"
