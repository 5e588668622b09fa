"""The curves of a class against a threshold: exact at every point, and no more points than a picture can show."""

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
"""Points that fall into the same of so many parts of both axes as the one before are left out."""

THRESHOLDS = 101
"""At so many thresholds, from 0 to 1, precision, recall and F1 are counted."""


class Line(NamedTuple):
    """Points, each with the threshold that leads to it: the class is chosen where its probability is as high."""

    x: Array
    y: Array
    thresholds: Array


def roc_curve(values: Array, positive: Array) -> Line:
    """Return the share of rows chosen of those where the class is wrong (x), and of those where it is right (y).

    Parameters
    ----------
    values
        The probability of the class, shape (N,).
    positive
        Where it is right.

    Notes
    -----
    It begins in (0, 0), where nothing is chosen, at a threshold of infinity. A share of nothing is NaN.
    """
    hits, chosen, thresholds = _counts(values, positive)
    misses = chosen - hits
    x, y = ratio(misses, misses[-1:]), ratio(hits, hits[-1:])
    kept = _visible(x, y)
    return Line(x[kept], y[kept], thresholds[kept])


def precision_recall_curve(values: Array, positive: Array) -> Line:
    """Return the recall (x) and the precision (y) at every threshold; parameters as of `roc_curve`.

    It begins at a recall of 0 with the precision of the highest threshold that chooses anything.
    """
    hits, chosen, thresholds = _counts(values, positive)
    precision = ratio(hits, chosen)
    precision[:1] = precision[1:2] if len(precision) > 1 else np.nan
    recall = ratio(hits, hits[-1:])
    kept = _visible(recall, precision)
    return Line(recall[kept], precision[kept], thresholds[kept])


def at_thresholds(classes: Iterable[tuple[Array, Array]]) -> dict[str, Array]:
    """Return precision, recall and F1 of all cells of some classes together, at equally spaced thresholds.

    Parameters
    ----------
    classes
        The probabilities and where they are right, of each class, as of `roc_curve`.

    Returns
    -------
    dict
        "threshold", "precision", "recall" and "f1", each of shape (101,); NaN where one is undefined.
    """
    thresholds = np.linspace(0, 1, THRESHOLDS)
    hits, chosen = np.zeros(THRESHOLDS), np.zeros(THRESHOLDS)
    support = 0
    for values, positive in classes:
        support += int(np.count_nonzero(positive))
        hits += _reaching(values[positive], thresholds)
        chosen += _reaching(values, thresholds)
    return {
        "threshold": thresholds,
        "precision": ratio(hits, chosen),
        "recall": ratio(hits, np.full(THRESHOLDS, float(support))),
        "f1": ratio(2 * hits, chosen + support),
    }


def _reaching(values: Array, thresholds: Array) -> Array:
    """Return how many values are at least as high as each threshold."""
    return np.asarray(len(values) - np.searchsorted(np.sort(values), thresholds, side="left"))


def _counts(values: Array, positive: Array) -> tuple[Array, Array, Array]:
    """Return how many are rightly chosen and how many are chosen, from none to all, and the thresholds of that."""
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    ends = np.flatnonzero(np.append(np.diff(ordered) != 0, np.ones(min(1, len(ordered)), dtype=np.bool_)))
    hits = np.concatenate([[0.0], np.cumsum(positive[order])[ends]])
    return hits, np.concatenate([[0.0], ends + 1.0]), np.concatenate([[np.inf], ordered[ends]])


def _visible(x: Array, y: Array) -> Array:
    """Return which points to keep: the ends, and those that fall elsewhere than the one before."""
    with np.errstate(invalid="ignore"):
        places = np.nan_to_num(np.stack([x, y]) * GRID, nan=-1).astype(np.int64)
    moved = (np.diff(places, axis=1) != 0).any(axis=0)
    kept = np.append(moved, True) | np.concatenate([[True], moved])  # where it moves to, and where it came from
    return np.flatnonzero(kept)
