"""The worst predictions of an evaluation: wrong ones with the highest probability."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import TypeAlias

    from actcli.streaming.batch import Batch, Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["WorstPrediction", "WorstPredictions"]

MOST = 20
"""How many are kept."""

_NOT_IDS = frozenset({"label", "labels", "probability", "index", "reason"})


class WorstPrediction(NamedTuple):
    """A wrong prediction.

    Parameters
    ----------
    confidence
        The probability of what was predicted.
    row
        The number of the row in the table, from 0.
    id
        The id of the row in the input.
    predicted, truth
        The names of the classes; for multilabel "not NAME" where a label is not predicted or not true.
    """

    confidence: float
    row: int
    id: str | None
    predicted: str
    truth: str


class WorstPredictions:
    """Keeps the wrong predictions with the highest probabilities. It can be pickled and merged.

    Parameters
    ----------
    task
        What is decided of a row.
    layout
        Of the decided table.
    no_ids
        The carried columns that are no ids: those of the truth and of the weights.
    """

    def __init__(self, task: Task, layout: Layout, no_ids: Collection[str | None]) -> None:
        self._task = task
        self._classes = layout.classes
        ids = [each for each in layout.carried if each.name not in _NOT_IDS and each.name not in no_ids]
        self._id = next((each for each in ids if each.name == "id"), ids[0] if ids else None)
        self._heap: list[tuple[float, int, int, WorstPrediction]] = []

    def add(self, batch: Batch, start: int, truth: Array, decided: Array) -> None:
        """Look at the rows of a batch.

        Parameters
        ----------
        batch
            The decided rows, with their probabilities.
        start
            The number of the first row of the chunk.
        truth, decided
            Codes, shape (N,), or for multilabel tables, shape (N, C).
        """
        probabilities = batch.values["probabilities"]
        if self._task is Task.MULTILABEL:
            rows, codes = np.nonzero(truth != decided.astype(np.bool_))
            sure = np.where(truth[rows, codes], 1 - probabilities[rows, codes], probabilities[rows, codes])
        else:
            rows = np.flatnonzero((decided != truth) & (decided >= 0))
            codes = decided[rows]
            sure = probabilities[rows, codes]
        numbers = batch.row_numbers()
        for index in np.argsort(-sure, kind="stable")[:MOST].tolist():
            row, code = int(rows[index]), int(codes[index])
            # The smallest key is the first to go: the least sure, and of equals the last one.
            key = (float(sure[index]), -(start + int(numbers[row])), -code)
            if self._is_kept(key):
                self._push((*key, self._prediction(batch, row, code, key, truth)))

    def merge(self, other: WorstPredictions) -> None:
        """Add the predictions of other rows of the same table."""
        for entry in other._heap:
            if self._is_kept(entry[:3]):
                self._push(entry)

    def _is_kept(self, key: tuple[float, int, int]) -> bool:
        return len(self._heap) < MOST or key > self._heap[0][:3]

    def _push(self, entry: tuple[float, int, int, WorstPrediction]) -> None:
        (heapq.heappush if len(self._heap) < MOST else heapq.heapreplace)(self._heap, entry)

    def _prediction(
        self, batch: Batch, row: int, code: int, key: tuple[float, int, int], truth: Array
    ) -> WorstPrediction:
        name = self._classes[code]
        if self._task is Task.MULTILABEL:
            is_true = bool(truth[row, code])
            predicted, actual = (f"not {name}", name) if is_true else (name, f"not {name}")
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
