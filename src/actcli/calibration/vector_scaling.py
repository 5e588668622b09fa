"""Vector scaling: a scale and a bias for each class. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from actcli.calibration.calibration import ArrayProblem, Calibration, checked_problem, each_class, scaled_logits
from actcli.calibration.line_loss import LineLoss, standard_units
from actcli.calibration.logistic import fit_line
from actcli.calibration.scaling import unscaled
from actcli.calibration.solvers import minimum
from actcli.calibration.temperature import temperature_of
from actcli.tasks import Method

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    from actcli.calibration.calibration import Problem
    from actcli.calibration.logistic import Line

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["VectorScaling", "fit_vector_scaling", "vector_scaling_of"]

_MOST_DENSE = 256
"""With more classes than this, the Hessian matrix, of (2 C)^2 numbers, is not stored."""

_SAMPLE_CELLS = 1 << 22
_SAMPLE_ROWS = 100
"""A sample has about so many numbers, and at least so many rows for each class."""

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

    def of_classes(self, classes: slice) -> Self:
        """Return the scales and biases of some classes."""
        return type(self)(self.scale[classes], self.bias[classes])

    def calibrated(self, logits: Array, *, exclusive: bool) -> tuple[Array, bool]:  # noqa: ARG002  as all are called
        """Return the scaled logits."""
        return scaled_logits(logits, self.scale, self.bias), False


def fit_vector_scaling(
    logits: ArrayLike, truth: ArrayLike, *, task: str = "softmax", weights: ArrayLike | None = None
) -> VectorScaling:
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
    return vector_scaling_of(checked_problem(logits, truth, task, weights))


def vector_scaling_of(problem: Problem) -> VectorScaling:
    """Fit as `fit_vector_scaling` does, block by block."""
    if problem.exclusive:
        return _exclusive_lines(problem)
    lines = each_class(problem, _line)
    return VectorScaling(
        tuple(line.slope for line in lines),
        tuple(line.intercept for line in lines),
        at_bound=not all(line.determined for line in lines),
    )


def _line(scores: Array, true: Array, weights: Array | None) -> Line:
    finite = np.isfinite(scores)
    if not finite.all():
        scores, true, weights = scores[finite], true[finite], None if weights is None else weights[finite]
    return fit_line(scores, true, weights=weights)


def _exclusive_lines(problem: Problem) -> VectorScaling:
    """Return the scales and biases of exclusive classes, which are fitted together.

    The search begins at the best temperature. Where there are many rows for each class, it begins at the best lines for
    a sample of them, from where a few steps are left.
    """
    rows, count = problem.shape
    size = max(_SAMPLE_CELLS // count, _SAMPLE_ROWS * count)
    sampled = 2 * size <= rows and size * count <= 2 * _SAMPLE_CELLS
    sample: Problem = _sample(problem, -(-rows // size)) if sampled else problem
    units = standard_units(problem, sample)
    dense = count <= _MOST_DENSE
    most = {} if dense else {"most": _MOST_STEPS}
    start = units.lines(temperature_of(sample).temperature)
    lines, determined = minimum(LineLoss(sample, units, dense=dense).derivatives, start, **most)
    if sampled:
        start = lines if determined else units.lines(temperature_of(problem).temperature)
        lines, determined = minimum(LineLoss(problem, units, dense=dense).derivatives, start, **most)
    slopes = lines[:count] / units.widths
    biases = lines[count:] - slopes * units.centers
    return VectorScaling(
        tuple(unscaled(slopes, -units.exponent).tolist()),
        tuple((biases - biases.mean()).tolist()),
        at_bound=not determined,
    )


def _sample(problem: Problem, stride: int) -> ArrayProblem:
    """Return every so many rows of each block."""

    def taken(*block: Array | None) -> tuple[Array | None, ...]:
        return tuple(None if part is None else part[::stride].copy() for part in block)

    scores, truth, weights = zip(*problem.weighted_blocks(taken), strict=True)
    each = None if weights[0] is None else np.concatenate(weights)
    return ArrayProblem(np.concatenate(scores), np.concatenate(truth), exclusive=True, like=problem, weights=each)
