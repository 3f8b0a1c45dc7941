"""What each value of a spec must be: the same for a file, a flag and a stored spec."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from citefidelity.specs.template import template_problem

PROVIDERS = ("openai", "deepseek", "ollama", "vllm", "local")

SYSTEM_PLACES = frozenset({"categories", "types"})
USER_PLACES = frozenset({"citing", "evidence"})

NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
HOTTEST = 2
MAX_NAMES = 100
"""Servers bound the length of an enumeration; nobody judges by more."""

Check = Callable[[object], str | None]


def problem(field: str, value: object) -> str | None:
    """What is wrong with a field's value, in words that follow the field's name, or None."""
    return _CHECKS[field](value)


def _whole(low: int, high: int) -> Check:
    def check(value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            return f"{value!r} is no whole number from {low} to {high}"
        return None

    return check


def _temperature(value: object) -> str | None:
    # NaN is neither below nor above anything, so it fails this too.
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= HOTTEST:
        return None
    return f"{value!r} is no number from 0 to {HOTTEST}"


def _provider(value: object) -> str | None:
    return None if value in PROVIDERS else f"{value!r} is not known; known are {', '.join(PROVIDERS)}"


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return f"{value!r} is no text"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "it holds half a character (a lone surrogate), which no server can be sent"
    return None


def _line(value: object) -> str | None:
    fault = _text(value)
    return fault or ("it is more than one line" if len(str(value).splitlines()) > 1 else None)


def _template(required: frozenset[str], optional: frozenset[str] = frozenset()) -> Check:
    def check(value: object) -> str | None:
        return _text(value) or template_problem(str(value), required, optional)

    return check


def _system(value: object) -> str | None:
    fault = _template(SYSTEM_PLACES)(value)
    if not fault and "json" not in str(value).lower():
        return "the word JSON is missing: servers with a JSON mode refuse a prompt without it"
    return fault


def _table(least: int) -> Check:
    def check(value: object) -> str | None:
        if not isinstance(value, Mapping) or not least <= len(value) <= MAX_NAMES:
            return f"it must define from {least} to {MAX_NAMES} names"
        for name, definition in value.items():
            if not NAME.fullmatch(str(name)):
                return f"{name!r} is no name in capital letters, digits and underscores, such as NOT_SUBSTANTIATE"
            fault = _text(definition)
            if fault or not str(definition).strip():
                return f"{name}: {fault or 'the definition is blank'}"
        return None

    return check


_CHECKS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "provider": _provider,
        "base_url": _line,
        "model": _line,
        "temperature": _temperature,
        "max_output_tokens": _whole(1, 1_000_000),
        "segments": _whole(1, 50),
        "max_chars": _whole(1, 1_000_000),
        "categories": _table(2),
        "types": _table(1),
        "system": _system,
        "user": _template(USER_PLACES),
    }
)
