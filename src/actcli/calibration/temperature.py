"""Temperature scaling: logits divided by one number. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from actcli.activations import in_block_order, row_sums, sigmoid
from actcli.calibration.calibration import NOTHING_LEFT, Calibration, checked_problem
from actcli.calibration.scaling import blocks, rescaled, unscaled
from actcli.calibration.solvers import root
from actcli.tasks import Method

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Temperature", "fit_temperature"]

_FLATTEST = 1e3
"""How far a temperature goes if the loss has no minimum, in units of the spread of the logits."""


@dataclass(frozen=True, slots=True)
class Temperature(Calibration):
    """Logits divided by one number for all classes.

    Parameters
    ----------
    temperature
        Above 0.
    at_bound
        Whether the loss has no minimum: the temperature is then where the search ended.
    """

    method: ClassVar[Method] = Method.TEMPERATURE
    temperature: float
    at_bound: bool = field(default=False, compare=False)

    def calibrated(self, logits: Array, *, exclusive: bool) -> tuple[Array, bool]:
        """Return the logits over T; of exclusive classes the largest of each row is subtracted first."""
        with np.errstate(over="ignore", invalid="ignore"):
            shifted = logits - logits.max(axis=1, keepdims=True) if exclusive else logits
            return shifted / logits.dtype.type(self.temperature), False


def fit_temperature(logits: ArrayLike, truth: ArrayLike, *, task: str = "softmax") -> Temperature:
    """Fit the temperature T that minimizes the mean log loss of logits / T, in float64.

    Parameters
    ----------
    logits
        Shape (N, C); for "binary" (N,), (N, 1) or (N, 2), whose second column is the positive class.
    truth
        For "softmax" class indices, shape (N,); for "multilabel" 0 and 1, shape (N, C); for "binary" 0 and 1, shape
        (N,). Rows and cells whose loss is infinite at every temperature are left out.
    task
        "softmax", "multilabel" (one temperature for all labels) or "binary".

    Raises
    ------
    ValueError
        If the shapes do not match, the logits hold NaN, or nothing is left to fit.

    Notes
    -----
    The loss is convex in 1 / T. Newton's method within a bracket finds the root of its derivative, to the last digits.
    There is no root if every row is right: the loss then falls until T = 0. There is none either if the logits of the
    true classes are not larger than the others on average: the loss then falls until T = infinity.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017, arXiv:1706.04599.

    Examples
    --------
    >>> fit_temperature([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [2.0, 0.0]], [0, 0, 0, 1]).temperature
    1.82047845...
    """
    problem = checked_problem(logits, truth, task)
    scores, exponent = rescaled(problem.scores)
    if problem.exclusive:
        return _fit(_exclusive_loss(scores, problem.truth), exponent)
    return _fit(_independent_loss(scores, problem.truth), exponent)


class _Loss(NamedTuple):
    """The mean log loss as a function of beta = 1 / T.

    Parameters
    ----------
    slope
        Returns its first and second derivative by beta.
    spread
        The distances between logits that decide it, none of them negative.
    flattest
        Minus its slope at beta = 0; if it is not above 0, the loss falls until T = infinity.
    sharpest
        Minus the largest slope that a row can have; if it is not below 0, the loss falls until T = 0.
    """

    slope: Callable[[float], tuple[float, float]]
    spread: Array
    flattest: float
    sharpest: float


def _fit(loss: _Loss, exponent: int) -> Temperature:
    """Return the best temperature, of scores that were divided by 2 to the power of `exponent`."""
    spread = loss.spread[loss.spread > 0]
    if not len(spread):
        return Temperature(1.0, at_bound=True)
    if loss.flattest <= 0 or loss.sharpest >= 0:
        limit = _FLATTEST if loss.flattest <= 0 else 1 / _FLATTEST
        return Temperature(_positive(float(np.median(spread)) * limit, exponent), at_bound=True)
    return Temperature(_positive(1 / root(loss.slope, 1 / float(spread.mean())), exponent))


def _exclusive_loss(scores: Array, truth: Array) -> _Loss:
    possible = np.take_along_axis(scores, truth[:, np.newaxis], axis=1)[:, 0] > -np.inf
    if not possible.any():
        raise ValueError(NOTHING_LEFT)
    scores, classes = scores[possible], truth[possible]
    scores = in_block_order(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
    true = np.take_along_axis(scores, classes[:, np.newaxis], axis=1)[:, 0]
    finite = scores > -np.inf
    spread = -scores[finite]
    flattest = float(np.mean(true - np.sum(scores, axis=1, where=finite) / np.count_nonzero(finite, axis=1)))
    scores[~finite] = -np.finfo(np.float64).max  # a probability of 0 times this is 0; times -inf it is NaN
    return _Loss(lambda beta: _exclusive_slope(scores, true, beta), spread, flattest, float(true.min(initial=0)))


def _independent_loss(scores: Array, truth: Array) -> _Loss:
    finite = np.isfinite(scores)
    if not finite.any():
        raise ValueError(NOTHING_LEFT)
    margins = np.where(truth, scores, -scores)[finite]
    return _Loss(
        lambda beta: _independent_slope(margins, beta),
        np.abs(margins),
        float(margins.mean()),
        float(margins.min(initial=0)),
    )


def _positive(temperature: float, exponent: int) -> float:
    """Return a temperature of rescaled scores as one of the scores themselves."""
    return max(float(unscaled(temperature, exponent)), float(np.finfo(np.float64).smallest_normal))


def _exclusive_slope(scores: Array, true: Array, beta: float) -> tuple[float, float]:
    """Return the first and second derivative by beta of the mean log loss of softmax(beta * scores)."""
    first = second = 0.0
    for block in blocks(*scores.shape):
        shifted = scores[block]
        with np.errstate(over="ignore", under="ignore"):
            powers = np.exp(beta * shifted)
        totals = row_sums(powers)
        powers *= shifted
        mean = row_sums(powers) / totals
        powers *= shifted
        first += float(np.sum(mean - true[block]))
        second += float(np.sum(row_sums(powers) / totals - mean * mean))
    return first / len(scores), second / len(scores)


def _independent_slope(margins: Array, beta: float) -> tuple[float, float]:
    """Return the first and second derivative by beta of the mean of -log(sigmoid(beta * margins))."""
    first = second = 0.0
    for block in blocks(len(margins), 1):
        margin = margins[block]
        wrong = sigmoid(-beta * margin)
        first -= float(np.sum(margin * wrong))
        second += float(np.sum(margin * margin * wrong * (1 - wrong)))
    return first / len(margins), second / len(margins)
