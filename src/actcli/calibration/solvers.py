"""Solvers for roots, minima and monotone fits, exact to the last digits. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import NDArray

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Curvature", "DenseCurvature", "minimum", "pooled", "root"]

_MOST_STEPS = 300
_GRADIENT = 1e-13
"""The slope, in standardised units, at which the search for a minimum ends."""
_LEAST_DAMPING = 1e-15
_UNDETERMINED = 1e-9
"""The curvature, in standardised units, below which the data do not determine a minimum."""


def root(slope: Callable[[float], tuple[float, float]], start: float) -> float:
    """Return the root of a rising function that is negative at 0, by Newton's method within a bracket.

    Parameters
    ----------
    slope
        Returns the value of the function and its derivative.
    start
        Where the search begins, above 0.
    """
    low, high, beta, leap = 0.0, np.inf, start, 8.0
    for _ in range(_MOST_STEPS):
        value, rise = slope(beta)
        if value == 0:
            break
        low, high = (beta, high) if value < 0 else (low, beta)
        following = beta - value / rise if rise > 0 else np.nan
        if abs(following - beta) <= 1e-9 * beta:
            return following  # whose error is about the square of that: the last digit
        if not low < following < high:
            # Newton's step leaves the bracket: grow or shrink, ever faster, until the root is between two points.
            following = beta * leap if high == np.inf else beta / leap if low == 0 else float(np.sqrt(low * high))
            leap = min(leap * leap, 1e30)
        if not low < following < high:
            break
        beta = following
    return beta


class Curvature(Protocol):
    """The Hessian matrix of a convex function at a point, shape (n, n), by what Newton's method asks of it."""

    @property
    def largest(self) -> float:
        """The largest entry of its diagonal."""

    @property
    def smallest(self) -> float:
        """Its smallest eigenvalue, or an upper bound of it."""

    def solved(self, damping: float, gradient: Array) -> Array:
        """Return about the solution of (H + damping * I) x = gradient, along which the function rises."""


class DenseCurvature:
    """A Hessian matrix that is stored."""

    def __init__(self, matrix: Array) -> None:
        self._matrix = matrix

    @property
    def largest(self) -> float:
        """The largest entry of the diagonal."""
        return float(np.diagonal(self._matrix).max())

    @property
    def smallest(self) -> float:
        """The smallest eigenvalue."""
        return float(np.linalg.eigvalsh(self._matrix)[0])

    def solved(self, damping: float, gradient: Array) -> Array:
        """Return the solution of (H + damping * I) x = gradient."""
        return np.asarray(np.linalg.solve(self._matrix + damping * np.eye(len(gradient)), gradient))


def minimum(
    derivatives: Callable[[Array], tuple[float, Array, Curvature]], start: Array, most: int = _MOST_STEPS
) -> tuple[NDArray[np.float64], bool]:
    """Return the minimum of a convex function, shape (n,), and whether it was found and its curvature determines it.

    This is Newton's method. The curvature is raised, so that each step can be solved: less after each full step, and
    more after each one that had to be halved until the function falls (Levenberg 1944, Marquardt 1963).

    Parameters
    ----------
    derivatives
        Returns the value, the gradient, shape (n,), and the curvature.
    start
        Where the search begins, shape (n,).
    most
        The most steps.
    """
    point, damping, converged = start, 1e-3, False
    value, gradient, curvature = derivatives(point)
    for _ in range(most):
        steepest = float(np.abs(gradient).max())
        step = -curvature.solved(min(steepest, damping) * curvature.largest + _LEAST_DAMPING, gradient)
        fall = float(gradient @ step)
        converged = steepest <= _GRADIENT or -fall <= _GRADIENT**2
        if converged:
            break
        noise = 4 * np.finfo(np.float64).eps * abs(value)
        length = 1.0
        tried = derivatives(point + step)
        while not tried[0] <= value + 1e-4 * length * fall + noise and length > 1e-9:
            length /= 2
            tried = derivatives(point + length * step)
        if -fall <= noise and np.abs(tried[1]).max() >= steepest:
            converged = True  # rounding is all that is left
            break
        damping = damping / 10 if length == 1 else min(10 * damping, 1e-3)
        point = point + length * step
        value, gradient, curvature = tried
    return point, converged and curvature.smallest > _UNDETERMINED


def pooled(sums: Array, weights: Array) -> NDArray[np.int64]:
    """Return the starts of the blocks whose means rise, after pooling adjacent blocks whose means do not.

    Whole runs of falling means are pooled at once as long as that is fast; the rest is pooled one by one.

    Parameters
    ----------
    sums, weights
        The sum and the weight of each point, shape (n,).
    """
    starts = np.arange(len(sums))
    while True:
        totals, counts = np.add.reduceat(sums, starts), np.add.reduceat(weights, starts)
        rising = np.append(True, totals[1:] / counts[1:] > totals[:-1] / counts[:-1])
        if rising.all():
            return starts
        fewer = starts[rising]
        if len(fewer) > 0.9 * len(starts):
            break
        starts = fewer
    blocks: list[tuple[int, float, float]] = []
    for place, total, count in zip(starts.tolist(), totals.tolist(), counts.tolist(), strict=True):
        start, above, below = place, total, count
        while blocks and blocks[-1][1] / blocks[-1][2] >= above / below:
            start, more, larger = blocks.pop()
            above, below = above + more, below + larger
        blocks.append((start, above, below))
    return np.array([start for start, _, _ in blocks])
