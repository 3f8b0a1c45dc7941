"""Texts with named places, filled in one pass: what is put in is never searched for places again."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLACE = re.compile(r"\{([a-z_]+)\}")


class Template:
    """A text in which ``{name}`` marks a place; every other brace, as in a JSON example, is just text."""

    __slots__ = ("_pieces", "names")

    def __init__(self, text: str) -> None:
        # With one group, split puts the names at the odd places, between the texts around them.
        self._pieces = _PLACE.split(text)
        self.names = frozenset(self._pieces[1::2])

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with each place replaced by its value, verbatim. Every name must have one."""
        pieces = self._pieces.copy()
        pieces[1::2] = [values[name] for name in pieces[1::2]]
        return "".join(pieces)


def template_problem(text: str, required: frozenset[str], optional: frozenset[str] = frozenset()) -> str | None:
    """What is wrong with the places of a template, in words, or None."""
    names = Template(text).names
    missing = sorted(required - names)
    if missing:
        return f"the place {{{missing[0]}}} is missing, so the model would never see it"
    unknown = sorted(names - required - optional)
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in sorted(required | optional))
        return f"{{{unknown[0]}}} is no place that is known here; known are {known}"
    return None
