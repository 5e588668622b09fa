"""A picture in a terminal: curves of dots, bars and shades, in colour or without, in Unicode or in ASCII.

Curves are drawn in braille, eight dots a character, where colours tell them apart; else each in a character of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from actcli.errors import visible
from actcli.reports.charts import Bars, Curves, Matrix, round_numbers
from actcli.reports.screen import Screen, empty_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.reports.charts import Chart, Curve
    from actcli.streaming.output import Output

__all__ = ["draw"]

COLOURS = ("#2a86d1", "#d58a00", "#009e73", "#c46aa1", "#56a8dd", "#d5601a")
"""The hues of Okabe and Ito ("Color universal design", 2008), neither too dark for a dark ground nor too light."""

GUIDE = "#888888"

_WIDEST = 110
_NARROWEST = 20
_LONGEST_NAME = 30
_MARKS = "ox+*#@"
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def draw(picture: Chart, output: Output) -> None:
    """Draw a picture as wide as the output."""
    screen = Screen(output)
    screen.console.print(Text(picture.title, style="bold"))
    screen.console.print()
    match picture.content:
        case Curves():
            _draw_curves(screen, picture.content)
        case Bars():
            _draw_bars(screen, picture.content)
        case Matrix():
            _draw_matrix(screen, picture.content)
    screen.console.print()
    screen.console.print(Text(visible(picture.caption, 1000), style="dim"))
    screen.write()


# Curves


def _draw_curves(screen: Screen, content: Curves) -> None:
    coloured = screen.console.color_system is not None and not screen.console.no_color
    braille = not screen.ascii and (coloured or len([curve for curve in content.curves if not curve.guide]) == 1)
    ticks = round_numbers(content.y.low, content.y.high)
    labels = [f"{tick:g}" for tick in ticks]
    margin = max(map(len, labels)) + 2
    width = max(_NARROWEST, min(screen.console.width, _WIDEST) - margin)
    height = max(8, min(24, width // 4))
    canvas = _Canvas(width, height, content, braille=braille)
    marks = [_MARKS[number % len(_MARKS)] for number in range(len(content.curves))]
    marks = [_guide_mark(screen) if curve.guide else mark for curve, mark in zip(content.curves, marks, strict=True)]
    # What is only to compare with is drawn first, and lies under the others.
    for number in sorted(range(len(content.curves)), key=lambda number: not content.curves[number].guide):
        canvas.add(content.curves[number], marks[number], _style(number, content.curves[number]))
    span = content.y.high - content.y.low
    places = [round((content.y.high - tick) / span * (height - 1)) for tick in ticks]
    rows = dict(zip(places, labels, strict=True))
    edge, corner, joint, line, down = ("|", "+", "+", "-", "+") if screen.ascii else ("│", "└", "┤", "─", "┬")
    screen.console.print(Text(content.y.label, style="dim"))
    for number, row in enumerate(canvas.rows()):
        label = rows.get(number)
        start = Text(f"{label or '':>{margin - 1}}", style="dim")
        screen.console.print(start.append(joint if label is not None else edge).append(row), no_wrap=True, crop=True)
    _draw_x_axis(screen, content, margin, width, (corner, line, down))
    _draw_legend(screen, content.curves, marks, braille=braille)


def _draw_x_axis(screen: Screen, content: Curves, margin: int, width: int, marks: tuple[str, str, str]) -> None:
    corner, line, down = marks
    bottom, below = list(line * width), [" "] * (width + margin)
    for tick in round_numbers(content.x.low, content.x.high):
        place = round((tick - content.x.low) / (content.x.high - content.x.low) * (width - 1))
        label = f"{tick:g}"
        start = min(max(0, margin + place - len(label) // 2), width + margin - len(label))
        if all(cell == " " for cell in below[max(0, start - 1) : start + len(label)]):
            bottom[place] = down
            below[start : start + len(label)] = label
    screen.console.print(Text(" " * (margin - 1) + corner + "".join(bottom), style="dim"), no_wrap=True)
    screen.console.print(Text("".join(below).rstrip(), style="dim"), no_wrap=True)
    label = visible(content.x.label, 60)
    screen.console.print(Text(" " * max(0, margin + (width - cell_len(label)) // 2) + label, style="dim"), no_wrap=True)


def _draw_legend(screen: Screen, curves: Sequence[Curve], marks: Sequence[str], *, braille: bool) -> None:
    items = []
    for number, curve in enumerate(curves):
        mark = "──" if braille and not curve.guide else marks[number]
        items.append(Text(mark, style=_style(number, curve)).append(f" {visible(curve.name, 60)}", style="default"))
    line = Text()
    for item in items:
        if line and line.cell_len + 3 + item.cell_len > screen.console.width:
            screen.console.print(line)
            line = Text()
        line = (line + Text("   ") + item) if line else item
    screen.console.print(line)


def _guide_mark(screen: Screen) -> str:
    return "." if screen.ascii else "·"


def _style(number: int, curve: Curve) -> str:
    return GUIDE if curve.guide else COLOURS[number % len(COLOURS)]


class _Canvas:
    """Characters on which curves are drawn: of eight dots each, or of one mark.

    Parameters
    ----------
    width, height
        In characters.
    content
        Has the axes.
    braille
        Whether there are dots.
    """

    def __init__(self, width: int, height: int, content: Curves, *, braille: bool) -> None:
        self._content = content
        self._across, self._up = (2, 4) if braille else (1, 1)
        self._cells = np.full((height, width), " ", dtype="<U1")
        self._bits = np.zeros((height, width), dtype=np.int64)
        self._styles = np.full((height, width), "", dtype=object)
        self._braille = braille

    def add(self, curve: Curve, mark: str, style: str) -> None:
        """Draw a curve."""
        height, width = self._cells.shape
        x, y = self._content.x, self._content.y
        across = (np.asarray(curve.x) - x.low) / (x.high - x.low) * (width * self._across - 1)
        up = (y.high - np.asarray(curve.y)) / (y.high - y.low) * (height * self._up - 1)
        known = ~(np.isnan(across) | np.isnan(up))
        for first in np.flatnonzero(known[:-1] & known[1:]):
            steps = int(max(abs(across[first + 1] - across[first]), abs(up[first + 1] - up[first]), 1)) + 1
            columns = np.rint(np.linspace(across[first], across[first + 1], steps)).astype(np.int64)
            rows = np.rint(np.linspace(up[first], up[first + 1], steps)).astype(np.int64)
            if curve.guide:
                columns, rows = columns[:: 2 * self._across], rows[:: 2 * self._across]
            self._put(rows, columns, mark, style, dots=not curve.guide)

    def _put(self, rows: np.ndarray, columns: np.ndarray, mark: str, style: str, *, dots: bool) -> None:
        cell = (rows // self._up, columns // self._across)
        if self._braille and dots:
            bits = np.array(_DOTS)[rows % self._up, columns % self._across]
            # A character has one colour: that of the last curve, whose dots alone it shows.
            foreign = self._styles[cell] != style
            self._bits[cell[0][foreign], cell[1][foreign]] = 0
            np.bitwise_or.at(self._bits, cell, bits)
        else:
            self._cells[cell] = mark
        self._styles[cell] = style

    def rows(self) -> list[Text]:
        """Return the lines."""
        lines = []
        for cells, bits, styles in zip(self._cells, self._bits, self._styles, strict=True):
            line = Text()
            for cell, bit, style in zip(cells, bits, styles, strict=True):
                line.append(chr(0x2800 + int(bit)) if bit else str(cell), style=style or None)
            lines.append(line)
        return lines


# Bars


def _draw_bars(screen: Screen, content: Bars) -> None:
    """Draw a bar for each bin that holds something, lying, with its numbers beside it."""
    names = list(content.parts)
    table = empty_table()
    screen.console.print(Text(f"{content.y.label}, by the {content.x.label}", style="dim"))
    table.add_column("between", no_wrap=True)
    table.add_column(content.what, justify="right", no_wrap=True)
    shares = content.marks is not None
    if shares:
        table.add_column("share", justify="right", no_wrap=True)
        table.add_column("mean p", justify="right", no_wrap=True)
    elif len(names) > 1:
        for name in names:
            table.add_column(Text(visible(name, 14)), justify="right", no_wrap=True)
    used = len("0.000 - 0.000") + 3
    used += max(len(content.what), len(f"{int(content.counts.max(initial=0)):,}")) + 3
    used += (6 + 3 + 6 + 3) if shares else sum(max(len(visible(name, 14)), 6) + 3 for name in names if len(names) > 1)
    room = max(8, min(screen.console.width, _WIDEST) - used)
    table.add_column("", no_wrap=True, overflow="crop")
    for number, count in enumerate(content.counts.tolist()):
        if not count:
            continue
        low, high = content.edges[number : number + 2]
        cells = [Text(f"{low:.3f} - {high:.3f}"), Text(f"{count:,}")]
        heights = [float(content.parts[name][number]) for name in names]
        if content.marks is not None:
            cells += [Text(f"{heights[0]:.4f}"), Text(f"{float(content.marks[1][number]):.4f}")]
        elif len(names) > 1:
            cells += [Text(f"{height:,.0f}") for height in heights]
        mark = None if content.marks is None else float(content.marks[1][number])
        table.add_row(*cells, _bar(screen, [height / content.y.high for height in heights], mark, room))
    screen.console.print(table)
    legend = Text()
    for number, name in enumerate(names):
        legend += Text("  " if number else "") + _bar(screen, [0] * number + [1], None, 2)
        legend.append(f" {visible(name, _LONGEST_NAME)}", style="default")
    if content.marks is not None:
        legend.append("  " + _mark(screen), style="bold").append(f" {content.marks[0]}")
    screen.console.print(legend)


def _mark(screen: Screen) -> str:
    return "|" if screen.ascii else "┃"


def _bar(screen: Screen, heights: Sequence[float], mark: float | None, room: int) -> Text:
    """Return a bar of parts, one behind the other, that is `room` wide where they add up to 1."""
    text = Text()
    total = 0.0
    for number, height in enumerate(heights):
        before = round(total * room)
        total += 0 if np.isnan(height) else height
        cells = round(total * room) - before
        if not cells and height > 0 and number == len(heights) - 1 and not text:
            cells = 1
        block = "#=-"[number % 3] if screen.ascii else "█▒░"[number % 3]
        text.append(block * cells, style=COLOURS[number % len(COLOURS)])
    if mark is not None:
        place = min(room - 1, int(mark * room))
        text.append(" " * max(0, place + 1 - len(text)))
        text = text[:place] + Text(_mark(screen), style="bold") + text[place + 1 :]
    return text


# A matrix


def _draw_matrix(screen: Screen, content: Matrix) -> None:
    names = [visible(name, _LONGEST_NAME) for name in content.classes]
    widest = max(map(cell_len, names))
    nothing = "." if screen.ascii else "·"
    cells = [[f"{count:,}" if count else nothing for count in row] for row in content.counts.tolist()]
    number_width = max(len(cell) for row in cells for cell in row)
    room = screen.console.width - widest - 4
    # Long names would make the columns as wide: they give way down to a number or three characters.
    column = min(max(map(cell_len, names)), max(number_width, 3, room // len(names) - 2))
    if (column + 2) * len(names) > room + 2:
        _draw_mistakes(screen, content, names)
        return
    screen.console.print(Text("rows: the truth; columns: what was predicted", style="dim"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True, style="bold")
    for name in names:
        shown = Text(name)
        shown.truncate(column, overflow="crop" if column < 5 or screen.ascii else "ellipsis")
        table.add_column(shown, justify="right", no_wrap=True, min_width=column)
    totals = np.maximum(1, content.counts.sum(axis=1))
    for number, row in enumerate(cells):
        shown_cells = [
            _shaded(cell, float(content.counts[number, other] / totals[number]), right=number == other)
            for other, cell in enumerate(row)
        ]
        table.add_row(Text(names[number]), *shown_cells)
    screen.console.print(table)


def _shaded(cell: str, share: float, *, right: bool) -> Text:
    """Return a count: what is right in bold, mistakes the stronger the larger their share of the row is."""
    if right:
        return Text(cell, style=f"bold {COLOURS[0]}")
    return Text(cell, style="dim" if not share else COLOURS[5] if share >= 0.02 else COLOURS[1])


def _draw_mistakes(screen: Screen, content: Matrix, names: Sequence[str]) -> None:
    """Draw the most frequent mistakes, where the whole matrix does not fit."""
    off = content.counts.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off, axis=None, kind="stable")[:20]
    screen.console.print(Text("the most frequent mistakes; a wider terminal, or -o FILE.svg, shows all", style="dim"))
    table = empty_table()
    for header in ("truth", "predicted"):
        table.add_column(header, no_wrap=True, overflow="crop" if screen.ascii else "ellipsis")
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("of all such", justify="right", no_wrap=True)
    totals = np.maximum(1, content.counts.sum(axis=1))
    for place in order.tolist():
        row, column = divmod(place, len(names))
        if off[row, column]:
            share = f"{100 * off[row, column] / totals[row]:.1f} %"
            table.add_row(Text(names[row]), Text(names[column]), f"{off[row, column]:,}", share)
    screen.console.print(table)
