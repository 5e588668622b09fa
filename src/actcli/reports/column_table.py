"""A table of the columns that the user chose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from rich.cells import cell_len
from rich.text import Text

from actcli.reports.numbers import aligned, probability
from actcli.reports.screen import GAP, Screen, empty_table
from actcli.reports.table_rows import shown_name
from actcli.reports.widths import fitted, shortened
from actcli.streaming.batch import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from actcli.reports.table_rows import TableRows
    from actcli.streaming.batch import Column

__all__ = ["column_table"]

_PROBABILITIES = frozenset({"probability", "probabilities", "margin", "sigmoid", "softmax"})
"""The columns whose numbers are probabilities."""

_DIGITS = 5
_NARROWEST_NAME = 16


def column_table(shown: TableRows, screen: Screen) -> tuple[Table, int]:
    """Return the table, and the number of columns that it leaves out because they do not fit.

    Texts get the room that numbers leave them.
    """
    width = screen.console.width
    headers: list[Text] = []
    kinds: list[Kind] = []
    # Each column takes more than one character, so these are more than fit.
    columns = shown.columns[:width]
    for column in columns:
        names = _headers(column)[:width]
        headers += [Text(shown_name(name)) for name in names]
        kinds += [column.kind] * len(names)
    rows = [
        [
            cell
            for column, value in zip(columns, row[:width], strict=True)
            for cell in _cells(shown, column, value, number, width)
        ]
        for number, row in zip(shown.numbers, shown.head, strict=True)
    ]
    widths = [max(cell.cell_len for cell in cells) for cells in zip(headers, *rows, strict=True)]
    numeric = [kind in (Kind.NUMBER, Kind.MATRIX, Kind.ROW) for kind in kinds]
    least = [wide if number else min(wide, _NARROWEST_NAME) for wide, number in zip(widths, numeric, strict=True)]
    optional = [kind in (Kind.MATRIX, Kind.RANKING) for kind in kinds]
    kept = _kept([wide + GAP for wide in least], optional, width + GAP)
    limits = _limits([widths[position] for position in kept], [least[position] for position in kept], width)
    table = empty_table()
    for position, limit in zip(kept, limits, strict=True):
        table.add_column(
            headers[position],
            justify="right" if numeric[position] else "left",
            overflow="ellipsis",
            no_wrap=True,
            max_width=limit,
        )
    for row in rows:
        table.add_row(*(_cut(row[position], limit) for position, limit in zip(kept, limits, strict=True)))
    return table, sum(len(_headers(column)) for column in shown.columns) - len(kept)


def _headers(column: Column) -> Sequence[str]:
    if column.kind is Kind.RANKING:
        return [f"{rank}." for rank in range(1, len(column.headers) // 2 + 1)]
    return column.headers


def _cells(shown: TableRows, column: Column, value: Any, number: int, most: int) -> list[Text]:
    """Return the first cells of a value, at most so many; `number` is that of its row."""
    match column.kind:
        case Kind.ROW:
            return [Text(str(number), style="dim")]
        case Kind.NUMBER:
            return [_number(shown, column, value)]
        case Kind.MATRIX:
            return [_number(shown, column, each) for each in value[:most]]
        case Kind.SET:
            return [Text(", ".join(shown_name(column.labels[code]) for code in value))]
        case Kind.RANKING:
            ranks = [
                Text(shown_name(column.labels[code]) + " ").append(probability(each, shown.precision), style="number")
                for code, each in value[:most]
            ]
            return ranks + [Text()] * (min(most, len(column.headers) // 2) - len(ranks))
        case Kind.TEXT | Kind.VALUE | Kind.JSON | Kind.CODE:
            is_label = column.name == "label" and column.carried is None
            return [Text(shown_name(value), style="bold" if is_label else "")]
        case unknown:
            assert_never(unknown)


def _number(shown: TableRows, column: Column, value: Any) -> Text:
    if column.dtype is not None:
        return Text(str(value))
    if column.name in _PROBABILITIES:
        return Text(probability(value, shown.precision))
    return Text(aligned(value, shown.precision or _DIGITS))


def _cut(cell: Text, width: int) -> Text:
    """Return a cell that fits; a rank keeps its number, and its name is cut."""
    if not cell.spans:
        return Text(shortened(cell.plain, width), style=cell.style)
    number = cell.plain[cell.spans[-1].start :]
    name = cell.plain[: cell.spans[-1].start].rstrip()
    return Text(f"{fitted(name, max(1, width - cell_len(number) - 1))} {number}")


def _kept(widths: Sequence[int], optional: Sequence[bool], room: int) -> list[int]:
    """Return the positions of the columns to show.

    Columns that are not optional come first if all of them fit. Optional columns fill the rest of the room from the
    left.
    """
    needed = sum(width for width, may_go in zip(widths, optional, strict=True) if not may_go)
    if needed > room:
        optional, needed = [True] * len(widths), 0
    room -= needed
    kept = []
    for position, (width, may_go) in enumerate(zip(widths, optional, strict=True)):
        if not may_go:
            kept.append(position)
        elif room >= width or not kept:
            room -= width
            kept.append(position)
        else:
            room = 0
    return kept


def _limits(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Return the width that each column may have; where the room is short, the widest columns are cut first."""
    limits = list(widths)
    room -= GAP * (len(limits) - 1)
    while sum(limits) > room:
        widest = max(range(len(limits)), key=lambda position: limits[position] - least[position])
        if limits[widest] <= least[widest]:
            break
        limits[widest] -= 1
    return limits
