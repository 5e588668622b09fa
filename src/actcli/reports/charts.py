"""Charts as data, which a terminal, a figure, the HTML page and JSON all show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from actcli.tasks import ChartKind

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Axis", "Bars", "Chart", "Curve", "Curves", "Matrix"]

_MOST_TICKS = 8


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis: its label, with the unit, and its range."""

    label: str
    low: float
    high: float

    def ticks(self) -> list[float]:
        """Return four to eight round numbers of the range, evenly spaced."""
        span = self.high - self.low
        step = 10.0 ** np.floor(np.log10(span / 4))
        for factor in (1, 2, 2.5, 5, 10):
            if span / (step * factor) <= _MOST_TICKS:
                step *= factor
                break
        first = np.ceil(self.low / step - 1e-9)
        return [float(number * step) + 0.0 for number in np.arange(first, np.floor(self.high / step + 1e-9) + 1)]

    def position(self, values: Any) -> Any:
        """Return where values lie on the axis: 0 is its low end, 1 its high end."""
        return (values - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through points.

    Parameters
    ----------
    name
        In the legend.
    x, y
        The points, each of shape (P,); NaN interrupts the line.
    reference
        Whether it is no result but a line to compare with.
    """

    name: str
    x: Array
    y: Array
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Curves:
    """Lines on two axes."""

    x: Axis
    y: Axis
    curves: Sequence[Curve]


@dataclass(frozen=True, slots=True)
class Bars:
    """A histogram: a bar for each of B bins.

    Parameters
    ----------
    x, y
        The axis of the bins, and the axis of the heights.
    edges
        Of the bins, shape (B + 1,).
    counts
        The number of rows or cells in each bin, or the sum of their weights, shape (B,).
    series
        The heights of the stacked parts of the bars, by name, each of shape (B,); NaN in an empty bin.
    marks
        The name and the heights, shape (B,), of a mark to compare each bar with; None for no marks.
    unit
        What is counted: "rows", "cells" or "weight".
    """

    x: Axis
    y: Axis
    edges: Array
    counts: Array
    series: Mapping[str, Array]
    marks: tuple[str, Array] | None = None
    unit: str = "rows"


@dataclass(frozen=True, slots=True)
class Matrix:
    """A confusion matrix: a row for each true class, a column for each decision: a predicted class, or another one.

    It counts rows, or adds up their weights.
    """

    classes: Sequence[str]
    decisions: Sequence[str]
    counts: Array

    def shares(self) -> Array:
        """Return each cell as a share of the rows of its true class; 0 for a class without rows."""
        of_truth = self.counts.sum(axis=1, keepdims=True)
        return np.asarray(self.counts / np.where(of_truth > 0, of_truth, 1))


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart.

    Parameters
    ----------
    kind
        Its name on the command line.
    title
        What it shows.
    caption
        The number of rows and classes, and the main results.
    content
        What is drawn.
    numbers
        All of it, for JSON.
    """

    kind: ChartKind
    title: str
    caption: str
    content: Curves | Bars | Matrix
    numbers: Mapping[str, Any]
