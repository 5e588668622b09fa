"""Curves in a terminal.

With colours, curves are drawn in braille characters of eight dots. Without colours, each curve has a character of its
own, except that a single curve is in braille too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.cells import cell_len
from rich.text import Text

from actcli.errors import visible
from actcli.reports.screen import COLOURS, REFERENCE_COLOUR, WIDEST_CHART

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.reports.charts import Curve, Curves
    from actcli.reports.screen import Screen

__all__ = ["draw_curves"]

_NARROWEST = 20
_LOWEST, _HIGHEST = 8, 24
_LONGEST_LABEL = 60
_MARKS = "ox+*#@"
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of a braille character, by row and column of its dots."""

_BRAILLE = 0x2800
_UNICODE_AXES, _ASCII_AXES = tuple("│┤└─┬"), tuple("|++-+")
"""The characters of a vertical line and its ticks, of the corner, and of a horizontal line and its ticks."""


class _Series(NamedTuple):
    """A curve and how it is drawn."""

    curve: Curve
    mark: str
    style: str


def draw_curves(screen: Screen, content: Curves, *, reserved: int) -> None:
    """Draw curves with their axes and a legend.

    Parameters
    ----------
    screen
        What to draw on.
    content
        The curves.
    reserved
        The number of lines of the terminal that other text needs.
    """
    axes = _ASCII_AXES if screen.ascii else _UNICODE_AXES
    results = [curve for curve in content.curves if not curve.reference]
    braille = not screen.ascii and (screen.colours or len(results) == 1)
    series = _series(screen, content.curves)
    legend = _legend(series, screen.console.width, braille=braille)
    labels = [f"{tick:g}" for tick in content.y.ticks()]
    margin = max(map(len, labels)) + 2
    width = max(_NARROWEST, min(screen.console.width, WIDEST_CHART) - margin)
    height = min(_HIGHEST, width // 4)
    if screen.height is not None:
        reserved += 4 + len(legend)  # the label of the y axis; the line, the ticks and the label of the x axis
        height = min(height, screen.height - reserved)
    height = max(_LOWEST, height)
    canvas = _Canvas(width, height, content, braille=braille)
    for each in sorted(series, key=lambda each: not each.curve.reference):  # results cover reference lines
        canvas.add(each)
    places = np.rint((1 - content.y.position(np.array(content.y.ticks()))) * (height - 1)).astype(int).tolist()
    ticks = dict(zip(places, labels, strict=True))
    screen.console.print(Text(content.y.label, style="dim"))
    for number, row in enumerate(canvas.rows()):
        axis = f"{ticks.get(number, ''):>{margin - 1}}{axes[number in ticks]}"
        screen.console.print(Text().append(axis, style="dim").append_text(row), no_wrap=True, crop=True)
    for text in (*_x_axis(content, margin, width, axes[2:]), *legend):
        screen.console.print(text, no_wrap=True)


def _series(screen: Screen, curves: Sequence[Curve]) -> list[_Series]:
    found = []
    for number, curve in enumerate(curves):
        if curve.reference:
            found.append(_Series(curve, "." if screen.ascii else "·", REFERENCE_COLOUR))
        else:
            found.append(_Series(curve, _MARKS[number % len(_MARKS)], COLOURS[number % len(COLOURS)]))
    return found


def _x_axis(content: Curves, margin: int, width: int, characters: Sequence[str]) -> list[Text]:
    corner, horizontal, tick_mark = characters
    line, ticks = list(horizontal * width), [" "] * (width + margin)
    for tick in content.x.ticks():
        place = round(content.x.position(tick) * (width - 1))
        label = f"{tick:g}"
        start = min(max(0, margin + place - len(label) // 2), width + margin - len(label))
        if all(cell == " " for cell in ticks[max(0, start - 1) : start + len(label)]):
            line[place] = tick_mark
            ticks[start : start + len(label)] = label
    label = visible(content.x.label, _LONGEST_LABEL)
    return [
        Text(" " * (margin - 1) + corner + "".join(line), style="dim"),
        Text("".join(ticks).rstrip(), style="dim"),
        Text(" " * max(0, margin + (width - cell_len(label)) // 2) + label, style="dim"),
    ]


def _legend(series: Sequence[_Series], width: int, *, braille: bool) -> list[Text]:
    lines: list[Text] = []
    for curve, mark, style in series:
        item = Text().append("──" if braille and not curve.reference else mark, style=style)
        item.append(f" {visible(curve.name, _LONGEST_LABEL)}")
        if lines and lines[-1].cell_len + 3 + item.cell_len <= width:
            lines[-1].append("   ").append_text(item)
        else:
            lines.append(item)
    return lines


class _Canvas:
    """A grid of characters, each of them eight dots or one mark.

    Parameters
    ----------
    width, height
        In characters.
    content
        Has the axes.
    braille
        Whether characters consist of dots.
    """

    def __init__(self, width: int, height: int, content: Curves, *, braille: bool) -> None:
        self._content = content
        self._across, self._up = (2, 4) if braille else (1, 1)
        self._cells = np.full((height, width), " ", dtype="<U1")
        self._bits = np.zeros((height, width), dtype=np.int64)
        self._styles = np.full((height, width), "", dtype=object)
        self._braille = braille

    def add(self, series: _Series) -> None:
        """Draw a curve."""
        curve = series.curve
        height, width = self._cells.shape
        across = self._content.x.position(np.asarray(curve.x)) * (width * self._across - 1)
        up = (1 - self._content.y.position(np.asarray(curve.y))) * (height * self._up - 1)
        known = ~(np.isnan(across) | np.isnan(up))
        for first in np.flatnonzero(known[:-1] & known[1:]):
            longest = max(abs(across[first + 1] - across[first]), abs(up[first + 1] - up[first]), 1)
            steps = int(np.ceil(longest)) + 1  # no gap between two dots
            columns = np.rint(np.linspace(across[first], across[first + 1], steps)).astype(np.int64)
            rows = np.rint(np.linspace(up[first], up[first + 1], steps)).astype(np.int64)
            if curve.reference:
                columns, rows = columns[:: 2 * self._across], rows[:: 2 * self._across]
            self._put(rows, columns, series)

    def _put(self, rows: np.ndarray[Any, Any], columns: np.ndarray[Any, Any], series: _Series) -> None:
        cell = (rows // self._up, columns // self._across)
        if self._braille and not series.curve.reference:
            bits = np.array(_DOTS)[rows % self._up, columns % self._across]
            # A character has one colour: it keeps only the dots of the last curve.
            other = self._styles[cell] != series.style
            self._bits[cell[0][other], cell[1][other]] = 0
            np.bitwise_or.at(self._bits, cell, bits)
        else:
            self._cells[cell] = series.mark
        self._styles[cell] = series.style

    def rows(self) -> list[Text]:
        """Return the lines of the grid."""
        lines = []
        for cells, bits, styles in zip(self._cells, self._bits, self._styles, strict=True):
            line = Text()
            for cell, bit, style in zip(cells, bits, styles, strict=True):
                line.append(chr(_BRAILLE + int(bit)) if bit else str(cell), style=style or None)
            lines.append(line)
        return lines
