"""Citations with how their contexts ended, out of a store and into a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from citefidelity.formats.csv_rows import CsvWriter
from citefidelity.formats.flattening import Columns
from citefidelity.formats.jsonl import JsonlWriter
from citefidelity.formats.parquet import parquet_rows
from citefidelity.formats.shapes import Format, format_of
from citefidelity.formats.target import target
from citefidelity.one_thread import OneThread
from citefidelity.ports import Shelf
from citefidelity.records import StoredCitation


class Writer(Protocol):
    """Turns records into one format."""

    def write(self, page: Sequence[StoredCitation]) -> None:
        """Write these."""

    def finish(self) -> None:
        """Write what is held back."""


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """Where to, and how.

    Args:
        path: the file; None for stdout. A name ending in .gz or .zst is packed.
        format: told by the file's name where it is None, JSON Lines where that does not tell.
        raw: whether CSV cells that a spreadsheet would run stay as they are.
        stdout: where bytes go without a path; the process's own unless given.
    """

    path: Path | None = None
    format: Format | None = None
    raw: bool = False
    stdout: BinaryIO | None = None


class ExportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was written: ``contexts`` are those of the citations, ``delivered`` the citations of this screening."""

    citations: int
    contexts: int
    delivered: int
    format: Format


async def export(store: Shelf, screening: str, output: Output) -> ExportReport:
    """Write every citation of the store with the outcomes of one screening.

    A file that exists is replaced at once and as a whole, when all is written. Tables are read twice, as their columns
    are known only in the end.

    Raises:
        UsageError: nothing can be written there, or the extra for Parquet is not installed.
        StoreError: the store cannot be read.
    """
    kind = output.format or ("jsonl" if output.path is None else format_of(output.path.name))
    thread = OneThread("export")
    try:
        columns = [] if kind == "jsonl" else await _columns(store, screening, thread)
        async with thread.entered(target(output.path, output.stdout or sys.stdout.buffer)) as stream:
            writer = await thread.run(_writer, kind, stream, columns, raw=output.raw)
            citations = contexts = delivered = 0
            async for page in store.stored(screening):
                await thread.run(writer.write, page)
                citations += len(page)
                contexts += sum(stored.record.context_count for stored in page)
                delivered += sum(stored.classified_at is not None for stored in page)
            await thread.run(writer.finish)
            await thread.run(stream.flush)
    finally:
        thread.stop()
    return ExportReport(citations=citations, contexts=contexts, delivered=delivered, format=kind)


async def _columns(store: Shelf, screening: str, thread: OneThread) -> list[str]:
    columns = Columns()
    async for page in store.stored(screening):
        await thread.run(columns.see, page)
    return columns.names()


def _writer(kind: Format, stream: BinaryIO, columns: Sequence[str], *, raw: bool) -> Writer:
    match kind:
        case "jsonl":
            return JsonlWriter(stream)
        case "csv":
            return CsvWriter(stream, columns, raw=raw)
        case "parquet":
            writer: Writer = parquet_rows().ParquetWriter(stream, columns)
            return writer
