"""From options to the derivatives of a table: of the sigmoid, of the softmax, and of the loss.

The derivative of a softmax is a matrix for each row. In a table it is C lines, one for each probability; NPY puts them
together again, to an array of shape (N, C, C).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.activations import gradient_rows, jacobian_rows, shares, sigmoid
from actcli.prediction.long_form import long_columns, long_layout, unfolded
from actcli.prediction.output_columns import carried_columns, with_names_apart
from actcli.prediction.plan import Plan, Rules, plan, rounded
from actcli.streaming.batch import Batch, Column, Kind, encoder_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from actcli.evaluation.truth import Truth
    from actcli.streaming.batch import Layout, Sink

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["LossGradientSink", "plan_jacobian", "plan_loss_gradient", "plan_sigmoid_derivative"]


def plan_sigmoid_derivative(layout: Layout, rules: Rules) -> Plan:
    """Settle how sigmoid'(x) of each cell of a table is computed.

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
    settled, shares_of = _shares("multilabel", layout, rules)
    columns, notes = with_names_apart([*carried_columns(layout.carried), _gradient(settled.layout)])

    def decide(batch: Batch) -> Batch:
        batch, probabilities, complements = shares_of(batch)
        return replace(batch, values={"gradient": _finished(probabilities * complements, rules)})

    return replace(settled, columns=tuple(columns), decide=decide, notes=notes)


def plan_jacobian(layout: Layout, rules: Rules) -> Plan:
    """Settle how diag(y) - y yT of the softmax y of each row of a table is computed: C lines a row.

    Parameters and errors are those of `plan_sigmoid_derivative`.
    """
    settled, shares_of = _shares("softmax", layout, rules)
    classes = settled.layout.classes
    columns, notes = long_columns(settled.layout, [_gradient(settled.layout)])

    def decide(batch: Batch) -> Batch:
        batch, probabilities, complements = shares_of(batch)
        jacobian = _finished(jacobian_rows(probabilities, complements), rules)
        return unfolded(batch, len(classes), {"gradient": jacobian.reshape(-1, len(classes))})

    return replace(settled, layout=long_layout(settled.layout), columns=columns, decide=decide, notes=notes)


def plan_loss_gradient(layout: Layout, rules: Rules) -> Plan:
    """Settle how y - onehot of the softmax y of each row is computed; the truth comes to it in a `LossGradientSink`.

    Parameters and errors are those of `plan_sigmoid_derivative`.
    """
    settled, shares_of = _shares("softmax", layout, rules)
    columns, notes = with_names_apart([*carried_columns(layout.carried), _gradient(settled.layout)])

    def decide(batch: Batch) -> Batch:
        batch, probabilities, complements = shares_of(batch)
        return replace(batch, values={"shares": (probabilities, complements)})

    return replace(settled, columns=tuple(columns), decide=decide, notes=notes)


class LossGradientSink:
    """Brings the truth to the rows, in order, and gives the gradients to another sink.

    Parameters
    ----------
    lines
        The other sink.
    truth
        Whose `take` returns the index of the right class of each row.
    rules
        The temperature, the precision.
    """

    def __init__(self, lines: Sink, truth: Truth, rules: Rules) -> None:
        self._lines = lines
        self._truth = truth
        self._rules = rules

    def open(self, layout: Layout) -> int:
        """Begin."""
        return self._lines.open(layout)

    def encode(self, batch: Batch) -> Batch:
        """Return the batch: its truth is not known yet."""
        return batch

    def accept(self, piece: Batch, start: int) -> None:
        """Compute the gradient of the next rows."""
        probabilities, complements = piece.values["shares"]
        gradient = gradient_rows(probabilities, complements, self._truth.take(piece, start))
        batch = replace(piece, values={"gradient": _finished(gradient, self._rules)})
        self._lines.accept(encoder_of(self._lines).encode(batch), start)

    def finish(self) -> None:
        """End."""
        self._lines.finish()


def _gradient(layout: Layout) -> Column:
    return Column("gradient", Kind.MATRIX, tuple(f"grad_{name}" for name in layout.classes), layout.classes)


def _finished(derivative: Array, rules: Rules) -> Array:
    """Return a derivative by x / T as one by x, rounded as asked."""
    if rules.temperature != 1:
        derivative /= rules.temperature
    return np.asarray(rounded(derivative, rules.precision))


def _shares(task: str, layout: Layout, rules: Rules) -> tuple[Plan, Callable[[Batch], tuple[Batch, Array, Array]]]:
    """Return the plan of the command for this activation, and what computes the probabilities p and 1 - p of a batch.

    Both are precise where they are small: 1 - p is not taken from a p that was rounded to 1.
    """
    as_given = rules.origin == "probabilities" and rules.temperature == 1
    wanted = "probabilities" if as_given else "logits"
    settled = plan(task, layout, replace(rules, columns=(wanted,), precision=None))

    def shares_of(batch: Batch) -> tuple[Batch, Array, Array]:
        batch = settled.decide(batch)
        found = batch.values[wanted]
        if as_given:
            return batch, found, 1 - found
        if task == "softmax":
            return batch, *shares(found, rules.temperature)
        return batch, sigmoid(found, temperature=rules.temperature), sigmoid(-found, temperature=rules.temperature)

    return settled, shares_of
