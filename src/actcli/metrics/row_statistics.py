"""Statistics of single rows, from which all metrics are computed. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.activations import row_sums
from actcli.metrics.ranking import label_ranking
from actcli.metrics.ratios import or_zero, ratio
from actcli.tasks import Task

if TYPE_CHECKING:
    from typing import TypeAlias

    from actcli.metrics.settings import MetricSettings

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["CellBins", "bin_codes", "bin_edges", "cell_bins", "equal_masses", "exclusive_rows", "label_rows"]


def bin_edges(bins: int) -> Array:
    """Return the edges of equally wide bins of [0, 1], shape (bins + 1,), float64."""
    return np.arange(bins + 1) / bins


def bin_codes(values: Array, edges: Array) -> Array:
    """Return the index of the bin (lower, upper] of each value; 0 is in the first bin."""
    return np.asarray(np.searchsorted(edges[1:-1], values, side="left"))


def equal_masses(values: Array, bins: int) -> Array:
    """Return the edges of bins that hold equally many of the values, as far as ties allow."""
    ordered = np.sort(values)
    ends = np.cumsum([len(part) for part in np.array_split(ordered, bins)])[:-1]
    inner = ordered[ends[ends > 0] - 1] if len(ordered) else np.zeros(0)
    return np.concatenate([[0.0], np.unique(inner[inner < 1]), [1.0]])


def exclusive_rows(
    settings: MetricSettings,
    truth: Array,
    predicted: Array,
    probabilities: Array | None,
    log_probabilities: Array | None,
    best: Array | None = None,
) -> dict[str, Array]:
    """Return the statistics of rows of exclusive classes, by name, each of shape (N,).

    Parameters
    ----------
    settings
        What to measure.
    truth, predicted
        Codes, shape (N,), int64; -1 is a withheld label.
    probabilities, log_probabilities
        Shape (N, C), float64; None if there are only labels.
    best
        The codes of the best K classes, shape (N, K), if the settings ask for them.
    """
    statistics = {"truth": truth, "predicted": predicted}
    if best is not None:
        statistics["hit"] = (best == truth[:, np.newaxis]).any(axis=1)
    if probabilities is None or log_probabilities is None:
        return statistics
    rows = np.arange(len(truth))
    squares = probabilities * probabilities
    squares[rows, truth] = (1 - probabilities[rows, truth]) ** 2
    if settings.task is Task.BINARY:
        confidence, correct = probabilities[:, 1], truth == 1
    else:
        confidence, correct = probabilities[rows, np.maximum(predicted, 0)], predicted == truth
    return statistics | {
        "loss": -log_probabilities[rows, truth],
        "brier": row_sums(squares),
        "confidence": confidence,
        "correct": correct,
    }


def label_rows(
    settings: MetricSettings,
    truth: Array,
    chosen: Array,
    probabilities: Array | None,
    log_probabilities: Array | None,
    log_complements: Array | None,
    bins: CellBins | None = None,
) -> dict[str, Array]:
    """Return the statistics of rows of label sets, by name, each of shape (N,) or (N, K).

    Parameters
    ----------
    settings
        What to measure.
    truth, chosen
        Where a label is true, and where it is predicted: shape (N, C), bool.
    probabilities, log_probabilities, log_complements
        p, log(p) and log(1 - p), same shape, float64; None if there are only labels.
    bins
        The bins of the probabilities, by `cell_bins`; None if the bins are not equally wide.
    """
    both = (truth & chosen).sum(axis=1)
    actual, found = truth.sum(axis=1), chosen.sum(axis=1)
    statistics = {
        "truth": truth,
        "chosen": chosen,
        "wrong": actual + found - 2 * both,
        "precision": or_zero(ratio(both, found)),
        "recall": or_zero(ratio(both, actual)),
        "f1": or_zero(ratio(2 * both, actual + found)),
        "jaccard": or_zero(ratio(both, actual + found - both)),
    }
    if probabilities is None or log_probabilities is None or log_complements is None:
        return statistics
    statistics["loss"] = -row_sums(np.where(truth, log_probabilities, log_complements))
    if settings.ranking:
        statistics["lrap"] = label_ranking(truth, probabilities)
    if bins is None:
        return statistics | {"confidence": probabilities, "correct": truth}
    rows = np.nonzero(truth)[0]
    correct = np.bincount(rows * settings.bins + bins.codes[truth], minlength=len(truth) * settings.bins)
    return statistics | {
        "bin_count": bins.counts,
        "bin_confidence": bins.confidence,
        "bin_correct": correct.reshape(len(truth), settings.bins),
    }


class CellBins(NamedTuple):
    """The bin of each cell, shape (N, C); for each row the cells in each bin and the sum of them, shape (N, bins)."""

    codes: Array
    counts: Array
    confidence: Array


def cell_bins(settings: MetricSettings, probabilities: Array) -> CellBins:
    """Return the bins of probabilities, shape (N, C); this does not need the truth."""
    shape = (len(probabilities), settings.bins)
    codes = bin_codes(probabilities, bin_edges(settings.bins))
    members = (codes + np.arange(len(probabilities))[:, np.newaxis] * settings.bins).ravel()
    count = np.bincount(members, minlength=shape[0] * shape[1])
    confidence = np.bincount(members, probabilities.ravel(), minlength=shape[0] * shape[1])
    return CellBins(codes, count.reshape(shape), confidence.reshape(shape))
