"""The sink that evaluates decisions against the truth.

The encoder computes what does not need the truth, in parallel; the sink compares with the truth, in the order of the
rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.evaluation.result import evaluation_of
from actcli.metrics.accumulator import MetricAccumulator
from actcli.metrics.row_statistics import CellBins, cell_bins, exclusive_rows, label_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from actcli.evaluation.recorded_predictions import RecordedPredictions
    from actcli.evaluation.result import Evaluation
    from actcli.evaluation.truth import Truth
    from actcli.evaluation.worst_predictions import WorstPredictions
    from actcli.metrics.score_store import ScoreStore
    from actcli.metrics.settings import MetricSettings
    from actcli.streaming.batch import Batch, Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["EncodedRows", "EvaluationEncoder", "Evaluator", "properties"]

_OF_CELLS = ("probabilities", "log_probabilities", "log_complements")
"""The properties of the predictions that have a number for each class."""


def properties(settings: MetricSettings) -> tuple[str, ...]:
    """Return the properties of the predictions that an `Evaluator` needs."""
    if not settings.probabilities:
        return ()
    if not settings.exclusive:
        return ("multihot", "probabilities", "log_probabilities", "log_complements")
    return ("index", "probabilities", "log_probabilities", *(["top_k"] if settings.top_k else []))


class EncodedRows(NamedTuple):
    """Decided rows before they are compared with the truth.

    Parameters
    ----------
    batch
        The rows.
    decided
        Codes, shape (N,), -1 for a withheld label; or for multilabel a table, shape (N, C), of 0 and 1.
    bins
        The calibration bins of the cells, for multilabel with equally wide bins.
    """

    batch: Batch
    decided: Array
    bins: CellBins | None

    def at(self, rows: Array) -> EncodedRows:
        """Return the rows with these indices."""
        bins = None if self.bins is None else CellBins(*(part[rows] for part in self.bins))
        return EncodedRows(self.batch.at(rows), self.decided[rows], bins)


@dataclass(frozen=True, slots=True)
class EvaluationEncoder:
    """Computes what does not need the truth.

    Parameters
    ----------
    settings
        What to measure.
    recorded
        The decisions that the input holds, which replace those that were computed.
    """

    settings: MetricSettings
    recorded: RecordedPredictions | None = None

    def encode(self, batch: Batch) -> EncodedRows:
        """Return the decided rows of a batch."""
        bins = None
        settings = self.settings
        if settings.probabilities and not settings.exclusive and not settings.equal_mass:
            bins = cell_bins(settings, batch.values["probabilities"])
        if self.recorded is not None:
            decided = self.recorded.take(batch)
        else:
            decided = batch.values["index" if settings.exclusive else "multihot"]
        return EncodedRows(batch.without_scores(), decided, bins)


class Evaluator:
    """Evaluates decisions: a sink. It can be pickled and merged.

    Parameters
    ----------
    settings
        What to measure.
    truth
        The true labels.
    recorded
        The decisions that the input holds, which replace those that were computed.
    scores
        Where to keep the probabilities for the metrics that rank all rows; by default in memory.
    worst
        Keeps the worst predictions, if they are wanted.
    """

    def __init__(
        self,
        settings: MetricSettings,
        truth: Truth,
        recorded: RecordedPredictions | None = None,
        scores: ScoreStore | None = None,
        worst: WorstPredictions | None = None,
    ) -> None:
        self.encoder = EvaluationEncoder(settings, recorded)
        self._settings = settings
        self._accumulator = MetricAccumulator(settings, scores)
        self._truth = truth
        self._worst = worst

    def open(self, layout: Layout) -> int:
        """Return about how many bytes a row takes."""
        return 32 * len(layout.classes)

    def accept(self, encoded: EncodedRows, start: int) -> None:
        """Compare the next rows with the truth; the first row of their chunk is number `start` of the table."""
        batch, decided, bins = encoded
        rows, truth = self._truth.match(batch, start)
        if rows is not None:
            batch, decided, bins = encoded.at(rows)
        probabilities, logarithms, complements = map(batch.values.get, _OF_CELLS)
        if self._settings.exclusive:
            best = batch.values["top_k"].codes if self._settings.top_k else None
            statistics = exclusive_rows(self._settings, truth, decided, probabilities, logarithms, best)
        else:
            chosen = np.asarray(decided, dtype=np.bool_)
            statistics = label_rows(self._settings, truth, chosen, probabilities, logarithms, complements, bins)
        self._accumulator.add(start + batch.row_numbers(), statistics, probabilities)
        if self._worst is not None:
            self._worst.add(batch, start, truth, decided)

    def finish(self) -> None:
        """Do nothing: `result` computes the metrics."""

    def merge(self, other: Evaluator) -> None:
        """Add the rows of another evaluator of the same table with the same settings; rows keep their numbers.

        Raises
        ------
        ValueError
            If the settings differ.
        DataError
            If a row of both has the same id in the file of truths.
        """
        self._accumulator.merge(other._accumulator)
        self._truth.merge(other._truth)
        if self._worst is not None and other._worst is not None:
            self._worst.merge(other._worst)

    def result(self, classes: Sequence[str]) -> Evaluation:
        """Return the evaluation; `classes` are the names of the classes."""
        return evaluation_of(self._accumulator, classes)

    def ranked(self, number: int) -> tuple[Array, Array]:
        """Return the probability of a class in each row with a label, and where the class is true; shape (N,)."""
        return self._accumulator.ranked(number)
