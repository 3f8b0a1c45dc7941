"""Reads back what a rendered prompt quotes: the texts between its fences. Pure.

The journal keeps each prompt as it was sent, so the exact text that was judged can be searched and shown without the
store. A fence's code occurs in none of the texts, so that no text can be taken for a fence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_FENCE = re.compile(r"^<<([0-9a-f]{6,}) (.+)>>$", re.MULTILINE)
_END = "end"
_CITING, _CITED = "citing article", "cited article"
_PASSAGE, _SENTENCE, _BOTH = "passage", "citation sentence", "passage and citation sentence"
_EVIDENCE = re.compile(r"evidence \d+")
_CUT = re.compile(r"(evidence \d+) is cut here")


class Passage(NamedTuple):
    """One passage of evidence as it was shown to the model. ``cut``: the rest of it was not shown."""

    text: str
    cut: bool


class Quotations(NamedTuple):
    """What was quoted. ``sentence`` is the whole passage where it is the citation sentence itself.

    A passage of ``evidence`` begins with the line ``Section: ...`` where its section was shown.
    """

    source_title: str | None = None
    passage: str | None = None
    sentence: str | None = None
    target_title: str | None = None
    evidence: tuple[Passage, ...] = ()


def quotations(variable: str) -> Quotations:
    """The texts that this variable part quotes; nothing where it has no fences of ours."""
    texts: dict[str, str] = {}
    evidence: list[Passage] = []
    for label, text in _blocks(variable):
        if _EVIDENCE.fullmatch(label):
            evidence.append(Passage(text, cut=False))
        elif _CUT.fullmatch(label):
            evidence[-1:] = [Passage(one.text, cut=True) for one in evidence[-1:]]
        else:
            texts.setdefault(label, text)
    both = texts.get(_BOTH)
    return Quotations(
        source_title=_title(texts.get(_CITING)),
        passage=texts.get(_PASSAGE, both),
        sentence=texts.get(_SENTENCE, both),
        target_title=_title(texts.get(_CITED)),
        evidence=tuple(evidence),
    )


def _blocks(variable: str) -> Iterator[tuple[str, str]]:
    """Each fence's label with the text that follows it up to the next fence of the same code."""
    first = _FENCE.search(variable)
    if first is None:
        return
    code = first[1]
    fences = [found for found in _FENCE.finditer(variable) if found[1] == code]
    ends = [found.start() - 1 for found in fences[1:]]
    for found, end in zip(fences, ends, strict=False):
        if found[2] != _END:
            yield found[2], variable[found.end() + 1 : max(end, found.end() + 1)]


def _title(block: str | None) -> str | None:
    if block is None or not block.startswith("Title: "):
        return None
    return block.removeprefix("Title: ").rpartition("\nSection: ")[0] or block.removeprefix("Title: ")
