"""How long something took lately: a bounded list that costs nothing to add to, and is looked at only when asked."""

from __future__ import annotations

from collections import deque
from statistics import median

import msgspec

RECENT = 32
"""The last so many count as the present."""

KEPT = 256
"""What is kept in all; those before the present are what it is compared with."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How long the last ones took, in seconds, and the median of those before; None while there are too few."""

    p50: float
    p95: float
    earlier_p50: float | None = None


class Durations:
    """The last durations of one kind of work. One thread may add while another looks."""

    def __init__(self) -> None:
        self._kept: deque[float] = deque(maxlen=KEPT)

    def add(self, seconds: float) -> None:
        """One more."""
        self._kept.append(seconds)

    def spread(self) -> Spread | None:
        """How they are spread; None before the first."""
        # Copied in one step: a deque that grows while it is walked through raises.
        kept = list(self._kept.copy())
        if not kept:
            return None
        earlier, recent = kept[:-RECENT], sorted(kept[-RECENT:])
        return Spread(
            p50=quantile(recent, 0.5),
            p95=quantile(recent, 0.95),
            earlier_p50=median(earlier) if len(earlier) >= RECENT else None,
        )


def quantile(ordered: list[float], share: float) -> float:
    """The value that this share of the ordered values stays below."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
