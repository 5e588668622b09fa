"""The most frequent confusions of a confusion matrix too large to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.text import Text

from actcli.reports.numbers import percent
from actcli.reports.screen import empty_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

__all__ = ["Confusion", "confusions_table", "most_frequent"]


class Confusion(NamedTuple):
    """How often one class is predicted for another."""

    truth: int
    """The index of the true class."""
    predicted: int
    """The index of the predicted class."""
    rows: int
    share: float
    """Of the rows of the true class."""


def most_frequent(counts: np.ndarray[Any, Any], most: int) -> list[Confusion]:
    """Return at most `most` confusions of a matrix, the most frequent first.

    Parameters
    ----------
    counts
        Shape (C, C): a row for each true class, a column for each predicted class.
    most
        The number of confusions.
    """
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    totals = counts.sum(axis=1)
    cells = [divmod(cell, len(wrong)) for cell in np.argsort(-wrong, axis=None, kind="stable")[:most].tolist()]
    return [
        Confusion(truth, predicted, int(wrong[truth, predicted]), float(wrong[truth, predicted] / totals[truth]))
        for truth, predicted in cells
        if wrong[truth, predicted]
    ]


def confusions_table(confusions: Sequence[Confusion], names: Sequence[str], *, name_width: int | None = None) -> Table:
    """Return a table for a terminal.

    Parameters
    ----------
    confusions
        A line each.
    names
        Of the classes, as they are shown.
    name_width
        The widest that a column of names may be.
    """
    table = empty_table()
    for header in ("truth", "predicted"):
        table.add_column(header, no_wrap=True, overflow="ellipsis", max_width=name_width)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("share of truth", justify="right", no_wrap=True)
    for each in confusions:
        table.add_row(Text(names[each.truth]), Text(names[each.predicted]), f"{each.rows:,}", percent(each.share))
    return table
