"""ROC and precision-recall curves: exact at every point, with no more points than a chart can show. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.metrics.ratios import ratio

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Line", "at_thresholds", "precision_recall_curve", "roc_curve"]

GRID = 256
"""Both axes are divided into this many parts; points in the same cell as the one before are left out."""

THRESHOLDS = 101
"""The number of equally spaced thresholds from 0 to 1."""


class Line(NamedTuple):
    """Points of a curve, each of shape (n,), and their thresholds: the class is predicted if ``p >= threshold``."""

    x: Array
    y: Array
    thresholds: Array


def roc_curve(values: Array, positive: Array) -> Line:
    """Return the ROC curve of a class: the false positive rate (x) and the true positive rate (y).

    Parameters
    ----------
    values
        The probability of the class, shape (N,).
    positive
        Where the class is true, shape (N,), bool.

    Notes
    -----
    The curve begins in (0, 0), where the class is never predicted, at a threshold of infinity. A rate without rows is
    NaN.
    """
    hits, chosen, thresholds = _counts(values, positive)
    misses = chosen - hits
    x, y = ratio(misses, misses[-1:]), ratio(hits, hits[-1:])
    kept = _visible(x, y)
    return Line(x[kept], y[kept], thresholds[kept])


def precision_recall_curve(values: Array, positive: Array) -> Line:
    """Return the precision-recall curve of a class: recall (x) and precision (y); parameters as of `roc_curve`.

    The curve begins at a recall of 0 with the precision of the highest threshold at which the class is predicted.
    """
    hits, chosen, thresholds = _counts(values, positive)
    precision = ratio(hits, chosen)
    precision[:1] = precision[1:2] if len(precision) > 1 else np.nan
    recall = ratio(hits, hits[-1:])
    kept = _visible(recall, precision)
    return Line(recall[kept], precision[kept], thresholds[kept])


def at_thresholds(classes: Iterable[tuple[Array, Array]]) -> dict[str, Array]:
    """Return precision, recall and F1 of some classes together (micro), at equally spaced thresholds.

    Parameters
    ----------
    classes
        The probabilities of each class, and where the class is true, as for `roc_curve`.

    Returns
    -------
    dict
        "threshold", "precision", "recall" and "f1", each of shape (101,); NaN where one is undefined.
    """
    # Not linspace, whose 0.35 is 0.35000000000000003.
    thresholds = np.arange(THRESHOLDS) / (THRESHOLDS - 1)
    hits, predicted = np.zeros(THRESHOLDS), np.zeros(THRESHOLDS)
    support = 0
    for values, positive in classes:
        support += int(np.count_nonzero(positive))
        hits += _at_least(values[positive], thresholds)
        predicted += _at_least(values, thresholds)
    return {
        "threshold": thresholds,
        "precision": ratio(hits, predicted),
        "recall": ratio(hits, np.full(THRESHOLDS, float(support))),
        "f1": ratio(2 * hits, predicted + support),
    }


def _at_least(values: Array, thresholds: Array) -> Array:
    """Return how many values are at least as high as each threshold."""
    return np.asarray(len(values) - np.searchsorted(np.sort(values), thresholds, side="left"))


def _counts(values: Array, positive: Array) -> tuple[Array, Array, Array]:
    """Return the true positives, the predicted rows and the thresholds, from no row predicted to all rows."""
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    ends = np.flatnonzero(np.append(np.diff(ordered) != 0, np.ones(min(1, len(ordered)), dtype=np.bool_)))
    hits = np.concatenate([[0.0], np.cumsum(positive[order])[ends]])
    return hits, np.concatenate([[0.0], ends + 1.0]), np.concatenate([[np.inf], ordered[ends]])


def _visible(x: Array, y: Array) -> Array:
    """Return the indices of the points to keep: the ends, and the points on both sides of a change of cell."""
    with np.errstate(invalid="ignore"):
        places = np.nan_to_num(np.stack([x, y]) * GRID, nan=-1).astype(np.int64)
    moved = (np.diff(places, axis=1) != 0).any(axis=0)
    kept = np.append(moved, True) | np.concatenate([[True], moved])
    return np.flatnonzero(kept)
