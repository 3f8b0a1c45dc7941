"""The record format: what a citation looks like as one line of JSON, on its way in and on its way out.

Inputs come out as they went in: a record keeps the bytes of every value, so that 1.0 stays 1.0 and a field that nobody
here has heard of is neither dropped nor reformatted.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Literal

import msgspec
from msgspec import Raw

from citefidelity.errors import RecordError
from citefidelity.kinds import UndeliverableKind
from citefidelity.records import (
    Citation,
    CitationKey,
    Context,
    Outcome,
    Record,
    Segment,
    State,
    StoredCitation,
    Unusable,
)
from citefidelity.strict_json import read_exactly

OURS_ON_CITATION = ("classified", "classified_at")
OURS_ON_CONTEXT = ("state", "verdict", "failure", "answer")

Fields = dict[str, Raw]
ContextState = State | Literal["to_do", "undeliverable"]


class _Context(msgspec.Struct, frozen=True, gc=False):
    """A context as nearly all records have it."""

    instance_id: int | str
    context_text: str
    section: str | None = None
    citation_sentence: str | None = None
    evidence_segments: tuple[Segment, ...] | None = None


class _OddSegment(msgspec.Struct, frozen=True, gc=False):
    """A segment as some have it: without text, or with its score as text."""

    text: str | None = None
    section: str | None = None
    similarity_score: float | str | None = None


class _OddContext(msgspec.Struct, frozen=True, gc=False):
    instance_id: int | str
    context_text: str
    section: str | None = None
    citation_sentence: str | None = None
    evidence_segments: tuple[_OddSegment | None, ...] | None = None


class _Titles(msgspec.Struct, frozen=True, gc=False):
    source_title: str | None = None
    target_title: str | None = None


_NULL = Raw(b"null")
_READ_FIELDS = msgspec.json.Decoder(Fields)
_READ_CONTEXTS = msgspec.json.Decoder(list[Fields])
_READ_KEY_PART = msgspec.json.Decoder(int | str)
_READ_TITLES = msgspec.json.Decoder(_Titles)
_READ_USUAL = msgspec.json.Decoder(tuple[_Context, ...])
_READ_ODD = msgspec.json.Decoder(tuple[_OddContext, ...])
_WRITE = msgspec.json.Encoder()


def parse_record(line: bytes) -> tuple[Record, list[str]]:
    """One record, and the names of those of its fields that are ours to write and were therefore left out.

    Raises:
        RecordError: with the path of the field that is wrong, as ``contexts[2].instance_id``.
    """
    if not isinstance(read_exactly(line), dict):
        raise RecordError(
            "not a JSON object",
            hint="Give one citation a line (JSON Lines); `jq -c '.[]'` turns a JSON array of records into that.",
        )
    fields = _READ_FIELDS.decode(line)
    contexts = _read_contexts(fields.pop("contexts", None))
    left_out = [f"contexts[].{name}" for context in contexts for name in _taken_out(context, OURS_ON_CONTEXT)]
    left_out += _taken_out(fields, OURS_ON_CITATION)
    record = Record(
        key=_key(fields),
        qualified=_qualified(fields),
        context_count=len(contexts),
        fields=_WRITE.encode(fields),
        contexts=_WRITE.encode(contexts),
    )
    for position, context in enumerate(citation_of(record).contexts):
        _refuse_blank(context.instance_id, f"contexts[{position}].instance_id")
        _refuse_blank(context.context_text, f"contexts[{position}].context_text")
    return record, left_out


def parse_contexts(contexts: bytes) -> tuple[Context, ...]:
    """The contexts of a record as the engine sees them; unknown fields are passed over.

    Lenient where it costs nothing: a segment without text is blank, a score that is no number is none.

    Raises:
        RecordError: this is no list of contexts, or two of them have the same ``instance_id``.
    """
    try:
        parsed = tuple(
            Context(
                str(row.instance_id), row.context_text, row.section, row.citation_sentence, row.evidence_segments or ()
            )
            for row in _READ_USUAL.decode(contexts)
        )
    except (msgspec.DecodeError, RecursionError):
        parsed = _parse_odd(contexts)
    if len({context.instance_id for context in parsed}) != len(parsed):
        _refuse_doubled(parsed)
    return parsed


def citation_of(record: Record) -> Citation:
    """What the engine works on.

    Raises:
        RecordError: the record's contexts or titles cannot be read.
    """
    try:
        titles = _READ_TITLES.decode(record.fields)
    except msgspec.ValidationError as err:
        raise _wrong_type(err, "") from err
    return Citation(record.key, parse_contexts(record.contexts), titles.source_title, titles.target_title)


def found(record: Record) -> Citation | Unusable:
    """The citation, or why it cannot be worked on."""
    try:
        return citation_of(record)
    except RecordError as err:
        return Unusable(record.key, UndeliverableKind.UNREADABLE_RECORD, err.message)


def exported(stored: StoredCitation) -> bytes:
    """One line of the export, with its line feed: the record as it came in, and how each context ended.

    Contexts that cannot be read come out as the text they are.
    """
    fields = _READ_FIELDS.decode(stored.record.fields)
    try:
        contexts = _READ_CONTEXTS.decode(stored.record.contexts)
    except (msgspec.DecodeError, RecursionError):
        fields["contexts"] = _raw(stored.record.contexts.decode(errors="replace"))
    else:
        outcomes = {outcome.instance_id: outcome for outcome in stored.outcomes}
        for context in contexts:
            outcome = outcomes.get(instance_id_of(context))
            context["state"] = _raw(context_state(stored, outcome))
            context["verdict"] = _raw(outcome and outcome.verdict)
            context["failure"] = _raw(outcome and outcome.failure)
            context["answer"] = _raw(outcome and outcome.answer)
        fields["contexts"] = _raw(contexts)
    fields["classified"] = _raw(stored.classified_at is not None or stored.elsewhere)
    fields["classified_at"] = _raw(stored.classified_at)
    return _WRITE.encode(fields) + b"\n"


def context_state(stored: StoredCitation, outcome: Outcome | None) -> ContextState | None:
    """Where one context of a citation stands, given its delivered outcome; None where nothing is to be asked."""
    if outcome is not None:
        return outcome.state
    if not stored.record.qualified:
        return None
    return "to_do" if stored.unusable is None else "undeliverable"


def instance_id_of(context: Fields) -> str:
    """The name of a context within its citation; empty where it has none that can be read."""
    with suppress(msgspec.DecodeError):
        return str(_READ_KEY_PART.decode(context.get("instance_id", _NULL)))
    return ""


def _read_contexts(raw: Raw | None) -> list[Fields]:
    if raw is None:
        raise RecordError("is missing", "contexts")
    try:
        return _READ_CONTEXTS.decode(raw)
    except msgspec.ValidationError as err:
        raise _wrong_type(err, "contexts") from err


def _taken_out(fields: Fields, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if fields.pop(name, None) is not None]


def _key(fields: Fields) -> CitationKey:
    reference = fields.get("reference_id", _NULL)
    return CitationKey(
        _article_id(fields, "source_id"),
        _article_id(fields, "target_id"),
        "" if bytes(reference) == b"null" else _key_part(reference, "reference_id"),
    )


def _article_id(fields: Fields, name: str) -> str:
    if name not in fields:
        raise RecordError("is missing", name)
    article_id = _key_part(fields[name], name)
    _refuse_blank(article_id, name)
    return article_id


def _key_part(raw: Raw, name: str) -> str:
    try:
        return str(_READ_KEY_PART.decode(raw))
    except msgspec.ValidationError as err:
        raise _wrong_type(err, name) from err


def _qualified(fields: Fields) -> bool:
    said = bytes(fields.get("qualified", Raw(b"true")))
    if said not in {b"true", b"false"}:
        raise RecordError("must be true or false", "qualified")
    return said == b"true"


def _refuse_blank(text: str, field: str) -> None:
    if not text or text.isspace():
        raise RecordError("is blank", field)


def _parse_odd(contexts: bytes) -> tuple[Context, ...]:
    try:
        rows = _READ_ODD.decode(contexts)
    except msgspec.ValidationError as err:
        raise _wrong_type(err, "contexts") from err
    except (msgspec.DecodeError, RecursionError) as err:
        raise RecordError(f"not JSON: {err}", "contexts") from err
    return tuple(
        Context(
            str(row.instance_id),
            row.context_text,
            row.section,
            row.citation_sentence,
            tuple(
                Segment(segment.text or "", segment.section, _number(segment.similarity_score))
                for segment in row.evidence_segments or ()
                if segment is not None
            ),
        )
        for row in rows
    )


def _number(score: float | str | None) -> float | None:
    if isinstance(score, str):
        try:
            return msgspec.json.decode(score, type=float)
        except msgspec.DecodeError:
            return None
    return score


def _refuse_doubled(contexts: tuple[Context, ...]) -> None:
    seen: set[str] = set()
    for position, context in enumerate(contexts):
        if context.instance_id in seen:
            raise RecordError(
                f"{context.instance_id!r} stands twice in this citation (1 and '1' are the same)",
                f"contexts[{position}].instance_id",
            )
        seen.add(context.instance_id)


def _wrong_type(err: msgspec.ValidationError, root: str) -> RecordError:
    """The message of a typed decode in the words of a record: `$[0].section` becomes ``contexts[0].section``."""
    message, _, path = str(err).partition(" - at `$")
    field = (root + path.rstrip("`")).lstrip(".")
    missing = re.fullmatch(r"Object missing required field `(.*)`", message)
    if missing:
        return RecordError("is missing", f"{field}.{missing[1]}")
    return RecordError(message[0].lower() + message[1:], field)


def _raw(value: object) -> Raw:
    return Raw(_WRITE.encode(value))
