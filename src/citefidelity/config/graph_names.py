"""What a graph calls its articles, citations and their properties."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from citefidelity.errors import UsageError

ALLOWED = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""Names stand in the text of a query, where no parameter can: anything else could be a query of its own."""

_BAD = "bad_graph_name"


class GraphNames(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The label, the relationship type and the properties that are read; the last two are written as well."""

    article: str = "Article"
    cites: str = "CITES"
    article_id: str = "article_id"
    title: str = "title"
    authors: str = "authors"
    year: str = "pub_year"
    reference_id: str = "reference_id"
    qualified: str = "qualified"
    contexts: str = "citation_contexts_json"
    context_count: str = "context_count"
    classified: str = "classified"
    classified_at: str = "classified_at"

    def __str__(self) -> str:
        """What differs from the usual, as :func:`graph_names` takes it; ``usual`` where nothing does."""
        usual = type(self).__struct_defaults__
        given = zip(self.__struct_fields__, msgspec.structs.astuple(self), usual, strict=True)
        return ",".join(f"{field}={name}" for field, name, default in given if name != default) or "usual"

    def __post_init__(self) -> None:
        """Names that cannot be, or that would mean two things at once, are refused.

        Raises:
            UsageError: names the field and what it was given.
        """
        for field in self.__struct_fields__:
            name = getattr(self, field)
            if not ALLOWED.fullmatch(name):
                raise UsageError(
                    f"{field} = {name!r} cannot be the name of a label, type or property here. Nothing was read.",
                    "Use letters from A to Z, digits and underscores, at most 64, not beginning with a digit. "
                    "Where the graph has another name, give it a second label or property, such as: "
                    "MATCH (a:`Scientific Paper`) SET a:Paper",
                    kind=_BAD,
                )
            if name.lower().startswith("fidelity"):
                raise UsageError(
                    f"{field} = {name!r} begins as the names do that this program writes itself.",
                    "Name what the graph had before.",
                    kind=_BAD,
                )
        _refuse_equal(self, ("article_id", "title", "authors", "year"))
        _refuse_equal(self, ("reference_id", "qualified", "contexts", "context_count", "classified", "classified_at"))


def graph_names(given: object) -> GraphNames:
    """The usual names, but for those given: as a table, or as ``FIELD=NAME,FIELD=NAME``.

    Raises:
        UsageError: a field that is not known, or a name that cannot be.
    """
    table = _table(given) if isinstance(given, str) else given
    if not isinstance(table, Mapping):
        raise UsageError(
            "What a graph calls its parts has to be a table.", 'Such as: [graph] article = "Paper"', kind=_BAD
        )
    for field, name in table.items():
        if field not in GraphNames.__struct_fields__:
            known = ", ".join(GraphNames.__struct_fields__)
            raise UsageError(f"A graph has no {field!r} to be named.", f"Known are {known}.", kind=_BAD)
        if not isinstance(name, str):
            raise UsageError(f"{field} = {name!r} is no name. Nothing was read.", "Write it in quotes.", kind=_BAD)
    return GraphNames(**table)


def _table(text: str) -> dict[str, str]:
    table: dict[str, str] = {}
    for pair in text.split(","):
        field, equals, name = (part.strip() for part in pair.partition("="))
        if not equals or field in table:
            raise UsageError(
                f"{pair.strip()!r} names nothing, or for the second time.", "Write FIELD=NAME,FIELD=NAME.", kind=_BAD
            )
        table[field] = name
    return table


def _refuse_equal(names: GraphNames, fields: tuple[str, ...]) -> None:
    by_name: dict[str, str] = {}
    for field in fields:
        name = getattr(names, field)
        if name in by_name:
            raise UsageError(
                f"{by_name[name]} and {field} cannot both be the property {name!r}.", "Name two.", kind=_BAD
            )
        by_name[name] = field
