"""A bar chart of the benchmark as plain SVG: medians, with a line from the fastest to the slowest round."""

from __future__ import annotations

import statistics
from pathlib import Path

WIDTH, LEFT, BAR, GAP = 760, 150, 18, 30
COLOURS = {"bare": "#9aa5b1", "plain": "#5b7fa6", "ours": "#1f7a5a", "sdk": "#c77d2e", "threads": "#a44a5a"}


def draw(results: dict[str, dict[str, list[dict[str, float]]]], path: Path) -> None:
    """Draw one group of bars for each case; longer is slower."""
    parts: list[str] = []
    top = GAP
    for case, contenders in results.items():
        longest = max(one["seconds"] for rounds in contenders.values() for one in rounds)
        scale = (WIDTH - LEFT - 110) / longest
        parts.append(f'<text x="8" y="{top}" font-weight="bold">case {case}: seconds</text>')
        top += 8
        for contender, rounds in contenders.items():
            seconds = [one["seconds"] for one in rounds]
            middle = statistics.median(seconds)
            y = top + BAR / 2
            parts.append(f'<text x="{LEFT - 8}" y="{y + 5}" text-anchor="end">{contender}</text>')
            colour = COLOURS.get(contender, "#666")
            parts.append(f'<rect x="{LEFT}" y="{top}" width="{middle * scale:.1f}" height="{BAR}" fill="{colour}"/>')
            low, high = LEFT + min(seconds) * scale, LEFT + max(seconds) * scale
            parts.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}" stroke="#111" stroke-width="2"/>')
            rate = statistics.median(one["per_second"] for one in rounds)
            parts.append(f'<text x="{high + 6:.1f}" y="{y + 5}">{middle:.2f} s, {rate:.0f}/s</text>')
            top += BAR + 6
        top += GAP
    style = '<style>text{font:13px sans-serif;fill:#222}</style><rect width="100%" height="100%" fill="#fff"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}">{style}{"".join(parts)}</svg>\n'
    path.write_text(svg, encoding="utf-8")
