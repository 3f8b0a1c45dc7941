"""What an import changes: whether two records say the same, and which contexts would have to be judged anew."""

from __future__ import annotations

from math import inf

from citefidelity.errors import RecordError
from citefidelity.record_format import citation_of
from citefidelity.records import Citation, Context, Record
from citefidelity.strict_json import read_exactly


def same_record(old: Record, new: Record) -> bool:
    """Whether both are the same JSON: spacing and the order of keys do not count, the way numbers are written does."""
    if (old.fields, old.contexts) == (new.fields, new.contexts):
        return True
    try:
        return read_exactly(old.fields) == read_exactly(new.fields) and read_exactly(old.contexts) == read_exactly(
            new.contexts
        )
    except RecordError:
        return False


def changed_contexts(old: Record, new: Record) -> int:
    """How many contexts of ``new`` would have to be judged anew: those that are new or may look different in a prompt.

    A prompt may show titles, text, section, sentence and evidence, as ranked by score. A field it cannot show, or a
    score rounded, changes none.
    """
    before = _shown(old)
    return sum(before.get(instance_id) != shown for instance_id, shown in _shown(new).items())


def _shown(record: Record) -> dict[str, object]:
    try:
        citation = citation_of(record)
    except RecordError:
        return {}
    return {context.instance_id: _what_a_prompt_may_show(citation, context) for context in citation.contexts}


def _what_a_prompt_may_show(citation: Citation, context: Context) -> object:
    ranked = sorted(
        context.evidence_segments,
        key=lambda segment: inf if segment.similarity_score is None else -segment.similarity_score,
    )
    return (
        citation.source_title,
        citation.target_title,
        context.context_text,
        context.section,
        context.citation_sentence,
        [(segment.text, segment.section) for segment in ranked],
    )
