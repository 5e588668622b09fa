"""The rows of a table: what each chunk contributes, and the rows that are shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

import numpy as np

from actcli.errors import visible
from actcli.streaming.batch import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actcli.streaming.batch import Batch, Column

__all__ = ["EncodedRows", "TableEncoder", "TableRows", "Totals", "positions", "shown_name"]

_LONGEST_NAME = 200


def positions(columns: Sequence[Column]) -> dict[str, int]:
    """Return the position of each output column by its name; a carried column may have the same name."""
    return {column.name: number for number, column in enumerate(columns) if column.carried is None}


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals over rows.

    Parameters
    ----------
    rows
        The number of rows.
    labels
        The number of rows with each label.
    confidence
        The sum of the probabilities of the labels.
    empty
        The number of rows with an empty set of labels.
    """

    rows: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    confidence: float = 0.0
    empty: int = 0

    def merge(self, other: Totals) -> Totals:
        """Return the totals over the rows of both."""
        return Totals(
            self.rows + other.rows,
            self.labels + other.labels,
            self.confidence + other.confidence,
            self.empty + other.empty,
        )


class EncodedRows(NamedTuple):
    """What the table needs of a batch."""

    head: list[list[Any]]
    """The first rows, a value for each column."""
    numbers: list[int]
    """The numbers of these rows in their chunk."""
    totals: Totals


@dataclass(frozen=True, slots=True)
class TableEncoder:
    """Encodes batches for `actcli.reports.table.TableSink`.

    Parameters
    ----------
    columns
        The columns of the table.
    most
        The number of rows to show; None for all.
    """

    columns: Sequence[Column]
    most: int | None

    def encode(self, batch: Batch) -> EncodedRows:
        """Return the first rows of `batch`, and its totals."""
        count = len(batch.scores)
        shown = count if self.most is None else min(count, self.most)
        columns = [_values(column, batch, shown) for column in self.columns]
        head = [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(shown)]
        return EncodedRows(head, batch.row_numbers()[:shown].tolist(), self._totals(batch, count))

    @property
    def label_column(self) -> Column | None:
        """The column that holds the decision, if there is one."""
        found = positions(self.columns)
        return next((self.columns[found[name]] for name in ("label", "labels", "top_k") if name in found), None)

    def _totals(self, batch: Batch, count: int) -> Totals:
        labels: Counter[str] = Counter()
        confidence, empty = 0.0, 0
        column = self.label_column
        if column is not None:
            data = batch.data(column)
            codes = data if column.kind is Kind.CODE else data.codes
            if column.kind is Kind.RANKING:
                codes = codes[:, 0]
                confidence = float(data.probabilities[:, 0].sum(dtype=np.float64))
            if column.kind is Kind.SET:
                empty = int(count - np.count_nonzero(np.diff(data.offsets)))
            names = column.labels
            counts = np.bincount(np.where(codes < 0, len(names) - 1, codes), minlength=len(names))
            labels.update({names[code]: int(counts[code]) for code in np.flatnonzero(counts)})
        if "probability" in batch.values:
            confidence = float(batch.values["probability"].sum(dtype=np.float64))
        return Totals(count, labels, confidence, empty)


def _values(column: Column, batch: Batch, count: int) -> list[Any]:
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
        case Kind.NUMBER | Kind.MATRIX:
            return list(data[:count])
        case Kind.CODE:
            return [column.labels[code] for code in data[:count]]
        case Kind.SET:
            return [data.codes[data.offsets[row] : data.offsets[row + 1]].tolist() for row in range(count)]
        case Kind.RANKING:
            return [
                [(code, probability) for code, probability in zip(*ranks, strict=True) if code >= 0]
                for ranks in zip(data.codes[:count], data.probabilities[:count], strict=True)
            ]
        case unknown:
            assert_never(unknown)


class TableRows(NamedTuple):
    """The rows that a table shows."""

    columns: Sequence[Column]
    head: list[list[Any]]
    """A value for each column."""
    numbers: list[int]
    """The number of each row in the input."""
    precision: int | None
    """The significant digits of a probability; None for four decimals."""
    label_column: Column | None
    positions: Mapping[str, int]

    def column(self, name: str) -> Column:
        """Return the output column of this name."""
        return self.columns[self.positions[name]]

    def values(self, name: str) -> list[Any]:
        """Return the values of the output column of this name, one for each row."""
        position = self.positions[name]
        return [row[position] for row in self.head]


def shown_name(text: str) -> str:
    """Return a name or an identifier with its control characters escaped, and no longer than a table needs."""
    return visible(text, _LONGEST_NAME)
