"""Histograms as SVG for the HTML page, whose style has the classes bar-1, bar-2, mark, reference, grid and axis."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from actcli.reports.numbers import number, tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actcli.reports.charts import Bars

__all__ = ["bars_svg"]

_WIDTH, _HEIGHT = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 8, 12, 44


def bars_svg(content: Bars, title: str) -> str:
    """Return a histogram as an SVG element. Each bar has its numbers as a tooltip."""
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">']
    parts.extend(_grid(content))
    parts.extend(_bar(content, code) for code in np.flatnonzero(content.counts).tolist())
    if content.marks is not None:
        start, end = (f"{_across(content, value):.1f} {_down(content, value):.1f}" for value in (0, 1))
        parts.append(f'<path class="reference" d="M{start}L{end}"/>')
    parts.extend(_axes(content))
    return "".join([*parts, "</svg>"])


def _across(content: Bars, value: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * float(content.x.position(value))


def _down(content: Bars, value: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - float(content.y.position(value)))


def _grid(content: Bars) -> Iterator[str]:
    for tick in content.y.ticks()[1:]:
        level = _down(content, tick)
        yield f'<path class="grid" d="M{_LEFT} {level:.1f}H{_WIDTH - _RIGHT}"/>'
        yield f'<text x="{_LEFT - 6}" y="{level + 4:.1f}" text-anchor="end">{tick:,g}</text>'


def _bar(content: Bars, code: int) -> str:
    """Return the bar of the bin with the index `code`."""
    low, high = content.edges[code : code + 2].tolist()
    left, width = _across(content, low) + 0.5, max(0.5, _across(content, high) - _across(content, low) - 1)
    heights = {name: values[code].item() for name, values in content.series.items()}
    facts = [f"{low:.3f} to {high:.3f}: {tally(content.counts[code].item())} {content.unit}"]
    shown = tally if content.marks is None else number
    facts += [f"{name} {shown(height)}" for name, height in heights.items()]
    parts = []
    floor = 0.0
    for position, height in enumerate(heights.values(), start=1):
        top = _down(content, floor + height)
        place = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{_down(content, floor) - top:.1f}"'
        parts.append(f'<rect class="bar-{position}" {place}/>')
        floor += height
    if content.marks is not None:
        name, marks = content.marks
        facts.append(f"{name} {number(float(marks[code]))}")
        parts.append(f'<path class="mark" d="M{left:.1f} {_down(content, float(marks[code])):.1f}h{width:.1f}"/>')
    return f"<g><title>{escape('; '.join(facts))}</title>{''.join(parts)}</g>"


def _axes(content: Bars) -> Iterator[str]:
    bottom = _down(content, content.y.low)
    yield f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom:.1f}H{_WIDTH - _RIGHT}"/>'
    for tick in content.x.ticks():
        place = f'x="{_across(content, tick):.1f}" y="{bottom + 16:.1f}"'
        yield f'<text {place} text-anchor="middle">{tick:g}</text>'
    middle = _LEFT + (_WIDTH - _LEFT - _RIGHT) / 2
    yield f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(content.x.label)}</text>'
    turned = f'transform="rotate(-90)" x="{-(_TOP + _HEIGHT - _BOTTOM) / 2}" y="12"'
    yield f'<text {turned} text-anchor="middle">{escape(content.y.label)}</text>'
