"""From the input to the scores that decide: mask, calibration, prior, in one step for a whole batch.

The input holds logits, probabilities or log-probabilities. `Scored.form` says which of these the scores are. So an
activation is applied to logits only, and probabilities that no step changes come out as they are, to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

import numpy as np

from actcli.activations import in_block_order, log_softmax_rows, row_sums, softmax
from actcli.calibration.temperature import Temperature
from actcli.tasks import Origin, Task

if TYPE_CHECKING:
    from typing import TypeAlias

    from actcli.calibration.methods import Calibration

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Scored", "Scoring", "log", "log_complement"]


class Scored(NamedTuple):
    """Scores after mask, calibration and prior. They give the ranking, and they are or become the probabilities.

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
    shift
        What the prior adds to the calibrated scores, shape (C,), float64: -inf masks a class.
    masks
        Whether the input has -inf in the cells of masked classes, also where it holds probabilities.
    """

    task: Task
    origin: Origin
    renormalize: bool = False
    calibration: Calibration | None = None
    shift: Array | None = None
    masks: bool = False

    def of_labels(self, labels: slice) -> Scoring:
        """Return the scoring of some labels of a multi-label table, which do not depend on the others."""
        return self if self.calibration is None else self._replace(calibration=self.calibration.of_classes(labels))

    def scored(self, given: Array) -> Scored:
        """Return the scores for numbers of the input, shape (N, C)."""
        found = self._before_prior(given)
        if self.shift is None:
            return found
        shift = self.shift.astype(found.values.dtype)
        if self.task is Task.MULTILABEL:
            return Scored(_shifted_odds(found, shift, self._hidden(given)), Origin.LOGITS)
        return Scored(_shifted_logarithms(found, shift, self._hidden(given)), Origin.LOGITS)

    def _before_prior(self, given: Array) -> Scored:
        """Return the calibrated scores."""
        if self.calibration is None:
            if self.masks and self.origin is not Origin.LOGITS:
                return Scored(self._of_rest(given), self.origin)
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
        values = self._normalized(np.maximum(given, 0) if self.masks and self._are_probabilities else given)
        logarithms = log(values) if self._are_probabilities else values
        return logarithms - log_complement(logarithms) if self.task is Task.MULTILABEL else logarithms

    @property
    def _are_probabilities(self) -> bool:
        return self.origin is Origin.PROBABILITIES

    def _normalized(self, values: Array) -> Array:
        """Return probabilities or log-probabilities, divided by the sum of their row if that is asked for."""
        if not self.renormalize:
            return values
        return _normalized(values) if self._are_probabilities else log_softmax_rows(values, 1)

    def _of_rest(self, given: Array) -> Array:
        """Return probabilities or log-probabilities without masked cells; exclusive ones sum to 1 over the rest."""
        values = np.maximum(given, 0) if self.masks and self._are_probabilities else given
        if self.renormalize:
            return self._normalized(values)
        masked = self._masked_rows(given)
        if masked.any():
            rest = in_block_order(values[masked])
            values = values.copy(order="K")
            values[masked] = _normalized(rest) if self._are_probabilities else log_softmax_rows(rest, 1)
        return values

    def _masked_rows(self, given: Array) -> Array:
        """Return which rows of exclusive classes have masked cells, shape (N,)."""
        if self.task is Task.MULTILABEL or not self.masks:
            return np.zeros(len(given), dtype=np.bool_)
        return np.asarray(np.isneginf(given).any(axis=1))

    def monotone_values(self, given: Array) -> tuple[Array, Array]:
        """Return what isotonic regression is of, and where it is masked: shape (N, C), or (N, 1) for binary.

        These are the probabilities of softmax, and those that the input holds; else the logits.
        """
        masked = self._hidden(given)
        if self.task is Task.BINARY:
            masked = np.logical_or(masked[:, :1], masked[:, 1:])
        if self.origin is Origin.LOGITS:
            if self.task is Task.SOFTMAX:
                return softmax(given), masked
            return (given[:, 1:] - given[:, :1] if self.task is Task.BINARY else given), masked
        values = self._of_rest(given)
        if self.origin is Origin.LOG_PROBABILITIES:
            values = np.exp(values)
        return (values[:, 1:] if self.task is Task.BINARY else values), masked

    def masked(self, given: Array) -> Array:
        """Return where a class cannot be the label; a class with a probability of 0 can."""
        hidden = self._hidden(given)
        return hidden if self.shift is None else hidden | np.isneginf(self.shift)

    def _hidden(self, given: Array) -> Array:
        """Return which cells are masked before the calibration."""
        holds = self.masks or self.origin is not Origin.PROBABILITIES
        return np.isneginf(given) if holds else np.zeros(given.shape, dtype=np.bool_)

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
        masked = self._hidden(given)
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


def _shifted_logarithms(found: Scored, shift: Array, hidden: Array) -> Array:
    """Return the scores of exclusive classes as logits, with the shift added to each row."""
    values, form, temperature = found
    if form is Origin.LOGITS and temperature != 1:
        # The largest is subtracted first, so that a low temperature makes no infinity.
        with np.errstate(over="ignore"):
            values = (values - values.max(axis=1)[:, np.newaxis]) / values.dtype.type(temperature)
    elif form is Origin.PROBABILITIES:
        values = log(values)
    result = values + shift
    # A calibration may give 0 to every class that is possible: then they count as equally probable.
    empty = np.isneginf(result.max(axis=1))
    if empty.any():
        result[empty] = np.where(hidden[empty], -np.inf, shift)
    return np.asarray(result)


def _shifted_odds(found: Scored, shift: Array, hidden: Array) -> Array:
    """Return the scores of labels as log-odds, with the shift added; one of +inf makes a label certain."""
    values, form, temperature = found
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        match form:
            case Origin.LOGITS:
                odds = values / values.dtype.type(temperature)
            case Origin.PROBABILITIES:
                odds = np.log(values) - np.log1p(-values)
            case Origin.LOG_PROBABILITIES:
                odds = values - log_complement(values)
            case _:
                assert_never(form)
        odds = odds + shift
    infinite = np.isinf(shift)
    if infinite.any():
        odds[:, infinite] = shift[infinite]
        odds[hidden] = -np.inf
    return np.asarray(odds)


def _normalized(probabilities: Array) -> Array:
    return probabilities / row_sums(probabilities)[:, np.newaxis]
