"""The worst mistakes: predictions that were as sure as they were wrong."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    from actcli.streaming.batch import Batch, Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["WorstPrediction", "WorstPredictions"]

MOST = 20
"""So many are kept."""

_NOT_IDS = frozenset({"label", "labels", "probability", "index", "reason"})


class WorstPrediction(NamedTuple):
    """A prediction that is wrong."""

    confidence: float
    """The probability of what was predicted."""
    row: int
    """Its number in the table, from 0."""
    id: str | None
    """What the input calls the row."""
    predicted: str
    truth: str


class WorstPredictions:
    """Keeps the worst mistakes of an evaluation: see `actcli.evaluation.evaluator.Evaluator`.

    Parameters
    ----------
    task
        "softmax", "multilabel" or "binary".
    layout
        Of the decided table.
    truth_column
        The carried column that holds the truth, which identifies nothing.
    """

    def __init__(self, task: str, layout: Layout, truth_column: str | None) -> None:
        self._task = task
        self._classes = layout.classes
        ids = [each for each in layout.carried if each.name not in _NOT_IDS and each.name != truth_column]
        self._id = next((each for each in ids if each.name == "id"), ids[0] if ids else None)
        self._heap: list[tuple[float, int, int, WorstPrediction]] = []

    def __call__(self, batch: Batch, start: int, truth: Array, decided: Array) -> None:
        """Take note of a batch, with the number of the first row of its chunk, its truth and its decisions."""
        probabilities = batch.values["probabilities"]
        if self._task == "multilabel":
            wrong = truth != decided.astype(np.bool_)
            rows, codes = np.nonzero(wrong)
            sure = np.where(truth[rows, codes], 1 - probabilities[rows, codes], probabilities[rows, codes])
        else:
            rows = np.flatnonzero((decided != truth) & (decided >= 0))
            codes = decided[rows]
            sure = probabilities[rows, codes]
        numbers = batch.row_numbers()
        for index in np.argsort(-sure, kind="stable")[:MOST].tolist():
            row, code = int(rows[index]), int(codes[index])
            # The smallest of these is the first to go: the least sure, and of equals the last one.
            key = (float(sure[index]), -(start + int(numbers[row])), -code)
            if len(self._heap) < MOST or key > self._heap[0][:3]:
                entry = (*key, self._mistake(batch, row, code, key, truth))
                (heapq.heappush if len(self._heap) < MOST else heapq.heapreplace)(self._heap, entry)

    def _mistake(self, batch: Batch, row: int, code: int, key: tuple[float, int, int], truth: Array) -> WorstPrediction:
        name = self._classes[code]
        if self._task == "multilabel":
            right = bool(truth[row, code])
            predicted, actual = (f"not {name}", name) if right else (name, f"not {name}")
        else:
            predicted, actual = name, self._classes[int(truth[row])]
        return WorstPrediction(key[0], -key[1], self._id_of(batch, row), predicted, actual)

    def _id_of(self, batch: Batch, row: int) -> str | None:
        if self._id is None:
            return None
        from actcli.formats.text import carried_texts

        return str(carried_texts(self._id.kind, batch.carried[self._id.name][row : row + 1])[0].as_py())

    @property
    def worst(self) -> list[WorstPrediction]:
        """The worst first; of equals the first row."""
        return [entry[3] for entry in sorted(self._heap, key=lambda entry: entry[:3], reverse=True)]
