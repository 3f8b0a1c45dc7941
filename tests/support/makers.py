"""Factories for the values that flow through the program: give what the test is about, the rest is made up."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from citefidelity.ports import Holder, ScreeningRow
from citefidelity.record_format import parse_record
from citefidelity.records import (
    Answer,
    Citation,
    CitationKey,
    Context,
    Delivery,
    Failure,
    Outcome,
    Record,
    Segment,
    Verdict,
)

AT = "2026-01-02T03:04:05.678Z"


def make_key(number: int = 1, reference_id: str = "r1") -> CitationKey:
    """``citing-1 -> cited-1 [r1]``."""
    return CitationKey(f"citing-{number}", f"cited-{number}", reference_id)


def make_segment(text: str = "Aspirin lowered the risk by 12 %.", score: float | None = 0.5) -> Segment:
    """One passage of the cited article."""
    return Segment(text, "Results", score)


def make_context(
    instance_id: str = "1",
    text: str = "Aspirin lowers the risk [1].",
    segments: Iterable[Segment] | None = None,
    sentence: str | None = None,
) -> Context:
    """One context with one segment of evidence unless told otherwise."""
    evidence = (make_segment(),) if segments is None else tuple(segments)
    return Context(instance_id, text, "Introduction", sentence, evidence)


def make_citation(number: int = 1, contexts: int | Iterable[Context] = 1) -> Citation:
    """A citation with so many contexts, numbered from 1, or with these."""
    if isinstance(contexts, int):
        contexts = [make_context(str(i), f"Aspirin lowers the risk [{number}.{i}].") for i in range(1, contexts + 1)]
    return Citation(make_key(number), tuple(contexts), f"Citing article {number}", f"Cited article {number}")


def make_json(number: int = 1, contexts: int | list[dict[str, Any]] = 1, **fields: Any) -> dict[str, Any]:
    """A record as parsed JSON; ``fields`` are added to the citation or replace its own."""
    citation = make_citation(number, contexts if isinstance(contexts, int) else 0)
    if isinstance(contexts, int):
        contexts = [
            {
                "instance_id": int(context.instance_id),
                "section": context.section,
                "context_text": context.context_text,
                "evidence_segments": [
                    {"text": one.text, "section": one.section, "similarity_score": one.similarity_score}
                    for one in context.evidence_segments
                ],
            }
            for context in citation.contexts
        ]
    return {
        "source_id": citation.key.source_id,
        "target_id": citation.key.target_id,
        "reference_id": citation.key.reference_id,
        "source_title": citation.source_title,
        "target_title": citation.target_title,
        "contexts": contexts,
        **fields,
    }


def make_line(number: int = 1, contexts: int | list[dict[str, Any]] = 1, **fields: Any) -> bytes:
    """A record as one line of JSON Lines."""
    return json.dumps(make_json(number, contexts, **fields)).encode() + b"\n"


def make_record(number: int = 1, contexts: int | list[dict[str, Any]] = 1, **fields: Any) -> Record:
    """A record as a store keeps it."""
    return parse_record(make_line(number, contexts, **fields))[0]


def make_verdict(category: str = "SUPPORT", confidence: float = 0.9) -> Verdict:
    """What a model said."""
    return Verdict(category, "CONCEPTUAL", confidence, "The passage says the same.")


def make_answer(screening: str = "main", cost_usd: float | None = 0.001) -> Answer:
    """Where an outcome comes from."""
    return Answer(
        screening=screening,
        spec="0123abcd",
        provider="openai",
        model="model-1",
        answering_model="model-1-2026",
        attempts=1,
        input_tokens=1000,
        output_tokens=50,
        cost_usd=cost_usd,
        answered_at=AT,
        input_hash="ab" * 16,
        program="citefidelity 0",
    )


def make_outcome(instance_id: str = "1", verdict: Verdict | None = None, answer: Answer | None = None) -> Outcome:
    """A context that got a verdict."""
    return Outcome(
        instance_id=instance_id,
        input_hash="ab" * 16,
        state="verdict",
        verdict=verdict or make_verdict(),
        answer=answer or make_answer(),
    )


def make_failed(instance_id: str = "1", kind: str = "refused", *, retryable: bool = False) -> Outcome:
    """A context that ended without a verdict."""
    failure = Failure(kind, "The model declined.", retryable)
    return Outcome(instance_id=instance_id, input_hash="ab" * 16, state="failed", failure=failure, answer=make_answer())


def make_unassessable(instance_id: str = "1") -> Outcome:
    """A context there was nothing to ask about."""
    failure = Failure("no_evidence", "There is no passage to judge by.")
    return Outcome(instance_id=instance_id, input_hash="ab" * 16, state="unassessable", failure=failure)


def make_delivery(number: int = 1, contexts: int = 1) -> Delivery:
    """A verdict for each context of ``make_record(number, contexts)``."""
    return Delivery(make_key(number), tuple(make_outcome(str(i)) for i in range(1, contexts + 1)))


def make_screening_row(name: str = "main") -> ScreeningRow:
    """A screening that begins."""
    return ScreeningRow(name=name, spec='{"model": "model-1"}', fingerprint="0123abcd", created_at=AT)


def make_holder(run: str = "run-1", pid: int = 4711, at: float = 0.0, journal_id: str = "j1") -> Holder:
    """Somebody who asks for a claim."""
    return Holder(host="somewhere", pid=pid, command="citefidelity run", run=run, journal_id=journal_id, at=at)
