"""The rows of a table: what each chunk contributes, and the rows that are shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

import numpy as np

from actcli.errors import visible
from actcli.streaming.batch import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.streaming.batch import Batch, Column

__all__ = ["EncodedRows", "TableEncoder", "TableRows", "Totals", "label_column", "shown_name"]

_LONGEST_NAME = 200


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
        count = len(batch)
        shown = count if self.most is None else min(count, self.most)
        columns = [_values(column, batch, shown) for column in self.columns]
        head = [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(shown)]
        return EncodedRows(head, batch.row_numbers()[:shown].tolist(), self._totals(batch, count))

    def _totals(self, batch: Batch, count: int) -> Totals:
        labels: Counter[str] = Counter()
        confidence, empty = 0.0, 0
        column = label_column(self.columns)
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


@dataclass(slots=True)
class TableRows:
    """The rows that a table shows.

    Parameters
    ----------
    columns
        Of the table.
    precision
        The significant digits of a probability; None for four decimals.
    head
        The rows, a value for each column.
    numbers
        The number of each row in the input.
    """

    columns: Sequence[Column]
    precision: int | None
    head: list[list[Any]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def has(self, name: str) -> bool:
        """Return whether there is an output column of this name."""
        return _position(self.columns, name) is not None

    def column(self, name: str) -> Column:
        """Return the output column of this name."""
        position = _position(self.columns, name)
        assert position is not None
        return self.columns[position]

    def values(self, name: str) -> list[Any]:
        """Return the values of the output column of this name, one for each row."""
        position = _position(self.columns, name)
        assert position is not None
        return [row[position] for row in self.head]


def label_column(columns: Sequence[Column]) -> Column | None:
    """Return the column that holds the decision, if there is one."""
    found = (_position(columns, name) for name in ("label", "labels", "top_k"))
    return next((columns[position] for position in found if position is not None), None)


def _position(columns: Sequence[Column], name: str) -> int | None:
    """Return the position of an output column; a carried column may have the same name."""
    return next(
        (number for number, column in enumerate(columns) if column.name == name and column.carried is None), None
    )


def shown_name(text: str) -> str:
    """Return a name or an identifier with its control characters escaped, and no longer than a table needs."""
    return visible(text, _LONGEST_NAME)
