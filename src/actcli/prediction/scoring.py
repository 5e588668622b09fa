"""From the input to the scores that decide: mask, then calibration, in one step for a whole batch.

The input holds logits, probabilities or log-probabilities. `Scored.form` says which of these the scores are. So an
activation is applied to logits only, and probabilities that no step changes come out as they are, to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.activations import log_softmax_rows, row_sums, softmax
from actcli.calibration.temperature import Temperature
from actcli.tasks import Origin, Task

if TYPE_CHECKING:
    from typing import TypeAlias

    from actcli.calibration.methods import Calibration

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Scored", "Scoring", "log", "log_complement"]


class Scored(NamedTuple):
    """Scores after mask and calibration. They give the ranking, and they are or become the probabilities.

    Parameters
    ----------
    values
        Shape (N, C).
    form
        What they are.
    temperature
        T, by which logits are still to be divided. The activations divide after they subtract the largest logit, so
        that nothing overflows.
    """

    values: Array
    form: Origin
    temperature: float = 1.0


class Scoring(NamedTuple):
    """How the numbers of the input become scores.

    Parameters
    ----------
    task
        What is decided; a binary task has two columns, (negative, positive).
    origin
        What the numbers of the input are.
    renormalize
        Whether the probabilities of a row are divided by their sum first.
    calibration
        Changes the logits, if there is one.
    """

    task: Task
    origin: Origin
    renormalize: bool = False
    calibration: Calibration | None = None

    def of_labels(self, labels: slice) -> Scoring:
        """Return the scoring of some labels of a multi-label table, which do not depend on the others."""
        return self if self.calibration is None else self._replace(calibration=self.calibration.of_classes(labels))

    def scored(self, given: Array) -> Scored:
        """Return the scores for numbers of the input, shape (N, C)."""
        if self.calibration is None:
            if self.renormalize and self.origin is Origin.PROBABILITIES:
                return Scored(_normalized(given), Origin.PROBABILITIES)
            # The softmax of log-probabilities normalizes them.
            return Scored(given, Origin.LOGITS if self.renormalize else self.origin)
        logits = self.logits(given)
        if isinstance(self.calibration, Temperature):
            return Scored(logits, Origin.LOGITS, self.calibration.temperature)
        if self.task is Task.BINARY:
            return self._scored_pairs(given, logits)
        values, done = self._calibrated(given, logits)
        return Scored(values, Origin.PROBABILITIES if done else Origin.LOGITS)

    def logits(self, given: Array) -> Array:
        """Return numbers of the input as logits, before calibration."""
        if self.origin is Origin.LOGITS:
            return given
        if self.task is Task.MULTILABEL:
            logarithms = log(given) if self.origin is Origin.PROBABILITIES else given
            return logarithms - log_complement(logarithms)
        if self.origin is Origin.PROBABILITIES:
            return log(_normalized(given) if self.renormalize else given)
        return log_softmax_rows(given, 1) if self.renormalize else given

    def monotone_values(self, given: Array) -> tuple[Array, Array]:
        """Return what isotonic regression is of, and where it is masked: shape (N, C), or (N, 1) for binary.

        These are the probabilities of softmax, and those that the input holds; else the logits.
        """
        masked = self.masked(given)
        if self.task is Task.BINARY:
            masked = np.logical_or(masked[:, :1], masked[:, 1:])
        if self.origin is Origin.LOGITS:
            if self.task is Task.SOFTMAX:
                return softmax(given), masked
            return (given[:, 1:] - given[:, :1] if self.task is Task.BINARY else given), masked
        values = given
        if self.origin is Origin.LOG_PROBABILITIES:
            values = np.exp(log_softmax_rows(given, 1) if self.renormalize else given)
        elif self.renormalize:
            values = _normalized(given)
        return (values[:, 1:] if self.task is Task.BINARY else values), masked

    def masked(self, given: Array) -> Array:
        """Return where a class cannot be the label; a class with a probability of 0 can."""
        return np.zeros(given.shape, dtype=np.bool_) if self.origin is Origin.PROBABILITIES else np.isneginf(given)

    def _calibrated(self, given: Array, logits: Array) -> tuple[Array, bool]:
        """Return calibrated scores, shape (N, C) or (N, 1) for binary, and whether they are probabilities."""
        assert self.calibration is not None
        from actcli.calibration.isotonic import Isotonic

        exclusive = self.task is Task.SOFTMAX
        if isinstance(self.calibration, Isotonic):
            values, masked = self.monotone_values(given)
            return self.calibration.applied(values, masked, exclusive=exclusive), True
        return self.calibration.calibrated(logits, exclusive=exclusive)

    def _scored_pairs(self, given: Array, logits: Array) -> Scored:
        """Return the scores of (negative, positive), calibrated as one: sigmoid(x2 - x1) is softmax(x1, x2)."""
        values, done = self._calibrated(given, logits[:, 1:] - logits[:, :1])
        both = np.concatenate([1 - values if done else np.zeros_like(values), values], axis=1)
        if not done:
            # The softmax of an infinite difference is undefined; the softmax beside a masked class is not.
            both[np.isposinf(values[:, 0])] = -np.inf, 0
            return Scored(both, Origin.LOGITS)
        masked = self.masked(given)
        both[masked], both[masked[:, ::-1]] = 0, 1
        return Scored(both, Origin.PROBABILITIES)


def log(values: Array) -> Array:
    """Return the natural logarithms; that of 0 is -inf."""
    with np.errstate(divide="ignore"):
        return np.log(values)


def log_complement(log_probabilities: Array) -> Array:
    """Return log(1 - p) from log(p), precise near 0 and near 1 (Mächler 2012, "Accurately computing log1mexp")."""
    with np.errstate(divide="ignore"):
        near_one = np.log(-np.expm1(log_probabilities))
    return np.where(log_probabilities > -np.log(2.0), near_one, np.log1p(-np.exp(np.minimum(log_probabilities, -0.1))))


def _normalized(probabilities: Array) -> Array:
    return probabilities / row_sums(probabilities)[:, np.newaxis]
