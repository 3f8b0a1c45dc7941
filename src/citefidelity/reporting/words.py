"""Numbers as a report writes them; what is not known is a dash."""

from __future__ import annotations

NONE = "\N{EN DASH}"


def percent(share: float | None) -> str:
    """A share with one decimal: 12.3 %."""
    return NONE if share is None else f"{100 * share:.1f} %"


def span(interval: tuple[float, float] | None) -> str:
    """An interval of shares: 10.1 to 14.8 %."""
    return NONE if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"


def decimal(number: float | None, places: int = 2) -> str:
    """A number with so many decimals."""
    # Plus nothing, so that what rounds to zero has no sign.
    return NONE if number is None else f"{round(number, places) + 0.0:.{places}f}"


def of(number: int, one: str, many: str = "") -> str:
    """A count with its noun: 1 context, 2 contexts."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
