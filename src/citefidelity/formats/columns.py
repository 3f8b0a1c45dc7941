"""How a record's fields stand in the columns of a table with one row per context.

Known fields have a column of their name. A column of another name is a field of the context; a field of the citation
that is not known stands under ``citation.NAME``, and one of the context whose name is taken under ``context.NAME``.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from citefidelity.errors import UsageError
from citefidelity.record_format import OURS_ON_CITATION, OURS_ON_CONTEXT

Level = Literal["citation", "context"]

CITATION_FIELDS = (
    "source_id",
    "target_id",
    "reference_id",
    "source_title",
    "source_authors",
    "source_year",
    "source_ids",
    "target_title",
    "target_authors",
    "target_year",
    "target_ids",
    "qualified",
)
CONTEXT_FIELDS = ("instance_id", "section", "citation_sentence", "context_text", "evidence_segments")
VERDICT_COLUMNS = ("category", "citation_type", "confidence", "justification")
FAILURE_COLUMNS = ("failure_kind", "failure_message", "failure_retryable")
OURS = ("state", *VERDICT_COLUMNS, *FAILURE_COLUMNS, "answer", *OURS_ON_CITATION)
"""The columns that an export adds."""

_NEEDED = ("source_id", "target_id", "instance_id", "context_text")
OTHER_SEPARATORS = {";": "a semicolon", "\t": "a tab", "|": "a bar"}
_PREFIXED = re.compile(r"(citation|context)\.(.+)", re.DOTALL)
_FIXED = frozenset((*CITATION_FIELDS, *CONTEXT_FIELDS, *OURS, *OURS_ON_CONTEXT))


class Field(NamedTuple):
    """A field of a record."""

    level: Level
    name: str


def column_of(field: Field) -> str:
    """The column that a field stands in."""
    level, name = field
    if name in (CITATION_FIELDS if level == "citation" else CONTEXT_FIELDS):
        return name
    if level == "citation" or name in _FIXED or _PREFIXED.fullmatch(name):
        return f"{level}.{name}"
    return name


def field_of(column: str) -> Field:
    """The field that a column holds."""
    prefixed = _PREFIXED.fullmatch(column)
    if prefixed:
        return Field("citation" if prefixed[1] == "citation" else "context", prefixed[2])
    if column in CITATION_FIELDS or column in OURS_ON_CITATION:
        return Field("citation", column)
    return Field("context", column)


def plan(name: str, columns: Sequence[str], mapping: Mapping[str, str]) -> list[tuple[int, Field]]:
    """Which column gives which field; ``mapping`` names the column of a field.

    Verdicts and failures of an earlier export, which has a column ``state``, are ours and are not read again.

    Raises:
        UsageError: a column is missing, doubled or without a name; the file is named.
    """
    _refuse_bad_header(name, columns)
    _refuse_missing(name, mapping.values(), columns)
    mapped = {column: field for field, column in mapping.items()}
    skipped = frozenset((*VERDICT_COLUMNS, *FAILURE_COLUMNS) if "state" in columns else ()) - mapped.keys()
    fields = [(place, mapped.get(column, column)) for place, column in enumerate(columns) if column not in skipped]
    doubled = [field for field, count in Counter(field for _, field in fields).items() if count > 1]
    if doubled:
        raise UsageError(f"{name} has two columns for '{doubled[0]}': one of that name, and one by --map.")
    _refuse_without_needed(name, [field for _, field in fields], columns)
    return [(place, field_of(field)) for place, field in fields]


def _refuse_bad_header(name: str, columns: Sequence[str]) -> None:
    if not all(columns):
        place = [bool(column) for column in columns].index(False) + 1
        raise UsageError(
            f"{name}: column {place} has no name.", "Name it or leave it out (pandas writes its index so: index=False)."
        )
    doubled = [column for column, count in Counter(columns).items() if count > 1]
    if doubled:
        raise UsageError(f"{name} has two columns '{doubled[0]}'.", "Rename one of them.")


def _refuse_missing(name: str, wanted: Iterable[str], there: Sequence[str]) -> None:
    missing = [column for column in wanted if column not in there]
    if missing:
        raise UsageError(f"{name} has no column '{missing[0]}'. Its columns are: {', '.join(there)}.")


def _refuse_without_needed(name: str, fields: Sequence[str], columns: Sequence[str]) -> None:
    missing = [field for field in _NEEDED if field not in fields]
    if not missing:
        return
    other = next((mark for mark in (";", "\t", "|") if len(columns) == 1 and mark in columns[0]), None)
    if other is not None:
        raise UsageError(
            f"{name} seems to have {OTHER_SEPARATORS[other]} between its cells, where a comma is needed.",
            "Save it as CSV with commas, in UTF-8.",
        )
    one = len(missing) == 1
    alike, unknown = {_plain(column): shlex.quote(column) for column in columns}, "COLUMN"
    raise UsageError(
        f"{name} has no column {', '.join(repr(field) for field in missing)}. Its columns are: {', '.join(columns)}.",
        f"Say which {'column holds it' if one else 'columns hold them'}: "
        f"{' '.join(f'--map {field}={alike.get(field, unknown)}' for field in missing)}.",
    )


def _plain(column: str) -> str:
    """A column's name without what people write in many ways: capitals, and blanks around and within it."""
    return "_".join(column.lower().split())
