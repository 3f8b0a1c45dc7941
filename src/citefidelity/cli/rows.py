"""Plain columns for people: aligned, and no wider than the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from unicodedata import combining, east_asian_width

GAP = "  "


def columns(rows: Sequence[Sequence[str]], width: int, right: Iterable[int] = ()) -> list[str]:
    """One line for each row, in columns; the widest one is cut where the line would be too long.

    ``right`` names the columns, from 0, that are aligned on the right: numbers.
    """
    if not rows:
        return []
    aligned = frozenset(right)
    widths = [max(columns_of(row[at]) for row in rows) for at in range(len(rows[0]))]
    surplus = sum(widths) + len(GAP) * (len(widths) - 1) - width
    if surplus > 0:
        widest = widths.index(max(widths))
        widths[widest] = max(8, widths[widest] - surplus)
    return [
        GAP.join(_cell(text, widths[at], right=at in aligned) for at, text in enumerate(row)).rstrip() for row in rows
    ]


def pairs(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Names and what stands for them, under each other, a little indented."""
    rows = list(rows)
    longest = max((columns_of(name) for name, _ in rows), default=0)
    return [f"  {name}{' ' * (longest - columns_of(name))}  {value}".rstrip() for name, value in rows]


def columns_of(text: str) -> int:
    """How many columns of a terminal ``text`` takes."""
    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def cut(text: str, width: int) -> str:
    """``text`` in one line of at most ``width`` columns, with a mark where it was cut."""
    line = " ".join(text.split())
    if columns_of(line) <= width:
        return line
    kept = ""
    for letter in line:
        if columns_of(kept + letter) > width - 3:
            break
        kept += letter
    return f"{kept}..."


def _cell(text: str, width: int, *, right: bool) -> str:
    shown = cut(text, width)
    room = " " * (width - columns_of(shown))
    return room + shown if right else shown + room
