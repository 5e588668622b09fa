"""A table of decisions: the label with its confidence and the runners-up, or the set of labels.

Where the width is short, bars shrink first, then runners-up are left out, then names are cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.text import Text

from actcli.errors import visible
from actcli.prediction.output_columns import REASONS
from actcli.reports.numbers import PROBABILITY_WIDTH, aligned, number, probability
from actcli.reports.screen import ACCENT, GAP, Screen, empty_table
from actcli.reports.table_rows import shown_name
from actcli.reports.widths import fitted, shortened, widest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from actcli.reports.table_rows import TableRows

__all__ = ["decision_table"]

_WIDEST_BAR = 24
_NARROWEST_BAR = 5
_WIDEST_NUMBER = 12
_MOST_RUNNERS_UP = 3
_LONGEST_LABEL = 40
_WIDEST_RUNNER_UP = 16
_MOST_LABELS = 100
"""The most labels of a set that are shown."""
_LEVELS = "▁▂▃▄▅▆▇█"
_COST = "cost"
_REASON_WIDTH = len("below_confidence")


def decision_table(shown: TableRows, screen: Screen) -> tuple[Table, int]:
    """Return the table. The number of columns that it leaves out is 0."""
    drawing = _Decisions(shown, screen)
    drawing.add_identifiers()
    if shown.has("label"):
        drawing.add_labels()
    else:
        drawing.add_sets()
    return drawing.table(), 0


class _RunnersUp(NamedTuple):
    """How the confidence and the runners-up share the room."""

    bar: int
    """The width of the bar; 0 for no bar."""
    shown: int
    """The number of runners-up."""
    name: int
    """The width of their names."""
    number: int
    """The width of their probabilities."""


class _Decisions:
    """The columns of the table, added from left to right."""

    def __init__(self, shown: TableRows, screen: Screen) -> None:
        self._shown = shown
        self._ascii = screen.ascii
        self._width = screen.console.width
        self._room = self._width
        self._table = empty_table()
        self._cells: list[Sequence[Text]] = []
        self._names = shown.column("probabilities").labels
        self._classes = [visible(name, _LONGEST_LABEL) for name in self._names]
        self._positions = {name: position for position, name in enumerate(self._names)}
        self._probabilities = shown.values("probabilities")
        self._labels = self._label_cells() if shown.has("label") else []

    def table(self) -> Table:
        """Return the table with all rows."""
        for row in zip(*self._cells, strict=True):
            self._table.add_row(*row)
        return self._table

    def _add(
        self, header: str, cells: Sequence[Text], *, most: int | None = None, fold: bool = False, right: bool = False
    ) -> None:
        """Add a column; a column of at most `most` characters takes them from the room."""
        self._table.add_column(
            Text(header),
            justify="right" if right else "left",
            no_wrap=not fold,
            overflow="fold" if fold else "ellipsis",
            max_width=most,
        )
        self._cells.append(cells)
        if most is not None:
            self._room -= most + GAP

    # Identifiers

    def add_identifiers(self) -> None:
        """Add the carried columns, or the numbers of the rows."""
        carried = [position for position, column in enumerate(self._shown.columns) if column.carried is not None]
        if not carried:
            numbers = [Text(str(number), style="dim") for number in self._shown.numbers]
            width = min(widest(["row", *map(str, self._shown.numbers)]), _WIDEST_NUMBER)
            self._add("row", numbers, most=width, right=True)
        most = max(8, (self._width - self._needed()) // max(1, len(carried)) - GAP)
        for position in carried:
            header = shown_name(self._shown.columns[position].headers[0])
            texts = [shown_name(row[position]) for row in self._shown.head]
            width = min(widest([header, *texts]), most)
            self._add(header, [Text(shortened(text, width)) for text in texts], most=width)

    def _needed(self) -> int:
        """Return the width that the decision needs; identifiers get the rest, however long they are."""
        if self._shown.has("label"):
            reason = _REASON_WIDTH + GAP if self._shown.has("reason") else 0
            costs = widest([_COST, *(cost.plain for cost in self._cost_cells())]) + GAP if self._has_costs else 0
            return self._label_width() + GAP + len("confidence") + reason + costs
        return min(widest(self._classes) + len(" █ 0.0000"), 2 * self._width // 3)

    # One label for each row

    def add_labels(self) -> None:
        """Add the label, its confidence and cost, the reason or the prediction set, and the runners-up."""
        self._add("label", self._labels, most=self._label_width())
        costs = self._cost_cells()
        if costs:
            self._room -= widest([_COST, *(cost.plain for cost in costs)]) + GAP
        if self._shown.has("reason"):
            self._room -= _REASON_WIDTH + GAP
        confidences = self._shown.values("probability")
        number_width = self._number_width(confidences)
        layout = self._layout(self._room - number_width)
        if self._shown.has("prediction_set"):
            # The set takes the room of the bar and of the runners-up.
            layout = layout._replace(bar=min(layout.bar, _NARROWEST_BAR), shown=0)
        self._add("confidence", [self._confidence(value, number_width, layout.bar) for value in confidences])
        if costs:
            self._add(_COST, costs, right=True)
        if self._shown.has("reason"):
            reasons = self._shown.values("reason")
            self._add("reason", [Text(reason, style="" if reason == REASONS[0] else "yellow") for reason in reasons])
        if self._shown.has("prediction_set"):
            self._add("prediction set", [self._set(codes) for codes in self._shown.values("prediction_set")], fold=True)
        if layout.shown:
            header = "runner-up" if layout.shown == 1 else "runners-up"
            labels = self._shown.values("label")
            pairs = zip(self._probabilities, labels, strict=True)
            self._add(header, [self._runners_up(values, label, layout) for values, label in pairs])

    @property
    def _has_costs(self) -> bool:
        return self._shown.has("expected_cost")

    def _cost_cells(self) -> list[Text]:
        """Return the expected costs of the decisions; none if they are not computed."""
        precision = self._shown.precision
        values = self._shown.values("expected_cost") if self._has_costs else []
        return [Text(number(value) if precision is None else aligned(value, precision)) for value in values]

    def _label_width(self) -> int:
        return min(widest(["label", *(label.plain for label in self._labels)]), max(12, self._width // 4))

    def _label_cells(self) -> list[Text]:
        """Return the labels; a label that is no class is followed by the best class."""
        known, cells = set(self._names), []
        for label, values in zip(self._shown.values("label"), self._probabilities, strict=True):
            cells.append(Text(shown_name(label), style="bold"))
            if label not in known:
                cells[-1].append(f" ({self._classes[int(np.argmax(values))]})", style="not bold dim")
        return cells

    def _layout(self, room: int) -> _RunnersUp:
        """Return how many runners-up fit beside a bar."""
        number_width = self._number_width(value for values in self._probabilities for value in values)
        name_width = min(widest(self._classes), _WIDEST_RUNNER_UP)
        each = name_width + 1 + number_width + 2
        for count in range(min(_MOST_RUNNERS_UP, len(self._classes) - 1), 0, -1):
            bar = room - 1 - (count * each + 1)
            if bar >= _NARROWEST_BAR:
                return _RunnersUp(min(_WIDEST_BAR, bar), count, name_width, number_width)
        bar = min(_WIDEST_BAR, room - 1)
        return _RunnersUp(bar if bar >= _NARROWEST_BAR else 0, 0, name_width, number_width)

    def _number_width(self, values: Iterable[float]) -> int:
        if self._shown.precision is None:
            return PROBABILITY_WIDTH
        return max((len(self._number(value)) for value in values), default=PROBABILITY_WIDTH)

    def _number(self, value: float) -> str:
        return probability(value, self._shown.precision)

    def _confidence(self, value: float, width: int, bar: int) -> Text:
        text = Text(self._number(value).rjust(width))
        if bar:
            halves = round(2 * bar * value)
            full, half = ("#", "") if self._ascii else ("━", "╸")
            drawn = full * (halves // 2) + half * (halves % 2)
            text.append(" ").append(drawn, style=ACCENT).append(" " * (bar - len(drawn)))
        return text

    def _set(self, codes: Sequence[int]) -> Text:
        if not codes:
            return Text("empty", style="dim")
        names = [self._classes[code] for code in codes[:_MOST_LABELS]]
        return Text(", ".join([*names, *_more(codes)]))

    def _runners_up(self, probabilities: Any, label: str, layout: _RunnersUp) -> Text:
        """Return the classes after the best one, without classes whose probability is 0."""
        best = np.argsort(-probabilities, kind="stable")[: layout.shown + 1]
        order = [int(code) for code in best if probabilities[code] > 0]
        first = self._positions[label] if label in self._positions else order[0]
        parts = [
            f"{fitted(self._classes[code], layout.name)} {self._number(probabilities[code]).rjust(layout.number)}"
            for code in [code for code in order if code != first][: layout.shown]
        ]
        return Text("  ".join(parts), style="dim")

    # A set of labels for each row

    def add_sets(self) -> None:
        """Add the labels of each row, and the best of the other classes in parentheses."""
        sets = self._shown.values("labels")
        cells = [self._label_set(*pair) for pair in zip(sets, self._probabilities, strict=True)]
        self._add("labels", cells, fold=True)

    def _label_set(self, codes: Sequence[int], probabilities: Any) -> Text:
        items = []
        for code in codes[:_MOST_LABELS]:
            item = Text(self._classes[code], style="bold")
            item.append(f" {self._level(probabilities[code])}", style=f"not bold {ACCENT}")
            items.append(item.append(self._number(probabilities[code]), style="not bold"))
        if not items:
            items.append(Text("none", style="dim"))
        items += [Text(text, style="dim") for text in _more(codes)]
        others = np.array(probabilities)
        others[codes] = 0
        rest = int(np.argmax(others)) if others.any() else None
        if rest is not None:
            items.append(Text(f"({self._classes[rest]} {self._number(probabilities[rest])})", style="dim"))
        lines = [Text() + items[0]]
        for item in items[1:]:
            if lines[-1].cell_len + 2 + item.cell_len <= self._room:
                lines[-1] = lines[-1] + Text("  ") + item
            else:
                lines.append(Text() + item)
        return Text("\n").join(lines)

    def _level(self, value: float) -> str:
        return "" if self._ascii else _LEVELS[min(int(value * len(_LEVELS)), len(_LEVELS) - 1)] + " "


def _more(codes: Sequence[int]) -> list[str]:
    """Return what stands for the labels of a set that are not shown, if there are any."""
    left_out = len(codes) - _MOST_LABELS
    return [f"and {left_out:,} more"] if left_out > 0 else []
