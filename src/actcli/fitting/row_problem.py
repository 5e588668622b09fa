"""What calibration is fitted to, computed from the rows of a fit block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from actcli.calibration.calibration import EVERY, Problem
from actcli.metrics.parallel import in_order
from actcli.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from actcli.fitting.labeled_rows import LabeledRows
    from actcli.prediction.scoring import Scoring

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
    Values: TypeAlias = Callable[[Scoring, Array], Array]

Item = TypeVar("Item")
Found = TypeVar("Found")

__all__ = ["RowProblem", "logits", "monotone_values"]


class RowProblem(Problem):
    """A problem whose numbers are computed from those of the input, block by block.

    Parameters
    ----------
    rows
        The rows.
    scoring
        How their numbers become scores.
    values
        Returns the numbers of the problem, shape (n, C), or (n, 1) for binary, for a scoring and for numbers of the
        input, shape (n, C). Those of one label of a multi-label table must not depend on the others.
    """

    def __init__(self, rows: LabeledRows, scoring: Scoring, values: Values) -> None:
        self._rows, self._scoring, self._values = rows, scoring, values
        self.exclusive = scoring.task is Task.SOFTMAX
        self.shape = rows.size, 1 if scoring.task is Task.BINARY else rows.classes
        self.weight_unit = rows.weight_unit

    def weighted_blocks(
        self, work: Callable[[Array, Array, Array | None], Found], columns: slice = EVERY
    ) -> Iterator[Found]:
        """Yield `work(scores, truth, weights)` of one block of rows after the other."""
        task = self._scoring.task
        scoring = self._scoring.of_labels(columns) if task is Task.MULTILABEL else self._scoring

        def worked(given: Array, truth: Array, weights: Array | None) -> Found:
            if task is Task.MULTILABEL:
                given, truth = given[:, columns], truth[:, columns]
            elif task is Task.BINARY:
                truth = np.equal(truth, 1)[:, np.newaxis]
            return work(self._values(scoring, given), truth, weights)

        return self._rows.weighted_blocks(worked)

    def each(self, work: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
        """Yield `work(item)` of each item, in their order."""
        return in_order(work, items, self._rows.jobs)


def logits(scoring: Scoring, given: Array) -> Array:
    """Return the logits before calibration; for binary the positive one minus the negative one, shape (n, 1)."""
    found = scoring.logits(given)
    if scoring.task is not Task.BINARY:
        return found
    with np.errstate(over="ignore"):
        return np.asarray(found[:, 1:] - found[:, :1])


def monotone_values(scoring: Scoring, given: Array) -> Array:
    """Return what isotonic regression is of, NaN where it is masked."""
    values, masked = scoring.monotone_values(given)
    return np.where(masked, np.nan, values)
