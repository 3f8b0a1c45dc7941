"""Parquet, with one row per context. Importing this needs the extra ``parquet``."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isnan
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from citefidelity.errors import UsageError
from citefidelity.formats.columns import plan
from citefidelity.formats.flattening import Cell, flattened
from citefidelity.formats.shapes import Fault, Line
from citefidelity.formats.staging import Row, records
from citefidelity.records import StoredCitation

ROWS_READ_AT_ONCE = 1_000
ROWS_IN_A_GROUP = 5_000

_TYPES: dict[str, pa.DataType] = {"confidence": pa.float64(), "failure_retryable": pa.bool_(), "classified": pa.bool_()}


def read_parquet(name: str, stream: io.BufferedReader, mapping: Mapping[str, str]) -> Iterator[Line | Fault]:
    """One record a citation, from rows in any order. Rows are numbered from 1.

    Raises:
        UsageError: the file is no Parquet, is damaged, or its columns do not name what is needed.
    """
    try:
        with _seekable(stream) as file:
            table = pq.ParquetFile(file)
            yield from records(_rows(table), plan(name, table.schema_arrow.names, mapping))
    except (pa.ArrowException, OSError) as err:
        raise UsageError(f"{name} is no Parquet file, or is damaged ({err}).", "Get the file again.") from err


@contextmanager
def _seekable(stream: io.BufferedReader) -> Iterator[BinaryIO]:
    """Parquet is read from its end, so what comes unpacked or through a pipe goes to disk first."""
    if isinstance(stream.raw, io.FileIO) and stream.seekable():
        yield stream
        return
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(stream, file)
        yield file


def _rows(table: pq.ParquetFile) -> Iterator[Row | Fault]:
    line = 0
    for batch in table.iter_batches(batch_size=ROWS_READ_AT_ONCE):
        for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            line += 1
            yield Row(line, [_present(cell) for cell in cells])


def _present(cell: Any) -> Any:
    """None for what tables of numbers write where nothing is."""
    return None if cell == "" or (isinstance(cell, float) and isnan(cell)) else cell


class ParquetWriter:
    """Writes one row per context; every column is text but for the confidence and the truth values.

    Args:
        stream: takes the bytes.
        columns: all columns that there will be.
    """

    def __init__(self, stream: BinaryIO, columns: Sequence[str]) -> None:
        self._columns = columns
        self._schema = pa.schema([(column, _TYPES.get(column, pa.string())) for column in columns])
        self._file = pq.ParquetWriter(stream, self._schema, compression="zstd")
        self._rows: list[list[Cell]] = []

    def write(self, page: Sequence[StoredCitation]) -> None:
        """One row per context; a citation without any has one row all the same."""
        for stored in page:
            self._rows += flattened(stored, self._columns)
        if len(self._rows) >= ROWS_IN_A_GROUP:
            self._flush()

    def finish(self) -> None:
        """Write what is held back, and the end of the file."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        columns = zip(*self._rows, strict=True) if self._rows else [()] * len(self._columns)
        arrays = [pa.array(cells, kind) for cells, kind in zip(columns, self._schema.types, strict=True)]
        self._file.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()
