"""Records as rows of a table, one per context."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from citefidelity.errors import UsageError
from citefidelity.formats.cells import text_of
from citefidelity.formats.columns import (
    CITATION_FIELDS,
    CONTEXT_FIELDS,
    FAILURE_COLUMNS,
    OURS,
    VERDICT_COLUMNS,
    Field,
    Level,
    column_of,
)
from citefidelity.record_format import Fields, context_state, instance_id_of
from citefidelity.records import Outcome, StoredCitation

Cell = str | float | bool | None

_read_fields = msgspec.json.Decoder(Fields).decode
_read_contexts = msgspec.json.Decoder(list[Fields]).decode
_encode = msgspec.json.Encoder().encode


class Columns:
    """The columns of an export, which are known only when every record has been seen."""

    def __init__(self) -> None:
        self._of_citations: dict[str, None] = dict.fromkeys(CITATION_FIELDS)
        self._of_contexts: dict[str, None] = dict.fromkeys(CONTEXT_FIELDS)

    def see(self, page: Sequence[StoredCitation]) -> None:
        """Take in the fields of these records."""
        for stored in page:
            for name in _read_fields(stored.record.fields):
                self._of_citations[column_of(Field("citation", name))] = None
            for context in _contexts(stored):
                for name in context:
                    self._of_contexts[column_of(Field("context", name))] = None

    def names(self) -> list[str]:
        """All of them: the citation's, the context's, and how it ended."""
        return [*self._of_citations, *self._of_contexts, *OURS]


def flattened(stored: StoredCitation, columns: Sequence[str]) -> Iterator[list[Cell]]:
    """One row per context, or a single one for a citation that has none.

    Raises:
        UsageError: a field has no column, because the record is newer than the columns.
    """
    shared = _cells("citation", _read_fields(stored.record.fields))
    shared["classified"] = stored.classified_at is not None or stored.elsewhere
    shared["classified_at"] = stored.classified_at
    outcomes = {outcome.instance_id: outcome for outcome in stored.outcomes}
    contexts = _contexts(stored)
    for context in contexts:
        outcome = outcomes.get(instance_id_of(context))
        row = shared | _cells("context", context) | {"state": context_state(stored, outcome)} | _ending(outcome)
        yield _in_order(row, columns)
    if not contexts:
        yield _in_order(shared, columns)


def _contexts(stored: StoredCitation) -> list[Fields]:
    try:
        return _read_contexts(stored.record.contexts)
    except (msgspec.DecodeError, RecursionError):
        return []


def _cells(level: Level, fields: Fields) -> dict[str, Cell]:
    return {column_of(Field(level, name)): text_of(value) for name, value in fields.items()}


def _ending(outcome: Outcome | None) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    if outcome and outcome.verdict:
        verdict = outcome.verdict
        said = (verdict.category, verdict.citation_type, verdict.confidence, verdict.justification)
        cells.update(zip(VERDICT_COLUMNS, said, strict=True))
    if outcome and outcome.failure:
        failure = outcome.failure
        cells.update(zip(FAILURE_COLUMNS, (failure.kind, failure.message, failure.retryable), strict=True))
    if outcome and outcome.answer:
        cells["answer"] = _encode(outcome.answer).decode()
    return cells


def _in_order(row: dict[str, Cell], columns: Sequence[str]) -> list[Cell]:
    cells = [row.pop(column, None) for column in columns]
    if row:
        raise UsageError(
            f"A record with a new field ({next(iter(row))}) came into the store during the export.",
            "Export again; nothing was replaced.",
        )
    return cells
