"""The quality of the decisions on rows whose truth is known, as the fits report it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

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

__all__ = ["decided", "quality", "set_quality"]

_CELLS = 1 << 18
"""About how many numbers are measured at once."""


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
    count, classes = rows.given.shape
    settings = MetricSettings(Task(scoring.task), classes, ranking=False)
    accumulator = MetricAccumulator(settings)
    step = max(1, _CELLS // classes)
    for start in range(0, count, step):
        block = rows.take(np.arange(start, min(start + step, count)))
        found = decided(scoring, block.given)
        probabilities = np.ascontiguousarray(found.probabilities)
        if isinstance(found, SigmoidPredictions):
            chosen = found.multihot.astype(np.bool_)
            logarithms = found.log_probabilities, found.log_complements
            bins = cell_bins(settings, probabilities)
            statistics = label_rows(settings, block.truth, chosen, probabilities, *logarithms, bins)
        else:
            statistics = exclusive_rows(settings, block.truth, found.index, probabilities, found.log_probabilities)
        accumulator.add(np.arange(start, start + len(block)), statistics, probabilities)
    return {name: float(values[0]) for name, values in accumulator.result()[0].items()}


def set_quality(members: Array, truth: Array) -> dict[str, float]:
    """Return the quality of prediction sets.

    Parameters
    ----------
    members
        Which classes are in the set of each row, shape (N, C), bool.
    truth
        Codes, shape (N,), or for multilabel where a label is true, shape (N, C), bool.

    Returns
    -------
    dict
        "mean_size" of the sets, the number of "empty" ones and of those with a "single" class. For codes the
        "coverage": the share of sets that hold the true class. For multilabel "missed_labels", the mean share of the
        labels of a row that its set misses, over the "rows_with_labels"; NaN without such rows.
    """
    sizes = np.count_nonzero(members, axis=1)
    found: dict[str, float] = {}
    if truth.ndim == 1:
        found["coverage"] = float(np.mean(members[np.arange(len(truth)), truth]))
    else:
        labels = np.count_nonzero(truth, axis=1)
        missed = np.count_nonzero(truth & ~members, axis=1)[labels > 0] / labels[labels > 0]
        found["missed_labels"] = float(np.mean(missed)) if len(missed) else math.nan
        found["rows_with_labels"] = float(len(missed))
    return found | {
        "mean_size": float(np.mean(sizes)),
        "empty": float(np.count_nonzero(sizes == 0)),
        "single": float(np.count_nonzero(sizes == 1)),
    }
