"""The table that a terminal shows: the first rows with their decisions, and a summary of all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actcli.errors import visible
from actcli.reports.column_table import column_table
from actcli.reports.decision_table import decision_table
from actcli.reports.numbers import counted
from actcli.reports.screen import Screen
from actcli.reports.table_rows import TableEncoder, TableRows, Totals, label_column
from actcli.reports.widths import joined
from actcli.streaming.batch import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.reports.table_rows import EncodedRows
    from actcli.streaming.batch import Column, Layout
    from actcli.streaming.output import Output

__all__ = ["TableSink"]

_LABELS_IN_SUMMARY = 12
_LONGEST_LABEL = 40
_MOST_LINES = 1000
"""The most lines that are shown unless all rows are asked for: a row may have a line for each class."""


class TableSink:
    """Collects the first rows and the totals, and draws the table at the end.

    Parameters
    ----------
    output
        Where the table is written to.
    columns
        What was computed for each row.
    chosen
        Whether the user chose the columns. Otherwise, the table shows the decision and its runners-up.
    rows
        The number of rows of the input to show; None for all.
    precision
        The significant digits of a probability; None for four decimals.
    """

    encoder: TableEncoder

    def __init__(
        self, output: Output, columns: Sequence[Column], *, chosen: bool, rows: int | None, precision: int | None
    ) -> None:
        self._output = output
        self._shown = TableRows(columns, precision)
        self._chosen = chosen
        self._lines_of_row = max((column.lines for column in columns), default=1)
        self._most = None if rows is None else min(rows * self._lines_of_row, max(rows, _MOST_LINES))
        self._totals = Totals()

    def open(self, layout: Layout) -> int:  # noqa: ARG002  the columns say all that a table needs
        """Settle what is kept of each batch. The table needs no memory for a row that it does not show."""
        self.encoder = TableEncoder(self._shown.columns, self._most)
        return 0

    def accept(self, encoded: EncodedRows, start: int) -> None:
        """Keep the rows to show, and add up the totals."""
        wanted = None if self._most is None else max(0, self._most - len(self._shown.head))
        self._shown.head.extend(encoded.head[:wanted])
        self._shown.numbers.extend(start + number for number in encoded.numbers[:wanted])
        self._totals = self._totals.merge(encoded.totals)

    def finish(self) -> None:
        """Draw the table."""
        screen = Screen(self._output)
        draw = column_table if self._chosen else decision_table
        table, left_out = draw(self._shown, screen)
        if self._shown.head and table.columns:
            screen.console.print(table)
        for line in self._summary(screen, left_out):
            screen.console.print(line, style="dim")
        screen.write()

    def _summary(self, screen: Screen, left_out: int) -> list[str]:
        """Return the lines below the table; `left_out` is the number of columns that the table does not show."""
        separator, ellipsis = (" - ", "...") if screen.ascii else (" · ", "…")
        width = screen.console.width
        totals = self._totals
        rows = totals.rows // self._lines_of_row
        shown = -(-len(self._shown.head) // self._lines_of_row)
        more, cut = rows - shown, shown * self._lines_of_row - len(self._shown.head)
        lines = []
        if left_out:
            lines.append(f"{ellipsis} {counted(left_out, 'more column')}")
        if cut:
            lines.append(f"{ellipsis} {counted(cut, 'more line')} of this row (--rows all shows them)")
        if more > 0 and self._shown.head:
            lines.append(f"{ellipsis} {counted(more, 'more row')} (--rows all shows them)")
        facts = [counted(rows, "row")]
        if rows and (self._shown.has("probability") or self._shown.has("top_k")):
            facts.append(f"mean confidence {totals.confidence / totals.rows:.4f}")
        label = label_column(self._shown.columns)
        if rows and label is not None and label.kind is Kind.SET:
            facts.append(f"{totals.labels.total() / totals.rows:.2f} labels a row")
            facts.append(f"{totals.empty:,} without any")
        lines.extend(joined(facts, separator, width))
        common = totals.labels.most_common(_LABELS_IN_SUMMARY)
        counts = [f"{visible(name, _LONGEST_LABEL)}: {count:,}" for name, count in common]
        if len(totals.labels) > len(common):
            counts.append(f"and {len(totals.labels) - len(common)} more")
        return [*lines, *joined(counts, separator, width)]
