"""The records of one input, whatever its format."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from errno import EISDIR
from pathlib import Path

from citefidelity.errors import UsageError
from citefidelity.formats.csv_rows import read_csv
from citefidelity.formats.jsonl import read_jsonl
from citefidelity.formats.parquet import parquet_rows, require_parquet
from citefidelity.formats.shapes import Fault, Format, Line, format_of
from citefidelity.formats.streams import STDIN, naming_faults, opened

Reader = Callable[[str, io.BufferedReader, Mapping[str, str]], Iterator[Line | Fault]]


def read_lines(
    name: str, *, stdin: io.BufferedReader, mapping: Mapping[str, str], file_format: Format | None = None
) -> Iterator[Line | Fault]:
    """Each record of a file, or of stdin where the name is ``-``, and each line that gives none.

    Raises:
        UsageError: the file cannot be read, or not to its end.
    """
    kind = file_format or format_of(name)
    if mapping and kind == "jsonl":
        raise UsageError(f"{name} is JSON Lines, which has no columns.", "--map is for CSV and Parquet.")
    with opened(name, stdin) as stream:
        nothing = True
        for one in _reader(kind)(name, stream, mapping):
            nothing = False
            yield one
        if nothing:
            yield Fault(0, "the file is empty: there is no record in it")


def check_inputs(names: Sequence[str], file_format: Format | None = None) -> None:
    """Refuse at once what could not be read later, before anything is changed.

    Raises:
        UsageError: a file is not there, is a directory or may not be read, stdin is named twice, or the extra for
            Parquet is not installed.
    """
    if names.count(STDIN) > 1:
        raise UsageError("Stdin (-) can be read only once.")
    for name in names:
        if name == STDIN:
            continue
        with naming_faults(name):
            if Path(name).is_dir():
                raise IsADirectoryError(EISDIR, "is a directory", name)
            if not os.access(name, os.R_OK):
                # Says why better than we could guess; a pipe that may be read is not opened here, for it opens once.
                Path(name).open("rb").close()
    if any(_is_parquet(name, file_format) for name in names):
        require_parquet()


def _is_parquet(name: str, file_format: Format | None) -> bool:
    try:
        return (file_format or format_of(name)) == "parquet"
    except UsageError:
        # A kind that is not read: told of that file alone, when its turn comes.
        return False


def parse_mapping(pairs: Sequence[str]) -> dict[str, str]:
    """``FIELD=COLUMN`` as given on the command line, by field.

    Raises:
        UsageError: it is not of that form, or a field is mapped twice.
    """
    mapping: dict[str, str] = {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if not (field and equals and column):
            raise UsageError(
                f"--map {pair} is not of the form FIELD=COLUMN.", "For example: --map source_id=citing_doi"
            )
        if field in mapping:
            raise UsageError(f"--map names two columns for '{field}': {mapping[field]} and {column}.")
        mapping[field] = column
    return mapping


def _reader(kind: Format) -> Reader:
    match kind:
        case "jsonl":
            return lambda name, stream, _: read_jsonl(name, stream)
        case "csv":
            return read_csv
        case "parquet":
            reader: Reader = parquet_rows().read_parquet
            return reader
