"""Tables in long form: a line for each class of each row, instead of a column for each class."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.prediction.output_columns import carried_columns, with_names_apart
from actcli.streaming.batch import Batch, Column, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actcli.streaming.batch import Layout

__all__ = ["long_columns", "long_layout", "unfolded"]


def long_columns(layout: Layout, columns: Sequence[Column]) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Return `columns` after the columns that identify row and class, and notes on renamed columns.

    The carried columns identify the row; without carried columns, its number does.
    """
    lines = len(layout.classes)
    row = carried_columns(layout.carried) or [Column("row", Kind.ROW, ("row",), dtype="int64")]
    of_class = Column("class", Kind.CODE, ("class",), layout.classes)
    found, notes = with_names_apart([*row, of_class, *columns])
    return tuple(replace(column, lines=lines) for column in found), notes


def long_layout(layout: Layout) -> Layout:
    """Return the layout of a table of `layout` in long form."""
    return replace(layout, rows=None if layout.rows is None else layout.rows * len(layout.classes))


def unfolded(batch: Batch, classes: int, values: Mapping[str, Any]) -> Batch:
    """Return a batch with a line for each class of each row of `batch`, and these `values`.

    Parameters
    ----------
    batch
        N rows.
    classes
        C, the lines of a row.
    values
        By `Column.name`, for N * C lines; "class" is added.
    """
    rows = len(batch)
    carried = {}
    if batch.carried:
        from actcli.formats.text import repeated

        carried = {name: repeated(data, classes) for name, data in batch.carried.items()}
    return batch.without_scores(
        length=rows * classes,
        carried=carried,
        rows=np.repeat(batch.row_numbers(), classes),
        values={"class": np.tile(np.arange(classes), rows), **values},
        lines=classes,
    )
