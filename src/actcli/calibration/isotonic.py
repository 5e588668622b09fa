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
    """A function for each class that never falls: linear between its points and constant beyond them.

    Exclusive classes are then normalised. In a row of zeros, all classes that are not masked get the same probability.

    Parameters
    ----------
    points
        For each class, or for "binary" the positive one alone: increasing logits, and the probabilities there.
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
    """Fit for each class the function that never falls and has the least mean squared distance to the truth.

    Parameters and errors are those of `fit_temperature`. Exclusive classes are fitted one against the rest. Equal
    logits are one point.

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
    # A constant stretch of the function needs only its first and its last point.
    corners = np.unique(np.concatenate([starts, ends - 1]))
    heights = np.repeat(values, ends - starts)[corners]
    return tuple(places[corners].tolist()), tuple(heights.tolist())
