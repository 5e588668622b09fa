"""Blocks of delimited text with many columns.

Arrow's parser takes some microseconds and kilobytes for each column of a block, however few rows the block has. So the
cells of a block with many columns are given to it as a single column: what ends a cell becomes the end of a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv

from actcli.formats.blocks import BYTE_ORDER_MARK
from actcli.formats.delimited_records import outside_quotes
from actcli.streaming.arrow_calls import take

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ColumnChoice", "WideBlock"]

_LINE_END = ord("\n")


class ColumnChoice(NamedTuple):
    """Some columns of a table, by position.

    Parameters
    ----------
    runs
        The first and the last position of each group of consecutive columns, in the order of the file.
    order
        The place of each column among those of all groups; None if the columns are in the order of the file.
    width
        The number of columns.
    """

    runs: tuple[tuple[int, int], ...]
    order: np.ndarray[Any, np.dtype[np.int64]] | None
    width: int

    @classmethod
    def at(cls, positions: Sequence[int]) -> ColumnChoice:
        """Return the choice of the columns at these different positions, in this order."""
        chosen = np.array(positions, dtype=np.int64)
        by_position = np.argsort(chosen)
        ascending = chosen[by_position]
        begins = np.flatnonzero(np.diff(ascending, prepend=-2) != 1)
        firsts, lasts = ascending[begins], ascending[np.append(begins[1:], len(chosen))[: len(begins)] - 1]
        in_order = bool((chosen[1:] > chosen[:-1]).all())
        runs = tuple(zip(firsts.tolist(), lasts.tolist(), strict=True))
        return cls(runs, None if in_order else np.argsort(by_position), len(chosen))


class WideBlock:
    """A block of records whose cells Arrow reads as a single column.

    Parameters
    ----------
    data
        Whole records.
    delimiter
        The character between cells, exactly one between two cells.
    width
        The number of cells of a record.

    Attributes
    ----------
    rows
        The number of records.

    Raises
    ------
    pyarrow.ArrowInvalid
        If a line is blank or has another number of cells.
    """

    def __init__(self, data: bytes, delimiter: str, width: int) -> None:
        self._delimiter = delimiter
        self._quotes = b'"' in data
        cells = np.frombuffer(bytearray(data if data.endswith((b"\n", b"\r")) else data + b"\n"), dtype=np.uint8)
        line_ends = cells == _LINE_END
        if b"\r" in data:
            line_ends |= (cells == ord("\r")) & ~np.append(line_ends[1:], False)
        ends = np.flatnonzero(line_ends | (cells == ord(delimiter)))
        if self._quotes:
            ends = ends[outside_quotes(data, delimiter.encode(), ends)]
        last = line_ends[ends]
        rows = len(ends) // width
        if not rows or len(ends) % width or not last[width - 1 :: width].all() or np.count_nonzero(last) != rows:
            raise pa.ArrowInvalid("a line has another number of cells")
        cells[ends] = _LINE_END
        self._cells = cells
        self._ends = ends.reshape(-1, width)
        self.rows = rows

    def numbers(self, choice: ColumnChoice) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the cells of at least one column as numbers, shape (N, C).

        Raises
        ------
        pyarrow.ArrowInvalid
            If a cell is not a number.
        """
        values = self._parse(choice, pa.float64())
        return self._in_order(np.frombuffer(values.buffers()[1], np.float64, len(values)), choice)

    def texts(self, choice: ColumnChoice) -> list[Any]:
        """Return the cells of at least one column as texts, an Arrow array for each column.

        Raises
        ------
        pyarrow.ArrowInvalid
            If a cell is not UTF-8.
        """
        texts = self._parse(choice, pa.string())
        if choice.width == 1:
            return [texts]
        by_columns = take(texts, self._in_order(np.arange(len(texts)), choice).T.reshape(-1))
        return [by_columns.slice(first, self.rows) for first in range(0, len(texts), self.rows)]

    def texts_at(self, choice: ColumnChoice, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> Any:
        """Return some cells of columns as an Arrow array of texts; `chosen` says which cells, shape (N, C)."""
        texts = self._parse(choice, pa.string())
        return take(texts, self._in_order(np.arange(len(texts)), choice)[chosen])

    def _in_order(self, flat: np.ndarray[Any, Any], choice: ColumnChoice) -> np.ndarray[Any, Any]:
        """Return what belongs to each cell of columns, in the order of the file, as shape (N, C)."""
        table = flat.reshape(self.rows, choice.width)
        return table if choice.order is None else table[:, choice.order]

    def _parse(self, choice: ColumnChoice, type: Any) -> Any:
        """Return the cells of columns, in the order of the file, as an Arrow array of this type."""
        data = self._lines(choice)
        if bytes(data[: len(BYTE_ORDER_MARK)]) == BYTE_ORDER_MARK:
            raise pa.ArrowInvalid("Arrow drops a byte order mark at the start")
        column = pa.csv.read_csv(
            pa.BufferReader(data),
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=["0"]),
            parse_options=pa.csv.ParseOptions(
                delimiter=self._delimiter, newlines_in_values=self._quotes, ignore_empty_lines=False
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types={"0": type}, null_values=[], strings_can_be_null=False, include_columns=["0"]
            ),
        ).column(0)
        if len(column) != self.rows * choice.width:
            raise pa.ArrowInvalid("a quote that is not closed")
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()

    def _lines(self, choice: ColumnChoice) -> Any:
        """Return the cells of columns, in the order of the file, each with a line end after it, as bytes."""
        if choice.width == self._ends.shape[1]:
            return self._cells.data
        data = self._cells.tobytes()
        before = np.append(-1, self._ends[:-1, -1])
        begins = [self._ends[:, first - 1] if first else before for first, _ in choice.runs]
        stops = [self._ends[:, last] for _, last in choice.runs]
        bounds = ((np.stack(side, axis=1).reshape(-1) + 1).tolist() for side in (begins, stops))
        return b"".join([data[begin:stop] for begin, stop in zip(*bounds, strict=True)])
