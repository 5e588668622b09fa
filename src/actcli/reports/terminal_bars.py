"""Histograms in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from rich.text import Text

from actcli.errors import visible
from actcli.reports.numbers import tally
from actcli.reports.screen import COLOURS, GAP, WIDEST_CHART, empty_table
from actcli.reports.widths import widest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.reports.charts import Bars
    from actcli.reports.screen import Screen

__all__ = ["bars"]

_NARROWEST_BAR = 8
_LONGEST_HEADER = 14
_LONGEST_NAME = 30


def bars(screen: Screen, content: Bars, width: int) -> list[Any]:
    """Return a table with a horizontal bar for each bin that is not empty, and its legend."""
    names = list(content.series)
    filled = np.flatnonzero(content.counts).tolist()
    numbers: dict[str, list[str]] = {
        "between": [f"{low:.3f} - {high:.3f}" for low, high in zip(content.edges, content.edges[1:], strict=False)],
        content.unit: [tally(count) for count in content.counts.tolist()],
    }
    if content.marks is not None:
        numbers["share"] = [f"{share:.4f}" for share in content.series[names[0]].tolist()]
        numbers["mean p"] = [f"{mean:.4f}" for mean in content.marks[1].tolist()]
    elif len(names) > 1:
        for name in names:
            numbers[visible(name, _LONGEST_HEADER)] = [tally(count) for count in content.series[name].tolist()]
    table = empty_table()
    room = min(width, WIDEST_CHART)
    for header, cells in numbers.items():
        table.add_column(Text(header), justify="left" if header == "between" else "right", no_wrap=True)
        room -= widest([header, *cells]) + GAP
    table.add_column("", no_wrap=True, overflow="crop")
    for number in filled:
        heights = [float(content.series[name][number] / content.y.high) for name in names]
        mark = None if content.marks is None else float(content.marks[1][number])
        bar = _bar(screen, heights, mark, room) if room >= _NARROWEST_BAR else Text()
        table.add_row(*(Text(cells[number]) for cells in numbers.values()), bar)
    legend = [_legend(screen, content)] if room >= _NARROWEST_BAR else []
    return [Text(f"{content.y.label}, by {content.x.label}", style="dim"), table, *legend]


def _legend(screen: Screen, content: Bars) -> Text:
    legend = Text()
    for number, name in enumerate(content.series):
        legend.append("  " if number else "").append_text(_bar(screen, [0] * number + [1], None, 2))
        legend.append(f" {visible(name, _LONGEST_NAME)}")
    if content.marks is not None:
        legend.append("  " + _mark(screen), style="bold").append(f" {content.marks[0]}")
    return legend


def _mark(screen: Screen) -> str:
    return "|" if screen.ascii else "┃"


def _bar(screen: Screen, heights: Sequence[float], mark: float | None, room: int) -> Text:
    """Return a bar of stacked parts; heights that sum to 1 fill `room` columns. A part of 0 has no columns."""
    text = Text()
    total = 0.0
    for number, height in enumerate(heights):
        before = round(total * room)
        total += height
        cells = round(total * room) - before
        if not cells and height > 0 and number == len(heights) - 1 and not text:
            cells = 1  # a bin that is not empty shows
        block = "#=-"[number % 3] if screen.ascii else "█▒░"[number % 3]
        text.append(block * cells, style=COLOURS[number % len(COLOURS)])
    if mark is not None:
        place = min(room - 1, int(mark * room))
        text.append(" " * max(0, place + 1 - len(text)))
        text = text[:place] + Text(_mark(screen), style="bold") + text[place + 1 :]
    return text
