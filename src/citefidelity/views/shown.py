"""What ``show`` shows of a citation."""

from __future__ import annotations

import msgspec

from citefidelity.record_format import ContextState
from citefidelity.records import Answer, Failure, Verdict


class ShownAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request to the model. ``ended`` is false where its end is not known: it may have been paid for.

    ``reply`` is the body as it came, bytes that are no UTF-8 shown as escapes; None where none came.
    """

    attempt: int
    run: str
    program: str | None
    asked_at: str
    input_hash: str
    manner: str | None
    ended: bool
    seconds: float | None = None
    status: int | None = None
    fault: str | None = None
    message: str | None = None
    billed: str = "unknown"
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    answering_model: str | None = None
    finish_reason: str | None = None
    request_id: str | None = None
    reply: str | None = None


class ShownContext(msgspec.Struct, frozen=True, kw_only=True):
    """One context. ``state`` is None where nothing is to be asked.

    ``waiting``: the outcome is in the journal, and not delivered yet.
    ``prompt`` is the variable part that was sent under ``input_hash``, None where nothing was, or where the journal
    is not here. ``changed``: the text has changed since it was judged.
    """

    instance_id: str
    section: str | None
    citation_sentence: str | None
    context_text: str
    state: ContextState | None
    waiting: bool
    changed: bool
    verdict: Verdict | None
    failure: Failure | None
    answer: Answer | None
    input_hash: str | None
    flags: tuple[str, ...]
    prompt: str | None
    attempts: list[ShownAttempt]


class ShownCitation(msgspec.Struct, frozen=True, kw_only=True):
    """One citation. ``record`` is what the export has for it, byte for byte."""

    source_id: str
    target_id: str
    reference_id: str
    source_title: str | None
    target_title: str | None
    classified_at: str | None
    run: str | None
    problem: str | None
    contexts: list[ShownContext]
    record: msgspec.Raw


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What ``show`` shows. ``fixed_prompt`` came before every variable part; None while the screening has no spec."""

    store: str
    screening: str
    spec: str | None
    fixed_prompt: str | None
    journal_path: str
    notes: list[str]
    citations: list[ShownCitation]
