"""JSON read strictly and exactly: what a lenient parser would quietly repair is refused here.

A parser that keeps the last of two equal keys, or turns 1.0 into 1, changes an input without a word. So this one
refuses doubled keys, NaN and Infinity, bottomless nesting and lone surrogates, and keeps each number as its text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import NoReturn

from citefidelity.errors import RecordError

MAX_DEPTH = 32

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def read_exactly(text: bytes) -> object:
    """The value of one JSON text: dict, list, str, bool, None, and a number as the one-element tuple of its text.

    Two texts are the same JSON exactly when their values are equal; numbers count as equal only when written alike.

    Raises:
        RecordError: the text is no JSON, or is of a kind that would not come out as it went in.
    """
    try:
        characters = text.decode()
    except UnicodeDecodeError as err:
        raise RecordError(f"not UTF-8 (byte {err.start + 1})") from err
    try:
        value: object = json.loads(
            characters,
            object_pairs_hook=_object,
            parse_int=_number,
            parse_float=_number,
            parse_constant=_not_a_number,
        )
    except json.JSONDecodeError as err:
        raise RecordError(f"not JSON: {err.msg} (column {err.pos + 1})") from err
    except RecursionError as err:
        raise _too_deep() from err
    _bound_depth(value)
    if _SURROGATE_ESCAPE.search(characters):
        _refuse_lone_surrogates(value)
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise RecordError("this key stands twice in one object", name)
            seen.add(name)
    return result


def _number(text: str) -> tuple[str]:
    return (text,)


def _not_a_number(name: str) -> NoReturn:
    raise RecordError(f"{name} is not a JSON number")


def _too_deep() -> RecordError:
    return RecordError(f"nested more than {MAX_DEPTH} levels deep")


def _bound_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for container in level for child in _children(container) if isinstance(child, dict | list)]
        if not level:
            return
    raise _too_deep()


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _refuse_lone_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as err:
        code = ord(err.object[err.start])
        raise RecordError(f"half of a surrogate pair (\\u{code:04x}) stands alone, which no text can hold") from err
