"""Vector scaling: a scale and a bias for each class. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from actcli.calibration.calibration import Calibration, checked_problem, labels, scaled_logits
from actcli.calibration.logistic import fit_line
from actcli.calibration.scaling import blocks, rescaled, standardised, unscaled
from actcli.calibration.solvers import minimum
from actcli.calibration.temperature import fit_temperature
from actcli.tasks import Method

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    from actcli.calibration.calibration import Problem

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["VectorScaling", "fit_vector_scaling"]


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
    onehot = np.equal(truth[:, np.newaxis], np.arange(count))

    def derivatives(lines: Array) -> tuple[float, Array, Array]:
        slopes, intercepts = lines[:count], lines[count:]
        loss, gradient, curvature = 0.0, np.zeros(2 * count), np.zeros((2 * count, 2 * count))
        for block in blocks(*scores.shape):
            fitted = slopes * scores[block] + intercepts
            true = fitted[onehot[block]]
            fitted[masked[block]] = -np.inf
            largest = fitted.max(axis=1, keepdims=True)
            shares = np.exp(fitted - largest)
            totals = shares.sum(axis=1, keepdims=True)
            loss += float(np.sum(np.log(totals) + largest) - np.sum(true))
            shares /= totals
            moments = np.concatenate([shares * scores[block], shares], axis=1)
            rest = shares - onehot[block]
            gradient += np.concatenate([np.einsum("ij,ij->j", rest, scores[block]), rest.sum(axis=0)])
            curvature -= moments.T @ moments
            square = np.einsum("ij,ij->j", moments[:, :count], scores[block])
            across = np.diag(moments[:, :count].sum(axis=0))
            curvature += np.block([[np.diag(square), across], [across, np.diag(shares.sum(axis=0))]])
        # The loss does not change with the sum of the biases; this holds it where it is.
        curvature[count:, count:] += len(scores) / count
        return loss / len(scores), gradient / len(scores), curvature / len(scores)

    # The search begins at the best temperature, in the units of the standardised scores.
    beta = float(unscaled(1 / start.temperature, exponent))
    lines, determined = minimum(derivatives, np.concatenate([beta * widths, beta * (centers - centers.mean())]))
    slopes = lines[:count] / widths
    biases = lines[count:] - slopes * centers
    return VectorScaling(
        tuple(unscaled(slopes, -exponent).tolist()), tuple((biases - biases.mean()).tolist()), at_bound=not determined
    )
