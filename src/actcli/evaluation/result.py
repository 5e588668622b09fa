"""The result of an evaluation: metrics, metrics of each class, confusion matrix, calibration bins, intervals."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.metrics.definitions import COUNTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from actcli.metrics.accumulator import MetricAccumulator
    from actcli.tasks import Task

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["CalibrationBin", "Evaluation", "Intervals", "evaluation_of"]

_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """A bin of rows, or for multilabel of cells, whose confidence is in (lower, upper].

    Parameters
    ----------
    lower, upper
        Its edges.
    count
        The number of rows or cells.
    confidence
        Their mean confidence; None without rows.
    accuracy
        The share of them that is right; None without rows.
    """

    lower: float
    upper: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Intervals:
    """95 % percentile intervals from a bootstrap over rows.

    Parameters
    ----------
    replicates, seed
        The number of replicates, and the seed of their random numbers.
    metrics
        The interval of each metric; None where the metric, or all of its replicates, are undefined.
    per_class
        The intervals of the metrics of each class.
    """

    replicates: int
    seed: int
    metrics: dict[str, tuple[float, float] | None]
    per_class: dict[str, dict[str, tuple[float, float] | None]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good predictions are. An undefined number is None.

    Parameters
    ----------
    task
        What is decided of a row.
    rows
        The number of rows, with those whose label is withheld.
    classes
        The names of the classes.
    metrics
        The metrics by name.
    per_class
        The metrics of each class, by the name of the class and of the metric.
    confusion_matrix
        Shape (C, C), a row for each true class and a column for each predicted one; for multilabel (C, 2, 2), of each
        label ((true negatives, false positives), (false negatives, true positives)). None for very many classes.
    calibration_bins
        The bins that the calibration error is computed from; none without probabilities.
    intervals
        The intervals of the metrics; None without a bootstrap.
    """

    task: Task
    rows: int
    classes: tuple[str, ...]
    metrics: dict[str, float | None]
    per_class: dict[str, dict[str, float | None]]
    confusion_matrix: Array | None
    calibration_bins: tuple[CalibrationBin, ...]
    intervals: Intervals | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the document for JSON: dicts, lists and numbers; None for an undefined number."""
        found: dict[str, Any] = {
            "task": self.task.value,
            "rows": self.rows,
            "classes": list(self.classes),
            "metrics": self.metrics,
            "per_class": self.per_class,
            "confusion_matrix": None if self.confusion_matrix is None else self.confusion_matrix.tolist(),
            "calibration_bins": [asdict(each) for each in self.calibration_bins],
        }
        if self.intervals is not None:
            found["intervals"] = {
                "level": 0.95,
                "replicates": self.intervals.replicates,
                "seed": self.intervals.seed,
                "metrics": self.intervals.metrics,
                "per_class": self.intervals.per_class,
            }
        return found

    def value(self, name: str, label: str | None = None) -> float | None:
        """Return a metric, or a metric of the class with the name `label`."""
        return self.metrics[name] if label is None else self.per_class[label][name]


def evaluation_of(accumulator: MetricAccumulator, classes: Sequence[str]) -> Evaluation:
    """Return the evaluation of the rows that were added up; `classes` are the names of the classes."""
    settings = accumulator.settings
    metrics, by_class, bins = accumulator.result()
    intervals = None
    if settings.bootstrap:
        intervals = Intervals(
            settings.bootstrap,
            settings.seed,
            {name: _interval(values) for name, values in metrics.items()},
            {
                label: {name: _interval(by_class[name][:, code]) for name in by_class if name not in COUNTS}
                for code, label in enumerate(classes)
            },
        )
    return Evaluation(
        settings.task,
        accumulator.rows,
        tuple(classes),
        {name: _number(values[0]) for name, values in metrics.items()},
        {
            label: {
                name: int(values[0, code]) if name in COUNTS else _number(values[0, code])
                for name, values in by_class.items()
            }
            for code, label in enumerate(classes)
        },
        accumulator.confusion if settings.exclusive else _label_confusions(by_class),
        _calibration_bins(bins),
        intervals,
    )


def _label_confusions(by_class: Mapping[str, Array]) -> Array:
    """Return a confusion matrix for each label, shape (C, 2, 2)."""
    names = ("true_negatives", "false_positives", "false_negatives", "true_positives")
    counts = np.stack([by_class[name][0] for name in names], axis=-1)
    return np.asarray(counts.reshape(-1, 2, 2), dtype=np.int64)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _interval(values: Array) -> tuple[float, float] | None:
    replicates = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not len(replicates):
        return None
    low, high = np.percentile(replicates, _PERCENTILES)
    return float(low), float(high)


def _calibration_bins(bins: Mapping[str, Array]) -> tuple[CalibrationBin, ...]:
    edges = bins["edges"].tolist() if bins else []
    found = []
    for number, (lower, upper) in enumerate(itertools.pairwise(edges)):
        count, confidence, correct = (float(bins[name][0, number]) for name in ("count", "confidence", "correct"))
        means = (confidence / count, correct / count) if count else (None, None)
        found.append(CalibrationBin(lower, upper, int(count), *means))
    return tuple(found)
