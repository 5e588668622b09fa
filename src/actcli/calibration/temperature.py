"""Temperature scaling: logits divided by one number. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from actcli.activations import in_block_order, row_sums, sigmoid
from actcli.calibration.calibration import NOTHING_LEFT, Calibration, checked_problem
from actcli.calibration.distribution import median
from actcli.calibration.scaling import exponent_of, times_power, unscaled
from actcli.calibration.solvers import root
from actcli.tasks import Method

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    from actcli.calibration.calibration import Problem

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Temperature", "fit_temperature", "temperature_of"]

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

    def of_classes(self, classes: slice) -> Self:  # noqa: ARG002  it is the same for all
        """Return itself."""
        return self

    def calibrated(self, logits: Array, *, exclusive: bool) -> tuple[Array, bool]:
        """Return the logits over T; of exclusive classes the largest of each row is subtracted first."""
        with np.errstate(over="ignore", invalid="ignore"):
            shifted = logits - logits.max(axis=1, keepdims=True) if exclusive else logits
            return shifted / logits.dtype.type(self.temperature), False


def fit_temperature(
    logits: ArrayLike, truth: ArrayLike, *, task: str = "softmax", weights: ArrayLike | None = None
) -> Temperature:
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
    weights
        How much each row counts, shape (N,): finite, not negative, not all 0. None: every row counts once.

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
    return temperature_of(checked_problem(logits, truth, task, weights))


def temperature_of(problem: Problem) -> Temperature:
    """Fit as `fit_temperature` does, block by block."""
    largest = max(problem.blocks(lambda scores, _: np.abs(scores).max(where=np.isfinite(scores), initial=0)))
    exponent = exponent_of(float(largest))
    spread = partial(_row_spread if problem.exclusive else _label_spread, exponent)
    total = _Spread(0, 0.0, 0.0, 0, 0.0)
    for part in problem.weighted_blocks(lambda *block: _measured(*spread(*block))):
        total = total.plus(part)
    if not total.losses:
        raise ValueError(NOTHING_LEFT)
    if not total.positive:
        return Temperature(1.0, at_bound=True)
    if total.flattest <= 0 or total.sharpest >= 0:
        limit = _FLATTEST if total.flattest <= 0 else 1 / _FLATTEST
        middle = median(lambda work: problem.weighted_blocks(lambda *block: work(spread(*block)[0])), total.positive)
        return Temperature(_positive(middle * limit, exponent), at_bound=True)
    slope = partial(_exclusive_slope if problem.exclusive else _independent_slope, exponent)

    def derivatives(beta: float) -> tuple[float, float]:
        first = second = 0.0
        for one, two in problem.weighted_blocks(partial(slope, beta)):
            first, second = first + one, second + two
        return first / total.losses, second / total.losses

    return Temperature(_positive(1 / root(derivatives, total.positive / total.spread), exponent))


class _Spread(NamedTuple):
    """The distances between logits, divided by 2 to the power of an exponent, that decide the mean log loss.

    Parameters
    ----------
    losses
        The number of rows, or cells, with a finite loss; with weights the sum of these.
    spread, positive
        The sum of the distances above 0, and their number.
    flattest
        Minus the slope of the sum of losses at beta = 0; if it is not above 0, the loss falls until T = infinity.
    sharpest
        Minus the largest slope that a row can have; if it is not below 0, the loss falls until T = 0.
    """

    losses: float
    spread: float
    flattest: float
    positive: int
    sharpest: float

    def plus(self, other: _Spread) -> _Spread:
        """Return the spread of the rows of both."""
        return _Spread(
            self.losses + other.losses,
            self.spread + other.spread,
            self.flattest + other.flattest,
            self.positive + other.positive,
            min(self.sharpest, other.sharpest),
        )


def _measured(distances: Array, slopes: Array, weights: Array | None) -> _Spread:
    """Return the spread of a block, from its distances above 0 and what `_row_spread` says of the slopes."""
    return _Spread(
        slopes.shape[1] if weights is None else float(weights.sum()),
        float(distances.sum()),
        _sum(slopes[0], weights),
        len(distances),
        float(slopes[1].min(initial=0)),
    )


def _sum(values: Array, weights: Array | None) -> float:
    """Return the sum of values, shape (n,), each times its weight if there are weights."""
    return float(values.sum() if weights is None else (values * weights).sum())


def _row_spread(exponent: int, scores: Array, truth: Array, weights: Array | None) -> tuple[Array, Array, Array | None]:
    """Return the distances above 0 between the logits of each row, minus its slope, shape (2, n), and the weights.

    The first slope is that at beta = 0, the second the largest.
    """
    shifted, true, weights = _shifted(exponent, scores, truth, weights)
    finite = shifted > -np.inf
    mean = np.sum(shifted, axis=1, where=finite) / np.count_nonzero(finite, axis=1)
    distances = -shifted[shifted < 0 if finite.all() else finite & (shifted < 0)]
    return distances, np.stack([true - mean, true]), weights


def _label_spread(
    exponent: int, scores: Array, truth: Array, weights: Array | None
) -> tuple[Array, Array, Array | None]:
    """Return the distances from 0 of the logits of a block, minus their slopes, shape (2, n), and their weights."""
    margins, weights = _margins(exponent, scores, truth, weights)
    distances = np.abs(margins)
    return distances[distances > 0], np.stack([margins, margins]), weights


def _shifted(exponent: int, scores: Array, truth: Array, weights: Array | None) -> tuple[Array, Array, Array | None]:
    """Return the logits of rows with a finite loss minus the largest of each, those of the true class, and weights."""
    true = scores[np.arange(len(scores)), truth]
    possible = true > -np.inf
    if not possible.all():
        scores, truth, weights = scores[possible], truth[possible], None if weights is None else weights[possible]
    shifted = in_block_order(times_power(scores, -exponent))
    shifted -= shifted.max(axis=1, keepdims=True, initial=-np.inf)
    return shifted, shifted[np.arange(len(shifted)), truth], weights


def _margins(exponent: int, scores: Array, truth: Array, weights: Array | None) -> tuple[Array, Array | None]:
    """Return the finite logits, with the other sign where the label is not true, and their weights: shape (n,)."""
    scaled = times_power(scores, -exponent)
    finite = np.isfinite(scaled)
    of_cells = None if weights is None else np.broadcast_to(weights[:, np.newaxis], scaled.shape)[finite]
    return np.where(truth, scaled, -scaled)[finite], of_cells


def _positive(temperature: float, exponent: int) -> float:
    """Return a temperature of rescaled scores as one of the scores themselves."""
    return max(float(unscaled(temperature, exponent)), float(np.finfo(np.float64).smallest_normal))


def _exclusive_slope(
    exponent: int, beta: float, scores: Array, truth: Array, weights: Array | None
) -> tuple[float, float]:
    """Return the first and second derivative by beta of the sum of the log losses of softmax(beta * scores)."""
    shifted, true, weights = _shifted(exponent, scores, truth, weights)
    # A probability of 0 times this is 0; times -inf it is NaN.
    np.maximum(shifted, -np.finfo(np.float64).max, out=shifted)
    with np.errstate(over="ignore", under="ignore"):
        powers = beta * shifted
        np.exp(powers, out=powers)
    totals = row_sums(powers)
    powers *= shifted
    mean = row_sums(powers) / totals
    powers *= shifted
    return _sum(mean - true, weights), _sum(row_sums(powers) / totals - mean * mean, weights)


def _independent_slope(
    exponent: int, beta: float, scores: Array, truth: Array, weights: Array | None
) -> tuple[float, float]:
    """Return the first and second derivative by beta of the sum of -log(sigmoid(beta * margins))."""
    margins, weights = _margins(exponent, scores, truth, weights)
    wrong = sigmoid(-beta * margins)
    slopes = margins * wrong
    return -_sum(slopes, weights), _sum(slopes * (margins - slopes), weights)
