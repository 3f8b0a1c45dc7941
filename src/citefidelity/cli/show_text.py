"""Everything about one citation, for people."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from citefidelity.cli.rows import pairs
from citefidelity.records import CitationKey
from citefidelity.views.shown import Shown, ShownAttempt, ShownCitation, ShownContext
from citefidelity.views.shown_words import CHANGED, WAITING, answer_rows, attempt_line, delivery, ending

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
    rows = [
        ("citing", citation.source_title or ""),
        ("cited", citation.target_title or ""),
        ("state", delivery(citation)),
        ("problem", citation.problem or ""),
    ]
    return [bold(str(key)), *pairs((name, value) for name, value in rows if value)]


def _context(context: ShownContext, bold: Callable[[str], str], width: int) -> list[str]:
    section = f" ({context.section})" if context.section else ""
    lines = [bold(f"Context {context.instance_id}{section}: {ending(context)}")]
    if context.verdict is not None:
        lines += _wrapped(context.verdict.justification, width)
    elif context.failure is not None:
        lines += _wrapped(context.failure.message, width)
    if context.waiting:
        lines.append(f"  {WAITING}")
    if context.changed:
        lines.append(f"  {CHANGED}")
    if context.flags:
        lines.append(f"  Flagged: {', '.join(context.flags)}")
    lines += ["", *pairs((name, value) for name, value in answer_rows(context.answer) if value)]
    if context.prompt is not None:
        lines += ["", "  Prompt, as it was sent:", textwrap.indent(context.prompt, INDENT)]
    else:
        lines += ["", "  Citing text:", textwrap.indent(context.context_text, INDENT)]
        if context.citation_sentence:
            lines += ["  The citation sentence in it:", textwrap.indent(context.citation_sentence, INDENT)]
    for attempt in context.attempts:
        lines += ["", *_attempt(attempt)]
    return lines


def _attempt(attempt: ShownAttempt) -> list[str]:
    lines = [f"  {attempt_line(attempt)}"]
    if attempt.reply is not None:
        lines += ["  Raw reply:", textwrap.indent(attempt.reply, INDENT)]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ")
