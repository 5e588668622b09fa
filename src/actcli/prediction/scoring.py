"""From what was given to the scores that decide: mask, then calibration, in one step for a whole batch.

What is given are logits, probabilities or log-probabilities; what comes out says which of these it is, so that the
activation is taken of logits only, and probabilities that nothing changes come out as they are, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.activations import log_softmax_rows, row_sums
from actcli.calibration.methods import Temperature

if TYPE_CHECKING:
    from typing import TypeAlias

    from actcli.calibration.methods import Calibration

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["LOGITS", "LOG_PROBABILITIES", "PROBABILITIES", "Scored", "Scoring", "log", "log_complement"]

LOGITS = "logits"
PROBABILITIES = "probabilities"
LOG_PROBABILITIES = "log-probabilities"


class Scored(NamedTuple):
    """Scores after mask and calibration: rankings use them, and they are or become probabilities.

    Parameters
    ----------
    values
        Shape (N, C).
    form
        What they are: logits, probabilities or log-probabilities.
    temperature
        By which logits are yet to be divided: the activations do that, after they subtract what could overflow.
    """

    values: Array
    form: str
    temperature: float = 1.0


@dataclass(frozen=True, slots=True)
class Scoring:
    """How given numbers become scores.

    Parameters
    ----------
    task
        "softmax", "multilabel", or "binary" with its two columns (negative, positive).
    origin
        What is given.
    renormalize
        Whether the probabilities of a row are divided by their sum first.
    calibration
        What changes the logits, if anything does.
    """

    task: str
    origin: str
    renormalize: bool = False
    calibration: Calibration | None = None

    def scored(self, given: Array) -> Scored:
        """Return the scores of what was given, shape (N, C)."""
        if self.calibration is None:
            if self.renormalize and self.origin == PROBABILITIES:
                return Scored(_normalised(given), PROBABILITIES)
            # The softmax of logarithms that do not add up is what makes them do so.
            return Scored(given, LOGITS if self.renormalize else self.origin)
        logits = self.logits(given)
        if isinstance(self.calibration, Temperature):
            return Scored(logits, LOGITS, self.calibration.temperature)
        if self.task == "binary":
            return self._two(given, logits)
        values, done = self.calibration.calibrated(logits, exclusive=self.task == "softmax")
        return Scored(values, PROBABILITIES if done else LOGITS)

    def logits(self, given: Array) -> Array:
        """Return what was given as logits: before calibration."""
        if self.origin == LOGITS:
            return given
        if self.task == "multilabel":
            logarithms = log(given) if self.origin == PROBABILITIES else given
            return logarithms - log_complement(logarithms)
        if self.origin == PROBABILITIES:
            return log(_normalised(given) if self.renormalize else given)
        return log_softmax_rows(given, 1) if self.renormalize else given

    def masked(self, given: Array) -> Array:
        """Return where a class cannot be the label; a probability of 0 can."""
        return np.zeros(given.shape, dtype=np.bool_) if self.origin == PROBABILITIES else np.isneginf(given)

    def _two(self, given: Array, logits: Array) -> Scored:
        """Return the scores of two columns of which one is calibrated: sigmoid(x2 - x1) is softmax(x1, x2)."""
        assert self.calibration is not None
        values, done = self.calibration.calibrated(logits[:, 1:] - logits[:, :1], exclusive=False)
        both = np.concatenate([1 - values if done else np.zeros_like(values), values], axis=1)
        if not done:
            # Of an infinite difference there is no softmax, but of any number beside a class that cannot be.
            both[np.isposinf(values[:, 0])] = -np.inf, 0
            return Scored(both, LOGITS)
        masked = self.masked(given)
        both[masked], both[masked[:, ::-1]] = 0, 1
        return Scored(both, PROBABILITIES)


def log(values: Array) -> Array:
    """Return logarithms; of 0 it is -inf."""
    with np.errstate(divide="ignore"):
        return np.log(values)


def log_complement(log_probabilities: Array) -> Array:
    """Return log(1 - p) of log(p), precise for p near 0 and near 1 (Mächler 2012, "Accurately computing log1mexp")."""
    with np.errstate(divide="ignore"):
        near_one = np.log(-np.expm1(log_probabilities))
    return np.where(log_probabilities > -np.log(2.0), near_one, np.log1p(-np.exp(np.minimum(log_probabilities, -0.1))))


def _normalised(probabilities: Array) -> Array:
    return probabilities / row_sums(probabilities)[:, np.newaxis]
