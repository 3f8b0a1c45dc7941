"""Tables for tests: rows as files, files into a store, and what is there then."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from citefidelity.imports import ImportReport, import_files
from citefidelity.intake import Inputs
from citefidelity.testing.store import MemoryStore
from support.stores import all_stored

BASE = {"source_id": "a", "target_id": "b", "instance_id": "1", "context_text": "x"}


def as_csv(*rows: dict[str, Any]) -> bytes:
    """Rows as CSV; the header has every name that any row has."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, names)
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()


def as_parquet(*rows: dict[str, Any]) -> bytes:
    """Rows as Parquet."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    file = io.BytesIO()
    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), file)
    return file.getvalue()


async def import_bytes(store: MemoryStore, content: bytes, path: Path, **options: Any) -> ImportReport:
    """Import a file with this content."""
    path.write_bytes(content)  # noqa: ASYNC240 - a few bytes
    return await import_files(store, Inputs(names=[str(path)], **options))


async def imported(store: MemoryStore) -> list[dict[str, Any]]:
    """The records in the store as parsed JSON."""
    return [
        json.loads(one.record.fields) | {"contexts": json.loads(one.record.contexts)} for one in await all_stored(store)
    ]


def names_in(directory: Path) -> list[str]:
    """What lies in a directory."""
    return [path.name for path in directory.iterdir()]
