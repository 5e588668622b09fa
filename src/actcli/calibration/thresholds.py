"""Thresholds: the probability from which on a label counts as there, chosen by what is true. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["OBJECTIVES", "Tuned", "between", "tune_thresholds"]

OBJECTIVES = ("f1", "fbeta", "youden", "balanced-accuracy")
"""What can be made as large as possible."""

_NEEDS_NEGATIVES = ("youden", "balanced-accuracy", "fpr")


@dataclass(frozen=True, slots=True)
class Tuned:
    """A threshold, and what it does on the rows that it was chosen on.

    Parameters
    ----------
    threshold
        None where no threshold does what was asked for.
    positives, negatives
        How many cells are true, and how many are not.
    true_positives, false_positives
        How many of them reach the threshold.
    """

    threshold: float | None
    positives: int
    negatives: int
    true_positives: int = 0
    false_positives: int = 0


def tune_thresholds(
    probabilities: ArrayLike,
    truth: ArrayLike,
    *,
    metric: str = "f1",
    beta: float = 2.0,
    at_precision: float | None = None,
    at_recall: float | None = None,
    at_fpr: float | None = None,
    scope: str = "class",
    masked: ArrayLike | None = None,
) -> tuple[Tuned, ...]:
    """Return the best threshold of each class.

    Every distinct probability is a candidate, and reached means ``p >= threshold``. Of equally good candidates the
    lowest wins. The threshold is put halfway between it and the next lower probability (0 below the lowest), so that
    small differences in new probabilities do not matter.

    Parameters
    ----------
    probabilities
        Shape (N, C), or (N,) for a single class.
    truth
        0 and 1, same shape.
    metric
        "f1", "fbeta", "youden" (recall minus the false positive rate) or "balanced-accuracy", to be made largest.
    beta
        Of "fbeta": how many times as much recall counts as precision.
    at_precision, at_recall, at_fpr
        In place of a metric, at most one: the largest recall at no less than this precision, the largest precision at
        no less than this recall, or the largest recall at no more than this false positive rate.
    scope
        "class", or "global": one threshold for all, judged by the counts of all cells together (micro).
    masked
        Where a class cannot be chosen whatever the threshold, same shape.

    Returns
    -------
    tuple
        One for each class, or a single one for "global". There is no threshold for a class that is never true, nor
        where the aim needs a class that is sometimes not true, or cannot be reached.

    Raises
    ------
    ValueError
        If the shapes do not fit, a probability is not one, the truth is not 0 and 1, or the aim is none.

    References
    ----------
    Lipton, Elkan and Naryanaswamy, "Optimal thresholding of classifiers to maximize F1 measure", ECML PKDD 2014,
    doi:10.1007/978-3-662-44851-9_15.
    Youden, "Index for rating diagnostic tests", Cancer 3, 1950,
    doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3.

    Examples
    --------
    >>> tune_thresholds([0.1, 0.4, 0.6, 0.8], [0, 0, 1, 1])[0].threshold
    0.5
    """
    table, true, usable = _checked(probabilities, truth, masked)
    aim, level = _aim(metric, beta, {"precision": at_precision, "recall": at_recall, "fpr": at_fpr})
    if scope == "global":
        return (_tuned(table.ravel(), true.ravel(), usable.ravel(), aim, level),)
    if scope != "class":
        raise ValueError(f"the scope is class or global, not {scope!r}")
    return tuple(
        _tuned(table[:, column], true[:, column], usable[:, column], aim, level) for column in range(table.shape[1])
    )


def _checked(probabilities: ArrayLike, truth: ArrayLike, masked: ArrayLike | None) -> tuple[Array, Array, Array]:
    table, true = np.asarray(probabilities), np.asarray(truth)
    usable = np.ones(table.shape, dtype=np.bool_) if masked is None else ~np.asarray(masked, dtype=np.bool_)
    if table.dtype.kind != "f" or table.ndim not in (1, 2):
        raise ValueError("probabilities must be a table of real numbers")
    if true.shape != table.shape or usable.shape != table.shape:
        raise ValueError(f"the truth must have the shape of the probabilities, {table.shape}, not {true.shape}")
    if not ((table >= 0) & (table <= 1)).all():
        raise ValueError("probabilities must be from 0 to 1")
    if ((true != 0) & (true != 1)).any():
        raise ValueError("the truth must be 0 or 1")
    if table.ndim == 1:
        table, true, usable = table[:, np.newaxis], true[:, np.newaxis], usable[:, np.newaxis]
    return table, true.astype(np.bool_), usable


def _aim(metric: str, beta: float, constraints: dict[str, float | None]) -> tuple[str, float]:
    """Return what is to be done, and its number: a metric and beta, or a constraint and its limit."""
    given = {name: level for name, level in constraints.items() if level is not None}
    if len(given) > 1:
        raise ValueError(f"only one of at_{' and at_'.join(given)} can be asked for")
    for name, level in given.items():
        if not 0 <= level <= 1:
            raise ValueError(f"at_{name} must be from 0 to 1, not {level}")
        return name, level
    if metric not in OBJECTIVES:
        raise ValueError(f"there is no metric {metric!r}; there are {', '.join(OBJECTIVES)}")
    if metric == "fbeta" and not 0 < beta < np.inf:
        raise ValueError(f"beta must be a positive finite number, not {beta}")
    return metric, beta if metric == "fbeta" else 1.0


def _tuned(probabilities: Array, true: Array, usable: Array, aim: str, level: float) -> Tuned:
    positives = int(np.count_nonzero(true))
    negatives = len(true) - positives
    nothing = Tuned(None, positives, negatives)
    if not positives or (not negatives and aim in _NEEDS_NEGATIVES):
        return nothing
    candidates, inverse = np.unique(probabilities[usable], return_inverse=True)
    hits = _at_or_above(inverse[true[usable]], len(candidates))
    alarms = _at_or_above(inverse[~true[usable]], len(candidates))
    chosen = hits + alarms
    # Whole numbers and single quotients of them: equally good candidates compare as equal.
    possible: Array = np.ones(len(candidates), dtype=np.bool_)
    if aim in ("f1", "fbeta"):
        goodness = hits / (level * level * positives + chosen)
    elif aim in ("youden", "balanced-accuracy"):
        goodness = hits * negatives - alarms * positives
    elif aim == "recall":
        possible, goodness = hits / positives >= level, hits / chosen
    else:
        possible = hits / chosen >= level if aim == "precision" else alarms / negatives <= level
        goodness = hits
    best = np.flatnonzero(possible)
    if not best.size:
        return nothing
    index = int(best[np.argmax(goodness[best])])
    lower = float(candidates[index - 1]) if index else 0.0
    threshold = between(lower, float(candidates[index]))
    return Tuned(threshold, positives, negatives, int(hits[index]), int(alarms[index]))


def _at_or_above(indices: Array, count: int) -> Array:
    """Return how many of `indices` are at least 0, 1, 2, ... `count` - 1."""
    return np.asarray(np.cumsum(np.bincount(indices, minlength=count)[::-1])[::-1], dtype=np.int64)


def between(lower: float, upper: float) -> float:
    """Return the number halfway between two: above `lower`, and at most `upper`, also where no other is between."""
    middle = lower + (upper - lower) / 2
    return middle if lower < middle <= upper else upper
