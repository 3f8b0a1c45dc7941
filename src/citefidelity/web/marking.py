"""Where in a citing text the citation stands, as pieces of the text. Pure."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

_MARKER = re.compile(r"\[CITATION\]", re.IGNORECASE)
# Such as [12], or [9,[CITATION],12]: a sentence is often kept with its marks written in another way.
_MARKS = r"\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]"
_BETWEEN = re.compile(rf"(?:\s|{_MARKS})+")
_END = re.compile(r"[.!?][\"')\]]*(?=\s|$)")

HEAD, SLACK = 40, 80
"""Characters: as many at its beginning tell a sentence; as much longer may it be in the text, with all its marks."""


class Piece(NamedTuple):
    """A part of a text. ``in_sentence``: it belongs to the citation sentence."""

    text: str
    in_sentence: bool = False
    is_marker: bool = False


def pieces(text: str, sentence: str | None) -> list[Piece]:
    """The text in pieces, which together are the text: the citation sentence and the marks ``[CITATION]`` set apart."""
    begin, end = _place(text, sentence)
    edges = {0, begin, end, len(text)}
    markers = {found.start(): found.end() for found in _MARKER.finditer(text)}
    edges |= markers.keys() | set(markers.values())
    places = sorted(edges)
    return [
        Piece(text[start:stop], in_sentence=begin <= start and stop <= end, is_marker=start in markers)
        for start, stop in pairwise(places)
    ]


def _place(text: str, sentence: str | None) -> tuple[int, int]:
    """Where the sentence stands, as it is or with its white space and marks written otherwise; (0, 0) if nowhere."""
    sentence = (sentence or "").strip()
    if not sentence:
        return 0, 0
    begin = text.find(sentence)
    if begin >= 0:
        return begin, begin + len(sentence)
    words = [re.escape(word) for word in _BETWEEN.split(sentence) if word]
    found = re.search(rf"(?:\s|{_MARKS})*".join(words), text) if words else None
    return found.span() if found else _by_its_beginning(text, sentence)


def _by_its_beginning(text: str, sentence: str) -> tuple[int, int]:
    begin = text.find(sentence[:HEAD])
    if begin < 0 or len(sentence) < HEAD:
        return 0, 0
    marker = _MARKER.search(text, begin, begin + len(sentence) + SLACK)
    end = _END.search(text, marker.end() if marker else begin + len(sentence) // 2)
    return begin, end.end() if end else len(text)
