"""HTML that cannot be broken into: whatever is not markup already is escaped where it is put in."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from html import escape

UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What steers a display or cannot be seen or encoded; it is shown as an escape instead."""

VOID = frozenset({"meta", "br"})


class Markup(str):
    """Text that is HTML already. Made here only."""

    __slots__ = ()


Child = str | Markup | None
"""A plain string is text, and is escaped; None is nothing."""


def element(name: str, /, *children: Child, **attributes: object) -> Markup:
    """``<name attributes>children</name>``. An underscore in an attribute's name is a dash, one at its end nothing."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{together(children)}</{name}>")


def together(children: Iterable[Child]) -> Markup:
    """All of them, one after another."""
    return Markup("".join(escaped(child) for child in children if child is not None))


def escaped(child: str) -> str:
    """Markup as it is, text escaped."""
    if isinstance(child, Markup):
        return child
    return escape(UNSEEN.sub(lambda match: ascii(match[0])[1:-1], child))


def foreign(text: str | None) -> Markup:
    """Text of others, whose direction of writing stays its own."""
    return element("bdi", text) if text else Markup("")


def paragraph(*children: Child, class_: str | None = None) -> Markup:
    """One paragraph."""
    return element("p", *children, class_=class_)


def section(ident: str, heading: str, *children: Child) -> Markup:
    """A section with its heading, to which ``#ident`` leads."""
    return element("section", element("h2", heading), *children, id=ident)


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[Child]],
    words: Collection[int] = (0,),
    *,
    upright: bool = False,
) -> Markup:
    """A table; ``words`` are the columns that hold words, all others hold numbers. The first is each row's heading.

    ``upright`` turns the headings of numbers, where many of them have to stand beside each other.
    """
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element(
                "thead", element("tr", *(_cell("th", name, at, words, scope="col") for at, name in enumerate(head)))
            ),
            element("tbody", *(_row(row, words) for row in rows)),
            class_="upright" if upright else None,
        ),
        class_="wide",
        tabindex=0,
        role="region",
        aria_label=caption,
    )


def definitions(rows: Iterable[tuple[str, Child]]) -> Markup:
    """Names and what stands for them; those for which nothing stands are left out."""
    return element(
        "dl",
        *(together((element("dt", name), element("dd", value))) for name, value in rows if value not in {None, ""}),
    )


def folded(summary: str, *children: Child) -> Markup:
    """What is long, and opened by whoever wants it; printed in full."""
    return element("details", element("summary", summary), *children)


def _row(row: Sequence[Child], words: Collection[int]) -> Markup:
    cells = [_cell("td" if at else "th", child, at, words, scope=None if at else "row") for at, child in enumerate(row)]
    return element("tr", *cells)


def _cell(name: str, child: Child, at: int, words: Collection[int], scope: str | None) -> Markup:
    return element(name, child, scope=scope, class_=None if at in words else "number")
