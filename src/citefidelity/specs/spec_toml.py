"""A spec as a TOML file: read with the field named in every complaint, written with every setting explained."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from citefidelity.errors import UsageError
from citefidelity.specs import spec_checks

HINT = "`citefidelity spec` prints the built-in spec, with every setting explained."


class SpecPart(msgspec.Struct, frozen=True, kw_only=True):
    """What a spec file or the flags say; None where they say nothing. A file never says a base URL."""

    provider: str | None = None
    base_url: str | None = None
    model: str | None = None
    temperature: float | None = None
    max_output_tokens: int | None = None
    segments: int | None = None
    max_chars: int | None = None
    categories: dict[str, str] | None = None
    types: dict[str, str] | None = None
    system: str | None = None
    user: str | None = None


_PLACES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "provider": ("model", "provider"),
        "model": ("model", "name"),
        "temperature": ("model", "temperature"),
        "max_output_tokens": ("model", "max_output_tokens"),
        "segments": ("evidence", "segments"),
        "max_chars": ("evidence", "max_chars"),
        "categories": ("categories", ""),
        "types": ("types", ""),
        "system": ("prompt", "system"),
        "user": ("prompt", "user"),
    }
)
"""Where each field stands in the file: its table and its name there; a whole table has no name."""

_COMMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "file": """\
A spec of citefidelity: all that changes an answer. Give it with --spec FILE; flags go before it, and what is left
out stays as in the built-in spec. A screening keeps the spec it began with; a changed one needs another --screening.
The base URL is no part of it (--base-url): a file that travels must not decide where a key goes.""",
        "provider": "openai | deepseek | ollama | vllm | local. openai with --base-url: any server like it.",
        "model": "As the provider calls it. Better a dated name than an alias that changes its meaning.",
        "temperature": "0 to 2. 0 answers as repeatably as the provider can; some models take no other value than 1.",
        "max_output_tokens": "The most that one answer may cost. A model that thinks aloud needs thousands.",
        "segments": "How many passages of the cited article are shown: the best by similarity_score. 1 to 50.",
        "max_chars": "Each passage is cut to so many characters, and the cut is marked. The citing text is never cut.",
        "[categories]": """\
The verdicts a model may give, each with its definition, in the order of deciding. At least two; names in capitals.
This table replaces the built-in one as a whole.""",
        "[types]": "What a citation is used for. This table, too, replaces the built-in one as a whole.",
        "[prompt]": """\
{categories} and {types} stand for the tables above, {citing} and {evidence} for the texts, fenced. All four must
stand where they stand here, and the word JSON in the system part. Other braces are just text.""",
    }
)


def field(name: str) -> str:
    """How a field of the spec is called towards people: as in the file."""
    table, key = _PLACES.get(name, ("", name))
    return f"[{table}] {key}".rstrip() if table else key


def read(text: str, where: str) -> SpecPart:
    """What a spec file says. ``where`` is the file's name, for messages.

    Raises:
        UsageError: it is no TOML, a name in it is not known, or a value cannot be used.
    """
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as err:
        raise _wrong(where, f"it is no TOML: {err}") from err
    found: dict[str, Any] = {}
    for table, entries in tables.items():
        if not isinstance(entries, dict) or table not in {place[0] for place in _PLACES.values()}:
            known = ", ".join(f"[{name}]" for name in dict.fromkeys(place[0] for place in _PLACES.values()))
            raise _wrong(where, f"{table!r} is not known; known are {known}")
        found |= {table: entries} if _PLACES.get(table) == (table, "") else _fields(table, entries, where)
    for name, value in found.items():
        problem = spec_checks.problem(name, value)
        if problem:
            raise _wrong(where, f"{field(name)}: {problem}")
    if "temperature" in found:
        found["temperature"] = float(found["temperature"])
    return SpecPart(**found)


def _fields(table: str, entries: Mapping[str, Any], where: str) -> dict[str, Any]:
    names = {key: name for name, (home, key) in _PLACES.items() if home == table}
    for key in entries:
        if key not in names:
            raise _wrong(where, f"[{table}] {key} is not known; known are {', '.join(names)}")
    return {names[key]: value for key, value in entries.items()}


def write(fields: Mapping[str, Any]) -> str:
    """The file that :func:`read` reads as ``fields``. A model that is not named stays a comment."""
    lines = [*_comment("file")]
    table_before = ""
    for name, (table, key) in _PLACES.items():
        value = fields[name]
        if table != table_before:
            lines += ["", *_comment(f"[{table}]"), f"[{table}]"]
            table_before = table
        if not key:
            lines += [f"{one} = {_string(text)}" for one, text in value.items()]
            continue
        lines += _comment(name)
        lines.append(f'# {key} = "NAME"' if value == "" else f"{key} = {_value(value)}")
    return "\n".join(lines) + "\n"


def _comment(name: str) -> list[str]:
    return [f"# {line}" for line in _COMMENTS.get(name, "").splitlines()]


def _value(value: object) -> str:
    return _string(value) if isinstance(value, str) else repr(value)


_NOT_IN_A_LINE = re.compile(r'[\\"\x00-\x08\x0a-\x1f\x7f]')
_NOT_IN_LINES = re.compile(r'[\\\x00-\x08\x0b-\x1f\x7f]|"(?="")')


def _string(text: str) -> str:
    """``text`` as TOML, on several lines where it has them, so that people can read and change it."""
    if "\n" in text:
        return f'"""\n{_NOT_IN_LINES.sub(_escaped, text)}"""'
    return f'"{_NOT_IN_A_LINE.sub(_escaped, text)}"'


def _escaped(match: re.Match[str]) -> str:
    found = match.group()
    return f"\\{found}" if found in '\\"' else f"\\u{ord(found):04x}"


def _wrong(where: str, what: str) -> UsageError:
    return UsageError(
        f"The spec {where} cannot be used: {what}. Nothing was asked.",
        HINT,
        kind="bad_spec",
    )
