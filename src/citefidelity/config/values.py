"""What people write as the value of a setting, and what it means.

Each function takes one raw value, as it stands on the command line, in the environment (strings) or in a TOML file
(strings, numbers, booleans), and gives the value or raises :class:`ValueError`, which says what it must be. Where the
value came from is added by the caller.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from citefidelity.records import Partition

Parse = Callable[[object], object]

MAX_PARTS = 1_000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
SECONDS_IN = (86_400.0, 3_600.0, 60.0, 1.0)
COUNT = re.compile(r"(\d+(?:\.\d+)?)([kKmM]?)")
TIMES = {"": 1, "k": 1_000, "m": 1_000_000}
YES = frozenset({"1", "true", "yes", "on"})
NO = frozenset({"0", "false", "no", "off"})


def text(raw: object) -> str:
    """Any string that is not blank."""
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError("must be text")
    if not raw.isprintable():
        raise ValueError("must be one line without control characters")
    return raw.strip()


def switch(raw: object) -> bool:
    """True or false, or a word for them."""
    if isinstance(raw, bool):
        return raw
    word = raw.lower() if isinstance(raw, str) else ""
    if word in YES or word in NO:
        return word in YES
    raise ValueError("must be true or false")


def whole(low: int, high: int) -> Parse:
    """A whole number from ``low`` to ``high``."""

    def parse(raw: object) -> int:
        number = _number(raw)
        if number is None or not number.is_integer() or not low <= number <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(number)

    return parse


def count(raw: object) -> int:
    """A whole number of at least 1; ``500k`` and ``2M`` are understood."""
    if isinstance(raw, str) and (match := COUNT.fullmatch(raw.replace("_", ""))):
        raw = float(match[1]) * TIMES[match[2].lower()]
    number = _number(raw)
    if number is None or not number.is_integer() or number < 1:
        raise ValueError("must be a whole number of at least 1, such as 250, 500k or 2M")
    return int(number)


def money(raw: object) -> float:
    """US dollars, more than zero."""
    number = _number(raw.removeprefix("$") if isinstance(raw, str) else raw)
    if number is None or number <= 0:
        raise ValueError("must be an amount of US dollars above 0, such as 2.50")
    return number


def seconds(low: float, high: float) -> Parse:
    """A length of time in seconds; ``90s``, ``15m``, ``1h30m`` and ``2d`` are understood."""

    def parse(raw: object) -> float:
        number = _number(raw)
        written = raw.strip().lower() if isinstance(raw, str) else ""
        if number is None and written and (match := DURATION.fullmatch(written)):
            number = sum(float(part) * unit for part, unit in zip(match.groups(), SECONDS_IN, strict=True) if part)
        if number is None or not low <= number <= high:
            raise ValueError(f"must be a time from {low:.15g} to {high:.15g} seconds, such as 90, 90s, 15m or 1h30m")
        return number

    return parse


def choice(*allowed: str) -> Parse:
    """One of some words."""

    def parse(raw: object) -> str:
        if raw not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return str(raw)

    return parse


def file(raw: object) -> Path:
    """The path of a file; ``~/`` is the home directory."""
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise ValueError("must be the path of a file")
    return Path(raw).expanduser() if raw.startswith("~/") else Path(raw)


def screening_name(raw: object) -> str:
    """1 to 64 letters, digits, dots, dashes and underscores: it stands in file names, messages and Cypher."""
    if not isinstance(raw, str) or not NAME.fullmatch(raw):
        raise ValueError("must be 1 to 64 letters, digits, '.', '-' or '_', beginning with a letter or digit")
    return raw


def variable_name(raw: object) -> str:
    """The name of an environment variable: a name, never the secret itself."""
    if not isinstance(raw, str) or not VARIABLE.fullmatch(raw):
        raise ValueError("must be the name of an environment variable (not the key itself)")
    return raw


def partition(raw: object) -> Partition:
    """``I/N``: part I (from 1) of N."""
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", raw.strip()) if isinstance(raw, str) else None
    part, of = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= part <= of <= MAX_PARTS:
        raise ValueError(f"must be I/N with I from 1 to N and N at most {MAX_PARTS}, such as 2/4")
    return Partition(part, of)


def base_url(raw: object) -> str:
    """The address of a server: ``http`` or ``https``, a host, perhaps a port and a path, and nothing else."""
    wanted = "must be an http or https address such as https://api.example.org/v1"
    url = text(raw).rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(wanted) from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password: keys come from the environment")
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment or " " in url:
        raise ValueError(wanted)
    return url


def _number(raw: object) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    try:
        number = float(raw)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
