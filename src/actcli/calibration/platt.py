"""Platt scaling: a sigmoid for each class. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from actcli.activations import log_sigmoid
from actcli.calibration.calibration import Calibration, checked_problem, each_class, scaled_logits
from actcli.calibration.logistic import fit_line
from actcli.tasks import Method

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    from actcli.calibration.calibration import Problem
    from actcli.calibration.logistic import Line

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Platt", "fit_platt", "platt_of"]


@dataclass(frozen=True, slots=True)
class Platt(Calibration):
    """A sigmoid for each class: ``sigmoid(slope[k] * x[k] + intercept[k])``, of its logit x[k].

    Exclusive classes have log-odds, log p - log(1 - p) of their softmax, for x; their sigmoids are then normalised.

    Parameters
    ----------
    slope, intercept
        The numbers of each class; for "binary" of the positive class alone.
    """

    method: ClassVar[Method] = Method.PLATT
    slope: tuple[float, ...]
    intercept: tuple[float, ...]

    def of_classes(self, classes: slice) -> Self:
        """Return the sigmoids of some classes."""
        return type(self)(self.slope[classes], self.intercept[classes])

    def calibrated(self, logits: Array, *, exclusive: bool) -> tuple[Array, bool]:
        """Return the logits of the sigmoids; for exclusive classes their logarithms, whose softmax normalises them."""
        scores = scaled_logits(_log_odds(logits) if exclusive else logits, self.slope, self.intercept)
        return (log_sigmoid(scores) if exclusive else scores), False


def fit_platt(logits: ArrayLike, truth: ArrayLike, *, task: str = "softmax", weights: ArrayLike | None = None) -> Platt:
    """Fit a sigmoid of the logit of each class to a smoothed truth.

    Parameters and errors are those of `fit_temperature`. Exclusive classes are fitted one against the rest, on the
    log-odds of their softmax probabilities.

    Notes
    -----
    With P rows of the class and N others, the targets are (P + 1) / (P + 2) and 1 / (N + 2) in place of 1 and 0, so the
    log loss always has a finite minimum. Newton's method finds it. With weights, P and N are sums of these.

    References
    ----------
    Platt, "Probabilistic outputs for support vector machines and comparisons to regularized likelihood methods",
    in Advances in Large Margin Classifiers, 1999.
    Lin, Lin and Weng, "A note on Platt's probabilistic outputs for support vector machines", Machine Learning 68,
    2007, doi:10.1007/s10994-007-5018-6.
    """
    return platt_of(checked_problem(logits, truth, task, weights))


def platt_of(problem: Problem) -> Platt:
    """Fit as `fit_platt` does, class by class."""
    lines = each_class(problem, partial(_line, problem.weight_unit), _log_odds)
    return Platt(tuple(line.slope for line in lines), tuple(line.intercept for line in lines))


def _line(unit: float, scores: Array, true: Array, weights: Array | None) -> Line:
    finite = np.isfinite(scores)
    if not finite.all():
        scores, true, weights = scores[finite], true[finite], None if weights is None else weights[finite]
    positives, rows = float(np.count_nonzero(true)), float(len(true))
    if weights is not None:
        positives, rows = unit * float(weights[true].sum()), unit * float(weights.sum())
    return fit_line(scores, true, (positives + 1) / (positives + 2), 1 / (max(rows - positives, 0) + 2), weights)


def _log_odds(logits: Array) -> Array:
    """Return log p - log(1 - p) of the softmax of each row, shape (N, C): a logit minus the log-sum-exp of the others.

    Finite logits have finite log-odds, unless the others of the row are all -inf.
    """
    rows, top = np.arange(len(logits)), logits.argmax(axis=1)
    with np.errstate(over="ignore"):
        shifted = logits - logits[rows, top][:, np.newaxis]
    np.maximum(shifted, -np.finfo(shifted.dtype).max, out=shifted, where=np.isfinite(logits))
    powers = np.exp(shifted)
    rest = powers.sum(axis=1, keepdims=True) - powers
    rest[rows, top] = 1  # where the difference cancels; it is at least 1 elsewhere
    result: Array = shifted - np.log(rest)
    shifted[rows, top] = -np.inf
    second = shifted.max(axis=1)
    with np.errstate(invalid="ignore"):
        others = second + np.log(np.exp(shifted - second[:, np.newaxis]).sum(axis=1))
    result[rows, top] = np.where(np.isneginf(second), np.inf, -others)
    return result
