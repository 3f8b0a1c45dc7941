"""The few statistics of a report, by their definitions. ``docs/report.md`` names the sources."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

Z_95 = 1.959963984540054
"""The quantile of the normal distribution that leaves 2.5 % on each side."""


def wilson(hits: int, of: int) -> tuple[float, float] | None:
    """The 95 % score interval of a share (Wilson 1927); None of nothing."""
    if of == 0:
        return None
    share, z2 = hits / of, Z_95**2
    centre = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z_95 / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of**2))
    # At the ends the interval reaches 0 or 1 exactly, which rounding may miss by a hair.
    return (0.0 if hits == 0 else centre - half, 1.0 if hits == of else centre + half)


def kappa(confusion: Mapping[tuple[str, str], int]) -> float | None:
    """Cohen's kappa, unweighted, of a table by (label, verdict); None where chance alone would agree always."""
    total = sum(confusion.values())
    if total == 0:
        return None
    rows, columns = margins(confusion)
    observed = sum(number for (label, said), number in confusion.items() if label == said) / total
    expected = sum(rows[name] * columns.get(name, 0) for name in rows) / total**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def margins(confusion: Mapping[tuple[str, str], int]) -> tuple[dict[str, int], dict[str, int]]:
    """How often each name stands on either side of a table by (label, verdict)."""
    rows: dict[str, int] = {}
    columns: dict[str, int] = {}
    for (label, said), number in confusion.items():
        rows[label] = rows.get(label, 0) + number
        columns[said] = columns.get(said, 0) + number
    return rows, columns


def calibration_error(bins: Iterable[tuple[int, float, int]]) -> float | None:
    """The expected calibration error of bins given as (number, sum of confidences, agreed); None of nothing."""
    filled = [one for one in bins if one[0]]
    total = sum(number for number, _, _ in filled)
    if total == 0:
        return None
    return sum(abs(agreed - confidence) for _, confidence, agreed in filled) / total


def quantile(counts: Mapping[int, int], share: float) -> int | None:
    """The smallest value up to which at least ``share`` of all lie, of values with their counts; None of nothing."""
    total = sum(counts.values())
    if total == 0:
        return None
    needed, seen = math.ceil(share * total), 0
    ordered = sorted(counts)
    for value in ordered:
        seen += counts[value]
        if seen >= needed:
            return value
    return ordered[-1]


def ratio(part: float, whole: float) -> float | None:
    """``part`` of ``whole``; None of nothing."""
    return part / whole if whole else None


def mean(values: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return sum(values) / len(values) if values else None
