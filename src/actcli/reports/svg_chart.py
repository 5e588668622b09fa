"""Bars as SVG inside a page, whose style colours what stands here as bar-1, bar-2, mark, guide, grid and axis."""

from __future__ import annotations

import itertools
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from actcli.reports.charts import round_numbers

if TYPE_CHECKING:
    from actcli.reports.charts import Bars

__all__ = ["bars_svg"]

_WIDTH, _HEIGHT = 460, 300
_LEFT, _TOP, _BOTTOM = 48, 12, 44


def bars_svg(content: Bars, title: str) -> str:
    """Return the bars as an SVG element; each says its numbers when it is pointed at."""
    wide, high = _WIDTH - _LEFT - 8, _HEIGHT - _TOP - _BOTTOM

    def across(value: float) -> float:
        return _LEFT + wide * (value - content.x.low) / (content.x.high - content.x.low)

    def up(value: float) -> float:
        return _TOP + high * (1 - (value - content.y.low) / (content.y.high - content.y.low))

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in round_numbers(content.y.low, content.y.high)[1:]:
        label = f"{tick:,g}"
        parts.append(f'<path class="grid" d="M{_LEFT} {up(tick):.1f}H{_WIDTH - 8}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{up(tick) + 4:.1f}" text-anchor="end">{label}</text>')
    for number, (low, upper) in enumerate(itertools.pairwise(content.edges.tolist())):
        count = int(content.counts[number])
        if not count:
            continue
        said = [f"{low:.3f} to {upper:.3f}: {count:,} {content.what}"]
        said += [f"{name} {_number(float(heights[number]))}" for name, heights in content.parts.items()]
        if content.marks is not None:
            said.append(f"{content.marks[0]} {_number(float(content.marks[1][number]))}")
        parts.append(f"<g><title>{escape('; '.join(said))}</title>")
        floor = 0.0
        left, width = across(low) + 0.5, max(0.5, across(upper) - across(low) - 1)
        for code, heights in enumerate(content.parts.values()):
            height = float(np.nan_to_num(heights[number]))
            tall = up(floor) - up(floor + height)
            place = f'x="{left:.1f}" y="{up(floor + height):.1f}" width="{width:.1f}" height="{tall:.1f}"'
            parts.append(f'<rect class="bar-{code + 1}" {place}/>')
            floor += height
        if content.marks is not None:
            level = up(float(content.marks[1][number]))
            parts.append(f'<path class="mark" d="M{left:.1f} {level:.1f}h{width:.1f}"/>')
        parts.append("</g>")
    if content.marks is not None:
        parts.append(f'<path class="guide" d="M{across(0):.1f} {up(0):.1f}L{across(1):.1f} {up(1):.1f}"/>')
    parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{up(content.y.low):.1f}H{_WIDTH - 8}"/>')
    for tick in round_numbers(content.x.low, content.x.high):
        place = f'x="{across(tick):.1f}" y="{up(content.y.low) + 16:.1f}"'
        parts.append(f'<text {place} text-anchor="middle">{tick:g}</text>')
    middle = _LEFT + wide / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(content.x.label)}</text>')
    turned = f'transform="rotate(-90)" x="{-(_TOP + high / 2)}" y="12"'
    parts.append(f'<text {turned} text-anchor="middle">{escape(content.y.label)}</text></svg>')
    return "".join(parts)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 2 or value == int(value) else f"{value:.4f}"
