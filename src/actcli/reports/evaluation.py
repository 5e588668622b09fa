"""The report of an evaluation: the metrics, the classes, the confusion matrix and the calibration.

Each part fits the width: fewer metrics share a line, columns and bars are left out, and a confusion matrix that does
not fit is replaced by its largest cells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from actcli.errors import visible
from actcli.metrics.confusion import most_frequent_confusions
from actcli.metrics.definitions import COUNTS
from actcli.reports.charts import Bars, Matrix
from actcli.reports.evaluation_charts import reliability_chart
from actcli.reports.numbers import counted, number, size
from actcli.reports.screen import GAP, Screen, empty_table
from actcli.reports.terminal_bars import bars
from actcli.reports.terminal_matrix import confusions_table, matrix_lines
from actcli.reports.widths import widest
from actcli.tasks import Task

if TYPE_CHECKING:
    from actcli.evaluation.result import Evaluation
    from actcli.streaming.output import Output

__all__ = ["draw"]

_WIDEST = 120
"""The widest report, also in a file, which has no width."""

_LONGEST_NAME = 40
_NARROWEST_NAME = 8
_MOST_BESIDE = 4
_MOST_CONFUSIONS = 10
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
"""The columns of the table of classes. The last ones are left out where the width is short."""


def draw(result: Evaluation, output: Output, *, rows: int | None) -> None:
    """Draw a report.

    Parameters
    ----------
    result
        The evaluation.
    output
        Where the report is written to.
    rows
        The number of classes to list; None for all.
    """
    screen = Screen(output)
    report = _Report(result, screen)
    parts = [report.metrics(), report.classes(rows), report.confusion(), report.calibration(), report.notes()]
    screen.console.print(report.title(), style="bold")
    for part in parts:
        if part:
            screen.console.print()
        for line in part:
            screen.console.print(line)
    screen.write()


class _Report:
    """The parts of a report, each a list of Rich renderables."""

    def __init__(self, result: Evaluation, screen: Screen) -> None:
        self._result = result
        self._screen = screen
        self._plain = screen.ascii
        self._width = min(screen.console.width, _WIDEST)
        self._names = [visible(name, _LONGEST_NAME) for name in result.classes]

    def title(self) -> str:
        """Return the task and the size of the input."""
        separator = " - " if self._plain else " · "
        return f"{self._result.task}{separator}{size(self._result.rows, len(self._names), separator)}"

    def metrics(self) -> list[Any]:
        """Return the metrics, up to four side by side."""
        names = list(self._result.metrics)
        values = [number(self._result.metrics[name]) for name in names]
        intervals = [] if self._result.intervals is None else [self._interval(name) for name in names]
        widths = [widest(cells) for cells in (names, values, *([intervals] if intervals else []))]
        each = sum(widths) + 2 * (len(widths) - 1)
        beside = max(1, min(_MOST_BESIDE, (self._width + GAP) // (each + GAP)))
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, GAP, 0, 0))
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
            return number(None)
        return f"{number(found[0])}{'..' if self._plain else '–'}{number(found[1])}"  # noqa: RUF001  an en dash is meant

    def classes(self, rows: int | None) -> list[Any]:
        """Return the table of the first `rows` classes by support, or of all classes."""
        per_class = self._result.per_class
        order = sorted(self._result.classes, key=lambda name: -(per_class[name]["support"] or 0))
        shown = order if rows is None else order[:rows]
        if not shown:
            return []
        names = [visible(label, _LONGEST_NAME) for label in shown]
        cells = {
            name: [
                f"{per_class[label][name]:,}" if name in COUNTS else number(per_class[label][name]) for label in shown
            ]
            for name in _IMPORTANCE
            if name in per_class[shown[0]]
        }
        available = list(cells)
        if self._result.intervals is not None:
            cells["f1 95 %"] = [self._interval("f1", label) for label in shown]
            available.insert(2, "f1 95 %")
        name_width = min(widest(["class", *names]), self._width // 3)
        name_width = max(name_width, min(_NARROWEST_NAME, self._width))
        columns = []
        room = self._width - name_width
        for name in available:
            room -= widest([_SHORT.get(name, name), *cells[name]]) + GAP
            if room < 0:
                break
            columns.append(name)
        table = empty_table()
        table.add_column("class", no_wrap=True, overflow="ellipsis", max_width=name_width)
        for name in columns:
            table.add_column(_SHORT.get(name, name), justify="right", no_wrap=True)
        for row, label in enumerate(names):
            table.add_row(Text(label), *(Text(cells[name][row]) for name in columns))
        more = len(order) - len(shown)
        note = f"{'...' if self._plain else '…'} {counted(more, 'more class', 'more classes')} (--rows all shows them)"
        return [table, *([Text(note, style="dim")] if more else [])]

    def confusion(self) -> list[Any]:
        """Return the confusion matrix, or its most frequent confusions if it does not fit."""
        counts = self._result.confusion_matrix
        if self._result.task == Task.MULTILABEL or counts is None:
            return []
        content = Matrix(self._result.classes, counts)
        lines = matrix_lines(self._screen, content, self._names, self._width)
        if lines:
            return lines
        confusions = most_frequent_confusions(content.counts, _MOST_CONFUSIONS)
        if not confusions:
            return [Text("no class is confused with another", style="dim")]
        name_width = max(_NARROWEST_NAME, (self._width - 30) // 2)
        table = confusions_table(confusions, self._names, name_width)
        return [Text("the most frequent confusions", style="dim"), table]

    def calibration(self) -> list[Any]:
        """Return the reliability chart."""
        if not self._result.calibration_bins:
            return []
        content = reliability_chart(self._result).content
        assert isinstance(content, Bars)
        return bars(self._screen, content, self._width) if content.counts.any() else []

    def notes(self) -> list[Any]:
        """Return how many numbers are undefined."""
        metrics = sum(value is None for value in self._result.metrics.values())
        of_classes = sum(value is None for found in self._result.per_class.values() for value in found.values())
        parts = [counted(metrics, "metric")] if metrics else []
        parts += [counted(of_classes, "per-class value")] if of_classes else []
        if not parts:
            return []
        verb = "is" if metrics + of_classes == 1 else "are"
        return [Text(f'{" and ".join(parts)} {verb} undefined and shown as "-"', style="dim")]
