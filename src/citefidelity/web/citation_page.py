"""The page of one citation: what was judged, by what, how it ended, and everything that led there."""

from __future__ import annotations

import shlex
from typing import NamedTuple

import msgspec
from fastapi import Request
from nicegui import ui

from citefidelity.errors import CitefidelityError
from citefidelity.quotations import quotations
from citefidelity.reading import shown
from citefidelity.record_format import parse_contexts
from citefidelity.records import CitationKey, Segment
from citefidelity.views.show import Wanted
from citefidelity.views.shown import Shown, ShownAttempt, ShownCitation, ShownContext
from citefidelity.views.shown_words import CHANGED, WAITING, answer_rows, attempt_line, delivery, ending
from citefidelity.web.marking import Piece, pieces
from citefidelity.web.parts import box, copyable, heading, pairs, text
from citefidelity.web.site import CITATION, PATIENCE_S, Site, citation_url, results_url


class _Evidence(NamedTuple):
    """A passage with its section and score in one line."""

    about: str
    text: str


class _Contexts(msgspec.Struct):
    contexts: msgspec.Raw


def citation_page(site: Site) -> None:
    """Register the page."""

    @ui.page(CITATION, response_timeout=PATIENCE_S)
    async def show(request: Request) -> None:
        wanted = _wanted(request)
        with site.frame("Citation"):
            try:
                found = await shown(site.settings, wanted)
            except CitefidelityError as err:
                text("p", err.message, "serious wrap", id="problem")
                text("p", err.hint, "muted wrap")
                return
            for note in found.notes:
                text("p", note, "warning wrap")
            for citation in found.citations:
                _citation(site, found, citation, wanted)


def _wanted(request: Request) -> Wanted:
    query = request.query_params
    instance = query.get("instance") or None
    return Wanted(query.get("source", ""), query.get("target", ""), query.get("reference"), instance)


def _citation(site: Site, found: Shown, citation: ShownCitation, wanted: Wanted) -> None:
    key = CitationKey(citation.source_id, citation.target_id, citation.reference_id)
    with box("section", "cards", aria_label=str(key)):
        text("h2", str(key), "wrap")
        pairs(
            (
                ("citing", citation.source_title or key.source_id),
                ("cited", citation.target_title or key.target_id),
                ("state", delivery(citation)),
                ("problem", citation.problem or ""),
            ),
            "The citation",
        )
        with box("div", "row"):
            if wanted.instance_id is not None:
                ui.link("All its contexts", citation_url(key))
            ui.link("All that cite this article", results_url(cited=key.target_id))
            ui.link("All that the citing article cites", results_url(citing=key.source_id))
        evidence = _evidence_of(citation)
        for context in citation.contexts:
            _context(found, context, evidence.get(context.instance_id, []))
        _in_a_terminal(site, key, wanted.instance_id)


def _context(found: Shown, context: ShownContext, stored: list[_Evidence]) -> None:
    section = f" ({context.section})" if context.section else ""
    with box("article", "card context", data_instance=context.instance_id):
        text("h3", f"Context {context.instance_id}{section}: {ending(context)}", "ending wrap")
        if context.verdict is not None:
            text("p", context.verdict.justification, "said keep")
        elif context.failure is not None:
            text("p", context.failure.message, "said keep")
        for note in (WAITING if context.waiting else "", CHANGED if context.changed else ""):
            if note:
                text("p", note, "warning")
        if context.flags:
            text("p", f"The text looks odd: {', '.join(context.flags)}", "warning flags")
        _sides(context, stored)
        pairs(answer_rows(context.answer), "The answer")
        _attempts(context.attempts)
        _prompt(found, context)


def _sides(context: ShownContext, stored: list[_Evidence]) -> None:
    """Citing text and evidence: as they were judged where a prompt tells, otherwise as the store has them."""
    judged = quotations(context.prompt) if context.prompt is not None else None
    if judged is not None and judged.passage is not None:
        citing, sentence = judged.passage, judged.sentence
        evidence = [_Evidence("cut here" if one.cut else "", one.text) for one in judged.evidence]
    else:
        citing, sentence, evidence = context.context_text, context.citation_sentence, stored
    with box("div", "sides"):
        with box("section", aria_label="Citing text"):
            text("h4", "Citing text")
            _marked(pieces(citing, sentence), sentence)
        with box("section", aria_label="Evidence"):
            text("h4", "Evidence in the cited article")
            if not evidence:
                text("p", "None: there was nothing to judge by.", "muted")
            for passage in evidence:
                text("blockquote", passage.text, "keep")
                if passage.about:
                    text("div", passage.about, "muted")


def _marked(parts: list[Piece], sentence: str | None) -> None:
    with box("blockquote", "keep citing"):
        for part in parts:
            names = ("sentence" if part.in_sentence else "", "marker" if part.is_marker else "")
            text("mark" if any(names) else "span", part.text, " ".join(filter(None, names)))
    if sentence and not any(part.in_sentence for part in parts):
        text("p", "The citation sentence, as the record has it:", "muted")
        with box("blockquote", "keep"):
            text("mark", sentence, "sentence")


def _attempts(attempts: list[ShownAttempt]) -> None:
    if not attempts:
        return
    heading("Attempts", 4)
    for attempt in attempts:
        with box("div", "attempt"):
            text("p", attempt_line(attempt), "wrap")
            if attempt.reply is not None:
                _folded("Raw reply", attempt.reply, "reply")


def _prompt(found: Shown, context: ShownContext) -> None:
    if context.prompt is None:
        return
    if found.fixed_prompt is not None:
        _folded("Instructions, sent before each prompt", found.fixed_prompt, "fixed")
    _folded("Prompt, as it was sent", context.prompt, "prompt")


def _folded(label: str, content: str, classes: str) -> None:
    with box("details"):
        text("summary", label)
        text("pre", content, f"keep {classes}")


def _evidence_of(citation: ShownCitation) -> dict[str, list[_Evidence]]:
    """The passages that the store has, of each context."""
    if citation.problem is not None:
        return {}
    contexts = parse_contexts(bytes(msgspec.json.decode(citation.record, type=_Contexts).contexts))
    return {
        context.instance_id: [_stored(segment) for segment in context.evidence_segments if segment.text]
        for context in contexts
    }


def _stored(segment: Segment) -> _Evidence:
    score = "" if segment.similarity_score is None else f"similarity {segment.similarity_score:.2f}"
    return _Evidence(", ".join(filter(None, (segment.section, score))), segment.text)


def _in_a_terminal(site: Site, key: CitationKey, instance_id: str | None) -> None:
    words = [*key, *([instance_id] if instance_id is not None else [])]
    if any(word.startswith("-") or not word.isprintable() for word in words):
        # The command line would take it for an option; a field of one line would leave out what ends a line.
        return
    text("p", "The same in a terminal, exact to the byte:", "muted")
    copyable(site.command(f"show {shlex.join(words)}"), "Show")
