"""The table that a terminal shows: the first rows, the decision of each, and a summary of all of them.

It fits the width it is given: bars shrink first, then runners-up are left out, then long names are cut.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.cells import cell_len
from rich.text import Text

from actcli.errors import visible
from actcli.prediction.output_columns import REASONS
from actcli.reports.screen import Screen, counted, empty_table
from actcli.streaming.batch import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from actcli.streaming.batch import Batch, Column, Layout
    from actcli.streaming.output import Output

__all__ = ["TableSink"]

_NUMBER_WIDTH = 6
_WIDEST_BAR = 24
_NARROWEST_BAR = 5
_MOST_RUNNERS_UP = 3
_LABELS_IN_SUMMARY = 12
_LEVELS = "▁▂▃▄▅▆▇█"
_ACCENT = "cyan"
_PROBABILITIES = frozenset({"probability", "probabilities", "margin", "sigmoid", "softmax"})
"""The columns whose numbers are."""
_GAP = 3
"""Blanks between two columns of the table."""
_LONGEST_NAME = 200
_LONGEST_LABEL = 40
_NARROWEST_NAME = 16


class _Piece(NamedTuple):
    """What the table needs of a batch: its first rows, and sums over all of them."""

    rows: int
    head: list[list[Any]]
    numbers: list[int]
    labels: Counter[str]
    total: float
    empty: int


class TableSink:
    """Collects the first rows and the sums, and draws the table at the end.

    Parameters
    ----------
    output
        Where to.
    columns
        What was computed for each row.
    task
        Which command this is.
    chosen
        Whether to show just these columns, because they were asked for, instead of the decision with its runners-up.
    rows
        How many of the input's rows to show; None is all.
    precision
        Significant digits of a probability; None is four decimals.
    """

    def __init__(
        self,
        output: Output,
        columns: Sequence[Column],
        *,
        task: str,
        chosen: bool,
        rows: int | None,
        precision: int | None,
    ) -> None:
        self._output = output
        self._columns = columns
        self._task = task
        self._chosen = chosen
        self._lines = max((column.lines for column in columns), default=1)
        self._limit = None if rows is None else rows * self._lines
        self._precision = precision
        self._head: list[list[Any]] = []
        self._numbers: list[int] = []
        self._rows = 0
        self._labels: Counter[str] = Counter()
        self._total = 0.0
        self._empty = 0
        # Where each output column stands; a carried column may have the same name.
        self._at = {column.name: number for number, column in enumerate(columns) if column.carried is None}
        decided = next((self._at[name] for name in ("label", "labels", "top_k") if name in self._at), None)
        self._decided = None if decided is None else columns[decided]
        self._classes: tuple[str, ...] = ()
        self._left_out = 0

    def open(self, layout: Layout) -> int:
        """Take note of the classes."""
        self._classes = layout.classes
        return 0

    def encode(self, batch: Batch) -> _Piece:
        """Return the first rows of `batch`, and its sums."""
        count = len(batch)
        shown = count if self._limit is None else min(count, self._limit)
        columns = [_first(column, batch, shown) for column in self._columns]
        head = [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(shown)]
        labels: Counter[str] = Counter()
        total, empty = 0.0, 0
        if self._decided is not None:
            data = batch.data(self._decided)
            codes = data if self._decided.kind is Kind.CODE else data.codes
            if self._decided.kind is Kind.RANKING:
                codes = codes[:, 0]
                total = float(data.probabilities[:, 0].sum(dtype=np.float64))
            names = self._decided.labels
            counts = np.bincount(np.where(codes < 0, len(names) - 1, codes), minlength=len(names))
            labels.update({names[code]: int(counts[code]) for code in np.flatnonzero(counts)})
            if self._decided.kind is Kind.SET:
                empty = int(count - np.count_nonzero(np.diff(data.offsets)))
        if "probability" in batch.values:
            total = float(batch.values["probability"].sum(dtype=np.float64))
        return _Piece(count, head, batch.row_numbers()[:shown].tolist(), labels, total, empty)

    def accept(self, piece: _Piece, start: int) -> None:
        """Add up, and keep the rows that are to be shown."""
        wanted = len(piece.head) if self._limit is None else max(0, self._limit - len(self._head))
        self._head.extend(piece.head[:wanted])
        self._numbers.extend(start + number for number in piece.numbers[:wanted])
        self._rows += piece.rows
        self._labels.update(piece.labels)
        self._total += piece.total
        self._empty += piece.empty

    def finish(self) -> None:
        """Draw the table."""
        screen = Screen(self._output)
        console = screen.console
        self._ascii = screen.ascii
        table = self._chosen_table(console.width) if self._chosen else self._decision_table(console.width)
        if self._head and table.columns:
            console.print(table)
        for line in self._summary(console.width):
            console.print(line, style="dim")
        screen.write()

    # The decision with its runners-up

    def _decision_table(self, width: int) -> Table:
        names = [column.headers[0] for column in self._columns]
        carried = [number for number, column in enumerate(self._columns) if column.carried is not None]
        probabilities = self._at["probabilities"]
        classes = [visible(name, _LONGEST_LABEL) for name in self._columns[probabilities].labels]
        table = empty_table()
        # Identifiers have what the decision does not need, however long they are.
        needed = min(max(map(cell_len, classes)) + len(" █ 0.0000"), 2 * width // 3)
        labels: list[Text] = []
        label_width = 0
        if "label" in self._at:
            labels = [self._label(row) for row in self._head]
            label_width = min(max(map(cell_len, ["label", *(label.plain for label in labels)])), max(12, width // 4))
            needed = label_width + _GAP + len("confidence")
            needed += len("below_confidence") + _GAP if "reason" in self._at else 0
        most = max(8, (width - needed) // max(1, len(carried)) - _GAP)
        used = 0
        for number in carried:
            cells = [_shown(row[number]) for row in self._head]
            used += _text_column(table, _shown(names[number]), cells, most) + _GAP
        if not carried:
            numbers = list(map(str, self._numbers))
            used += _text_column(table, "row", numbers, 12, right=True) + _GAP
        if self._task == "multilabel":
            labels_at = self._at["labels"]
            table.add_column("labels", overflow="fold")
            sets = [self._label_set(row[labels_at], row[probabilities], classes, width - used) for row in self._head]
            _fill(table, carried, self._numbers, self._head, [sets])
            return table
        label_at = self._at["label"]
        probability = self._at["probability"]
        table.add_column("label", no_wrap=True, overflow="ellipsis", max_width=label_width)
        used += label_width + _GAP
        if "reason" in self._at:
            used += len("below_confidence") + _GAP
        extra: list[list[Text]] = []
        number_width = self._number_width(row[probability] for row in self._head)
        other_width = self._number_width(value for row in self._head for value in row[probabilities])
        bar, count, name_width = self._shares(width - used - number_width, classes, other_width)
        if "prediction_set" in self._at:
            bar = min(bar, _NARROWEST_BAR)
        table.add_column("confidence", no_wrap=True)
        extra.append([self._confidence(row[probability], number_width, bar) for row in self._head])
        if "reason" in self._at:
            reason = self._at["reason"]
            table.add_column("reason", no_wrap=True)
            extra.append([Text(row[reason], style="" if row[reason] == "ok" else "yellow") for row in self._head])
        if "prediction_set" in self._at:
            count = 0  # the set says more
            table.add_column("prediction set", overflow="fold")
            extra.append([self._set(row[self._at["prediction_set"]], classes) for row in self._head])
        if count:
            table.add_column("runner-up" if count == 1 else "runners-up", no_wrap=True, overflow="ellipsis")
            extra.append(
                [
                    self._runners_up(row[probabilities], row[label_at], classes, count, (name_width, other_width))
                    for row in self._head
                ]
            )
        _fill(table, carried, self._numbers, self._head, [labels, *extra])
        return table

    @staticmethod
    def _set(codes: Sequence[int], classes: Sequence[str]) -> Text:
        return Text(", ".join(classes[code] for code in codes)) if codes else Text("empty", style="dim")

    def _number_width(self, values: Iterable[float]) -> int:
        """Return how wide the widest of these probabilities is."""
        if self._precision is None:
            return _NUMBER_WIDTH
        return max((len(self._number(value)) for value in values), default=_NUMBER_WIDTH)

    def _shares(self, room: int, classes: Sequence[str], number_width: int) -> tuple[int, int, int]:
        """Return the width of the bar, the number of runners-up, and the width of their names, that fit in `room`."""
        name_width = min(max(map(cell_len, classes)), 16)
        each = name_width + 1 + number_width + 2
        most = min(_MOST_RUNNERS_UP, len(classes) - 1)
        for count in range(most, -1, -1):
            bar = room - 1 - (count * each + 1 if count else 0)
            if bar >= _NARROWEST_BAR or count == 0:
                return (min(_WIDEST_BAR, bar) if bar >= _NARROWEST_BAR else 0), count, name_width
        raise AssertionError

    def _confidence(self, probability: float, width: int, bar: int) -> Text:
        text = Text(self._number(probability).rjust(width))
        if bar:
            halves = round(2 * bar * probability)
            full, half = ("#", "") if self._ascii else ("━", "╸")
            drawn = full * (halves // 2) + half * (halves % 2)
            text.append(" ").append(drawn, style=_ACCENT).append(" " * (bar - len(drawn)))
        return text

    def _label(self, row: Sequence[Any]) -> Text:
        """Return the label of a row; where it is withheld, with what it would have been."""
        label = row[self._at["label"]]
        text = Text(_shown(label), style="bold")
        if "reason" in self._at and row[self._at["reason"]] != REASONS[0]:
            best = self._classes[int(np.argmax(row[self._at["probabilities"]]))]
            text.append(f" ({visible(best, _LONGEST_LABEL)})", style="not bold dim")
        return text

    def _runners_up(
        self, probabilities: Any, label: str, classes: Sequence[str], count: int, widths: tuple[int, int]
    ) -> Text:
        """Return the classes after the best one, but none that is impossible."""
        order = [int(code) for code in np.argsort(-probabilities, kind="stable") if probabilities[code] > 0]
        first = self._classes.index(label) if label in self._classes else order[0]
        parts = []
        for code in [code for code in order if code != first][:count]:
            name = Text(classes[code])
            name.truncate(widths[0], overflow="ellipsis", pad=True)
            parts.append(f"{name.plain} {self._number(probabilities[code]).rjust(widths[1])}")
        return Text("  ".join(parts), style="dim")

    def _label_set(self, codes: Sequence[int], probabilities: Any, classes: Sequence[str], width: int) -> Text:
        items = []
        for code in codes:
            item = Text(classes[code], style="bold")
            item.append(f" {self._level(probabilities[code])}", style=f"not bold {_ACCENT}")
            items.append(item.append(self._number(probabilities[code]), style="not bold"))
        if not items:
            items.append(Text("none", style="dim"))
        order = np.argsort(-probabilities, kind="stable")
        rest = next((code for code in order if code not in set(codes) and probabilities[code] > 0), None)
        if rest is not None:
            items.append(Text(f"({classes[rest]} {self._number(probabilities[rest])})", style="dim"))
        lines = [Text() + items[0]]
        for item in items[1:]:
            if lines[-1].cell_len + 2 + item.cell_len <= width:
                lines[-1] = lines[-1] + Text("  ") + item
            else:
                lines.append(Text() + item)
        return Text("\n").join(lines)

    def _level(self, probability: float) -> str:
        return "" if self._ascii else _LEVELS[min(int(probability * len(_LEVELS)), len(_LEVELS) - 1)] + " "

    def _number(self, value: float) -> str:
        """Return a probability in six characters, so that all stand in line, or in the digits that were asked for."""
        if self._precision is not None:
            return f"{value:#.{self._precision}g}".rstrip(".")
        if 0 < value < 0.00005:
            return "<.0001"
        if 0.99995 <= value < 1:
            return ">.9999"
        return f"{value:.4f}"

    # Just the columns that were asked for

    def _chosen_table(self, width: int) -> Table:
        """Return a table of the columns that were asked for; names share the room that numbers leave them."""
        headers: list[Text] = []
        kinds: list[Kind] = []
        for column in self._columns:
            names = column.headers
            if column.kind is Kind.RANKING:
                names = tuple(f"{rank}." for rank in range(1, len(column.headers) // 2 + 1))
            headers += [Text(_shown(name)) for name in names]
            kinds += [column.kind] * len(names)
        rows = [
            [
                cell
                for column, value in zip(self._columns, row, strict=True)
                for cell in self._cells(column, value, number)
            ]
            for number, row in zip(self._numbers, self._head, strict=True)
        ]
        widths = [max(cell.cell_len for cell in cells) for cells in zip(headers, *rows, strict=True)]
        numeric = [kind in (Kind.NUMBER, Kind.MATRIX, Kind.ROW) for kind in kinds]
        least = [wide if number else min(wide, _NARROWEST_NAME) for wide, number in zip(widths, numeric, strict=True)]
        optional = [kind in (Kind.MATRIX, Kind.RANKING) for kind in kinds]
        shown = _fitting([wide + _GAP for wide in least], optional, width + _GAP)
        limits = _shared([widths[position] for position in shown], [least[position] for position in shown], width)
        table = empty_table()
        for position, limit in zip(shown, limits, strict=True):
            table.add_column(
                headers[position],
                justify="right" if numeric[position] else "left",
                overflow="ellipsis",
                no_wrap=True,
                max_width=limit,
            )
        for row in rows:
            table.add_row(*(self._cut(row[position], limit) for position, limit in zip(shown, limits, strict=True)))
        self._left_out = len(headers) - len(shown)
        return table

    @staticmethod
    def _cut(cell: Text, width: int) -> Text:
        """Return a cell that fits; of a ranking, the name gives way and the number stays."""
        if not cell.spans:
            return Text(_shortened(cell.plain, width), style=cell.style)
        number = cell.spans[-1]
        tail = cell.plain[number.start :]
        name = Text(cell.plain[: number.start].rstrip())
        name.truncate(max(1, width - cell_len(tail) - 1), overflow="ellipsis", pad=True)
        return Text(f"{name.plain} {tail}")

    def _cells(self, column: Column, value: Any, position: int) -> list[Text]:
        match column.kind:
            case Kind.ROW:
                return [Text(str(position), style="dim")]
            case Kind.NUMBER:
                return [self._value(column, value)]
            case Kind.MATRIX:
                return [self._value(column, number) for number in value]
            case Kind.SET:
                return [Text(", ".join(_shown(column.labels[code]) for code in value))]
            case Kind.RANKING:
                ranks = [self._rank(column.labels[code], probability) for code, probability in value]
                return ranks + [Text()] * (len(column.headers) // 2 - len(ranks))
            case _:
                return [Text(_shown(value), style="bold" if column is self._decided else "")]

    def _rank(self, label: str, probability: float) -> Text:
        text = Text(_shown(label) + " ")
        return text.append(self._number(probability), style="number")

    def _value(self, column: Column, value: Any) -> Text:
        if column.dtype is not None:
            return Text(str(value))
        if column.name in _PROBABILITIES:
            return Text(self._number(value))
        return Text(f"{value:#.{self._precision or 5}g}".rstrip("."))

    # All rows

    def _summary(self, width: int) -> list[str]:
        separator = " - " if self._ascii else " · "
        ellipsis = "..." if self._ascii else "…"
        rows = self._rows // self._lines
        more = rows - len(self._head) // self._lines
        lines = []
        if self._left_out:
            lines.append(f"{ellipsis} {counted(self._left_out, 'more column')}")
        if more > 0 and self._head:
            lines.append(f"{ellipsis} {counted(more, 'more row')} (--rows all shows them)")
        facts = [counted(rows, "row")]
        if self._rows and {"probability", "top_k"} & self._at.keys():
            facts.append(f"mean confidence {self._total / self._rows:.4f}")
        if self._rows and self._decided is not None and self._decided.kind is Kind.SET:
            facts.append(f"{self._labels.total() / self._rows:.2f} labels a row")
            facts.append(f"{self._empty:,} without any")
        lines.extend(_wrapped(facts, separator, width))
        common = self._labels.most_common(_LABELS_IN_SUMMARY)
        counts = [f"{visible(name, _LONGEST_LABEL)}: {count:,}" for name, count in common]
        if len(self._labels) > len(common):
            counts.append(f"and {len(self._labels) - len(common)} more")
        return [*lines, *_wrapped(counts, separator, width)]


def _wrapped(items: Sequence[str], separator: str, width: int) -> list[str]:
    """Return `items` in lines that are no wider than `width`, none broken unless it is wider itself."""
    lines: list[str] = []
    for item in items:
        if lines and cell_len(lines[-1] + separator + item) <= width:
            lines[-1] += separator + item
        else:
            lines.append(item)
    return lines


def _shared(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Return how wide each column may be: as wide as it is, or, if that is too much, the widest give way first."""
    limits = list(widths)
    room -= _GAP * (len(limits) - 1)
    while sum(limits) > room:
        widest = max(range(len(limits)), key=lambda position: limits[position] - least[position])
        if limits[widest] <= least[widest]:
            break
        limits[widest] -= 1
    return limits


def _fitting(widths: Sequence[int], optional: Sequence[bool], room: int) -> list[int]:
    """Return the columns to show: all that are not optional, if there is room for them, and then from the left."""
    needed = sum(width for width, may_go in zip(widths, optional, strict=True) if not may_go)
    if needed > room:
        optional, needed = [True] * len(widths), 0
    room -= needed
    shown = []
    for position, (width, may_go) in enumerate(zip(widths, optional, strict=True)):
        if not may_go:
            shown.append(position)
        elif room >= width or not shown:
            room -= width
            shown.append(position)
        else:
            room = 0
    return shown


def _text_column(table: Table, header: str, cells: Sequence[str], most: int, *, right: bool = False) -> int:
    width = min(max(map(cell_len, [header, *cells])), most)
    table.add_column(
        Text(header),
        no_wrap=True,
        overflow="ellipsis",
        max_width=width,
        justify="right" if right else "left",
        style="dim" if right else "",
    )
    return width


def _fill(
    table: Table,
    carried: Sequence[int],
    numbers: Sequence[int],
    head: Sequence[list[Any]],
    columns: Sequence[Sequence[Text]],
) -> None:
    for number, row, *cells in zip(numbers, head, *columns, strict=True):
        first = [
            Text(_shortened(_shown(row[position]), column.max_width or 0))
            for position, column in zip(carried, table.columns, strict=False)
        ] or [Text(str(number))]
        table.add_row(*first, *cells)


def _first(column: Column, batch: Batch, count: int) -> list[Any]:
    """Return the data of a column for the first `count` rows, a Python value each."""
    if column.kind is Kind.ROW:
        return [None] * count
    data = batch.data(column)
    match column.kind:
        case Kind.TEXT:
            return list(data.slice(0, count).to_pylist())
        case Kind.VALUE:
            from actcli.formats.text import texts_of

            return list(texts_of(data.slice(0, count)).to_pylist())
        case Kind.JSON:
            from actcli.formats.text import plain

            return list(plain(data.slice(0, count)).to_pylist())
        case Kind.CODE:
            return [column.labels[code] for code in data[:count]]
        case Kind.SET:
            return [data.codes[data.offsets[row] : data.offsets[row + 1]].tolist() for row in range(count)]
        case Kind.RANKING:
            return [
                [(code, probability) for code, probability in zip(*ranks, strict=True) if code >= 0]
                for ranks in zip(data.codes[:count], data.probabilities[:count], strict=True)
            ]
        case _:
            return list(data[:count])


def _shown(text: str) -> str:
    return visible(text, _LONGEST_NAME)


def _shortened(text: str, width: int) -> str:
    """Return `text` without its middle where it is too wide: identifiers differ at their ends."""
    if cell_len(text) <= width:
        return text
    tail = (width - 1) // 2
    head = Text(text)
    head.truncate(width - 1 - tail)
    end = text[len(text) - tail :]
    while cell_len(end) > tail:
        end = end[1:]
    return f"{head.plain}…{end}"
