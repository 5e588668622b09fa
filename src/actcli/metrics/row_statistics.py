"""A row in a few numbers, as soon as its truth is known: what the metrics add up. NumPy only."""

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
    """Return the edges of equally wide bins of [0, 1], shape (bins + 1,)."""
    return np.linspace(0, 1, bins + 1)


def bin_codes(values: Array, edges: Array) -> Array:
    """Return the bin (lower, upper] that holds each value; 0 is in the first."""
    return np.asarray(np.searchsorted(edges[1:-1], values, side="left"))


def equal_masses(values: Array, bins: int) -> Array:
    """Return the edges of bins that hold equally many of the values, or as near as ties allow."""
    ordered = np.sort(values)
    ends = np.cumsum([len(part) for part in np.array_split(ordered, bins)])[:-1]
    inner = ordered[ends[ends > 0] - 1] if len(ordered) else np.zeros(0)
    return np.concatenate([[0.0], np.unique(inner[inner < 1]), [1.0]])


def exclusive_rows(
    settings: MetricSettings,
    truth: Array,
    predicted: Array,
    probabilities: Array,
    log_probabilities: Array,
    best: Array | None = None,
) -> dict[str, Array]:
    """Return the summaries of rows of which exactly one class is right.

    Parameters
    ----------
    settings
        What is to be measured.
    truth, predicted
        Codes, shape (N,); -1 is a label that was withheld.
    probabilities
        Shape (N, C).
    log_probabilities
        The same shape.
    best
        The codes of the best K, shape (N, K), where the settings ask for them.
    """
    rows = np.arange(len(truth))
    squares = probabilities * probabilities
    squares[rows, truth] = (1 - probabilities[rows, truth]) ** 2
    if settings.task is Task.BINARY:
        confidence, correct = probabilities[:, 1], truth == 1
    else:
        confidence, correct = probabilities[rows, np.maximum(predicted, 0)], predicted == truth
    summary = {
        "truth": truth,
        "predicted": predicted,
        "loss": -log_probabilities[rows, truth],
        "brier": row_sums(squares),
        "confidence": confidence,
        "correct": correct,
    }
    if best is not None:
        summary["hit"] = (best == truth[:, np.newaxis]).any(axis=1)
    return summary


def label_rows(
    settings: MetricSettings,
    truth: Array,
    chosen: Array,
    probabilities: Array,
    log_probabilities: Array,
    log_complements: Array,
    bins: CellBins | None = None,
) -> dict[str, Array]:
    """Return the summaries of rows of which any number of labels is right.

    Parameters
    ----------
    settings
        What is to be measured.
    truth, chosen
        Shape (N, C), bool.
    probabilities
        The same shape.
    log_probabilities, log_complements
        The logarithms of the probabilities, and of what they leave to 1.
    bins
        Of the probabilities, by `cell_bins`; None unless they are equally wide.
    """
    both = (truth & chosen).sum(axis=1)
    actual, found = truth.sum(axis=1), chosen.sum(axis=1)
    summary = {
        "truth": truth,
        "chosen": chosen,
        "loss": -row_sums(np.where(truth, log_probabilities, log_complements)),
        "wrong": actual + found - 2 * both,
        "precision": or_zero(ratio(both, found)),
        "recall": or_zero(ratio(both, actual)),
        "f1": or_zero(ratio(2 * both, actual + found)),
        "jaccard": or_zero(ratio(both, actual + found - both)),
    }
    if settings.ranking:
        summary["lrap"] = label_ranking(truth, probabilities)
    if bins is None:
        return summary | {"confidence": probabilities, "correct": truth}
    rows = np.nonzero(truth)[0]
    correct = np.bincount(rows * settings.bins + bins.codes[truth], minlength=len(truth) * settings.bins)
    return summary | {
        "bin_count": bins.counts,
        "bin_confidence": bins.confidence,
        "bin_correct": correct.reshape(len(truth), settings.bins),
    }


class CellBins(NamedTuple):
    """The bin of each cell, shape (N, C), and for each row the count and the sum of those in each bin, (N, bins)."""

    codes: Array
    counts: Array
    confidence: Array


def cell_bins(settings: MetricSettings, probabilities: Array) -> CellBins:
    """Return the bins of probabilities, shape (N, C): what can be said of them before the truth is known."""
    shape = (len(probabilities), settings.bins)
    codes = bin_codes(probabilities, bin_edges(settings.bins))
    members = (codes + np.arange(len(probabilities))[:, np.newaxis] * settings.bins).ravel()
    count = np.bincount(members, minlength=shape[0] * shape[1])
    confidence = np.bincount(members, probabilities.ravel(), minlength=shape[0] * shape[1])
    return CellBins(codes, count.reshape(shape), confidence.reshape(shape))
