"""The sink of the gradient of the cross-entropy, which needs the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from actcli.prediction.derivatives import loss_gradient

if TYPE_CHECKING:
    from actcli.evaluation.truth import Truth
    from actcli.prediction.rules import Rules
    from actcli.streaming.batch import Batch, Layout, Sink

__all__ = ["LossGradientSink"]


@dataclass(frozen=True, slots=True)
class _BatchEncoder:
    """Keeps batches as they are, until their truth is known."""

    def encode(self, batch: Batch) -> Batch:
        """Return the batch."""
        return batch


class LossGradientSink:
    """Joins the truth to the rows, in order, and gives the gradients to another sink.

    Parameters
    ----------
    lines
        The other sink.
    truth
        Its `take` returns the index of the right class of each row.
    rules
        The temperature, the precision.
    """

    encoder = _BatchEncoder()

    def __init__(self, lines: Sink, truth: Truth, rules: Rules) -> None:
        self._lines = lines
        self._truth = truth
        self._rules = rules

    def open(self, layout: Layout) -> int:
        """Open the other sink."""
        return self._lines.open(layout)

    def accept(self, encoded: Batch, start: int) -> None:
        """Compute the gradients of the next rows, and write them."""
        gradient = loss_gradient(encoded.counted, self._truth.take(encoded, start), self._rules)
        batch = replace(encoded, values={"gradient": gradient}, counted=None)
        self._lines.accept(self._lines.encoder.encode(batch), start)

    def finish(self) -> None:
        """Finish the other sink."""
        self._lines.finish()
