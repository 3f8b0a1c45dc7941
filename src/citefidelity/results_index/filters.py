"""Which results to show, in which order: as a value, and as the query of an address that can be kept and shared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

Sort = Literal["latest", "lowest", "highest"]
"""By the time of the outcome, the last first; or by confidence, what has none last."""

State = Literal["verdict", "unassessable", "failed", "to_do"]
"""As in an export. ``to_do`` are those that have only failed for the moment: the next run asks them again."""

PREFIXES: Mapping[State, str] = {
    "verdict": "verdict",
    "unassessable": "unassessable",
    "failed": "failed",
    "to_do": "transient",
}

LONGEST = 2_000
"""Characters of one part of an address; of a longer one the rest is left out."""

Confidence = Annotated[float, msgspec.Meta(ge=0, le=1)]
Page = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold of a result; None, empty and False ask nothing.

    Attributes:
        state: how it ended.
        category: of its verdict.
        failure: kind of its failure, for good or for the moment, or ``no_evidence``.
        type: the citation type of its verdict.
        min: the least confidence of its verdict.
        max: the largest.
        article: a part of the id of the citing or the cited article; letters of ASCII in capitals or not.
        citing: the whole id of the citing article.
        cited: the whole id of the cited article.
        words: all of these stand in its texts: titles, citing text, justification, message; a last word may be begun.
        flagged: whether its texts look odd.
        waiting: whether it is not in the store yet.
        sort: the order.
        page: which page, from 1.
    """

    state: State | None = None
    category: str | None = None
    failure: str | None = None
    type: str | None = None
    min: Confidence | None = None
    max: Confidence | None = None
    article: str | None = None
    citing: str | None = None
    cited: str | None = None
    words: str | None = None
    flagged: bool = False
    waiting: bool = False
    sort: Sort = "latest"
    page: Page = 1

    def query(self) -> dict[str, str]:
        """What an address says of it; what asks nothing is left out."""
        given = {
            name: value for name, value in msgspec.structs.asdict(self).items() if value != getattr(ANYTHING, name)
        }
        return {name: "1" if value is True else f"{value}" for name, value in given.items()}

    @property
    def narrows(self) -> bool:
        """Whether it asks for anything."""
        return msgspec.structs.replace(self, sort="latest", page=1) != ANYTHING


ANYTHING = Filter()


def filter_of(query: Mapping[str, str]) -> Filter:
    """The filter in an address. What cannot be understood is left out: an address is not worth an error."""
    kept: dict[str, Any] = {}
    for name in Filter.__struct_fields__:
        text = query.get(name, "").strip()[:LONGEST]
        if text:
            kept |= _read(name, text)
    return msgspec.convert(kept, Filter)


def _read(name: str, text: str) -> dict[str, Any]:
    try:
        return {name: getattr(msgspec.convert({name: text}, Filter, strict=False), name)}
    except msgspec.ValidationError:
        return {}
