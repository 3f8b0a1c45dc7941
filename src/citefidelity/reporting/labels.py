"""Labels that people gave to contexts: from a field of the contexts, or from a file of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Raw

from citefidelity.errors import UsageError
from citefidelity.record_format import instance_id_of
from citefidelity.records import CitationKey, StoredCitation

_read_contexts = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_read_value = msgspec.json.Decoder(str | int | bool | None).decode
_NULL = Raw(b"null")


class Labels(Protocol):
    """Where labels come from."""

    source: str
    """For people."""

    def of(self, stored: StoredCitation) -> Mapping[str, str | None]:
        """Each context of this citation by its name, with its label, or None where it has none."""


class FieldLabels:
    """Labels in a field of each context; a value that is null, blank, or no word or number is none."""

    def __init__(self, field: str) -> None:
        self.source = field
        self._field = field

    def of(self, stored: StoredCitation) -> Mapping[str, str | None]:
        """As the port says; none of a record that cannot be read."""
        try:
            contexts = _read_contexts(stored.record.contexts)
        except (msgspec.MsgspecError, RecursionError):
            return {}
        return {instance_id_of(context): _label(context.get(self._field, _NULL)) for context in contexts}


class FileLabels:
    """Labels in a file of JSON Lines, by citation and ``instance_id``; kept in memory.

    Raises:
        UsageError: it cannot be read, or a line of it names no context.
    """

    def __init__(self, path: Path, field: str) -> None:
        self.source = f"{field} in {path.name}"
        self._labels: dict[CitationKey, dict[str, str | None]] = {}
        try:
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    if not line.isspace():
                        self._add(line, field, f"{path}, line {number}")
        except OSError as err:
            raise UsageError(
                f"{path} cannot be read ({err.strerror}). No report was made.", "Check --gold-file."
            ) from err

    def of(self, stored: StoredCitation) -> Mapping[str, str | None]:
        """As the port says; contexts that the file does not name are left out."""
        return self._labels.get(stored.record.key, {})

    def _add(self, line: bytes, field: str, place: str) -> None:
        try:
            row = msgspec.json.decode(line, type=dict[str, Raw])
            parts = [_read_value(row.get(name, _NULL)) for name in ("source_id", "target_id", "reference_id")]
        except msgspec.MsgspecError as err:
            raise _bad_line(place, str(err)) from err
        instance_id = instance_id_of(row)
        if parts[0] is None or parts[1] is None or not instance_id:
            raise _bad_line(place, "source_id, target_id or instance_id is missing")
        key = CitationKey(*("" if part is None else str(part) for part in parts))
        if instance_id in self._labels.setdefault(key, {}):
            raise _bad_line(place, f"{key} {instance_id} has a label already")
        self._labels[key][instance_id] = _label(row.get(field, _NULL))


def _label(raw: Raw) -> str | None:
    try:
        value = _read_value(raw)
    except msgspec.MsgspecError:
        return None
    return None if value is None or not str(value).strip() else str(value).strip()


def _bad_line(place: str, what: str) -> UsageError:
    return UsageError(
        f"{place}: {what}. No report was made.",
        "A line of --gold-file is a JSON object with source_id, target_id, reference_id, instance_id and the label.",
        kind="bad_gold_file",
    )
