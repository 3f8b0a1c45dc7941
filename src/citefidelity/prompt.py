"""From a context to what the model is sent. Pure.

What is rendered here is hashed, and the hash decides whether a context is asked again: a changed byte asks everything
again, in every screening that has begun. The texts around the quotations are therefore part of the spec; only the
fences are fixed here, and ``tests/unit/golden`` holds them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from citefidelity.records import Citation, Context, Segment
from citefidelity.replies.reply import reply_schema
from citefidelity.specs.spec import Spec
from citefidelity.specs.template import Template
from citefidelity.suspicion import suspicions

INPUT_HASH_BYTES = 16
FENCE_CHARS = 6
UNSENDABLE = "unsendable_characters"
"""Flag: the text held lone surrogates, which no server can be sent; each is shown as U+FFFD."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Rendered(msgspec.Struct, frozen=True, gc=False):
    """The variable part of one request. ``input_hash`` is over it and nothing else."""

    variable: str
    input_hash: bytes
    flags: tuple[str, ...] = ()


class NoEvidence(msgspec.Struct, frozen=True, gc=False):
    """There is no passage of the cited article to judge by, so there is nothing to ask.

    ``input_hash`` is over what would have been shown, so that evidence that comes later makes it another input.
    """

    input_hash: bytes
    flags: tuple[str, ...] = ()


class Prompter:
    """Renders the contexts of one spec. ``fixed`` and ``schema`` are the same for every call."""

    __slots__ = ("_max_chars", "_segments", "_user", "fixed", "schema")

    def __init__(self, spec: Spec) -> None:
        self.fixed: str = Template(spec.system).fill(
            {"categories": _definitions(spec.categories), "types": _definitions(spec.types)}
        )
        self.schema: dict[str, object] = reply_schema(spec)
        self._user = Template(spec.user)
        self._segments = spec.segments
        self._max_chars = spec.max_chars

    def render(self, citation: Citation, context: Context) -> Rendered | NoEvidence:
        """What is asked about one context; the same texts give the same bytes, whatever else the record holds."""
        evidence = _best(context.evidence_segments, self._segments)
        together = _together(citation, context, evidence, self._max_chars)
        lowered = together.lower()
        fence = _fence(together, lowered)
        variable = self._user.fill(
            {
                "citing": _citing(fence, citation, context),
                "evidence": _evidence(fence, citation, evidence, self._max_chars),
            }
        )
        flags = suspicions(together, lowered)
        try:
            sent = variable.encode()
        except UnicodeEncodeError:
            variable = _LONE_SURROGATE.sub("\ufffd", variable)
            sent = variable.encode()
            flags += (UNSENDABLE,)
        input_hash = blake2b(sent, digest_size=INPUT_HASH_BYTES).digest()
        if not evidence:
            return NoEvidence(input_hash, flags)
        return Rendered(variable, input_hash, flags)


def _definitions(table: dict[str, str]) -> str:
    return "\n".join(f"- {name}: {definition}" for name, definition in table.items())


def _best(segments: Sequence[Segment], most: int) -> list[Segment]:
    """The best ``most`` segments that hold any text: by score, then in their order; without a score last."""
    written = [segment for segment in segments if not _blank(segment.text)]
    written.sort(key=_by_score)
    return written[:most]


def _by_score(segment: Segment) -> float:
    score = segment.similarity_score
    return math.inf if score is None or math.isnan(score) else -score


def _blank(text: str | None) -> bool:
    return not text or text.isspace()


def _together(citation: Citation, context: Context, evidence: Sequence[Segment], cut_at: int) -> str:
    """All that a paper has a say in. NUL keeps two texts from making a pattern together that neither holds."""
    texts = [
        citation.source_title,
        context.section,
        context.context_text,
        context.citation_sentence,
        citation.target_title,
    ]
    for segment in evidence:
        texts += (segment.section, segment.text[:cut_at])
    return "\0".join([text for text in texts if text])


def _fence(together: str, lowered: str) -> str:
    """A code that occurs in none of the texts, so that no text can close its own fence."""
    digest = blake2b(together.encode(errors="surrogatepass")).hexdigest()
    # No text can be made to hold ever longer parts of its own hash, so this ends at once.
    lengths = range(FENCE_CHARS, len(digest) + 1)
    return next(digest[:length] for length in lengths if digest[:length] not in lowered)


def _citing(fence: str, citation: Citation, context: Context) -> str:
    lines: list[str] = []
    if not (_blank(citation.source_title) and _blank(context.section)):
        lines.append(f"<<{fence} citing article>>")
        if not _blank(citation.source_title):
            lines.append(f"Title: {citation.source_title}")
        if not _blank(context.section):
            lines.append(f"Section: {context.section}")
    sentence = context.citation_sentence or ""
    if sentence.strip() == context.context_text.strip():
        lines += (f"<<{fence} passage and citation sentence>>", context.context_text)
    else:
        lines += (f"<<{fence} passage>>", context.context_text)
        if not _blank(sentence):
            lines += (f"<<{fence} citation sentence>>", sentence)
    lines.append(f"<<{fence} end>>")
    return "\n".join(lines)


def _evidence(fence: str, citation: Citation, segments: Sequence[Segment], cut_at: int) -> str:
    lines: list[str] = []
    if not _blank(citation.target_title):
        lines += (f"<<{fence} cited article>>", f"Title: {citation.target_title}")
    for number, segment in enumerate(segments, 1):
        lines.append(f"<<{fence} evidence {number}>>")
        if not _blank(segment.section):
            lines.append(f"Section: {segment.section}")
        lines.append(segment.text[:cut_at])
        if len(segment.text) > cut_at:
            # As a fence, so that no text can pretend to be cut.
            lines.append(f"<<{fence} evidence {number} is cut here>>")
    lines.append(f"<<{fence} end>>")
    return "\n".join(lines)
