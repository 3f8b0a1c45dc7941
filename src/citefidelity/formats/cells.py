"""Cells of a table to JSON values and back."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw

from citefidelity.errors import RecordError
from citefidelity.formats.columns import Field
from citefidelity.strict_json import read_exactly

_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_LISTS_OR_TEXT = frozenset({"source_authors", "target_authors", "source_ids", "target_ids"})
_INTEGERS_OR_TEXT = frozenset({"source_year", "target_year", "instance_id"})
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

_encode = msgspec.json.Encoder().encode


def json_of(field: Field, cell: Any) -> Raw:
    """The JSON that a cell stands for; a cell of another type than text is what it is.

    Raises:
        RecordError: a cell of evidence is no JSON.
    """
    if not isinstance(cell, str):
        return Raw(_encode(cell))
    match field:
        case ("context", "evidence_segments"):
            return _evidence(cell.encode())
        case ("citation", "qualified"):
            return Raw(_encode(_BOOLEANS.get(cell.strip().lower(), cell)))
        case (_, name) if name in _INTEGERS_OR_TEXT and _INTEGER.fullmatch(cell):
            return Raw(cell.encode())
        case ("citation", name) if name in _LISTS_OR_TEXT and cell.startswith(("[", "{")):
            return Raw(cell.encode() if _is_json(cell) else _encode(cell))
        case _:
            return Raw(_encode(cell))


def text_of(value: Raw | None) -> str | None:
    """What stands in a cell for a JSON value: text as it is, nothing for null, JSON for everything else."""
    if value is None:
        return None
    text = bytes(value)
    if text == b"null":
        return None
    return msgspec.json.decode(text, type=str) if text.startswith(b'"') else text.decode()


def _evidence(cell: bytes) -> Raw:
    try:
        read_exactly(cell)
    except RecordError as err:
        raise RecordError(f'{err.message}. Such a cell holds a list: [{{"text": "..."}}]') from err
    return Raw(cell)


def _is_json(cell: str) -> bool:
    try:
        read_exactly(cell.encode())
    except RecordError:
        return False
    return True
