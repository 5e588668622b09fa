"""Logistic regression on a single variable. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.calibration.scaling import rescaled, standardised, unscaled
from actcli.calibration.solvers import DenseCurvature, minimum

if TYPE_CHECKING:
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Line", "fit_line"]


_BLOCK = 1 << 16
"""About how many places are worked on at once: as many as stay in the cache."""


class Line(NamedTuple):
    """A line; `determined` says whether the data determine it, or it is merely where the search ended."""

    slope: float
    intercept: float
    determined: bool


def fit_line(scores: Array, true: Array, high: float = 1.0, low: float = 0.0, weights: Array | None = None) -> Line:
    """Return the line whose sigmoid has the least mean log loss.

    Parameters
    ----------
    scores
        Finite, shape (n,), float64.
    true
        Where the target is `high`, same shape, bool; it is `low` elsewhere.
    high, low
        The targets, from 0 to 1.
    weights
        How much each score counts, shape (n,); None if all count once.
    """
    if not len(scores):
        return Line(1.0, 0.0, determined=False)
    scaled, exponent = rescaled(scores)
    places, center, width = standardised(scaled)
    parts = [slice(start, start + _BLOCK) for start in range(0, len(places), _BLOCK)]

    total = len(places) if weights is None else weights.sum()

    def derivatives(line: Array) -> tuple[float, Array, DenseCurvature]:
        sums = sum((summed(line, part) for part in parts), np.zeros(6)) / total
        return float(sums[0]), sums[1:3], DenseCurvature(sums[[3, 4, 4, 5]].reshape(2, 2))

    def summed(line: Array, part: slice) -> Array:
        return _sums(line, places[part], true[part], high, low, None if weights is None else weights[part])

    (slope, intercept), determined = minimum(derivatives, np.zeros(2))
    slope /= width
    return Line(float(unscaled(slope, -exponent)), float(intercept - slope * center), determined)


def _sums(line: Array, places: Array, true: Array, high: float, low: float, weights: Array | None) -> Array:
    """Return the sums over some places of the log loss, its slopes, and its curvature: shape (6,)."""
    fitted = line[0] * places
    fitted += line[1]
    targets = np.where(true, high, low)
    decay = np.exp(-np.abs(fitted))
    if weights is None:
        loss = np.maximum(fitted, 0).sum() + np.log1p(decay).sum() - targets @ fitted
    else:
        loss = weights @ (np.maximum(fitted, 0) + np.log1p(decay) - targets * fitted)
    total = decay + 1
    weight = decay / total
    rest = np.where(fitted >= 0, 1 / total, weight)
    rest -= targets
    weight /= total
    if weights is not None:
        rest *= weights
        weight *= weights
    moved = weight * places
    return np.array([loss, rest @ places, rest.sum(), moved @ places, moved.sum(), weight.sum()])
