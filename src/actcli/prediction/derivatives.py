"""From options to the derivatives of a table: of the sigmoid, of the softmax, and of the cross-entropy.

The derivative of a softmax is a matrix for each row. In a table it is C lines, one for each probability. NPY joins
these lines to an array of shape (N, C, C).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.activations import gradient_rows, jacobian_rows, shares, sigmoid
from actcli.prediction.long_form import long_columns, long_layout, unfolded
from actcli.prediction.output_columns import carried_columns, with_names_apart
from actcli.prediction.plan import Plan, PredictionPlan, plan, rounded
from actcli.streaming.batch import Batch, Column, Kind
from actcli.tasks import Origin, Task

if TYPE_CHECKING:
    from typing import TypeAlias

    from actcli.prediction.rules import Rules
    from actcli.streaming.batch import Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = [
    "JacobianPlan",
    "LossGradientPlan",
    "SigmoidDerivativePlan",
    "loss_gradient",
    "plan_jacobian",
    "plan_loss_gradient",
    "plan_sigmoid_derivative",
]

_PROBABILITIES = "probabilities"
_LOGITS = "logits"


def plan_sigmoid_derivative(layout: Layout, rules: Rules) -> SigmoidDerivativePlan:
    """Settle the derivative of the sigmoid of each cell of a table.

    Parameters
    ----------
    layout
        Of the input.
    rules
        What the numbers are, the temperature, the precision.

    Raises
    ------
    ActcliError
        If the input and the options do not fit.
    """
    source = _source(Task.MULTILABEL, layout, rules)
    columns, notes = with_names_apart([*carried_columns(layout.carried), _gradient_column(source.layout)])
    return SigmoidDerivativePlan(source.layout, tuple(columns), notes, source, rules)


def plan_jacobian(layout: Layout, rules: Rules) -> JacobianPlan:
    """Settle the Jacobian diag(y) - y yT of the softmax y of each row of a table: C lines a row.

    Parameters and errors are those of `plan_sigmoid_derivative`.
    """
    source = _source(Task.SOFTMAX, layout, rules)
    columns, notes = long_columns(source.layout, [_gradient_column(source.layout)])
    return JacobianPlan(long_layout(source.layout), columns, notes, source, rules)


def plan_loss_gradient(layout: Layout, rules: Rules) -> LossGradientPlan:
    """Settle the gradient y - onehot of the cross-entropy of the softmax y of each row of a table.

    The truth is known only in the order of the rows: the sink calls `loss_gradient`. Parameters and errors are those of
    `plan_sigmoid_derivative`.
    """
    source = _source(Task.SOFTMAX, layout, rules)
    columns, notes = with_names_apart([*carried_columns(layout.carried), _gradient_column(source.layout)])
    return LossGradientPlan(source.layout, tuple(columns), notes, source, rules)


@dataclass(frozen=True, slots=True, eq=False)
class _DerivativePlan(Plan):
    """The plan of a derivative.

    Parameters
    ----------
    source
        Gives the logits, or the probabilities where the input holds them and T is 1.
    rules
        The temperature, the precision.
    """

    source: PredictionPlan
    rules: Rules

    def _probabilities(self, batch: Batch) -> tuple[Batch, Array, Array]:
        """Return the checked batch and its probabilities p and 1 - p, shape (N, C).

        Both are precise where they are small: 1 - p is not computed from a p that was rounded to 1.
        """
        batch = self.source.decide(batch)
        if self.source.properties == (_PROBABILITIES,):
            probabilities = batch.values[_PROBABILITIES]
            return batch, probabilities, 1 - probabilities
        logits, temperature = batch.values[_LOGITS], self.rules.temperature
        if self.source.scoring.task is Task.SOFTMAX:
            return batch, *shares(logits, temperature)
        return batch, sigmoid(logits, temperature=temperature), sigmoid(-logits, temperature=temperature)


@dataclass(frozen=True, slots=True, eq=False)
class SigmoidDerivativePlan(_DerivativePlan):
    """The plan of the derivative of the sigmoid."""

    def decide(self, batch: Batch) -> Batch:
        """Return the batch with its derivatives, shape (N, C)."""
        batch, probabilities, complements = self._probabilities(batch)
        return replace(batch, values={"gradient": _finished(probabilities * complements, self.rules)})


@dataclass(frozen=True, slots=True, eq=False)
class JacobianPlan(_DerivativePlan):
    """The plan of the Jacobian of the softmax."""

    def decide(self, batch: Batch) -> Batch:
        """Return the batch in long form with its Jacobians, shape (N * C, C)."""
        batch, probabilities, complements = self._probabilities(batch)
        classes = probabilities.shape[1]
        jacobian = _finished(jacobian_rows(probabilities, complements), self.rules)
        return unfolded(batch, classes, {"gradient": jacobian.reshape(-1, classes)})


@dataclass(frozen=True, slots=True, eq=False)
class LossGradientPlan(_DerivativePlan):
    """The plan of the gradient of the cross-entropy."""

    def decide(self, batch: Batch) -> Batch:
        """Return the batch with its probabilities p and 1 - p as `Batch.counted`, which `loss_gradient` takes."""
        batch, probabilities, complements = self._probabilities(batch)
        return replace(batch, values={}, counted=(probabilities, complements))


def loss_gradient(counted: tuple[Array, Array], truth: Array, rules: Rules) -> Array:
    """Return the gradient of the cross-entropy, shape (N, C), rounded as asked.

    Parameters
    ----------
    counted
        `Batch.counted` of a `LossGradientPlan`.
    truth
        The index of the right class of each row, shape (N,).
    rules
        The temperature, the precision.
    """
    return _finished(gradient_rows(*counted, truth), rules)


def _gradient_column(layout: Layout) -> Column:
    return Column("gradient", Kind.MATRIX, tuple(f"grad_{name}" for name in layout.classes), layout.classes)


def _finished(derivative: Array, rules: Rules) -> Array:
    """Return the derivative with respect to x from that with respect to x / T, rounded as asked."""
    if rules.temperature != 1:
        derivative /= rules.temperature
    return np.asarray(rounded(derivative, rules.precision))


def _source(task: Task, layout: Layout, rules: Rules) -> PredictionPlan:
    as_given = rules.origin is Origin.PROBABILITIES and rules.temperature == 1
    wanted = _PROBABILITIES if as_given else _LOGITS
    return plan(task, layout, replace(rules, precision=None), properties=(wanted,))
