"""Which format a file has, and what readers hand on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Literal, NamedTuple

from citefidelity.errors import UsageError

Format = Literal["jsonl", "csv", "parquet"]
Compression = Literal["gz", "zst"]

MAX_LINE = 64 << 20
"""Bytes of one line. A file that unfolds into more than that without a line feed is damaged, or means harm."""

_BY_SUFFIX: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}
_OTHER_TABLES = frozenset({".xlsx", ".xls", ".ods", ".tsv", ".tab"})
_COMPRESSIONS: dict[str, Compression] = {".gz": "gz", ".zst": "zst"}


class Line(NamedTuple):
    """One record as JSON, and where it stands. ``context_lines`` has a line for each context where rows made it."""

    number: int
    data: bytes
    context_lines: Sequence[int] = ()


class Fault(NamedTuple):
    """One line that gives no record, and why."""

    number: int
    message: str
    field: str = ""


def compression_of(name: str) -> Compression | None:
    """What the last suffix says: ``citations.jsonl.gz`` is gz."""
    return _COMPRESSIONS.get(PurePath(name).suffix.lower())


def format_of(name: str) -> Format:
    """What the suffix says, that of a compression aside; JSON Lines where it says nothing.

    Raises:
        UsageError: it says a format that is neither read nor written here.
    """
    path = PurePath(name)
    suffix = (path.with_suffix("") if compression_of(name) else path).suffix.lower()
    if suffix in _OTHER_TABLES:
        raise UsageError(
            f"{name}: tables of the kind {suffix} are neither read nor written.",
            "Use CSV (with commas, in UTF-8) and a name that ends in .csv, or say with --format what the file is.",
        )
    return _BY_SUFFIX.get(suffix, "jsonl")


def known_format(name: str) -> Format:
    """A format given by name.

    Raises:
        UsageError: there is no such format.
    """
    for known in ("jsonl", "csv", "parquet"):
        if name == known:
            return known
    raise UsageError(f"There is no format '{name}'.", "Known are jsonl, csv and parquet.")
