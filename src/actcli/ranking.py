"""What ranks rows or labels: ROC AUC, average precision, label ranking average precision. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.metrics import or_zero, ratio

if TYPE_CHECKING:
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["label_ranking", "ranking_scores"]

_CELLS_AT_ONCE = 1 << 20


def ranking_scores(values: Array, positive: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Return the ROC AUC and the average precision of one class, each of shape (R,).

    Parameters
    ----------
    values
        The probability of the class, shape (N,).
    positive
        Where it is right.
    weights
        How often each row counts in each of R replicates, shape (R, N); None is once in a single one.

    Notes
    -----
    The AUC is the share of pairs of a positive and a negative row in which the positive one has the higher value, ties
    counting one half (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747). The average precision is the mean,
    over the positive rows, of the precision among all rows with a value as high.
    """
    if weights is not None:
        return _weighted_ranking_scores(values, positive, weights)
    chosen = np.sort(values[positive])
    ordered = np.sort(values)
    positives, rows = len(chosen), len(values)
    below = np.searchsorted(ordered, chosen, "left")
    up_to = np.searchsorted(ordered, chosen, "right")
    own_below = np.searchsorted(chosen, chosen, "left")
    own_up_to = np.searchsorted(chosen, chosen, "right")
    # Whole numbers: twice the negatives below each positive, and once those that tie with it.
    pairs = int((below - own_below).sum(dtype=np.int64)) + int((up_to - own_up_to).sum(dtype=np.int64))
    negatives = rows - positives
    auc = pairs / (2 * positives * negatives) if positives and negatives else np.nan
    precision = (positives - own_below) / (rows - below)
    return np.array([auc]), np.array([precision.sum() / positives if positives else np.nan])


def _weighted_ranking_scores(values: Array, positive: Array, weights: Array) -> tuple[Array, Array]:
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    hits = np.cumsum(np.where(positive[order], weights[:, order], 0), axis=1, dtype=np.float64)[:, ends]
    seen = np.cumsum(weights[:, order], axis=1, dtype=np.float64)[:, ends]
    misses = seen - hits
    new_hits = np.diff(hits, axis=1, prepend=0)
    new_misses = np.diff(misses, axis=1, prepend=0)
    areas = (new_misses * (hits - new_hits / 2)).sum(axis=1)
    auc = ratio(areas, hits[:, -1] * misses[:, -1])
    precision = or_zero(ratio(hits, seen))
    return auc, ratio((new_hits * precision).sum(axis=1), hits[:, -1])


def label_ranking(truth: Array, probabilities: Array) -> Array:
    """Return the label ranking average precision of each row: 1 where no label, or every label, is right.

    Of each right label, the share of right ones among those that are ranked as high: Tsoumakas, Katakis and Vlahavas,
    "Mining multi-label data", 2010.
    """
    count, classes = truth.shape
    result = np.zeros(count)
    rows, labels = np.nonzero(truth)
    at_once = max(1, _CELLS_AT_ONCE // classes)
    for start in range(0, len(rows), at_once):
        row = rows[start : start + at_once]
        values = probabilities[row]
        as_high = values >= probabilities[row, labels[start : start + at_once]][:, np.newaxis]
        shares = (as_high & truth[row]).sum(axis=1) / as_high.sum(axis=1)
        result += np.bincount(row, shares, minlength=count)
    actual = truth.sum(axis=1)
    plain = (actual == 0) | (actual == classes)
    return np.where(plain, 1.0, result / np.maximum(actual, 1))
