"""Isotonic regression: a function for each class that never falls. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from actcli.activations import row_sums, softmax
from actcli.calibration.calibration import Calibration, checked_problem
from actcli.calibration.solvers import pooled
from actcli.tasks import Method

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Isotonic", "fit_isotonic", "fit_monotone"]


@dataclass(frozen=True, slots=True)
class Isotonic(Calibration):
    """A function for each class that never falls: linear between its points and constant beyond them.

    Exclusive classes are then normalised. In a row of zeros, all classes that are not masked get the same probability.

    Parameters
    ----------
    points
        For each class, or for "binary" the positive one alone: increasing places, and the probabilities there. Places
        are probabilities for exclusive classes, else logits; after `fit_monotone` they are what it was given.
    """

    method: ClassVar[Method] = Method.ISOTONIC
    points: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]

    def calibrated(self, logits: Array, *, exclusive: bool) -> tuple[Array, bool]:
        """Return probabilities."""
        values = softmax(logits) if exclusive else logits
        return self.applied(values, np.isneginf(logits), exclusive=exclusive), True

    def applied(self, values: Array, masked: Array, *, exclusive: bool) -> Array:
        """Return probabilities, shape (N, C).

        Parameters
        ----------
        values
            What the places of the points are, shape (N, C).
        masked
            Where a class keeps its probability of 0, same shape, bool.
        exclusive
            Whether exactly one class of a row is true.
        """
        found = np.empty_like(values)
        for column, (places, heights) in enumerate(self.points):
            found[:, column] = np.interp(values[:, column], places, heights)
        found[masked] = 0
        found[np.isposinf(values)] = 1
        if exclusive:
            empty = ~found.any(axis=1)
            found[empty] = ~masked[empty]
            found /= row_sums(found)[:, np.newaxis]
        return found


def fit_isotonic(logits: ArrayLike, truth: ArrayLike, *, task: str = "softmax") -> Isotonic:
    """Fit for each class the function that never falls and has the least mean squared distance to the truth.

    Parameters and errors are those of `fit_temperature`. Exclusive classes are fitted one against the rest, on their
    softmax probabilities; others on their logits. Equal ones are one point.

    References
    ----------
    Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002,
    doi:10.1145/775047.775151.
    Barlow, Bartholomew, Bremner and Brunk, Statistical Inference under Order Restrictions, 1972: pooling of adjacent
    violators.
    """
    problem = checked_problem(logits, truth, task)
    values = softmax(problem.scores) if problem.exclusive else problem.scores
    return fit_monotone(values, problem.truth, ~np.isfinite(problem.scores))


def fit_monotone(values: Array, truth: Array, masked: Array) -> Isotonic:
    """Fit as `fit_isotonic` does, on numbers of any meaning.

    Parameters
    ----------
    values
        Shape (N, C), float64, without NaN.
    truth
        Class indices, shape (N,), or where a class is true, shape (N, C), bool.
    masked
        Where a value is left out, shape (N, C), bool.
    """
    points = []
    for column in range(values.shape[1]):
        true = truth == column if truth.ndim == 1 else truth[:, column]
        kept = ~masked[:, column]
        points.append(_monotone(values[kept, column], true[kept]))
    return Isotonic(tuple(points))


def _monotone(scores: Array, true: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the points of the function that never falls and is nearest to `true`."""
    if not len(scores):
        return (0.0,), (0.5,)
    places, inverse, weights = np.unique(scores, return_inverse=True, return_counts=True)
    sums = np.bincount(inverse, weights=true)
    starts = pooled(sums, weights)
    ends = np.append(starts[1:], len(places))
    values = np.add.reduceat(sums, starts) / np.add.reduceat(weights, starts)
    # A constant stretch of the function needs only its first and its last point.
    corners = np.unique(np.concatenate([starts, ends - 1]))
    heights = np.repeat(values, ends - starts)[corners]
    return tuple(places[corners].tolist()), tuple(heights.tolist())
