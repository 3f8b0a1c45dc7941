"""Plots as inline SVG. Colours come from the page's style, so that they follow light, dark and print.

Each plot has a title and a description for those who cannot see it, and stands beside a table with its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from citefidelity.reporting.calibration import Bin
from citefidelity.reporting.figures import Confidence, Share
from citefidelity.reporting.markup import Child, Markup, element

WIDTH = 480
ROW = 26
LABELS = 168
"""Where bars begin: names of categories stand before them."""


class Frame(NamedTuple):
    """The field of a plot with both axes from 0 to 1."""

    left: float
    top: float
    width: float
    height: float

    def x(self, share: float) -> float:
        """Where this share lies, from the left."""
        return self.left + share * self.width

    def y(self, share: float) -> float:
        """Where this share lies, from the bottom."""
        return self.top + (1 - share) * self.height


def plot(title: str, description: str, height: float, *children: Child) -> Markup:
    """A plot of full width, with its title under it."""
    drawing = element(
        "svg",
        element("title", title),
        element("desc", description),
        *children,
        viewBox=f"0 0 {WIDTH} {height:g}",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )
    return element("figure", drawing, element("figcaption", title))


def bars(title: str, shares: Sequence[Share]) -> Markup:
    """A bar for each share, with its interval as a whisker, and the count."""
    longest = max((one.interval[1] for one in shares if one.interval), default=1.0)
    field = Frame(LABELS, 0, WIDTH - LABELS - 70, 1)
    drawn: list[Markup] = []
    for at, one in enumerate(shares):
        middle = at * ROW + ROW / 2
        drawn.append(text(LABELS - 8, middle + 5, one.name, "end"))
        if one.share is not None and one.interval is not None:
            low, high = (field.x(end / longest) for end in one.interval)
            drawn += [
                rectangle(LABELS, middle - 8, field.width * one.share / longest, 16, "bar"),
                line(low, middle, high, middle, "whisker"),
                text(high + 6, middle + 5, f"{one.contexts:,}"),
            ]
    said = "; ".join(f"{one.name} {one.contexts}" for one in shares)
    return plot(title, f"Bars with 95 % intervals: {said}.", len(shares) * ROW + 4, *drawn)


def histogram(title: str, confidence: Confidence) -> Markup:
    """How many verdicts were given with which confidence."""
    field = Frame(10, 10, WIDTH - 20, 130)
    highest = max(confidence.histogram, default=0) or 1
    classes = len(confidence.histogram)
    drawn = [
        rectangle(
            field.x(at / classes) + 1,
            field.y(number / highest),
            field.width / classes - 2,
            field.height * number / highest,
            "bar",
        )
        for at, number in enumerate(confidence.histogram)
    ]
    said = "; ".join(
        f"{at / classes:.2f} to {(at + 1) / classes:.2f}: {number}" for at, number in enumerate(confidence.histogram)
    )
    return plot(title, f"Verdicts by confidence: {said}. The highest bar has {highest}.", 170, *drawn, *_axis(field))


def spreads(title: str, rows: Sequence[Confidence]) -> Markup:
    """The confidence of each category: the middle half as a bar, the median as a line, the mean as a dot."""
    field = Frame(LABELS, 4, WIDTH - LABELS - 20, len(rows) * ROW)
    drawn: list[Markup] = []
    for at, one in enumerate(rows):
        middle = field.top + at * ROW + ROW / 2
        drawn.append(text(LABELS - 8, middle + 5, one.category, "end"))
        if one.lower_quartile is None or one.upper_quartile is None or one.median is None or one.mean is None:
            continue
        left, right, median = field.x(one.lower_quartile), field.x(one.upper_quartile), field.x(one.median)
        drawn += [
            rectangle(left, middle - 8, max(right - left, 1.0), 16, "bar soft"),
            line(median, middle - 8, median, middle + 8, "whisker"),
            element("circle", cx=f"{field.x(one.mean):.1f}", cy=f"{middle:.1f}", r=3.5, class_="dot"),
        ]
    said = "; ".join(f"{one.category} median {one.median}" for one in rows)
    height = field.top + field.height + 26
    return plot(title, f"The middle half, median and mean of confidence: {said}.", height, *drawn, *_axis(field))


def reliability(title: str, bins: Sequence[Bin]) -> Markup:
    """Agreement against confidence, a dot for each class, with its interval; on the line confidence tells the truth."""
    field = Frame(56, 10, 380, 300)
    drawn = [line(field.x(0), field.y(0), field.x(1), field.y(1), "ideal")]
    for one in bins:
        if one.confidence is None or one.agreement is None or one.interval is None:
            continue
        at = field.x(one.confidence)
        drawn += [
            line(at, field.y(one.interval[0]), at, field.y(one.interval[1]), "whisker"),
            element("circle", cx=f"{at:.1f}", cy=f"{field.y(one.agreement):.1f}", r=4.5, class_="dot"),
        ]
    for share in (0.0, 0.5, 1.0):
        drawn.append(text(field.left - 8, field.y(share) + 5, f"{share:g}", "end"))
    drawn += [
        line(field.left, field.y(0), field.left, field.y(1), "axis"),
        text(field.x(0.5), field.y(0) + 42, "confidence", "middle"),
        text(field.left + 10, field.y(1) + 8, "share that agrees"),
    ]
    said = "; ".join(f"confidence {one.confidence:.2f}, agreement {one.agreement:.2f}" for one in bins if one.contexts)
    return plot(title, f"Reliability diagram: {said}.", 360, *drawn, *_axis(field))


def text(x: float, y: float, words: str, anchor: str = "start") -> Markup:
    """Words at a place."""
    return element("text", words, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, look: str) -> Markup:
    """A line from one place to another."""
    return element("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", class_=look)


def rectangle(x: float, y: float, width: float, height: float, look: str) -> Markup:
    """A rectangle."""
    return element("rect", x=f"{x:.1f}", y=f"{y:.1f}", width=f"{width:.1f}", height=f"{height:.1f}", class_=look)


def _axis(field: Frame) -> list[Markup]:
    bottom = field.top + field.height
    ticks = [text(field.x(share), bottom + 20, f"{share:g}", "middle") for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    return [line(field.x(0), bottom, field.x(1), bottom, "axis"), *ticks]
