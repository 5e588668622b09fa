"""Rows whose given label is probably wrong, by confident learning (Northcutt et al. 2021, doi 10.1613/jair.1.12125).

A class is confident in a row if its probability reaches the mean probability that it has in the rows of that label. A
row is a suspect if the only confident class, or the most probable of several, is not its label. Each label of a
multi-label task is a decision between two classes of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.prediction.output_columns import carried_columns, with_names_apart
from actcli.prediction.plan import Plan, PredictionPlan, rounded
from actcli.streaming.batch import Batch, Column, Kind, RowPlaces
from actcli.streaming.spooled_scores import SpooledScoreStore
from actcli.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from actcli.evaluation.truth import Truth
    from actcli.streaming.batch import Layout, Sink

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["SuspectsPlan", "SuspectsSink", "plan_suspects", "suspicious"]

TOLERANCE = 1e-6
"""How far below its threshold a probability still reaches it, and how much larger that of another class must be."""

_NOT_REACHED = 2.0
"""The threshold of a class without rows."""

_WRITTEN_ROWS = 10_000


def suspicious(probabilities: Array, labels: Array, thresholds: Array) -> tuple[Array, Array]:
    """Return which labels are probably wrong, and which classes are right instead.

    Parameters
    ----------
    probabilities
        Shape (N, C).
    labels
        The given labels: codes, shape (N,).
    thresholds
        The mean probability of each class in the rows of its label, shape (C,).

    Returns
    -------
    Where a label is probably wrong, shape (N,), bool, and the suggested codes, shape (N,).
    """
    confident = probabilities >= thresholds - TOLERANCE
    count = np.count_nonzero(confident, axis=1)
    suggested = np.where(count > 1, probabilities.argmax(axis=1), confident.argmax(axis=1))
    return (count > 0) & (suggested != labels) & ~_agrees(probabilities, labels), suggested


def _agrees(probabilities: Array, labels: Array) -> Array:
    """Return where the given label has the largest probability, or is within the tolerance of it."""
    raised = probabilities.copy()
    raised[np.arange(len(labels)), labels] += TOLERANCE
    return np.asarray(raised.argmax(axis=1) == labels)


@dataclass(frozen=True, slots=True, eq=False)
class SuspectsPlan(Plan):
    """The plan of the table of suspects.

    Parameters
    ----------
    predictions
        Gives the probabilities of a batch.
    """

    predictions: PredictionPlan

    def decide(self, batch: Batch) -> Batch:
        """Return the batch with its probabilities."""
        return self.predictions.decide(batch)


def plan_suspects(predictions: PredictionPlan, truth_column: str | None) -> SuspectsPlan:
    """Settle the table: the carried columns, or the number of the row, and what is suspected.

    Parameters
    ----------
    predictions
        Gives the probabilities.
    truth_column
        The carried column that holds the truth, which is written as the truth only.
    """
    layout, task = predictions.layout, predictions.scoring.task
    carried = [column for column in layout.carried if column.name != truth_column]
    place = carried_columns(carried) or [Column("row", Kind.NUMBER, ("row",), dtype="int64")]
    labels = layout.classes
    if task is Task.MULTILABEL:
        place.append(Column("class", Kind.CODE, ("class",), labels))
        labels = ("no", "yes")
    columns, notes = with_names_apart(
        [
            *place,
            *(Column(name, Kind.CODE, (name,), labels) for name in ("truth", "suggested_label")),
            *(Column(name, Kind.NUMBER, (name,)) for name in ("truth_probability", "suggested_probability")),
        ]
    )
    # How many rows are suspects is known at the end.
    return SuspectsPlan(replace(layout, rows=None), columns, predictions.notes + notes, predictions)


class _Candidates(NamedTuple):
    """Rows, or cells of a multi-label table, whose label is not the most probable one.

    Parameters
    ----------
    rows
        Their numbers in the table, shape (n,).
    classes
        The class of each cell; None for exclusive classes.
    labels
        The given labels: codes, shape (n,).
    carried
        The carried columns.
    """

    rows: Array
    classes: Array | None
    labels: Array
    carried: dict[str, Any]


class _BatchEncoder(NamedTuple):
    """Keeps batches as they are, until their truth is known."""

    def encode(self, batch: Batch) -> Batch:
        """Return the batch."""
        return batch


class SuspectsSink:
    """Finds the suspects, and gives them to another sink, the least plausible label first.

    The thresholds are known after the last row. Until then only the rows are kept whose label is not the most probable
    class: no others can be suspects. Their probabilities go to a temporary file when they are many.

    Parameters
    ----------
    lines
        The other sink.
    plan
        The plan.
    truth
        The given labels.
    precision
        To how many significant digits the probabilities are rounded.
    """

    encoder = _BatchEncoder()

    def __init__(self, lines: Sink, plan: SuspectsPlan, truth: Truth, precision: int | None) -> None:
        self._lines = lines
        self._plan = plan
        self._truth = truth
        self._precision = precision
        self._task = plan.predictions.scoring.task
        width = len(plan.layout.classes)
        # Of multi-label tasks (not true, true).
        shape = (width, 2) if self._task is Task.MULTILABEL else (width,)
        self._sums, self._counts = np.zeros(shape), np.zeros(shape, dtype=np.int64)
        self._candidates: list[_Candidates] = []
        self._scores = SpooledScoreStore()
        self.rows = 0
        self.found = 0

    def open(self, layout: Layout) -> int:
        """Open the other sink."""
        self._lines.open(layout)
        return 8 * len(layout.classes)

    def accept(self, encoded: Batch, start: int) -> None:
        """Add the next rows to the thresholds, and keep those that may be suspects."""
        truth = self._truth.take(encoded, start)
        probabilities = encoded.values["probabilities"]
        numbers = start + encoded.row_numbers()
        self.rows += len(numbers)
        if self._task is Task.MULTILABEL:
            self._add_cells(encoded, probabilities, truth.astype(np.int64), numbers)
            return
        given = probabilities[np.arange(len(truth)), truth]
        # Row after row, so that no bit depends on the size of the chunks.
        np.add.at(self._sums, truth, given)
        self._counts += np.bincount(truth, minlength=len(self._counts))
        kept = np.flatnonzero(~_agrees(probabilities, truth))
        self._keep(encoded, kept, _Candidates(numbers[kept], None, truth[kept], {}), probabilities[kept])

    def _add_cells(self, batch: Batch, probabilities: Array, truth: Array, numbers: Array) -> None:
        given = np.where(truth == 1, probabilities, 1 - probabilities)
        classes = np.broadcast_to(np.arange(truth.shape[1]), truth.shape)
        np.add.at(self._sums, (classes, truth), given)
        for label in (0, 1):
            self._counts[:, label] += np.count_nonzero(truth == label, axis=0)
        flat = np.stack([1 - probabilities, probabilities], axis=2).reshape(-1, 2)
        cells = np.flatnonzero(~_agrees(flat, truth.reshape(-1)))
        rows, columns = np.divmod(cells, truth.shape[1])
        self._keep(batch, rows, _Candidates(numbers[rows], columns, truth[rows, columns], {}), flat[cells])

    def _keep(self, batch: Batch, rows: Array, found: _Candidates, probabilities: Array) -> None:
        if not len(rows):
            return
        from actcli.streaming.arrow_calls import take

        names = [column.carried for column in self._plan.columns if column.carried is not None]
        carried = {name: take(batch.carried[name], rows) for name in names}
        self._candidates.append(found._replace(carried=carried))
        self._scores.append(np.ascontiguousarray(probabilities, dtype=np.float64))

    def finish(self) -> None:
        """Find the suspects, write them in order, and finish the other sink."""
        for start, batch in self._suspects():
            self._lines.accept(self._lines.encoder.encode(batch), start)
        self._lines.finish()

    def thresholds(self) -> Array:
        """Return the mean probability of each class in the rows of its label, shape (C,), or (C, 2) for labels."""
        means = np.full(self._sums.shape, _NOT_REACHED)
        np.divide(self._sums, self._counts, out=means, where=self._counts > 0)
        return np.asarray(np.maximum(means, 2 * TOLERANCE))

    def _suspects(self) -> Iterator[tuple[int, Batch]]:
        """Yield the suspects in batches, each with the number of its first line."""
        if not self._candidates:
            return
        import pyarrow as pa

        from actcli.streaming.arrow_calls import take

        rows, labels = (
            np.concatenate([getattr(each, name) for each in self._candidates]) for name in ("rows", "labels")
        )
        classes = None
        if self._task is Task.MULTILABEL:
            classes = np.concatenate([each.classes for each in self._candidates if each.classes is not None])
        wrong, suggested, given, other, margin = self._judged(labels, classes)
        found = np.flatnonzero(wrong)
        self.found = len(found)
        found = found[np.argsort(margin[found], kind="stable")]
        carried = {
            name: pa.concat_arrays([each.carried[name] for each in self._candidates])
            for name in self._candidates[0].carried
        }
        values = {"row": rows, "truth": labels, "suggested_label": suggested}
        values |= {"truth_probability": given, "suggested_probability": other}
        if classes is not None:
            values["class"] = classes
        for start in range(0, len(found), _WRITTEN_ROWS):
            part = found[start : start + _WRITTEN_ROWS]
            yield (
                start,
                Batch(
                    np.zeros((len(part), 0)),
                    {name: take(column, part) for name, column in carried.items()},
                    RowPlaces("").place,
                    values={name: rounded(value[part], self._precision) for name, value in values.items()},
                ),
            )

    def _judged(self, labels: Array, classes: Array | None) -> tuple[Array, ...]:
        """Return of each candidate whether it is a suspect, the suggestion, both probabilities and the margin."""
        thresholds = self.thresholds()
        wrong, suggested = np.zeros(len(labels), dtype=np.bool_), np.zeros(len(labels), dtype=np.int64)
        given, other, margin = np.zeros((3, len(labels)))
        start = 0
        for block in self._scores.blocks():
            part = slice(start, start + len(block))
            start = part.stop
            table = np.ascontiguousarray(block)
            each = thresholds if classes is None else thresholds[classes[part]]
            wrong[part], suggested[part] = suspicious(table, labels[part], each)
            numbers = np.arange(len(table))
            given[part], other[part] = table[numbers, labels[part]], table[numbers, suggested[part]]
            table[numbers, labels[part]] = -1
            margin[part] = given[part] - table.max(axis=1)
        return wrong, suggested, given, other, margin
