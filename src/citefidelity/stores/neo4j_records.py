"""Citations of a graph as records, and records as properties of a graph.

A record that was imported comes out byte for byte. What the graph has a property for is kept there; the edge keeps the
rest, in ``fidelity_fields_json``: the fields in their order, each as ``[name]`` where its value is the graph's, and as
``[name, value]`` where it is not. So an edit of a title in the graph shows, and a field nobody knows is not lost.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from citefidelity.config.graph_names import GraphNames
from citefidelity.kinds import UndeliverableKind
from citefidelity.record_format import found
from citefidelity.records import (
    Answer,
    Citation,
    CitationKey,
    Failure,
    Outcome,
    Record,
    StoredCitation,
    Unusable,
    Verdict,
)
from citefidelity.stores.neo4j_graph import Row

LARGEST_INTEGER = 2**63 - 1
KEY_FIELDS = ("source_id", "target_id", "reference_id")
ARTICLE_FIELDS = ("title", "authors", "year")
GRAPH_FIELDS = (*KEY_FIELDS, *(f"{end}_{field}" for end in ("source", "target") for field in ARTICLE_FIELDS))
"""Fields of a record that a graph has properties for."""

DOUBLED = "the graph has more than one citation with this key, so no write could name the right one"

_write = msgspec.json.Encoder(enc_hook=str).encode
_read_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_read_template = msgspec.json.Decoder(list[list[Raw]]).decode
_read_name = msgspec.json.Decoder(str).decode
_read_contexts = msgspec.json.Decoder(list[Raw]).decode
_read_answer = msgspec.json.Decoder(Answer).decode


def key_row(key: CitationKey, reference: str | None = None) -> Row:
    """A row of parameters that finds this citation, whatever type its ids have in the graph."""
    return {
        "source": key.source_id,
        "target": key.target_id,
        "reference": key.reference_id if reference is None else reference,
        "sources": native_ids(key.source_id),
        "targets": native_ids(key.target_id),
    }


def native_ids(article_id: str) -> list[str | int]:
    """What an id may be in the graph: the string and, for a plain decimal number, the integer."""
    digits = article_id.removeprefix("-")
    # Python refuses to read a number of thousands of digits.
    short = len(digits) <= len(str(LARGEST_INTEGER))
    if short and digits.isascii() and digits.isdigit() and str(int(article_id)) == article_id:
        number = int(article_id)
        if abs(number) <= LARGEST_INTEGER:
            return [article_id, number]
    return [article_id]


def key_of(row: Row) -> CitationKey | Unusable:
    """The key of a citation in the graph, or why it has none that is whole."""
    source, target, reference = row["source"], row["target"], row["reference"]
    key = CitationKey(_shown(source), _shown(target), _shown(reference))
    for name, value in (("citing article", source), ("cited article", target)):
        if not _is_id(value) or not str(value).strip():
            return _not_whole(key, f"the {name} has no id that is a string or an integer")
    if reference is not None and not _is_id(reference):
        return _not_whole(key, "the reference id is neither a string nor an integer")
    return key


def record_of(key: CitationKey, row: Row) -> Record:
    """The record that a fetched row stands for."""
    contexts = row["contexts"]
    raw = contexts.encode() if isinstance(contexts, str) else _write(contexts)
    count = row["context_count"]
    return Record(
        key=key,
        qualified=row["qualified"] is True,
        context_count=count if _is_integer(count) else _count(raw),
        fields=_fields(row),
        contexts=raw,
    )


def found_in(key: CitationKey, rows: list[Row]) -> Citation | Unusable:
    """What the engine gets for the rows of one key: a citation, or why there is none to work on."""
    if len(rows) > 1:
        return Unusable(key, UndeliverableKind.EDGE_DOUBLED, DOUBLED)
    result = found(record_of(key, rows[0]))
    if isinstance(result, Citation) and not result.contexts:
        said = f"{rows[0]['context_count']!r} contexts are announced, and there are none"
        return Unusable(key, UndeliverableKind.UNREADABLE_RECORD, said)
    return result


def stored_of(screening: str, key: CitationKey, row: Row, *, doubled: bool) -> StoredCitation:
    """A fetched row with what the screening has brought to it."""
    record = record_of(key, row)
    readable = found(record)
    unusable = readable if isinstance(readable, Unusable) else None
    nodes = row["outcomes"] if screening in (row["screenings"] or ()) else []
    return StoredCitation(
        record,
        classified_at=nodes[0].get("classified_at") if nodes else None,
        run=nodes[0].get("run") if nodes else None,
        outcomes=tuple(_outcome(node) for node in nodes),
        outcome_count=nodes[0].get("outcome_count") if nodes else None,
        elsewhere=row["elsewhere"],
        unusable=Unusable(key, UndeliverableKind.EDGE_DOUBLED, DOUBLED) if doubled else unusable,
    )


def outcome_properties(outcome: Outcome, position: int) -> Row:
    """The properties of a verdict node that differ from context to context; None where there is nothing to say."""
    verdict, failure, answer = outcome.verdict, outcome.failure, outcome.answer
    return {
        "instance_id": outcome.instance_id,
        "position": position,
        "state": outcome.state,
        "category": verdict and verdict.category,
        "citation_type": verdict and verdict.citation_type,
        "confidence": verdict and verdict.confidence,
        "justification": verdict and verdict.justification,
        "failure_kind": failure and str(failure.kind),
        "failure_message": failure and failure.message,
        "failure_retryable": (failure and failure.retryable) or None,
        "input_hash": outcome.input_hash,
        "model": answer and answer.model,
        "answered_at": answer and answer.answered_at,
        "cost_usd": answer and answer.cost_usd,
        "answer_json": answer and _write(answer).decode(),
    }


def article_of(record: Record, end: str, names: GraphNames) -> Row:
    """The properties of an article that this record brings; those of another type than graphs have are left out."""
    fields = _read_fields(record.fields)
    title, authors, year = (msgspec.json.decode(fields.get(f"{end}_{name}", Raw(b"null"))) for name in ARTICLE_FIELDS)
    row: Row = {names.article_id: record.key.source_id if end == "source" else record.key.target_id}
    if isinstance(title, str):
        row[names.title] = title
    if isinstance(authors, list) and authors and all(isinstance(author, str) for author in authors):
        row[names.authors] = authors
    if _is_integer(year) and abs(year) <= LARGEST_INTEGER:
        row[names.year] = year
    return row


def citation_properties(record: Record, source: Row, target: Row, names: GraphNames) -> Row:
    """The properties of an edge that holds this record, between articles with these properties."""
    graph = {
        "source_id": source["id"],
        "target_id": target["id"],
        "reference_id": record.key.reference_id,
        **{f"source_{field}": source[field] for field in ARTICLE_FIELDS},
        **{f"target_{field}": target[field] for field in ARTICLE_FIELDS},
    }
    template = [
        [name] if name in graph and _write(graph[name]) == bytes(value) else [name, value]
        for name, value in _read_fields(record.fields).items()
    ]
    return {
        names.reference_id: record.key.reference_id,
        names.qualified: record.qualified,
        names.contexts: record.contexts.decode(),
        names.context_count: record.context_count,
        "fidelity_fields_json": _write(template).decode(),
    }


def _fields(row: Row) -> bytes:
    """The citation as JSON without its contexts: as it was imported, or made of what the graph has."""
    graph: dict[str, Any] = {
        "source_id": row["source"],
        "target_id": row["target"],
        "reference_id": row["reference"],
        **{name: row[name] for name in GRAPH_FIELDS[len(KEY_FIELDS) :]},
    }
    if row["fields_json"] is None:
        present = {name: value for name, value in graph.items() if value is not None}
        return _write(present | ({} if row["qualified"] is True else {"qualified": False}))
    fields = {}
    for name, *value in _read_template(row["fields_json"]):
        field = _read_name(name)
        fields[field] = value[0] if value else Raw(_write(graph.get(field)))
    return _write(fields)


def _outcome(node: Row) -> Outcome:
    category, failure_kind, answer = node.get("category"), node.get("failure_kind"), node.get("answer_json")
    return Outcome(
        instance_id=node["instance_id"],
        input_hash=node["input_hash"],
        state=node["state"],
        verdict=None
        if category is None
        else Verdict(category, node["citation_type"], node["confidence"], node["justification"]),
        failure=None
        if failure_kind is None
        else Failure(failure_kind, node["failure_message"], node.get("failure_retryable", False)),
        answer=None if answer is None else _read_answer(answer),
    )


def _count(contexts: bytes) -> int:
    try:
        return len(_read_contexts(contexts))
    except msgspec.DecodeError:
        return 0


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_id(value: object) -> bool:
    return isinstance(value, str) or _is_integer(value)


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def _not_whole(key: CitationKey, message: str) -> Unusable:
    return Unusable(key, UndeliverableKind.UNREADABLE_RECORD, message)
