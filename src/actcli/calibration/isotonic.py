"""Isotonic regression: a function for each class that never falls. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from actcli.activations import row_sums, softmax
from actcli.calibration.calibration import Calibration, checked_problem, each_class
from actcli.calibration.solvers import pooled
from actcli.tasks import Method

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    from actcli.calibration.calibration import Problem

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Isotonic", "fit_isotonic", "isotonic_of"]


@dataclass(frozen=True, slots=True)
class Isotonic(Calibration):
    """A function for each class that never falls: linear between its points and constant beyond them.

    Exclusive classes are then normalised. In a row of zeros, all classes that are not masked get the same probability.

    Parameters
    ----------
    points
        For each class, or for "binary" the positive one alone: increasing places, and the probabilities there. Places
        are probabilities for exclusive classes, else logits; after `isotonic_of` they are what it was given.
    """

    method: ClassVar[Method] = Method.ISOTONIC
    points: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]

    def of_classes(self, classes: slice) -> Self:
        """Return the functions of some classes."""
        return type(self)(self.points[classes])

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


def fit_isotonic(
    logits: ArrayLike, truth: ArrayLike, *, task: str = "softmax", weights: ArrayLike | None = None
) -> Isotonic:
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
    return isotonic_of(checked_problem(logits, truth, task, weights), _places)


def _places(logits: Array) -> Array:
    """Return the softmax of logits, and NaN where a class is masked."""
    return np.where(np.isneginf(logits), np.nan, softmax(logits))


def isotonic_of(problem: Problem, change: Callable[[Array], Array] | None = None) -> Isotonic:
    """Fit as `fit_isotonic` does, class by class, on numbers of any meaning; those that are not finite are left out.

    Parameters
    ----------
    problem
        The numbers, and the truth.
    change
        For exclusive classes: returns the numbers to fit, shape (n, C), for those of the problem.
    """
    return Isotonic(tuple(each_class(problem, _monotone, change)))


def _monotone(scores: Array, true: Array, weights: Array | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the points of the function that never falls and is nearest to `true`."""
    finite = np.isfinite(scores)
    if not finite.any():
        return (0.0,), (0.5,)
    if weights is None:
        places, sums, counts = _counted(scores[finite], true[finite])
    else:
        places, sums, counts = _weighted(scores[finite], true[finite], weights[finite])
    starts = pooled(sums, counts)
    ends = np.append(starts[1:], len(places))
    values = np.add.reduceat(sums, starts) / np.add.reduceat(counts, starts)
    # A constant stretch of the function needs only its first and its last point.
    corners = np.unique(np.concatenate([starts, ends - 1]))
    heights = np.repeat(values, ends - starts)[corners]
    return tuple(places[corners].tolist()), tuple(heights.tolist())


def _counted(scores: Array, true: Array) -> tuple[Array, Array, Array]:
    """Return the distinct scores, and how many are true and how many there are, each of shape (n,)."""
    chosen, ordered = np.sort(scores[true]), np.sort(scores)
    firsts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    places = ordered[firsts]
    sums = np.diff(np.searchsorted(chosen, places, "left"), append=len(chosen)).astype(np.float64)
    return places, sums, np.diff(firsts, append=len(ordered))


def _weighted(scores: Array, true: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Return the distinct scores, and the sums of the weights of the true ones and of all, each of shape (n,)."""
    order = np.argsort(scores, kind="stable")
    ordered, each = scores[order], weights[order]
    firsts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    sums = np.add.reduceat(np.where(true[order], each, 0.0), firsts)
    return ordered[firsts], sums, np.add.reduceat(each, firsts)
