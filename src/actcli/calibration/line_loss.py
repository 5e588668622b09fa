"""The log loss of a scale and a bias for each of several exclusive classes, and its curvature. NumPy only."""

from __future__ import annotations

from functools import partial, reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.calibration.calibration import each_class
from actcli.calibration.scaling import exponent_of, standardised, times_power, unscaled
from actcli.calibration.solvers import DenseCurvature

if TYPE_CHECKING:
    from typing import TypeAlias

    from actcli.calibration.calibration import Problem
    from actcli.calibration.solvers import Curvature

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["LineLoss", "StandardUnits", "standard_units"]

_MOST_PRODUCTS = 20
"""The most products with the Hessian matrix for one step."""


class StandardUnits(NamedTuple):
    """How logits are standardised: divided by 2 to the power of `exponent`, then minus `centers`, over `widths`.

    Parameters
    ----------
    exponent
        Such that no logit is above 1 after the division.
    centers, widths
        Of each class, shape (C,).
    """

    exponent: int
    centers: Array
    widths: Array

    def lines(self, temperature: float) -> Array:
        """Return the slopes and intercepts that are the same as a temperature, shape (2 C,)."""
        beta = float(unscaled(1 / temperature, self.exponent))
        return np.concatenate([beta * self.widths, beta * (self.centers - self.centers.mean())])

    def applied(self, scores: Array) -> Array:
        """Return standardised logits, shape (n, C), 0 where masked."""
        found = times_power(scores, -self.exponent)
        found -= self.centers
        found /= self.widths
        return found


def standard_units(problem: Problem, sample: Problem) -> StandardUnits:
    """Return the units for the rows of a problem, with the centers and widths of a sample of them."""

    def largest(scores: Array, truth: Array) -> float:
        scores, _, _ = _possible(scores, truth, None)
        return float(np.abs(scores).max(where=~np.isneginf(scores), initial=0))

    exponent = exponent_of(max(problem.blocks(largest)))

    def measured(scores: Array, true: Array, weights: Array | None) -> tuple[float, float]:  # noqa: ARG001  as all are
        finite = scores[np.isfinite(scores)]
        return standardised(times_power(finite, -exponent))[1:] if len(finite) else (0.0, 1.0)

    centers, widths = zip(*each_class(sample, measured), strict=True)
    return StandardUnits(exponent, np.array(centers), np.array(widths))


class LineLoss:
    """The mean log loss of ``softmax(slopes * scores + intercepts)``, as a function of (slopes, intercepts).

    Parameters
    ----------
    problem
        The logits, and their truth. Rows whose true class is masked are left out.
    units
        How the logits are standardised.
    dense
        Whether the Hessian matrix, of (2 C)^2 numbers, is stored.
    """

    def __init__(self, problem: Problem, units: StandardUnits, *, dense: bool) -> None:
        self._problem, self._units, self._dense = problem, units, dense

    def derivatives(self, lines: Array) -> tuple[float, Array, Curvature]:
        """Return the loss, its gradient, shape (2 C,), and its curvature."""
        parts = self._problem.weighted_blocks(partial(_sums, self._units, lines, self._dense))
        rows, *totals = reduce(lambda total, part: [one + more for one, more in zip(total, part, strict=True)], parts)
        loss, gradient, moments, matrix = (total / rows for total in totals)
        if not self._dense:
            return float(loss), gradient, _ProductCurvature(self._problem, self._units, lines, moments, rows)
        count = self._problem.shape[1]
        squares, crosses, plain = (np.diag(values) for values in moments)
        matrix = np.block([[squares, crosses], [crosses, plain]]) - matrix
        matrix[count:, count:] += 1 / count  # as in _ProductCurvature
        return float(loss), gradient, DenseCurvature(matrix)


def _possible(scores: Array, truth: Array, weights: Array | None) -> tuple[Array, Array, Array | None]:
    """Return the rows whose true class is not masked, and their weights."""
    possible = scores[np.arange(len(scores)), truth] > -np.inf
    if possible.all():
        return scores, truth, weights
    return scores[possible], truth[possible], None if weights is None else weights[possible]


def _shares(units: StandardUnits, lines: Array, scores: Array) -> tuple[Array, Array, Array]:
    """Return standardised logits, their softmax after the lines, and the log of its denominator, shape (n,)."""
    masked = np.isneginf(scores)
    scores = units.applied(scores)
    scores[masked] = 0
    count = scores.shape[1]
    shares = scores * lines[:count]
    shares += lines[count:]
    shares[masked] = -np.inf
    largest = shares.max(axis=1, keepdims=True)
    shares -= largest
    np.exp(shares, out=shares)
    totals = shares.sum(axis=1, keepdims=True)
    shares /= totals
    return scores, shares, (np.log(totals) + largest)[:, 0]


def _sums(
    units: StandardUnits, lines: Array, dense: bool, scores: Array, truth: Array, each: Array | None
) -> list[Any]:
    """Return the number of rows of a block, or the sum of their weights, and sums over them.

    These are the loss; its gradient; the sums of w s^2, w s and w for each class, shape (3, C), with the standardised
    logit s; and the matrix of products of (p s, p), shape (2 C, 2 C). Dense: w is the probability p; else it is
    p (1 - p), and there is no matrix.
    """
    scores, truth, each = _possible(scores, truth, each)
    scores, shares, logarithms = _shares(units, lines, scores)
    rows, count = scores.shape
    every = np.arange(rows)
    true = scores[every, truth] * lines[:count][truth] + lines[count:][truth]
    losses = logarithms - true
    total: float = rows
    summed = shares  # each row times its weight
    if each is not None:
        losses, total, summed = losses * each, float(each.sum()), shares * each[:, np.newaxis]
    moments = summed * scores
    weighted, weights = (moments, summed) if dense else (moments * (1 - shares), summed * (1 - shares))
    sums = np.stack([np.einsum("ij,ij->j", weighted, scores), weighted.sum(axis=0), weights.sum(axis=0)])
    matrix: Any = 0.0
    if dense:
        both = np.concatenate([moments, summed], axis=1)
        matrix = both.T @ (both if each is None else np.concatenate([shares * scores, shares], axis=1))
    hit = scores[every, truth]
    hits = np.concatenate(
        [
            np.bincount(truth, hit if each is None else hit * each, minlength=count),
            np.bincount(truth, each, minlength=count),
        ]
    )
    gradient = np.concatenate([moments.sum(axis=0), summed.sum(axis=0)]) - hits
    return [total, float(np.sum(losses)), gradient, sums, matrix]


class _ProductCurvature:
    """The Hessian matrix of a `LineLoss`, which is known by its products with vectors.

    The loss does not change with the sum of the intercepts; the matrix is raised there, which holds that where it is.

    Parameters
    ----------
    problem, units, lines
        Where it is.
    moments
        The means of p (1 - p) s^2, p (1 - p) s and p (1 - p), shape (3, C).
    rows
        The number of rows whose true class is not masked, or the sum of their weights.
    """

    def __init__(self, problem: Problem, units: StandardUnits, lines: Array, moments: Array, rows: float) -> None:
        self._problem, self._units, self._lines, self._rows = problem, units, lines, rows
        self._squares, self._crosses, plain = moments
        self._plain = plain + 1 / len(plain)

    @property
    def largest(self) -> float:
        """The largest entry of the diagonal."""
        return float(max(self._squares.max(), self._plain.max()))

    @property
    def smallest(self) -> float:
        """The smallest eigenvalue for the slope and the intercept of one class alone."""
        plain = self._plain - 1 / len(self._plain)
        middle = (self._squares + plain) / 2
        return float((middle - np.hypot((self._squares - plain) / 2, self._crosses)).min())

    def times(self, vector: Array) -> Array:
        """Return the product of the matrix with a vector, shape (2 C,)."""
        count = len(self._plain)
        product: Array = sum(self._problem.weighted_blocks(partial(self._moved, vector)), np.zeros(2 * count))
        product /= self._rows
        product[count:] += vector[count:].sum() / count
        return product

    def _moved(self, vector: Array, scores: Array, truth: Array, weights: Array | None) -> Array:
        """Return what a block adds to the product of the matrix with a vector."""
        count = len(self._plain)
        scores, truth, weights = _possible(scores, truth, weights)
        scores, shares, _ = _shares(self._units, self._lines, scores)
        moved = scores * vector[:count]
        moved += vector[count:]
        moved -= np.einsum("ij,ij->i", shares, moved)[:, np.newaxis]
        moved *= shares
        if weights is not None:
            moved *= weights[:, np.newaxis]
        return np.concatenate([np.einsum("ij,ij->j", moved, scores), moved.sum(axis=0)])

    def solved(self, damping: float, gradient: Array) -> Array:
        """Return about the solution of (H + damping * I) x = gradient, by conjugate gradients.

        It is more exact the smaller the gradient is, so that Newton's method keeps its speed (Dembo, Eisenstat and
        Steihaug 1982, doi:10.1137/0719025).
        """
        count = len(self._plain)
        squares, plain = self._squares + damping, self._plain + damping
        determinants = np.maximum(squares * plain - self._crosses**2, np.finfo(np.float64).tiny)

        def preconditioned(vector: Array) -> Array:
            slopes, intercepts = vector[:count], vector[count:]
            parts = [plain * slopes - self._crosses * intercepts, squares * intercepts - self._crosses * slopes]
            return np.concatenate([part / determinants for part in parts])

        size = float(np.linalg.norm(gradient))
        enough = size * min(0.1, size)
        solution, rest = np.zeros_like(gradient), gradient.copy()
        step = turned = preconditioned(rest)
        energy = float(rest @ turned)
        for _ in range(_MOST_PRODUCTS):
            product = self.times(step) + damping * step
            length = energy / float(step @ product)
            solution += length * step
            rest -= length * product
            if np.linalg.norm(rest) <= enough:
                break
            turned = preconditioned(rest)
            before, energy = energy, float(rest @ turned)
            step = turned + energy / before * step
        return solution
