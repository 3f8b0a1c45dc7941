"""Values that no table and no JSON can hold, written another way."""

from __future__ import annotations

from typing import Any

import msgspec

from citefidelity.facts import Asked, Fact

_INT64 = 2**63


def repaired(fact: Fact) -> Fact:
    """The same fact with half surrogate pairs as backslash escapes and integers within 64 bits."""
    plain = msgspec.to_builtins(fact, builtin_types=(bytes,))
    whole = msgspec.convert(holdable(plain), type(fact), builtin_types=(bytes,))
    # What was sent must be shown as it was, and is kept as bytes, which hold anything.
    return msgspec.structs.replace(whole, prompt=fact.prompt) if isinstance(fact, Asked) else whole


def holdable(value: Any) -> Any:
    """The same for plain values, through lists and dicts."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, int):
        return max(-_INT64, min(value, _INT64 - 1))
    if isinstance(value, dict):
        return {name: holdable(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [holdable(part) for part in value]
    return value
