"""What the program that made such graphs first has damaged in them, and what of it can be put right: pure rules.

That program wrote the contexts of a citation back as one text, to every edge between the two articles, in the order in
which its calls ended; of a context whose call had failed it kept only the number. So contexts are blank, stand in
another order, or are another edge's; and the edge is marked as classified, so that nobody asks again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import msgspec
from msgspec import Raw

from citefidelity.record_format import instance_id_of
from citefidelity.records import CitationKey

Kind = Literal["blanked", "only_errors", "out_of_order", "overwritten"]
Repair = Literal["text", "order", "to_do"]

NO_JUDGEMENT = frozenset({"ERROR", "EVAL_FAILED", "UNCLASSIFIED"})
"""Categories by which that program says that its call failed."""

ITS_OWN = frozenset({"instance_id", "classification", "human_review"})
"""Fields that stay as they are in a context whose text is put back."""

_NULL = Raw(b"null")
_read_contexts = msgspec.json.Decoder(list[dict[str, Raw]]).decode


class Edge(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One edge as it stands. ``place`` finds it again; ``screened``: a screening of ours has been there."""

    place: str
    key: CitationKey
    contexts: object
    classified: bool
    screened: bool
    properties: dict[str, Any]


class Mend(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is to be written to an edge that still says ``seen``; ``to_do``: it is no longer marked as classified."""

    place: str
    seen: str
    contexts: str
    to_do: bool


class Damage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is wrong with one citation. Contexts are named by their ``instance_id``.

    ``recoverable``: blank contexts whose text stands elsewhere in the graph. ``repairs``: what can be put right.
    """

    source_id: str
    target_id: str
    reference_id: str
    kinds: list[Kind]
    contexts: int
    blanked: list[str]
    recoverable: list[str]
    repairs: list[Repair]


class Finding(NamedTuple):
    """A damaged edge, and how to mend it where that can be done."""

    edge: Edge
    damage: Damage
    mend: Mend | None


@runtime_checkable
class Mendable(Protocol):
    """A store that such a program may have written to."""

    def pairs(self) -> AsyncIterator[Sequence[Edge]]:
        """All edges between two articles, for each two between which one is classified, and not screened by us."""

    async def mend(self, mends: Sequence[Mend]) -> set[str]:
        """Write these in one transaction, but for edges that changed meanwhile; the places that were written."""


class _Context:
    """One context as that program leaves it, its fields byte for byte."""

    def __init__(self, fields: dict[str, Raw]) -> None:
        self.fields = fields
        self.name = instance_id_of(fields)
        text = self._value("context_text")
        self.text = text if isinstance(text, str) else ""
        self.is_blank = not self.text.strip() and not self._value("evidence_segments")
        self.reference_id = self._value("ref_id")
        classification = self._value("classification")
        category = classification.get("category") if isinstance(classification, dict) else None
        self.failed = self.is_blank or category in NO_JUDGEMENT

    @property
    def content(self) -> tuple[str, bytes]:
        """What makes it the same context as another."""
        return self.text, bytes(self.fields.get("evidence_segments", _NULL))

    def filled_from(self, other: _Context) -> _Context:
        """This context with the text of another one."""
        return _Context(self.fields | {name: raw for name, raw in other.fields.items() if name not in ITS_OWN})

    def _value(self, name: str) -> Any:
        return msgspec.json.decode(self.fields.get(name, _NULL))


def examine(edges: Sequence[Edge]) -> list[Finding]:
    """What is damaged among all edges between two articles. One that a screening of ours has reached never is."""
    contexts = {edge.place: _contexts(edge) for edge in edges}
    return [
        finding
        for edge in edges
        if edge.classified and not edge.screened and contexts[edge.place]
        for finding in _examine(edge, edges, contexts)
    ]


def _examine(edge: Edge, edges: Sequence[Edge], contexts: dict[str, list[_Context]]) -> Iterator[Finding]:
    old = contexts[edge.place]
    others = [other for other in edges if other.place != edge.place]
    wrong: dict[Kind, bool] = {
        "blanked": any(context.is_blank for context in old),
        "only_errors": all(context.failed for context in old),
        "out_of_order": _is_out_of_order(old),
        "overwritten": any(_has_overwritten(other, edge) for other in others),
    }
    if not any(wrong.values()):
        return
    # Whose contexts an overwritten edge holds cannot be told any more: nothing is made of them.
    is_own = not wrong["overwritten"]
    found = _texts_elsewhere(edge, old, [(other, contexts[other.place]) for other in others]) if is_own else {}
    repairs: dict[Repair, bool] = {
        "text": bool(found),
        "order": is_own and wrong["out_of_order"],
        "to_do": is_own and (bool(found) or (wrong["only_errors"] and any(context.text.strip() for context in old))),
    }
    new = [found.get(at, context) for at, context in enumerate(old)]
    if repairs["order"]:
        new.sort(key=lambda context: int(context.name))
    damage = Damage(
        **edge.key._asdict(),
        kinds=[kind for kind, is_there in wrong.items() if is_there],
        contexts=len(old),
        blanked=[context.name for context in old if context.is_blank],
        recoverable=[old[at].name for at in found],
        repairs=[repair for repair, can_be in repairs.items() if can_be],
    )
    yield Finding(edge, damage, _mend(edge, new, damage) if damage.repairs else None)


def _mend(edge: Edge, new: Sequence[_Context], damage: Damage) -> Mend:
    seen = str(edge.contexts)
    rewritten = {"text", "order"}.intersection(damage.repairs)
    contexts = msgspec.json.encode([context.fields for context in new]).decode() if rewritten else seen
    return Mend(place=edge.place, seen=seen, contexts=contexts, to_do="to_do" in damage.repairs)


def _contexts(edge: Edge) -> list[_Context]:
    """The contexts of an edge; none where they cannot be read, which is damage of another kind."""
    try:
        return [_Context(fields) for fields in _read_contexts(edge.contexts)] if isinstance(edge.contexts, str) else []
    except (msgspec.DecodeError, RecursionError):
        return []


def _is_out_of_order(contexts: Sequence[_Context]) -> bool:
    """Whether they are numbered, each with a number of its own, and do not stand in that order."""
    names = [context.name for context in contexts]
    if not all(name.isascii() and name.isdigit() for name in names):
        return False
    numbers = [int(name) for name in names]
    return len(set(numbers)) == len(numbers) and numbers != sorted(numbers)


def _has_overwritten(other: Edge, edge: Edge) -> bool:
    return other.contexts == edge.contexts and other.key.reference_id != edge.key.reference_id


def _texts_elsewhere(
    edge: Edge, contexts: Sequence[_Context], others: Sequence[tuple[Edge, list[_Context]]]
) -> dict[int, _Context]:
    """The blank contexts whose text another edge has, by their position, filled; only where no two texts compete."""
    filled = {}
    for at, blank in enumerate(contexts):
        if not blank.is_blank or not blank.name:
            continue
        candidates = {
            candidate.content: candidate
            for other, theirs in others
            for candidate in theirs
            if candidate.name == blank.name
            and candidate.text.strip()
            and _is_same_citation(edge, contexts, other, theirs, candidate)
        }
        if len(candidates) == 1:
            filled[at] = blank.filled_from(next(iter(candidates.values())))
    return filled


def _is_same_citation(
    edge: Edge, contexts: Sequence[_Context], other: Edge, theirs: Sequence[_Context], candidate: _Context
) -> bool:
    """Whether a context of another edge is surely one of this edge's, and not merely one of the same number.

    So it is where the other edge has the same key, where the context itself names this reference, and where both
    edges hold one list: what both still have a text for, at least one context, is the same.
    """
    if other.key == edge.key or (edge.key.reference_id and candidate.reference_id == edge.key.reference_id):
        return True
    ours = {context.name: context.text for context in contexts if context.text.strip()}
    shared = [(ours[context.name], context.text) for context in theirs if context.name in ours and context.text.strip()]
    return bool(shared) and all(mine == their for mine, their in shared)
