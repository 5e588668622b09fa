"""Isotonic regression: a function for each class that never falls. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from actcli.activations import row_sums
from actcli.calibration.calibration import Calibration, checked_problem, labels
from actcli.calibration.solvers import pooled
from actcli.tasks import Method

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Isotonic", "fit_isotonic"]


@dataclass(frozen=True, slots=True)
class Isotonic(Calibration):
    """A function for each class that never falls, straight between its points and level beyond them.

    Exclusive classes are then normalised: a row of nothing but zeros is shared out equally among its classes.

    Parameters
    ----------
    points
        For each class, or the positive one alone for "binary": logits, rising, and the probabilities there.
    """

    method: ClassVar[Method] = Method.ISOTONIC
    points: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]

    def calibrated(self, logits: Array, *, exclusive: bool) -> tuple[Array, bool]:
        """Return probabilities."""
        found = np.empty_like(logits)
        for column, (places, values) in enumerate(self.points):
            found[:, column] = np.interp(logits[:, column], places, values)
        found[np.isneginf(logits)] = 0
        found[np.isposinf(logits)] = 1
        if exclusive:
            empty = ~found.any(axis=1)
            found[empty] = ~np.isneginf(logits[empty])
            found /= row_sums(found)[:, np.newaxis]
        return found, True


def fit_isotonic(logits: ArrayLike, truth: ArrayLike, *, task: str = "softmax") -> Isotonic:
    """Return the function of each class that never falls and is nearest to the truth in the mean of squares.

    Parameters and errors are those of `fit_temperature`. Exclusive classes are fitted one against the rest. Equal
    logits are one point; between two points the function is a straight line.

    References
    ----------
    Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002,
    doi:10.1145/775047.775151.
    Barlow, Bartholomew, Bremner and Brunk, Statistical Inference under Order Restrictions, 1972: pooling of adjacent
    violators.
    """
    return Isotonic(tuple(_monotone(scores, true) for scores, true in labels(checked_problem(logits, truth, task))))


def _monotone(scores: Array, true: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the points of the function that never falls and is nearest to `true`."""
    if not len(scores):
        return (0.0,), (0.5,)
    places, inverse, weights = np.unique(scores, return_inverse=True, return_counts=True)
    sums = np.bincount(inverse, weights=true)
    starts = pooled(sums, weights)
    ends = np.append(starts[1:], len(places))
    values = np.add.reduceat(sums, starts) / np.add.reduceat(weights, starts)
    # Inside a level stretch the function needs no points but the first and the last.
    corners = np.unique(np.concatenate([starts, ends - 1]))
    heights = np.repeat(values, ends - starts)[corners]
    return tuple(places[corners].tolist()), tuple(heights.tolist())
