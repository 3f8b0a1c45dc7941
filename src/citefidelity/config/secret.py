"""Secrets: where they may come from, and how they stay out of everything that is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from citefidelity.errors import UsageError

BLANK = "[secret]"
SHORTEST_BLANKED = 4
"""Known secrets shorter than this are not searched for: they would blank ordinary words."""

LOOKS_SECRET = re.compile(
    r"(?P<bearer>\b[Bb]earer\s+)[A-Za-z0-9._~+/=-]{8,}"  # an Authorization header
    r"|(?P<userinfo>://)[^/\s@]+(?=@)"  # user:password@ in an address
    r"|\bsk-[A-Za-z0-9_-]{8,}"  # the keys of OpenAI, DeepSeek and others
)


class Secret:
    """A string that does not show itself: not by ``str``, ``repr`` or formatting, only by :meth:`reveal`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        """That it is set, nothing more."""
        return "Secret(set)"

    def __eq__(self, other: object) -> bool:
        """Equal if the hidden values are."""
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        """As the hidden value."""
        return hash(self._value)


def read_secret(variable: str, environ: Mapping[str, str]) -> tuple[Secret, str] | None:
    """The secret in ``variable``, or in the file that ``variable_FILE`` names, and which of the two it was.

    Raises:
        UsageError: both are set, the file cannot be read, or the value cannot be sent in a header.
    """
    direct = environ.get(variable, "")
    file_variable = f"{variable}_FILE"
    file = environ.get(file_variable, "")
    if direct and file:
        raise UsageError(
            f"Both {variable} and {file_variable} are set, so it is not clear which one counts.",
            f"Unset one of them: unset {variable}",
            kind="bad_setting",
        )
    if file:
        return Secret(_checked(_read(Path(file), file_variable), file_variable)), file_variable
    if direct:
        return Secret(_checked(direct.strip(), variable)), variable
    return None


def blank_known(text: str, secrets: Iterable[Secret]) -> str:
    """``text`` without these secrets, and otherwise as it is."""
    for secret in secrets:
        value = secret.reveal()
        if len(value) >= SHORTEST_BLANKED:
            text = text.replace(value, BLANK)
    return text


def blank_out(text: str, secrets: Iterable[Secret]) -> str:
    """``text`` without these secrets, and without what looks like one: for messages and logs, not for data."""
    known = blank_known(text, secrets)
    return LOOKS_SECRET.sub(lambda match: f"{match['bearer'] or match['userinfo'] or ''}{BLANK}", known)


def _read(path: Path, variable: str) -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as err:
        reason = err.strerror if isinstance(err, OSError) else "it is not text"
        raise UsageError(
            f"The file that {variable} names cannot be read: {path} ({reason}).",
            "Check the path, or that the file is yours to read.",
            kind="bad_setting",
        ) from err


def _checked(value: str, variable: str) -> str:
    """A key that was pasted wrongly is named here, where it would show up as a strange fault later."""
    if not value:
        raise UsageError(f"{variable} is set, but the secret is blank.", f"Unset {variable}.", kind="bad_setting")
    if not value.isascii() or not value.isprintable():
        raise UsageError(
            f"The secret in {variable} holds characters that no key has (line breaks or non-ASCII ones).",
            "Copy it again. Its value is not shown here on purpose.",
            kind="bad_setting",
        )
    return value
