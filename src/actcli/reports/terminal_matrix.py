"""A confusion matrix in a terminal, or its most frequent confusions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from actcli.reports.numbers import percent, tally
from actcli.reports.screen import empty_table
from actcli.reports.widths import fitted, widest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from actcli.metrics.confusion import Confusion
    from actcli.reports.charts import Matrix
    from actcli.reports.screen import Screen

__all__ = ["confusions_table", "matrix_lines"]

_SHADES = ("dim", "white on #16314f", "white on #1f4e79", "white on #2b6ca3", "black on #6fa8d6", "black on #a9cdea")
"""Styles of cells by their share: backgrounds that are legible on dark and on light terminals."""

_MARKS = (" ", " ", "░", "▒", "▓", "█")
_ASCII_MARKS = (" ", " ", ":", "+", "*", "#")
"""Marks of cells by their share, where there are no colours."""

_WIDEST_NAME = 16
_NARROWEST_CELL, _WIDEST_CELL = 5, 14


def matrix_lines(screen: Screen, content: Matrix, width: int) -> list[Text]:
    """Return the lines of a confusion matrix that fits `width`, or none; its names are as they are shown."""
    names = content.decisions
    name_width = min(widest(content.classes), _WIDEST_NAME)
    room = width - name_width - 2
    if room < _NARROWEST_CELL * len(names):
        return []
    least = max(_NARROWEST_CELL, widest(map(tally, content.counts.ravel().tolist())) + 2)
    if room < least * len(names):
        return []
    cell = min(room // len(names), max(least, widest(names) + 2, 8), _WIDEST_CELL)
    head = Text(" " * (name_width + 2), style="bold")
    for name in names:
        head.append(" " * max(0, cell - 1 - cell_len(name)) + fitted(name, min(cell - 1, cell_len(name))) + " ")
    lines = [Text("rows: truth; columns: prediction; shaded by the share of the true class", style="dim"), head]
    for name, row, shares in zip(content.classes, content.counts.tolist(), content.shares().tolist(), strict=True):
        line = Text().append(fitted(name, name_width) + "  ", style="bold")
        for count, share in zip(row, shares, strict=True):
            line.append_text(_cell(screen, count, share, cell))
        lines.append(line)
    return lines


def _cell(screen: Screen, count: float, share: float, width: int) -> Text:
    level = min(len(_SHADES) - 1, 1 + int(share * (len(_SHADES) - 1))) if count else 0
    text = (tally(count) if count else "." if screen.ascii else "·").rjust(width - 1)
    if screen.colours:
        return Text(text + " ", style=_SHADES[level])
    return Text(text + (_ASCII_MARKS if screen.ascii else _MARKS)[level])


def confusions_table(confusions: Sequence[Confusion], content: Matrix, name_width: int | None = None) -> Table:
    """Return a table of confusions in a matrix, with names of at most `name_width` columns."""
    table = empty_table()
    for header in ("truth", "predicted"):
        table.add_column(header, no_wrap=True, overflow="ellipsis", max_width=name_width)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("share of truth", justify="right", no_wrap=True)
    for each in confusions:
        names = content.classes[each.truth], content.decisions[each.predicted]
        table.add_row(*map(Text, names), tally(each.rows), percent(each.share))
    return table
