"""Amounts as people read them: money, time, large numbers."""

from __future__ import annotations

CENTS_MATTER = 0.1
MILLISECONDS_MATTER = 0.9995
MOMENT, MINUTE, HOUR, DAY = 9.95, 60, 3_600, 86_400


def cost(usd: float | None) -> str:
    """An amount of money for people; None is a price that nobody knows."""
    if usd is None:
        return "unknown"
    return f"${usd:,.2f}" if usd >= CENTS_MATTER or usd == 0 else f"${usd:.4f}"


def cost_of_runs(usd: float | None, unpriced: int) -> str:
    """What several runs cost; ``unpriced`` calls were asked when no price was known, and are not in it."""
    beside = "" if usd is None or not unpriced else f", and {unpriced:,} calls when no price was known"
    return f"{cost(usd)}{beside}"


def duration(seconds: float | None) -> str:
    """A length of time for people, in at most two units."""
    if seconds is None:
        return "?"
    if seconds < MOMENT:
        return f"{seconds:.1f} s"
    whole = int(seconds + 0.5)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02d} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE:02d} min"
    return f"{whole // DAY} d {whole % DAY // HOUR:02d} h"


def wait(seconds: float) -> str:
    """How long something short takes."""
    return f"{seconds * 1_000:.0f} ms" if seconds < MILLISECONDS_MATTER else duration(seconds)


def rate(calls_per_s: float) -> str:
    """How many calls in what time; slow ones by the minute."""
    if 0 < calls_per_s < 1:
        return f"{calls_per_s * MINUTE:.1f} calls/min"
    return f"{calls_per_s:.1f} calls/s"


def short(number: int) -> str:
    """A large number for people: 950, 12.3k, 4.56M."""
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        # From where three digits round up to the next letter: 999,500 is 1M and not 1e+03k.
        if number >= size * 0.9995:
            return f"{number / size:.3g}{letter}"
    return str(number)


def size(octets: int) -> str:
    """An amount of memory or disk for people."""
    for unit, letters in ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")):
        if octets >= unit * 0.9995:
            return f"{octets / unit:.3g} {letters}"
    return f"{octets} B"


def times(number: int) -> str:
    """How often, for people."""
    return {0: "never", 1: "once"}.get(number, f"{number:,} times")


def percent(share: float) -> str:
    """A share for people: what is more than nothing is not shown as nothing."""
    return f"{share:.1%}" if 0 < share < 0.0995 else f"{share:.0%}"  # noqa: PLR2004 - from where it has two digits
