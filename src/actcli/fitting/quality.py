"""The quality of the decisions on rows whose truth is known, as the fits report it."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.activations import in_block_order
from actcli.metrics.accumulator import MetricAccumulator
from actcli.metrics.row_statistics import cell_bins, exclusive_rows, label_rows
from actcli.metrics.settings import MetricSettings
from actcli.prediction.predictions import SigmoidPredictions, SoftmaxPredictions, predictions
from actcli.prediction.rules import Rules
from actcli.tasks import Task

if TYPE_CHECKING:
    from typing import TypeAlias

    from actcli.fitting.labeled_rows import LabeledRows
    from actcli.prediction.scoring import Scoring

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["SetSums", "decided", "quality", "set_sums"]


def decided(scoring: Scoring, given: Array, thresholds: Array | None = None) -> SoftmaxPredictions | SigmoidPredictions:
    """Return the predictions for rows.

    Parameters
    ----------
    scoring
        How given numbers become scores.
    given
        The rows, shape (N, C), float64.
    thresholds
        The threshold of each class, shape (C,); None is 0.5.
    """
    limits = np.full(given.shape[1], 0.5) if thresholds is None else thresholds
    return predictions(in_block_order(given), scoring, Rules(), limits)


def quality(scoring: Scoring, rows: LabeledRows) -> dict[str, float]:
    """Return the metrics of an evaluation by name, without those that rank all rows; undefined ones are NaN.

    Parameters
    ----------
    scoring
        How given numbers become scores. The thresholds are 0.5.
    rows
        The rows and their true labels.
    """
    settings = MetricSettings(Task(scoring.task), rows.classes, ranking=False, weighted=rows.weights is not None)
    accumulator = MetricAccumulator(settings)
    start = 0
    for statistics, probabilities in rows.weighted_blocks(partial(_statistics, settings, scoring)):
        accumulator.add(np.arange(start, start + len(probabilities)), statistics, probabilities)
        start += len(probabilities)
    return {name: float(values[0]) for name, values in accumulator.result()[0].items()}


def _statistics(
    settings: MetricSettings, scoring: Scoring, given: Array, truth: Array, weights: Array | None
) -> tuple[dict[str, Array], Array]:
    """Return the statistics of a block of rows, and its probabilities."""
    found = decided(scoring, given)
    probabilities = np.ascontiguousarray(found.probabilities)
    if isinstance(found, SoftmaxPredictions):
        known = (truth, found.index, probabilities, found.log_probabilities)
        return exclusive_rows(settings, *known, weights=weights), probabilities
    chosen = found.multihot.astype(np.bool_)
    logarithms = found.log_probabilities, found.log_complements
    bins = cell_bins(settings, probabilities)
    return label_rows(settings, truth, chosen, probabilities, *logarithms, bins, weights), probabilities


class SetSums(NamedTuple):
    """Sums over rows that have prediction sets.

    Parameters
    ----------
    rows
        The number of rows.
    labeled
        The number of rows with a true label.
    missed
        The sum of the shares of the true labels of a row that its set misses.
    size
        The sum of the sizes of the sets.
    empty, single
        The number of sets without a class, and with a single one.
    """

    rows: int
    labeled: int
    missed: float
    size: int
    empty: int
    single: int

    def plus(self, other: SetSums) -> SetSums:
        """Return the sums over the rows of both."""
        return SetSums(*(one + more for one, more in zip(self, other, strict=True)))  # type: ignore[arg-type]

    def quality(self, *, multilabel: bool) -> dict[str, float]:
        """Return the quality of the sets.

        Returns
        -------
        dict
            "mean_size" of the sets, the number of "empty" ones and of those with a "single" class. For exclusive
            classes the "coverage": the share of sets that hold the true class. For multilabel "missed_labels", the mean
            share of the labels of a row that its set misses, over the "rows_with_labels"; NaN without such rows.
        """
        found: dict[str, float] = {}
        if multilabel:
            found["missed_labels"] = self.missed / self.labeled if self.labeled else math.nan
            found["rows_with_labels"] = float(self.labeled)
        else:
            found["coverage"] = (self.rows - self.missed) / self.rows
        return found | {"mean_size": self.size / self.rows, "empty": float(self.empty), "single": float(self.single)}


def set_sums(members: Array, truth: Array) -> SetSums:
    """Return the sums over a block of rows.

    Parameters
    ----------
    members
        Which classes are in the set of each row, shape (N, C), bool.
    truth
        Codes, shape (N,), or for multilabel where a label is true, shape (N, C), bool.
    """
    sizes = np.count_nonzero(members, axis=1)
    if truth.ndim == 1:
        labeled, missed = len(truth), float(np.count_nonzero(~members[np.arange(len(truth)), truth]))
    else:
        labels = np.count_nonzero(truth, axis=1)
        shares = np.count_nonzero(truth & ~members, axis=1)[labels > 0] / labels[labels > 0]
        labeled, missed = len(shares), float(shares.sum())
    empty, single = (int(np.count_nonzero(sizes == size)) for size in (0, 1))
    return SetSums(len(members), labeled, missed, int(sizes.sum()), empty, single)
