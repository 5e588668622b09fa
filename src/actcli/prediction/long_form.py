"""Tables in long form: a line for each class of each row, instead of a column."""

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
    """Return `columns` behind those that say which row and class a line is of, and notes on what had to be renamed.

    The row is said by the carried columns; where there are none, by its number.
    """
    lines = len(layout.classes)
    whose = carried_columns(layout.carried) or [Column("row", Kind.ROW, ("row",), dtype="int64")]
    of_class = Column("class", Kind.CODE, ("class",), layout.classes)
    found, notes = with_names_apart([*whose, of_class, *columns])
    return tuple(replace(column, lines=lines) for column in found), notes


def long_layout(layout: Layout) -> Layout:
    """Return the layout of a table of `layout` in long form."""
    return replace(layout, rows=None if layout.rows is None else layout.rows * len(layout.classes))


def unfolded(batch: Batch, classes: int, values: Mapping[str, Any]) -> Batch:
    """Return a batch of a line for each class of each row of `batch`, with these `values`.

    Parameters
    ----------
    batch
        N rows.
    classes
        C, how many lines each becomes.
    values
        By `Column.name`, for N * C lines, besides "class".
    """
    rows = len(batch)
    carried = {}
    if batch.carried:
        from actcli.formats.text import repeated

        carried = {name: repeated(data, classes) for name, data in batch.carried.items()}
    codes = np.tile(np.arange(classes), rows)
    return batch.without_scores(
        length=rows * classes,
        carried=carried,
        rows=np.repeat(batch.row_numbers(), classes),
        values={"class": codes, **values},
        lines=classes,
    )
