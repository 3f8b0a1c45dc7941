"""Everything about one citation, for people."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from citefidelity.cli.rows import pairs
from citefidelity.records import CitationKey
from citefidelity.views.amounts import cost
from citefidelity.views.shown import Shown, ShownAttempt, ShownCitation, ShownContext

INDENT = "    "


def show_text(shown: Shown, bold: Callable[[str], str], *, width: int) -> list[str]:
    """Citation by citation, context by context, attempt by attempt."""
    lines = list(shown.notes)
    for citation in shown.citations:
        lines += ["", *_citation(citation, bold)]
        for context in citation.contexts:
            lines += ["", *_context(context, bold, width)]
    if shown.fixed_prompt is not None:
        lines += ["", "Before each prompt the same instructions are sent; --json shows them (fixed_prompt)."]
    return lines


def _citation(citation: ShownCitation, bold: Callable[[str], str]) -> list[str]:
    key = CitationKey(citation.source_id, citation.target_id, citation.reference_id)
    delivered = (
        f"delivered {citation.classified_at} by run {citation.run}" if citation.classified_at else "not delivered"
    )
    rows = [
        ("citing", citation.source_title or ""),
        ("cited", citation.target_title or ""),
        ("state", delivered),
        ("problem", citation.problem or ""),
    ]
    return [bold(str(key)), *pairs((name, value) for name, value in rows if value)]


def _context(context: ShownContext, bold: Callable[[str], str], width: int) -> list[str]:
    section = f" ({context.section})" if context.section else ""
    lines = [bold(f"Context {context.instance_id}{section}: {_ending(context)}")]
    if context.verdict is not None:
        lines += _wrapped(context.verdict.justification, width)
    elif context.failure is not None:
        lines += _wrapped(context.failure.message, width)
    if context.waiting:
        lines.append("  The outcome is in the journal and not delivered yet: citefidelity run")
    if context.changed:
        lines.append("  The text has changed since it was judged.")
    if context.flags:
        lines.append(f"  Flagged: {', '.join(context.flags)}")
    lines += ["", *_answer(context)]
    if context.prompt is not None:
        lines += ["", "  Prompt, as it was sent:", textwrap.indent(context.prompt, INDENT)]
    else:
        lines += ["", "  Citing text:", textwrap.indent(context.context_text, INDENT)]
        if context.citation_sentence:
            lines += ["  The citation sentence in it:", textwrap.indent(context.citation_sentence, INDENT)]
    for attempt in context.attempts:
        lines += ["", *_attempt(attempt)]
    return lines


def _ending(context: ShownContext) -> str:
    if context.verdict is not None:
        verdict = context.verdict
        return f"{verdict.category} ({verdict.citation_type}, confidence {verdict.confidence:g})"
    if context.failure is not None:
        return f"{context.state}: {context.failure.kind}"
    return {"to_do": "to do", None: "not qualified"}.get(context.state, str(context.state))


def _answer(context: ShownContext) -> list[str]:
    answer = context.answer
    if answer is None:
        return []
    asked = "" if answer.answering_model in {None, answer.model} else f" (asked for {answer.model})"
    rows = [
        ("model", f"{answer.answering_model or answer.model}{asked}, {answer.provider}"),
        ("asked by", answer.program),
        ("answered", answer.answered_at),
        ("attempts", str(answer.attempts)),
        ("tokens", _tokens(answer.input_tokens, answer.cached_tokens, answer.output_tokens)),
        ("cost", cost(answer.cost_usd)),
        ("spec", answer.spec[:12]),
        ("input", answer.input_hash),
    ]
    return pairs((name, value) for name, value in rows if value)


def _attempt(attempt: ShownAttempt) -> list[str]:
    head = f"  Attempt {attempt.attempt}, {attempt.asked_at}, run {attempt.run}"
    if not attempt.ended:
        return [f"{head}: its end is unknown; it may have been paid for"]
    parts = [
        f"{attempt.seconds:.2f} s" if attempt.seconds is not None else "",
        f"status {attempt.status}" if attempt.status is not None else "",
        f"finish {attempt.finish_reason}" if attempt.finish_reason else "",
        attempt.fault or "",
        attempt.message or "",
        f"billed {attempt.billed}" if attempt.billed != "yes" else "",
        f"request {attempt.request_id}" if attempt.request_id else "",
        f"manner {attempt.manner}" if attempt.manner else "",
        _tokens(attempt.input_tokens, attempt.cached_tokens, attempt.output_tokens),
        cost(attempt.cost_usd) if attempt.cost_usd is not None else "",
    ]
    lines = [f"{head}: {', '.join(part for part in parts if part)}"]
    if attempt.reply is not None:
        lines += ["  Raw reply:", textwrap.indent(attempt.reply, INDENT)]
    return lines


def _tokens(read: int | None, cached: int | None, written: int | None) -> str:
    if read is None and written is None:
        return ""
    return f"{read or 0:,} tokens in{f' ({cached:,} cached)' if cached else ''}, {written or 0:,} out"


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ")
