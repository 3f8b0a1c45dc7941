"""What ``show`` shows in words for people: the same in a terminal and on a page."""

from __future__ import annotations

from citefidelity.records import Answer
from citefidelity.views.amounts import cost
from citefidelity.views.shown import ShownAttempt, ShownCitation, ShownContext

WAITING = "The outcome is in the journal and not delivered yet: citefidelity run"
CHANGED = "The text has changed since it was judged."


def ending(context: ShownContext) -> str:
    """How a context ended."""
    if context.verdict is not None:
        verdict = context.verdict
        return f"{verdict.category} ({verdict.citation_type}, confidence {verdict.confidence:g})"
    if context.failure is not None:
        return f"{context.state}: {context.failure.kind}"
    return {"to_do": "to do", None: "not qualified"}.get(context.state, str(context.state))


def delivery(citation: ShownCitation) -> str:
    """Whether its outcomes are in the store, since when, and by which run."""
    return f"delivered {citation.classified_at} by run {citation.run}" if citation.classified_at else "not delivered"


def answer_rows(answer: Answer | None) -> list[tuple[str, str]]:
    """Where an outcome comes from; what is not known is empty."""
    if answer is None:
        return []
    asked = "" if answer.answering_model in {None, answer.model} else f" (asked for {answer.model})"
    return [
        ("model", f"{answer.answering_model or answer.model}{asked}, {answer.provider}"),
        ("asked by", answer.program),
        ("answered", answer.answered_at),
        ("attempts", str(answer.attempts)),
        ("tokens", tokens(answer.input_tokens, answer.cached_tokens, answer.output_tokens)),
        ("cost", cost(answer.cost_usd)),
        ("spec", answer.spec[:12]),
        ("input", answer.input_hash),
    ]


def attempt_line(attempt: ShownAttempt) -> str:
    """When an attempt was asked, and how it ended."""
    head = f"Attempt {attempt.attempt}, {attempt.asked_at}, run {attempt.run}"
    if not attempt.ended:
        return f"{head}: its end is unknown; it may have been paid for"
    parts = [
        f"{attempt.seconds:.2f} s" if attempt.seconds is not None else "",
        f"status {attempt.status}" if attempt.status is not None else "",
        f"finish {attempt.finish_reason}" if attempt.finish_reason else "",
        attempt.fault or "",
        attempt.message or "",
        f"billed {attempt.billed}" if attempt.billed != "yes" else "",
        f"request {attempt.request_id}" if attempt.request_id else "",
        f"manner {attempt.manner}" if attempt.manner else "",
        tokens(attempt.input_tokens, attempt.cached_tokens, attempt.output_tokens),
        cost(attempt.cost_usd) if attempt.cost_usd is not None else "",
    ]
    return f"{head}: {', '.join(part for part in parts if part)}"


def tokens(read: int | None, cached: int | None, written: int | None) -> str:
    """Tokens in and out; empty where the provider does not tell."""
    if read is None and written is None:
        return ""
    return f"{read or 0:,} tokens in{f' ({cached:,} cached)' if cached else ''}, {written or 0:,} out"
