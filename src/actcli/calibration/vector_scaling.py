"""Vector scaling: a scale and a bias for each class. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from actcli.calibration.calibration import Calibration, checked_problem, labels, scaled_logits
from actcli.calibration.logistic import fit_line
from actcli.calibration.scaling import blocks, rescaled, standardised, unscaled
from actcli.calibration.solvers import DenseCurvature, minimum
from actcli.calibration.temperature import fit_temperature
from actcli.tasks import Method

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    from actcli.calibration.calibration import Problem
    from actcli.calibration.solvers import Curvature

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["VectorScaling", "fit_vector_scaling"]

_MOST_DENSE = 256
"""With more classes than this, the Hessian matrix, of (2 C)^2 numbers, is not stored."""

_MOST_PRODUCTS = 20
"""The most products with the Hessian matrix for one step."""

_MOST_STEPS = 30
"""The most steps with so many classes: about ten suffice where there are enough rows, and no number where not."""


@dataclass(frozen=True, slots=True)
class VectorScaling(Calibration):
    """A scale and a bias for each class, so that class k has the logit ``scale[k] * x[k] + bias[k]``.

    Parameters
    ----------
    scale, bias
        The numbers of each class; for "binary" of the positive class alone.
    at_bound
        Whether the rows do not determine them: they are then where the search ended.
    """

    method: ClassVar[Method] = Method.VECTOR
    scale: tuple[float, ...]
    bias: tuple[float, ...]
    at_bound: bool = field(default=False, compare=False)

    def calibrated(self, logits: Array, *, exclusive: bool) -> tuple[Array, bool]:  # noqa: ARG002  as all are called
        """Return the scaled logits."""
        return scaled_logits(logits, self.scale, self.bias), False


def fit_vector_scaling(logits: ArrayLike, truth: ArrayLike, *, task: str = "softmax") -> VectorScaling:
    """Fit the scale and the bias of each class that minimize the mean log loss of scale * logits + bias.

    Parameters and errors are those of `fit_temperature`. For "multilabel" and "binary" this is the logistic regression
    of each label on its own logit.

    Notes
    -----
    The loss is convex; Newton's method finds its minimum. Adding a constant to all biases of exclusive classes changes
    nothing, so these sum to 0.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017, arXiv:1706.04599.
    """
    problem = checked_problem(logits, truth, task)
    if problem.exclusive:
        return _exclusive_lines(problem)
    lines = [fit_line(scores, true) for scores, true in labels(problem)]
    return VectorScaling(
        tuple(line.slope for line in lines),
        tuple(line.intercept for line in lines),
        at_bound=not all(line.determined for line in lines),
    )


def _exclusive_lines(problem: Problem) -> VectorScaling:
    """Return the scales and biases of exclusive classes, which are fitted together."""
    start = fit_temperature(problem.scores, problem.truth)
    possible = np.take_along_axis(problem.scores, problem.truth[:, np.newaxis], axis=1)[:, 0] > -np.inf
    scores, exponent = rescaled(problem.scores[possible])
    truth = problem.truth[possible]
    count = scores.shape[1]
    masked = np.isneginf(scores)
    centers, widths = np.zeros(count), np.ones(count)
    for column in range(count):
        finite = ~masked[:, column]
        if finite.any():
            scores[finite, column], centers[column], widths[column] = standardised(scores[finite, column])
    scores[masked] = 0
    loss = _Loss(scores, masked, truth)
    # The search begins at the best temperature, in the units of the standardised scores.
    beta = float(unscaled(1 / start.temperature, exponent))
    begin = np.concatenate([beta * widths, beta * (centers - centers.mean())])
    most = {"most": _MOST_STEPS} if count > _MOST_DENSE else {}
    lines, determined = minimum(loss.derivatives, begin, **most)
    slopes = lines[:count] / widths
    biases = lines[count:] - slopes * centers
    return VectorScaling(
        tuple(unscaled(slopes, -exponent).tolist()), tuple((biases - biases.mean()).tolist()), at_bound=not determined
    )


class _Loss:
    """The mean log loss of ``softmax(slopes * scores + intercepts)``, as a function of (slopes, intercepts).

    Parameters
    ----------
    scores
        Shape (N, C), float64; 0 where masked.
    masked
        Shape (N, C), bool.
    truth
        Codes, shape (N,).
    """

    def __init__(self, scores: Array, masked: Array, truth: Array) -> None:
        self._scores, self._masked, self._truth = scores, masked, truth

    def derivatives(self, lines: Array) -> tuple[float, Array, Curvature]:
        """Return the loss, its gradient, shape (2 C,), and its curvature."""
        count = self._scores.shape[1]
        slopes, intercepts = lines[:count], lines[count:]
        loss, gradient = 0.0, np.zeros(2 * count)
        every = np.empty_like(self._scores)
        for block in blocks(*self._scores.shape):
            scores, shares = self._scores[block], every[block]
            np.multiply(slopes, scores, out=shares)
            shares += intercepts
            rows = np.arange(len(shares))
            true = shares[rows, self._truth[block]]
            shares[self._masked[block]] = -np.inf
            largest = shares.max(axis=1, keepdims=True)
            shares -= largest
            np.exp(shares, out=shares)
            totals = shares.sum(axis=1, keepdims=True)
            loss += float(np.sum(np.log(totals) + largest) - np.sum(true))
            shares /= totals
            rest = shares.copy()
            rest[rows, self._truth[block]] -= 1
            gradient += np.concatenate([np.einsum("ij,ij->j", rest, scores), rest.sum(axis=0)])
        found = _ProductCurvature(self._scores, every)
        curvature = found if count > _MOST_DENSE else found.dense()
        return loss / len(every), gradient / len(every), curvature


class _ProductCurvature:
    """The Hessian matrix of a `_Loss`, which is known by its products with vectors.

    The loss does not change with the sum of the intercepts; the matrix is raised there, which holds that where it is.

    Parameters
    ----------
    scores, shares
        The scores of the loss, and the probabilities of the classes, shape (N, C).
    """

    def __init__(self, scores: Array, shares: Array) -> None:
        self._scores, self._shares = scores, shares
        rows, count = scores.shape
        squares, crosses, plain = np.zeros(count), np.zeros(count), np.zeros(count)
        for block in blocks(rows, count):
            weights = shares[block] * (1 - shares[block])
            plain += weights.sum(axis=0)
            weights *= scores[block]
            crosses += weights.sum(axis=0)
            squares += np.einsum("ij,ij->j", weights, scores[block])
        self._squares, self._crosses, self._plain = squares / rows, crosses / rows, plain / rows + 1 / count

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

    def dense(self) -> DenseCurvature:
        """Return the matrix itself."""
        rows, count = self._scores.shape
        matrix = np.zeros((2 * count, 2 * count))
        for block in blocks(rows, count):
            moments = np.concatenate([self._shares[block] * self._scores[block], self._shares[block]], axis=1)
            matrix -= moments.T @ moments
            across = np.diag(moments[:, :count].sum(axis=0))
            square = np.diag(np.einsum("ij,ij->j", moments[:, :count], self._scores[block]))
            matrix += np.block([[square, across], [across, np.diag(self._shares[block].sum(axis=0))]])
        matrix /= rows
        matrix[count:, count:] += 1 / count
        return DenseCurvature(matrix)

    def times(self, vector: Array) -> Array:
        """Return the product of the matrix with a vector, shape (2 C,)."""
        rows, count = self._scores.shape
        product = np.zeros(2 * count)
        for block in blocks(rows, count):
            scores, shares = self._scores[block], self._shares[block]
            moved = scores * vector[:count]
            moved += vector[count:]
            moved -= np.einsum("ij,ij->i", shares, moved)[:, np.newaxis]
            moved *= shares
            product[:count] += np.einsum("ij,ij->j", moved, scores)
            product[count:] += moved.sum(axis=0)
        product /= rows
        product[count:] += vector[count:].sum() / count
        return product

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
