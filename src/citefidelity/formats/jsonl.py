"""JSON Lines: one citation a line."""

from __future__ import annotations

import io
import shlex
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from citefidelity.errors import UsageError
from citefidelity.formats.shapes import MAX_LINE, Fault, Line
from citefidelity.formats.streams import numbered_lines, refuse_utf16
from citefidelity.record_format import exported
from citefidelity.records import StoredCitation


def read_jsonl(name: str, stream: io.BufferedReader) -> Iterator[Line | Fault]:
    """Each line that is not blank."""
    refuse_utf16(name, stream)
    begins = stream.peek(1)[:64].lstrip(b"\xef\xbb\xbf").partition(b"\n")[0].strip()
    if begins in {b"[", b"{"}:
        what, parts = ("one JSON array", ".[]") if begins == b"[" else ("JSON over many lines", ".")
        raise UsageError(
            f"{name} is {what}, where one citation a line is needed (JSON Lines).",
            f"`jq -c '{parts}' {shlex.quote(name)}` makes these lines.",
        )
    _refuse_table(name, stream)
    for number, line in numbered_lines(stream):
        if line is None:
            yield Fault(number, f"longer than {MAX_LINE >> 20} MB")
        elif not line.isspace():
            yield Line(number, line)


def _refuse_table(name: str, stream: io.BufferedReader) -> None:
    """From stdin, or under a name that says nothing, a table would be read as JSON: every single row would be wrong."""
    start = stream.peek(1)
    header = start.partition(b"\n")[0]
    kind = "parquet" if start.startswith(b"PAR1") else "csv" if b"source_id" in header and b"{" not in header else None
    if kind is not None:
        raise UsageError(f"{name} seems to be a table, and was to be read as JSON Lines.", f"Add --format {kind}.")


class JsonlWriter:
    """Writes records with their outcomes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, page: Sequence[StoredCitation]) -> None:
        """One line each."""
        self._stream.write(b"".join(exported(stored) for stored in page))

    def finish(self) -> None:
        """Nothing is held back."""
