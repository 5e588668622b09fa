"""Calibration: scores turned into probabilities that are right as often as they say. NumPy only.

A fit takes the logits of a classifier and what was true of the same rows, and returns a calibration: a frozen dataclass
of plain numbers, whose `probabilities` are those of new logits. The classes are exclusive ("softmax"), or each is a
question of its own ("multilabel", and "binary" with a single one).

One rule holds for all: a logit that is infinite stays as it is. So a masked class (-inf) keeps its probability of 0
whatever was fitted, and teaches the fit nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeAlias

import numpy as np

from actcli.activations import in_block_order, log_sigmoid, row_sums, sigmoid, softmax
from actcli.calibration.solvers import minimum, pooled, root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "METHODS",
    "Calibration",
    "Isotonic",
    "Platt",
    "Temperature",
    "VectorScaling",
    "fit_isotonic",
    "fit_platt",
    "fit_temperature",
    "fit_vector_scaling",
]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_NOTHING_LEFT = "no row gives what is true of it a probability above 0"

_BLOCK = 1 << 18
"""About how many cells are worked on at once, so that a fit needs little memory beside the logits themselves."""

_FLATTEST = 1e3
"""Where a temperature has no minimum, how far it goes, in units of the spread of the logits."""


class Calibration(Protocol):
    """What every calibration can do."""

    method: ClassVar[str]

    def calibrated(self, logits: Array, *, exclusive: bool) -> tuple[Array, bool]:
        """Return calibrated scores, shape (N, C), and whether they are probabilities already, or else logits."""

    def probabilities(self, logits: ArrayLike, *, task: str = "softmax") -> NDArray[np.floating[Any]]:
        """Return the calibrated probabilities of logits of shape (N, C)."""


class _Applied:
    """The public side of a calibration."""

    def calibrated(self, logits: Array, *, exclusive: bool) -> tuple[Array, bool]:
        raise NotImplementedError

    def probabilities(self, logits: ArrayLike, *, task: str = "softmax") -> NDArray[np.floating[Any]]:
        """Return calibrated probabilities.

        Parameters
        ----------
        logits
            Shape (N, C); for "binary" (N,), (N, 1) or (N, 2), whose second column is the positive class.
        task
            "softmax", "multilabel" or "binary", as in the fit.

        Returns
        -------
        array
            Shape (N, C); for "binary" (N, 1): of the positive class.

        Raises
        ------
        ValueError
            If the shape is another one, the logits hold NaN, or there is no such task.
        """
        scores, exclusive = _scores(logits, task)
        found, done = self.calibrated(scores, exclusive=exclusive)
        if done:
            return found
        return softmax(found) if exclusive else sigmoid(found)


@dataclass(frozen=True, slots=True)
class Temperature(_Applied):
    """Logits divided by one number for all classes.

    Parameters
    ----------
    temperature
        Above 0.
    at_bound
        Whether the loss has no minimum, so that this is merely where the search ended.
    """

    method: ClassVar[str] = "temperature"
    temperature: float
    at_bound: bool = field(default=False, compare=False)

    def calibrated(self, logits: Array, *, exclusive: bool) -> tuple[Array, bool]:
        """Return the logits over T; of exclusive classes the largest of each row is subtracted first."""
        with np.errstate(over="ignore", invalid="ignore"):
            shifted = logits - logits.max(axis=1, keepdims=True) if exclusive else logits
            return shifted / logits.dtype.type(self.temperature), False


@dataclass(frozen=True, slots=True)
class VectorScaling(_Applied):
    """A scale and a bias for each class, so that class k has the logit ``scale[k] * x[k] + bias[k]``.

    Parameters
    ----------
    scale, bias
        Of each class; of the positive class alone for "binary".
    at_bound
        Whether the rows do not determine them, so that they are merely where the search ended.
    """

    method: ClassVar[str] = "vector"
    scale: tuple[float, ...]
    bias: tuple[float, ...]
    at_bound: bool = field(default=False, compare=False)

    def calibrated(self, logits: Array, *, exclusive: bool) -> tuple[Array, bool]:  # noqa: ARG002  as all are called
        """Return the scaled logits."""
        return _line(logits, self.scale, self.bias), False


@dataclass(frozen=True, slots=True)
class Platt(_Applied):
    """A sigmoid for each class: ``sigmoid(slope[k] * x[k] + intercept[k])``; exclusive classes are then normalised.

    Parameters
    ----------
    slope, intercept
        Of each class; of the positive class alone for "binary".
    """

    method: ClassVar[str] = "platt"
    slope: tuple[float, ...]
    intercept: tuple[float, ...]

    def calibrated(self, logits: Array, *, exclusive: bool) -> tuple[Array, bool]:
        """Return the logits of the sigmoids, or their logarithms, whose softmax is their share of the sum."""
        scores = _line(logits, self.slope, self.intercept)
        return (log_sigmoid(scores) if exclusive else scores), False


@dataclass(frozen=True, slots=True)
class Isotonic(_Applied):
    """A function for each class that never falls, straight between its points and level beyond them.

    Exclusive classes are then normalised: a row of nothing but zeros is shared out equally among its classes.

    Parameters
    ----------
    points
        For each class, or the positive one alone for "binary": logits, rising, and the probabilities there.
    """

    method: ClassVar[str] = "isotonic"
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


METHODS: dict[str, Callable[..., Calibration]]
"""The fits, by what ``--method`` calls them."""


class _Problem(NamedTuple):
    """What is to be fitted: finite logits or -inf, float64, shape (N, C), and the truth.

    Of exclusive classes the truth is an index for each row; else it is a yes or no for each cell.
    """

    scores: Array
    truth: Array
    exclusive: bool


def fit_temperature(logits: ArrayLike, truth: ArrayLike, *, task: str = "softmax") -> Temperature:
    """Return the temperature T at which the mean log loss of logits / T is least.

    Parameters
    ----------
    logits
        Shape (N, C); for "binary" (N,), (N, 1) or (N, 2), whose second column is the positive class.
    truth
        For "softmax" class indices, shape (N,); for "multilabel" 0 and 1, shape (N, C); for "binary" 0 and 1, shape
        (N,). Rows and cells whose loss no temperature makes finite are left out.
    task
        "softmax", "multilabel" (one temperature for all labels) or "binary".

    Raises
    ------
    ValueError
        If the shapes do not fit, the logits hold NaN, or nothing is left to fit.

    Notes
    -----
    The loss is convex in 1 / T. The root of its derivative is found by Newton's method within a bracket, to the last
    digits. There is none where every row is right, so that the loss falls all the way to T = 0, or where the logits of
    what is true are no larger than the others on average, so that it falls all the way to T = infinity.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017, arXiv:1706.04599.

    Examples
    --------
    >>> fit_temperature([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [2.0, 0.0]], [0, 0, 0, 1]).temperature
    1.82047845...
    """
    problem = _problem(logits, truth, task)
    scores, exponent = _rescaled(problem.scores)
    if problem.exclusive:
        rows = np.take_along_axis(scores, problem.truth[:, np.newaxis], axis=1)[:, 0]
        possible = rows > -np.inf
        if not possible.any():
            raise ValueError(_NOTHING_LEFT)
        scores, classes = scores[possible], problem.truth[possible]
        scores = in_block_order(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
        true = np.take_along_axis(scores, classes[:, np.newaxis], axis=1)[:, 0]
        finite = scores > -np.inf
        spread = -scores[finite]
        flattest = float(np.mean(true - np.sum(scores, axis=1, where=finite) / np.count_nonzero(finite, axis=1)))
        sharpest = float(true.min(initial=0))
        scores[~finite] = -np.finfo(np.float64).max  # a probability of 0 times this is 0, as times -inf it is not

        def slope(beta: float) -> tuple[float, float]:
            return _exclusive_slope(scores, true, beta)
    else:
        finite = np.isfinite(scores)
        if not finite.any():
            raise ValueError(_NOTHING_LEFT)
        margins = np.where(problem.truth, scores, -scores)[finite]
        spread = np.abs(margins)
        flattest, sharpest = float(margins.mean()), float(margins.min(initial=0))

        def slope(beta: float) -> tuple[float, float]:
            return _independent_slope(margins, beta)

    spread = spread[spread > 0]
    if not len(spread):
        return Temperature(1.0, at_bound=True)
    if flattest <= 0 or sharpest >= 0:
        limit = _FLATTEST if flattest <= 0 else 1 / _FLATTEST
        return Temperature(_positive(float(np.median(spread)) * limit, exponent), at_bound=True)
    return Temperature(_positive(1 / root(slope, 1 / float(spread.mean())), exponent))


def fit_vector_scaling(logits: ArrayLike, truth: ArrayLike, *, task: str = "softmax") -> VectorScaling:
    """Return the scale and the bias of each class at which the mean log loss of scale * logits + bias is least.

    Parameters and errors are those of `fit_temperature`. Of "multilabel" and "binary" this is the logistic regression
    of each label on its own logit.

    Notes
    -----
    The loss is convex; its minimum is found by Newton's method. Biases of exclusive classes that differ by a constant
    are the same: these sum to 0.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017, arXiv:1706.04599.
    """
    problem = _problem(logits, truth, task)
    if problem.exclusive:
        return _exclusive_lines(problem)
    lines = [_logistic(scores, true) for scores, true in _labels(problem)]
    return VectorScaling(
        tuple(line.slope for line in lines),
        tuple(line.intercept for line in lines),
        at_bound=not all(line.determined for line in lines),
    )


def fit_platt(logits: ArrayLike, truth: ArrayLike, *, task: str = "softmax") -> Platt:
    """Return the sigmoid of each class that fits smoothed truth best.

    Parameters and errors are those of `fit_temperature`. Exclusive classes are fitted one against the rest.

    Notes
    -----
    With P rows of the class and N others, the targets are (P + 1) / (P + 2) and 1 / (N + 2) in place of 1 and 0: so
    there is a finite minimum whatever the rows are. It is found by Newton's method.

    References
    ----------
    Platt, "Probabilistic outputs for support vector machines and comparisons to regularized likelihood methods",
    in Advances in Large Margin Classifiers, 1999.
    Lin, Lin and Weng, "A note on Platt's probabilistic outputs for support vector machines", Machine Learning 68,
    2007, doi:10.1007/s10994-007-5018-6.
    """
    lines = []
    for scores, true in _labels(_problem(logits, truth, task)):
        positives = int(np.count_nonzero(true))
        high, low = (positives + 1) / (positives + 2), 1 / (len(true) - positives + 2)
        lines.append(_logistic(scores, np.where(true, high, low)))
    return Platt(tuple(line.slope for line in lines), tuple(line.intercept for line in lines))


def fit_isotonic(logits: ArrayLike, truth: ArrayLike, *, task: str = "softmax") -> Isotonic:
    """Return the function of each class that never falls and is nearest to the truth in the mean of squares.

    Parameters and errors are those of `fit_temperature`. Exclusive classes are fitted one against the rest. Equal
    logits are one point; between two points the function is a straight line.

    References
    ----------
    Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002,
    doi:10.1145/775047.775151.
    Barlow, Bartholomew, Bremner and Brunk, Statistical Inference under Order Restrictions, 1972: pooling of adjacent
    violators.
    """
    return Isotonic(tuple(_monotone(scores, true) for scores, true in _labels(_problem(logits, truth, task))))


METHODS = {
    "temperature": fit_temperature,
    "vector": fit_vector_scaling,
    "platt": fit_platt,
    "isotonic": fit_isotonic,
}


def _scores(logits: ArrayLike, task: str) -> tuple[Array, bool]:
    """Return logits as a table of floats, that of "binary" with one column, and whether the classes are exclusive."""
    if task not in ("softmax", "multilabel", "binary"):
        raise ValueError(f"there is no task {task!r}")
    table = np.asarray(logits)
    if table.dtype.kind not in "fiu":
        raise ValueError(f"logits must be real numbers, not {table.dtype}")
    table = table.astype(table.dtype if table.dtype in (np.float32, np.float64) else np.float64, copy=False)
    if task == "binary" and table.ndim == 1:
        table = table[:, np.newaxis]
    if table.ndim != 2 or not table.shape[1] or (task == "binary" and table.shape[1] > 2):
        raise ValueError(f"the logits of {task} cannot have the shape {np.shape(logits)}")
    if task == "binary" and table.shape[1] == 2:
        with np.errstate(invalid="ignore", over="ignore"):
            table = table[:, 1:] - table[:, :1]
    if np.isnan(table).any():
        raise ValueError("the logits hold NaN")
    return table, task == "softmax"


def _problem(logits: ArrayLike, truth: ArrayLike, task: str) -> _Problem:
    table, exclusive = _scores(logits, task)
    scores = table.astype(np.float64, copy=False)
    true = _whole(truth)
    if exclusive:
        if true.shape != (len(scores),) or true.dtype.kind == "b":
            raise ValueError(f"the truth must be one class index for each of {len(scores)} rows")
        if true.size and not 0 <= true.min() <= true.max() < scores.shape[1]:
            raise ValueError(f"the truth must be class indices from 0 to {scores.shape[1] - 1}")
        if np.isposinf(scores).any():
            raise ValueError("the logits hold an infinity")
        true = true.astype(np.int64, copy=False)
    else:
        true = true[:, np.newaxis] if task == "binary" and true.ndim == 1 else true
        if true.shape != scores.shape or ((true != 0) & (true != 1)).any():
            raise ValueError(f"the truth must be 0 or 1 for each cell of the shape {scores.shape}")
        true = true.astype(np.bool_, copy=False)
    if not len(scores):
        raise ValueError("there are no rows to fit")
    return _Problem(scores, true, exclusive)


def _whole(truth: ArrayLike) -> Array:
    """Return the truth as whole numbers, which floats may be too."""
    true = np.asarray(truth)
    if true.dtype.kind == "f" and (true == np.floor(true)).all():
        true = true.astype(np.int64)
    if true.dtype.kind not in "biu":
        raise ValueError(f"the truth must be whole numbers, not {true.dtype}")
    return true


def _labels(problem: _Problem) -> Iterator[tuple[Array, Array]]:
    """Yield the finite logits of each class, and where it was true of them."""
    for column in range(problem.scores.shape[1]):
        scores = problem.scores[:, column]
        true = problem.truth == column if problem.exclusive else problem.truth[:, column]
        finite = np.isfinite(scores)
        yield (scores, true) if finite.all() else (scores[finite], true[finite])


def _line(logits: Array, slope: tuple[float, ...], intercept: tuple[float, ...]) -> Array:
    """Return ``slope * logits + intercept``; what is infinite stays as it is, and what is finite stays finite."""
    most = np.finfo(logits.dtype).max
    with np.errstate(invalid="ignore", over="ignore"):
        result: Array = logits * np.array(slope, dtype=logits.dtype)
        result += np.array(intercept, dtype=logits.dtype)
    np.clip(result, -most, most, out=result)
    infinite = np.isinf(logits)
    if infinite.any():
        result[infinite] = logits[infinite]
    return result


def _rescaled(scores: Array) -> tuple[Array, int]:
    """Return scores of at most 1, and the exponent of 2 that they were divided by, which loses nothing."""
    largest = np.abs(scores).max(where=np.isfinite(scores), initial=0)
    exponent = int(np.frexp(largest)[1])
    return np.ldexp(scores, -exponent), exponent


def _unscaled(values: Array | float, exponent: int) -> Array:
    """Return numbers times 2 to the power of `exponent`, kept finite."""
    with np.errstate(over="ignore", under="ignore"):
        return np.nan_to_num(np.ldexp(values, exponent))


def _positive(temperature: float, exponent: int) -> float:
    """Return a temperature of rescaled scores as one of the scores themselves."""
    return max(float(_unscaled(temperature, exponent)), float(np.finfo(np.float64).smallest_normal))


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    step = max(1, _BLOCK // columns)
    for start in range(0, rows, step):
        yield slice(start, start + step)


def _exclusive_slope(scores: Array, true: Array, beta: float) -> tuple[float, float]:
    """Return the first and second derivative by beta of the mean log loss of softmax(beta * scores)."""
    first = second = 0.0
    for block in _blocks(*scores.shape):
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
    for block in _blocks(len(margins), 1):
        margin = margins[block]
        wrong = sigmoid(-beta * margin)
        first -= float(np.sum(margin * wrong))
        second += float(np.sum(margin * margin * wrong * (1 - wrong)))
    return first / len(margins), second / len(margins)


class _Line(NamedTuple):
    slope: float
    intercept: float
    determined: bool


def _logistic(scores: Array, targets: Array) -> _Line:
    """Return the line whose sigmoid has the least mean log loss on `targets`, each from 0 to 1."""
    targets = targets.astype(np.float64)
    if not len(scores):
        return _Line(1.0, 0.0, determined=False)
    scaled, exponent = _rescaled(scores)
    places, center, width = _standardised(scaled)

    def derivatives(line: Array) -> tuple[float, Array, Array]:
        fitted = line[0] * places + line[1]
        decay = np.exp(-np.abs(fitted))
        loss = float(np.mean(np.maximum(fitted, 0) + np.log1p(decay) - targets * fitted))
        rest = np.where(fitted >= 0, 1, decay) / (1 + decay) - targets
        weight = decay / (1 + decay) ** 2
        gradient = np.array([np.mean(rest * places), np.mean(rest)])
        across = np.mean(weight * places)
        return loss, gradient, np.array([[np.mean(weight * places * places), across], [across, np.mean(weight)]])

    (slope, intercept), determined = minimum(derivatives, np.zeros(2))
    slope /= width
    return _Line(float(_unscaled(slope, -exponent)), float(intercept - slope * center), determined)


def _exclusive_lines(problem: _Problem) -> VectorScaling:
    start = fit_temperature(problem.scores, problem.truth)
    possible = np.take_along_axis(problem.scores, problem.truth[:, np.newaxis], axis=1)[:, 0] > -np.inf
    scores, exponent = _rescaled(problem.scores[possible])
    truth = problem.truth[possible]
    count = scores.shape[1]
    masked = np.isneginf(scores)
    centers, widths = np.zeros(count), np.ones(count)
    for column in range(count):
        finite = ~masked[:, column]
        if finite.any():
            scores[finite, column], centers[column], widths[column] = _standardised(scores[finite, column])
    scores[masked] = 0
    onehot = np.equal(truth[:, np.newaxis], np.arange(count))

    def derivatives(lines: Array) -> tuple[float, Array, Array]:
        slopes, intercepts = lines[:count], lines[count:]
        loss, gradient, curvature = 0.0, np.zeros(2 * count), np.zeros((2 * count, 2 * count))
        for block in _blocks(*scores.shape):
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
    beta = float(_unscaled(1 / start.temperature, exponent))
    lines, determined = minimum(derivatives, np.concatenate([beta * widths, beta * (centers - centers.mean())]))
    slopes = lines[:count] / widths
    biases = lines[count:] - slopes * centers
    return VectorScaling(
        tuple(_unscaled(slopes, -exponent).tolist()), tuple((biases - biases.mean()).tolist()), at_bound=not determined
    )


def _standardised(scores: Array) -> tuple[Array, float, float]:
    """Return scores about 0 and of about unit width, and the center and width that they had.

    Quartiles say what these are, so that a few logits far out, such as the -1e9 that stands for a mask, do not.
    """
    low, center, high = np.quantile(scores, [0.25, 0.5, 0.75])
    width = high - low if high > low else scores.std()
    width = float(width) if width > 0 else 1.0
    return (scores - center) / width, float(center), width


def _monotone(scores: Array, true: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the points of the function that never falls and is nearest to `true`."""
    if not len(scores):
        return (0.0,), (0.5,)
    places, inverse, weights = np.unique(scores, return_inverse=True, return_counts=True)
    sums = np.bincount(inverse, weights=true)
    starts = pooled(sums, weights)
    ends = np.append(starts[1:], len(places))
    values = np.add.reduceat(sums, starts) / np.add.reduceat(weights, starts)
    # Inside a level stretch the function needs no points but the first and the last.
    corners = np.unique(np.concatenate([starts, ends - 1]))
    heights = np.repeat(values, ends - starts)[corners]
    return tuple(places[corners].tolist()), tuple(heights.tolist())
