"""From options to the derivatives of a table: of the sigmoid, of the softmax, and of the cross-entropy.

The derivative of a softmax is a matrix for each row. In a table it is C lines, one for each probability. NPY joins
these lines to an array of shape (N, C, C).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from actcli.activations import gradient_rows, jacobian_rows, shares, sigmoid
from actcli.prediction.long_form import long_columns, long_layout, unfolded
from actcli.prediction.output_columns import carried_columns, with_names_apart
from actcli.prediction.plan import Plan, PredictionPlan, plan, rounded
from actcli.streaming.batch import Batch, Column, Kind
from actcli.tasks import Function, Origin, Task

if TYPE_CHECKING:
    from typing import TypeAlias

    from actcli.prediction.rules import Rules
    from actcli.streaming.batch import Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["DerivativePlan", "loss_gradient", "plan_derivative"]


def plan_derivative(of: Function, layout: Layout, rules: Rules) -> DerivativePlan:
    """Settle the derivatives of a table.

    Parameters
    ----------
    of
        The function: each cell has a derivative of the sigmoid, each row a Jacobian diag(y) - y yT of the softmax y, or
        a gradient y - onehot of the cross-entropy.
    layout
        Of the input.
    rules
        What the numbers are, the temperature, the precision.

    Raises
    ------
    ActcliError
        If the input and the options do not fit.
    """
    task = Task.MULTILABEL if of is Function.SIGMOID else Task.SOFTMAX
    wanted = "probabilities" if rules.origin is Origin.PROBABILITIES and rules.temperature == 1 else "logits"
    source = plan(task, layout, replace(rules, precision=None), properties=(wanted,))
    classes, settled = source.layout.classes, source.layout
    gradient = Column("gradient", Kind.MATRIX, tuple(f"grad_{name}" for name in classes), classes)
    if of is Function.SOFTMAX:
        columns, notes = long_columns(settled, [gradient])
        settled = long_layout(settled)
    else:
        columns, notes = with_names_apart([*carried_columns(layout.carried), gradient])
    return DerivativePlan(settled, columns, notes, of, source, rules)


@dataclass(frozen=True, slots=True, eq=False)
class DerivativePlan(Plan):
    """The plan of the derivatives of a table.

    Parameters
    ----------
    of
        The function.
    source
        Gives the logits, or the probabilities where the input holds them and T is 1.
    rules
        The temperature, the precision.
    """

    of: Function
    source: PredictionPlan
    rules: Rules

    def decide(self, batch: Batch) -> Batch:
        """Return the batch with its derivatives, shape (N, C), or in long form with its Jacobians, shape (N * C, C).

        The gradient of the cross-entropy needs the truth, which is known only in the order of the rows. Its sink calls
        `loss_gradient` with `Batch.counted`.
        """
        batch = self.source.decide(batch)
        probabilities, complements = self._probabilities(batch)
        match self.of:
            case Function.SIGMOID:
                return replace(batch, values={"gradient": _finished(probabilities * complements, self.rules)})
            case Function.SOFTMAX:
                classes = probabilities.shape[1]
                jacobian = _finished(jacobian_rows(probabilities, complements), self.rules)
                return unfolded(batch, classes, {"gradient": jacobian.reshape(-1, classes)})
            case Function.CROSS_ENTROPY:
                return replace(batch, values={}, counted=(probabilities, complements))
            case _:
                assert_never(self.of)

    def _probabilities(self, batch: Batch) -> tuple[Array, Array]:
        """Return the probabilities p and 1 - p, shape (N, C).

        Both are precise where they are small: 1 - p is not computed from a p that was rounded to 1.
        """
        if "probabilities" in batch.values:
            probabilities = batch.values["probabilities"]
            return probabilities, 1 - probabilities
        logits, temperature = batch.values["logits"], self.rules.temperature
        if self.of is Function.SIGMOID:
            return sigmoid(logits, temperature=temperature), sigmoid(-logits, temperature=temperature)
        return shares(logits, temperature)


def loss_gradient(counted: tuple[Array, Array], truth: Array, rules: Rules) -> Array:
    """Return the gradient of the cross-entropy, shape (N, C), rounded as asked.

    Parameters
    ----------
    counted
        `Batch.counted` of the plan of the cross-entropy.
    truth
        The index of the right class of each row, shape (N,).
    rules
        The temperature, the precision.
    """
    return _finished(gradient_rows(*counted, truth), rules)


def _finished(derivative: Array, rules: Rules) -> Array:
    """Return the derivative with respect to x from that with respect to x / T, rounded as asked."""
    if rules.temperature != 1:
        derivative /= rules.temperature
    return np.asarray(rounded(derivative, rules.precision))
