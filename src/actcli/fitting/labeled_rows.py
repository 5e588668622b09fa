"""What every fit does: gather all rows, keep some apart, and measure what the fit does to them.

The rows are gathered by a sink of the same flow as files: eight bytes for each number, in memory until the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.activations import in_block_order
from actcli.errors import DataError
from actcli.metrics.accumulator import MetricAccumulator
from actcli.metrics.definitions import Settings
from actcli.metrics.row_statistics import cell_bins, exclusive_rows, label_rows
from actcli.prediction.predictions import SigmoidPredictions, SoftmaxPredictions, predictions
from actcli.prediction.rules import Rules

if TYPE_CHECKING:
    from typing import TypeAlias

    from actcli.evaluation.truth import Truth
    from actcli.prediction.scoring import Scoring
    from actcli.streaming.batch import Batch, Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["ConfusionCounts", "Gathering", "LabeledRows", "apart", "decided", "label_counts", "quality", "set_quality"]

_CELLS = 1 << 18
"""About how many numbers are measured at once."""


@dataclass(frozen=True, slots=True)
class LabeledRows:
    """LabeledRows, and what is true of them.

    Parameters
    ----------
    given
        Shape (N, C), float64, as they were read: (negative, positive) for binary.
    truth
        Codes, shape (N,); for multilabel where a label is right, shape (N, C).
    """

    given: Array
    truth: Array

    def __len__(self) -> int:
        return len(self.given)

    def take(self, numbers: Array) -> LabeledRows:
        """Return some of the rows."""
        return LabeledRows(self.given[numbers], self.truth[numbers])

    def counts(self, classes: int) -> list[int]:
        """Return of how many rows each class is true."""
        if self.truth.ndim == 2:
            return [int(count) for count in np.count_nonzero(self.truth, axis=0)]
        return [int(count) for count in np.bincount(self.truth, minlength=classes)]


class Gathering:
    """A sink that keeps all rows with their truth.

    Parameters
    ----------
    truth
        Gives the truth of each batch.
    """

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._given: list[Array] = []
        self._truths: list[Array] = []
        self._classes = 0

    def open(self, layout: Layout) -> int:
        """Take note of the classes."""
        self._classes = len(layout.classes)
        return 0

    def encode(self, batch: Batch) -> tuple[Batch, Array]:
        """Return the batch, and what was given of each class."""
        return batch, np.ascontiguousarray(batch.values["given"])

    def accept(self, piece: tuple[Batch, Array], start: int) -> None:
        """Keep the scores, and find the truth that belongs to them."""
        batch, given = piece
        self._truths.append(self._truth.take(batch, start))
        self._given.append(given)

    def finish(self) -> None:
        """Do nothing: `rows` is what comes of it."""

    def rows(self) -> LabeledRows:
        """Return all rows, of which there are some, once."""
        given, self._given = np.concatenate(self._given), []
        truth, self._truths = np.concatenate(self._truths), []
        return LabeledRows(given, truth)


def apart(rows: LabeledRows, share: str | None, seed: int) -> tuple[LabeledRows, LabeledRows | None]:
    """Return the rows to fit, and those that are kept apart: a share of all, drawn at random.

    Parameters
    ----------
    rows
        All of them.
    share
        A decimal number above 0 and below 1; that many of the rows, rounded up, are kept apart. None keeps none.
    seed
        Of the random numbers: the same rows are drawn for the same seed.

    Raises
    ------
    DataError
        If there are too few rows for that.
    """
    if share is None:
        return rows, None
    count = math.ceil(Fraction(share) * len(rows))
    if count >= len(rows):
        raise DataError(
            f"{len(rows)} row{'' if len(rows) == 1 else 's'} cannot be divided to keep {share} of them apart"
        )
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows.take(np.sort(order[count:])), rows.take(np.sort(order[:count]))


def decided(scoring: Scoring, given: Array, thresholds: Array | None = None) -> SoftmaxPredictions | SigmoidPredictions:
    """Return what the program decides on rows, shape (N, C), by these thresholds, or 0.5."""
    limits = np.full(given.shape[1], 0.5) if thresholds is None else thresholds
    return predictions(in_block_order(given), scoring, Rules(), limits)


def quality(scoring: Scoring, rows: LabeledRows, thresholds: Array | None = None) -> dict[str, float]:
    """Return what evaluate says of the decisions on rows, of what ranks nothing; infinite is infinite.

    Parameters
    ----------
    scoring
        How what is given becomes scores.
    rows
        With their truth.
    thresholds
        Of each class; None is 0.5.
    """
    count, classes = rows.given.shape
    settings = Settings(scoring.task, classes, ranking=False)
    meter = MetricAccumulator(settings)
    step = max(1, _CELLS // classes)
    for start in range(0, count, step):
        block = rows.take(np.arange(start, min(start + step, count)))
        found = decided(scoring, block.given, thresholds)
        probabilities = np.ascontiguousarray(found.probabilities)
        if isinstance(found, SigmoidPredictions):
            chosen = found.multihot.astype(np.bool_)
            logarithms = found.log_probabilities, found.log_complements
            bins = cell_bins(settings, probabilities)
            summary = label_rows(settings, block.truth, chosen, probabilities, *logarithms, bins)
        else:
            summary = exclusive_rows(settings, block.truth, found.index, probabilities, found.log_probabilities)
        meter.add(np.arange(start, start + len(block)), summary, probabilities)
    return {name: float(values[0]) for name, values in meter.result()[0].items()}


def label_counts(chosen: Array, truth: Array) -> ConfusionCounts:
    """Return the counts of each label, from where it is chosen and where it is true, shape (N, C), bool."""
    return ConfusionCounts(
        np.count_nonzero(chosen & truth, axis=0),
        np.count_nonzero(truth, axis=0),
        np.count_nonzero(chosen, axis=0),
        len(truth),
    )


class ConfusionCounts(NamedTuple):
    """Of labels, each of shape (C,): how many rows are true and chosen, true, and chosen; and how many there are."""

    hits: Array
    positives: Array
    chosen: Array
    rows: int

    def pooled(self) -> ConfusionCounts:
        """Return the counts of all labels together, shape (1,)."""
        hits, positives, chosen = (counts.sum(keepdims=True) for counts in self[:3])
        return ConfusionCounts(hits, positives, chosen, self.rows * len(self.hits))

    def shares(self, beta: float) -> dict[str, Array]:
        """Return what is made of them; 0/0 is NaN."""
        with np.errstate(invalid="ignore", divide="ignore"):
            recall = self.hits / self.positives
            fpr = (self.chosen - self.hits) / (self.rows - self.positives)
            return {
                "precision": self.hits / self.chosen,
                "recall": recall,
                "f1": 2 * self.hits / (self.positives + self.chosen),
                "fbeta": (1 + beta**2) * self.hits / (beta**2 * self.positives + self.chosen),
                "fpr": fpr,
                "youden": recall - fpr,
                "balanced-accuracy": (recall + 1 - fpr) / 2,
            }


def set_quality(members: Array, truth: Array) -> dict[str, float]:
    """Return what prediction sets are like.

    Parameters
    ----------
    members
        Which classes are in the set of each row, shape (N, C), bool.
    truth
        Codes, shape (N,), for how often the set holds the true class; or, for multilabel, where a label is right, shape
        (N, C), for the mean share of a row's labels that is missed, over rows that have any.
    """
    sizes = np.count_nonzero(members, axis=1)
    found: dict[str, float] = {}
    if truth.ndim == 1:
        found["coverage"] = float(np.mean(members[np.arange(len(truth)), truth]))
    else:
        labels = np.count_nonzero(truth, axis=1)
        missed = np.count_nonzero(truth & ~members, axis=1)[labels > 0] / labels[labels > 0]
        found["missed_labels"] = float(np.mean(missed)) if len(missed) else math.nan
        found["rows_with_labels"] = float(len(missed))
    return found | {
        "mean_size": float(np.mean(sizes)),
        "empty": float(np.count_nonzero(sizes == 0)),
        "single": float(np.count_nonzero(sizes == 1)),
    }
