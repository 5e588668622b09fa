"""ROC, precision-recall, gain and risk-coverage curves, exact at every point. NumPy only.

They have no more points than a chart can show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.metrics.ratios import ratio

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from actcli.metrics.selective import SelectiveRanking

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Line", "at_thresholds", "gain_curve", "precision_recall_curve", "risk_coverage_curve", "roc_curve"]

GRID = 256
"""Both axes are divided into this many parts; points in the same cell as the one before are left out."""

THRESHOLDS = 101
"""The number of equally spaced thresholds from 0 to 1."""


class Line(NamedTuple):
    """Points of a curve, each of shape (n,), and their thresholds: the class is predicted if ``p >= threshold``."""

    x: Array
    y: Array
    thresholds: Array


def roc_curve(values: Array, positive: Array, weights: Array | None = None) -> Line:
    """Return the ROC curve of a class: the false positive rate (x) and the true positive rate (y).

    Parameters
    ----------
    values
        The probability of the class, shape (N,).
    positive
        Where the class is true, shape (N,), bool.
    weights
        How much each row counts, shape (N,); None if all count once.

    Notes
    -----
    The curve begins in (0, 0), where the class is never predicted, at a threshold of infinity. A rate without rows is
    NaN.
    """
    hits, misses, thresholds = _counts(values, positive, weights)
    x, y = ratio(misses, misses[-1:]), ratio(hits, hits[-1:])
    kept = _visible(x, y)
    return Line(x[kept], y[kept], thresholds[kept])


def precision_recall_curve(values: Array, positive: Array, weights: Array | None = None) -> Line:
    """Return the precision-recall curve of a class: recall (x) and precision (y); parameters as of `roc_curve`.

    The curve begins at a recall of 0 with the precision of the highest threshold at which the class is predicted.
    """
    hits, misses, thresholds = _counts(values, positive, weights)
    precision = ratio(hits, hits + misses)
    precision[:1] = precision[1:2] if len(precision) > 1 else np.nan
    recall = ratio(hits, hits[-1:])
    kept = _visible(recall, precision)
    return Line(recall[kept], precision[kept], thresholds[kept])


def gain_curve(values: Array, positive: Array, weights: Array | None = None) -> Line:
    """Return the gain of a class: the share of the positive rows found (y) among a share of all rows (x).

    The rows are taken in the order of their probability, the highest first; parameters as of `roc_curve`. The curve
    begins in (0, 0). The lift at a point is y / x.
    """
    hits, misses, thresholds = _counts(values, positive, weights)
    x, y = ratio(hits + misses, hits[-1:] + misses[-1:]), ratio(hits, hits[-1:])
    kept = _visible(x, y)
    return Line(x[kept], y[kept], thresholds[kept])


def risk_coverage_curve(ranking: SelectiveRanking, weights: Array | None = None) -> Line:
    """Return the selective risk (y) against the coverage (x) of exclusive classes.

    The curve begins at a coverage of 0 with the risk of the highest threshold, at a threshold of infinity.

    Parameters
    ----------
    ranking
        The rows in the order of the probability of their label.
    weights
        As for `roc_curve`.
    """
    coverage, risk, thresholds = ranking.curve(weights)
    if not len(risk):
        return Line(coverage, risk, thresholds)
    x, y = np.append(0.0, coverage), np.append(risk[:1], risk)
    kept = _visible(x, y / (y.max() or 1))
    return Line(x[kept], y[kept], np.append(np.inf, thresholds)[kept])


def at_thresholds(classes: Iterable[tuple[Array, Array]], weights: Array | None = None) -> dict[str, Array]:
    """Return precision, recall and F1 of some classes together (micro), at equally spaced thresholds.

    Parameters
    ----------
    classes
        The probabilities of each class, and where the class is true, as for `roc_curve`.
    weights
        As for `roc_curve`.

    Returns
    -------
    dict
        "threshold", "precision", "recall" and "f1", each of shape (101,); NaN where one is undefined.
    """
    # Not linspace, whose 0.35 is 0.35000000000000003.
    thresholds = np.arange(THRESHOLDS) / (THRESHOLDS - 1)
    hits, predicted = np.zeros(THRESHOLDS), np.zeros(THRESHOLDS)
    support = 0.0
    for values, positive in classes:
        if weights is None:
            support += np.count_nonzero(positive)
            hits += _at_least(values[positive], thresholds)
            predicted += _at_least(values, thresholds)
        else:
            support += weights[positive].sum()
            hits += _weight_at_least(values[positive], weights[positive], thresholds)
            predicted += _weight_at_least(values, weights, thresholds)
    return {
        "threshold": thresholds,
        "precision": ratio(hits, predicted),
        "recall": ratio(hits, np.full(THRESHOLDS, support)),
        "f1": ratio(2 * hits, predicted + support),
    }


def _at_least(values: Array, thresholds: Array) -> Array:
    """Return how many values are at least as high as each threshold."""
    return np.asarray(len(values) - np.searchsorted(np.sort(values), thresholds, side="left"))


def _weight_at_least(values: Array, weights: Array, thresholds: Array) -> Array:
    """Return the weight of the values that are at least as high as each threshold."""
    order = np.argsort(-values, kind="stable")
    sums = np.append(0.0, np.cumsum(weights[order]))
    return np.asarray(sums[np.searchsorted(-values[order], -thresholds, side="right")])


def _counts(values: Array, positive: Array, weights: Array | None) -> tuple[Array, Array, Array]:
    """Return the true and the false positives and the thresholds, from no row predicted to all rows."""
    if weights is not None:
        counted = weights > 0
        values, positive, weights = values[counted], positive[counted], weights[counted]
    order = np.argsort(-values, kind="stable")
    ordered, chosen = values[order], positive[order]
    ends = np.flatnonzero(np.append(np.diff(ordered) != 0, np.ones(min(1, len(ordered)), dtype=np.bool_)))
    each = np.ones(len(order)) if weights is None else weights[order]
    hits, misses = (np.append(0.0, np.cumsum(np.where(where, each, 0.0))[ends]) for where in (chosen, ~chosen))
    return hits, misses, np.append(np.inf, ordered[ends])


def _visible(x: Array, y: Array) -> Array:
    """Return the indices of the points to keep: the ends, and the points on both sides of a change of cell."""
    with np.errstate(invalid="ignore"):
        places = np.nan_to_num(np.stack([x, y]) * GRID, nan=-1).astype(np.int64)
    moved = (np.diff(places, axis=1) != 0).any(axis=0)
    kept = np.append(moved, True) | np.concatenate([[True], moved])
    return np.flatnonzero(kept)
