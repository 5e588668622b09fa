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


class Line(NamedTuple):
    """A line; `determined` says whether the data determine it, or it is merely where the search ended."""

    slope: float
    intercept: float
    determined: bool


def fit_line(scores: Array, targets: Array) -> Line:
    """Return the line of `scores`, shape (n,), whose sigmoid has the least mean log loss on `targets`, from 0 to 1."""
    targets = targets.astype(np.float64)
    if not len(scores):
        return Line(1.0, 0.0, determined=False)
    scaled, exponent = rescaled(scores)
    places, center, width = standardised(scaled)

    def derivatives(line: Array) -> tuple[float, Array, DenseCurvature]:
        fitted = line[0] * places + line[1]
        decay = np.exp(-np.abs(fitted))
        loss = float(np.mean(np.maximum(fitted, 0) + np.log1p(decay) - targets * fitted))
        rest = np.where(fitted >= 0, 1, decay) / (1 + decay) - targets
        weight = decay / (1 + decay) ** 2
        gradient = np.array([np.mean(rest * places), np.mean(rest)])
        across = np.mean(weight * places)
        matrix = np.array([[np.mean(weight * places * places), across], [across, np.mean(weight)]])
        return loss, gradient, DenseCurvature(matrix)

    (slope, intercept), determined = minimum(derivatives, np.zeros(2))
    slope /= width
    return Line(float(unscaled(slope, -exponent)), float(intercept - slope * center), determined)
