"""An evaluation as a person reads it: the metrics, each class, what is taken for what, and the calibration.

Each part takes the width it is given: fewer metrics stand beside one another, columns and bars go, and where a
confusion matrix does not fit, its largest cells are listed instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from actcli.errors import visible
from actcli.metrics.definitions import COUNTS
from actcli.reports.screen import Screen, counted, empty_table

if TYPE_CHECKING:
    from actcli.evaluation.result import CalibrationBin, Evaluation
    from actcli.streaming.output import Output

__all__ = ["draw"]

_WIDEST = 120
"""A file has no width: what is drawn into it is no wider than this."""

_LONGEST_NAME = 40
_NARROWEST_NAME = 8
_GAP = 3
_MOST_CONFUSIONS = 10
_NARROWEST_BAR = 10
_WIDEST_BAR = 50
_ACCENT = "cyan"
_SHADES = ("", "white on #16314f", "white on #1f4e79", "white on #2b6ca3", "black on #6fa8d6", "black on #a9cdea")
"""Backgrounds with the colour of the text on them, so that they are legible on dark and on light terminals."""

_MARKS = (" ", " ", "░", "▒", "▓", "█")
_ASCII_MARKS = (" ", " ", ":", "+", "*", "#")
_SHORT = {
    "true_positives": "TP",
    "false_positives": "FP",
    "false_negatives": "FN",
    "true_negatives": "TN",
    "roc_auc": "ROC AUC",
    "average_precision": "AP",
}
_IMPORTANCE = (
    *("support", "f1", "precision", "recall", "roc_auc", "average_precision"),
    *("true_positives", "false_positives", "false_negatives", "true_negatives"),
)
"""Of the columns about a class, which go last where there is little room."""


def draw(result: Evaluation, output: Output, *, rows: int | None) -> None:
    """Draw a report.

    Parameters
    ----------
    result
        What it is about.
    output
        Where to.
    rows
        How many classes it lists; None is all.
    """
    screen = Screen(output)
    report = _Report(result, min(screen.console.width, _WIDEST), plain=screen.ascii, colour=_has_colour(screen))
    parts = [report.metrics(), report.classes(rows), report.confusion(), report.calibration(), report.notes()]
    screen.console.print(report.title(), style="bold")
    for part in parts:
        if part:
            screen.console.print()
        for line in part:
            screen.console.print(line)
    screen.write()


def _has_colour(screen: Screen) -> bool:
    return screen.console.color_system is not None and not screen.console.no_color


class _Report:
    def __init__(self, result: Evaluation, width: int, *, plain: bool, colour: bool) -> None:
        self._result = result
        self._width = width
        self._plain = plain
        self._colour = colour
        self._names = {name: visible(name, _LONGEST_NAME) for name in result.classes}

    def title(self) -> str:
        """Return what it is about."""
        result = self._result
        facts = [result.task, counted(result.rows, "row"), counted(len(result.classes), "class", "classes")]
        return (" - " if self._plain else " · ").join(facts)

    # The metrics

    def metrics(self) -> list[Any]:
        """Return the metrics, as many beside one another as there is room for."""
        names = list(self._result.metrics)
        values = [_number(self._result.metrics[name]) for name in names]
        intervals = [] if self._result.intervals is None else [self._interval(name) for name in names]
        widths = [max(map(cell_len, cells)) for cells in (names, values, *([intervals] if intervals else []))]
        each = sum(widths) + 2 * (len(widths) - 1)
        beside = max(1, min(4, (self._width + _GAP) // (each + _GAP)))
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, _GAP, 0, 0))
        for _ in range(beside):
            table.add_column(no_wrap=True)
        height = -(-len(names) // beside)
        for row in range(height):
            cells = []
            for position in range(row, len(names), height):
                text = Text(names[position].ljust(widths[0]))
                text.append("  ").append(values[position].rjust(widths[1]), style="bold")
                if intervals:
                    text.append("  ").append(intervals[position], style="dim")
                cells.append(text)
            table.add_row(*cells)
        note = []
        if self._result.intervals is not None:
            replicates = counted(self._result.intervals.replicates, "bootstrap replicate")
            note = [Text(f"95 % intervals of {replicates}, seed {self._result.intervals.seed}", style="dim")]
        return [table, *note]

    def _interval(self, name: str, label: str | None = None) -> str:
        intervals = self._result.intervals
        assert intervals is not None
        found = intervals.metrics[name] if label is None else intervals.per_class[label][name]
        if found is None:
            return "-"
        return f"{_number(found[0])}{'..' if self._plain else '–'}{_number(found[1])}"  # noqa: RUF001  an en dash is meant

    # Each class

    def classes(self, rows: int | None) -> list[Any]:
        """Return the table of classes, those with the most rows first."""
        per_class = self._result.per_class
        order = sorted(self._result.classes, key=lambda name: -(per_class[name]["support"] or 0))
        shown = order if rows is None else order[:rows]
        if not shown:
            return []
        available = [name for name in _IMPORTANCE if name in per_class[shown[0]]]
        cells = {name: [_cell(name, per_class[label][name]) for label in shown] for name in available}
        if self._result.intervals is not None:
            cells["f1 95 %"] = [self._interval("f1", label) for label in shown]
            available.insert(2, "f1 95 %")
        name_width = min(max(map(cell_len, ["class", *(self._names[label] for label in shown)])), self._width // 3)
        name_width = max(name_width, min(_NARROWEST_NAME, self._width))
        room = self._width - name_width
        columns = []
        for name in available:
            needed = max(map(cell_len, [_SHORT.get(name, name), *cells[name]])) + _GAP
            if needed > room:
                break
            room -= needed
            columns.append(name)
        table = empty_table()
        table.add_column("class", no_wrap=True, overflow="ellipsis", max_width=name_width)
        for name in columns:
            table.add_column(_SHORT.get(name, name), justify="right", no_wrap=True)
        for row, label in enumerate(shown):
            table.add_row(Text(self._names[label]), *(Text(cells[name][row]) for name in columns))
        more = len(order) - len(shown)
        note = f"{'...' if self._plain else '…'} {counted(more, 'more class', 'more classes')} (--rows all shows them)"
        return [table, *([Text(note, style="dim")] if more else [])]

    # What is taken for what

    def confusion(self) -> list[Any]:
        """Return the confusion matrix, or the largest of its cells."""
        matrix = self._result.confusion_matrix
        if self._result.task == "multilabel" or matrix is None:
            return []
        return self._grid(matrix) or self._largest(matrix)

    def _grid(self, matrix: Any) -> list[Any]:
        """Return the matrix as a shaded grid; nothing if there is no room for it."""
        names = [self._names[name] for name in self._result.classes]
        digits = len(f"{matrix.max():,}")
        least = max(digits, 3) + 2
        label_width = min(max(map(cell_len, names)), 16)
        room = self._width - label_width - 2
        if room < least * len(names):
            return []
        cell = min(room // len(names), max(least, max(map(cell_len, names)) + 2, 8), 14)
        lines = [Text("true, by row; predicted, by column; shaded by the share of the true class", style="dim")]
        head = Text(" " * (label_width + 2))
        for name in names:
            head.append(_fitted(name, cell - 1).rjust(cell - 1 + len(_fitted(name, cell - 1)) - _cells(name, cell - 1)))
            head.append(" ")
        lines.append(Text(head.plain.rstrip(), style="bold"))
        totals = matrix.sum(axis=1)
        for name, row, total in zip(names, matrix.tolist(), totals.tolist(), strict=True):
            fitted = _fitted(name, label_width)
            line = Text(fitted + " " * (label_width - cell_len(fitted) + 2), style="")
            line.stylize("bold")
            for count in row:
                line.append_text(self._shaded(count, total, cell))
            lines.append(line)
        return lines

    def _shaded(self, count: int, total: int, width: int) -> Text:
        share = count / total if total else 0.0
        level = 0 if not count else min(len(_SHADES) - 1, 1 + int(share * (len(_SHADES) - 1)))
        text = f"{count:,}" if count else ("." if self._plain else "·")
        if self._colour:
            style = _SHADES[level] if count else "dim"
            return Text(text.rjust(width - 1) + " ", style=f"not bold {style}")
        mark = (_ASCII_MARKS if self._plain else _MARKS)[level if count else 0]
        return Text(text.rjust(width - 1) + mark, style="not bold")

    def _largest(self, matrix: Any) -> list[Any]:
        """Return the most frequent confusions."""
        wrong = matrix.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_CONFUSIONS]
        cells = [(int(code // len(wrong)), int(code % len(wrong))) for code in order if wrong.flat[code]]
        if not cells:
            return [Text("nothing is taken for anything else", style="dim")]
        name_width = max(_NARROWEST_NAME, (self._width - 30) // 2)
        table = empty_table()
        for header in ("true", "predicted"):
            table.add_column(header, no_wrap=True, overflow="ellipsis", max_width=name_width)
        table.add_column("rows", justify="right", no_wrap=True)
        table.add_column("of true", justify="right", no_wrap=True)
        names = [self._names[name] for name in self._result.classes]
        for true, predicted in cells:
            count = int(wrong[true, predicted])
            share = count / int(matrix[true].sum())
            table.add_row(Text(names[true]), Text(names[predicted]), f"{count:,}", f"{share:.1%}")
        return [Text("the most frequent confusions", style="dim"), table]

    # The calibration

    def calibration(self) -> list[Any]:
        """Return a bar for each bin: as long as its accuracy, with a mark where its mean confidence is."""
        bins = [each for each in self._result.calibration_bins if each.count]
        if not bins:
            return []
        counts = [f"{each.count:,}" for each in bins]
        ranges = [_range(each, plain=self._plain) for each in bins]
        count_width = max(map(len, ["rows", *counts]))
        range_width = max(map(cell_len, ["confidence", *ranges]))
        fixed = range_width + 2 + count_width + 2 + len("mean") + 2 + 2 + len("right") + 2
        bar = min(_WIDEST_BAR, self._width - fixed - 1)
        what = "cells" if self._result.task == "multilabel" else "rows"
        header = f"{'confidence'.ljust(range_width)}  {what.rjust(count_width)}    mean   right"
        lines = [Text(header, style="bold")]
        for each, count, limits in zip(bins, counts, ranges, strict=True):
            confidence, accuracy = each.confidence or 0.0, each.accuracy or 0.0
            numbers = f"{confidence:.4f}  {accuracy:.4f}"
            line = Text(limits.ljust(range_width) + "  " + count.rjust(count_width) + "  " + numbers)
            if bar >= _NARROWEST_BAR:
                line.append("  ").append_text(self._bar(confidence, accuracy, bar))
            lines.append(line)
        if bar >= _NARROWEST_BAR:
            full, mark = ("#", "|") if self._plain else ("━", "┃")
            said = f"{full * 2} share that is right  {mark} mean confidence, beyond the bar where it is too high"
            lines.append(Text(said if cell_len(said) <= self._width else said.partition(", ")[0], style="dim"))
        return lines

    def _bar(self, confidence: float, accuracy: float, width: int) -> Text:
        full, mark, between = ("#", "|", "-") if self._plain else ("━", "┃", "─")
        end = round(accuracy * (width - 1))
        at = round(confidence * (width - 1))
        text = Text()
        for position in range(max(end, at + 1)):
            if position == at:
                text.append(mark, style="bold yellow")
            elif position < end:
                text.append(full, style=_ACCENT)
            else:
                text.append(between, style="yellow")
        return text

    # What is undefined

    def notes(self) -> list[Any]:
        """Return how much is undefined."""
        metrics = sum(value is None for value in self._result.metrics.values())
        of_classes = sum(value is None for found in self._result.per_class.values() for value in found.values())
        parts = [counted(metrics, "metric")] if metrics else []
        parts += [counted(of_classes, "number of a class", "numbers of classes")] if of_classes else []
        if not parts:
            return []
        verb = "is" if metrics + of_classes == 1 else "are"
        return [Text(f"{' and '.join(parts)} {verb} undefined: -", style="dim")]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if value != 0 and abs(value) < 0.0001:
        return f"{value:.1e}"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.6g}"


def _cell(name: str, value: float | None) -> str:
    return f"{value:,}" if name in COUNTS else _number(value)


def _range(each: CalibrationBin, *, plain: bool) -> str:
    return f"{each.lower:.3f}{'-' if plain else '–'}{each.upper:.3f}"  # noqa: RUF001  an en dash is meant


def _fitted(name: str, width: int) -> str:
    text = Text(name)
    text.truncate(width, overflow="ellipsis")
    return text.plain


def _cells(name: str, width: int) -> int:
    return cell_len(_fitted(name, width))
