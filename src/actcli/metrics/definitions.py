"""The metrics: one entry each, with its formula and which direction is better. NumPy only.

To add a metric, write a function of `Totals` and add an entry to `METRICS` or `PER_CLASS`. An undefined value is NaN:
a precision without predictions, an AUC without positive rows. In means, an undefined precision, recall, F1 or Jaccard
index counts as 0; an undefined AUC or average precision is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from actcli.metrics.confusion import ConfusionCounts
from actcli.metrics.ratios import defined_mean, or_zero, ratio
from actcli.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from actcli.metrics.settings import MetricSettings

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = [
    "COUNTS",
    "METRICS",
    "PER_CLASS",
    "PROBABILISTIC",
    "RANKING",
    "Metric",
    "Totals",
    "class_metric_names",
    "compute_metrics",
    "metric_names",
    "names_of_probabilities",
    "smaller_is_better",
]


@dataclass(frozen=True)
class Totals:
    """What the metrics are computed from: sums over rows. The first axis is all rows, then each replicate.

    Parameters
    ----------
    settings
        What to measure.
    sums
        Sums over rows by name, shape (R,) or (R, C), as `actcli.metrics.accumulator` adds them up.
    ranked
        The ROC AUC ("roc_auc") and the average precision ("average_precision") of each class, shape (R, C); empty if
        the settings do not ask for them.
    bins
        The "count" of each calibration bin, and the sums of "confidence" and of "correct", shape (R, bins).
    """

    settings: MetricSettings
    sums: Mapping[str, Array]
    ranked: Mapping[str, Array]
    bins: Mapping[str, Array]

    @property
    def rows(self) -> Array:
        """The number of rows with a label, shape (R,)."""
        return self.sums["rows"]

    @property
    def decisions(self) -> Array:
        """The number of decisions, shape (R,): one a row, or for multilabel one for each class of it."""
        return self.rows if self.settings.exclusive else self.rows * self.settings.classes

    @cached_property
    def counts(self) -> ConfusionCounts:
        """The counts of each class, shape (R, C)."""
        sums = self.sums
        return ConfusionCounts(sums["true_positives"], sums["support"], sums["predicted"], self.rows[:, np.newaxis])

    @cached_property
    def correct(self) -> Array:
        """The number of true classes that are predicted, shape (R,)."""
        return np.asarray(self.counts.true_positives.sum(axis=1))

    @cached_property
    def of_class(self) -> dict[str, Array]:
        """Precision, recall and F1 of each class, shape (R, C)."""
        return {name: formula(self.counts) for name, formula in _RATIOS.items()}

    @cached_property
    def pooled(self) -> dict[str, Array]:
        """Precision, recall and F1 of all classes together, shape (R,)."""
        pooled = self.counts.pooled()
        return {name: formula(pooled)[:, 0] for name, formula in _RATIOS.items()}


_RATIOS: dict[str, Callable[[ConfusionCounts], Array]] = {
    "precision": ConfusionCounts.precision,
    "recall": ConfusionCounts.recall,
    "f1": ConfusionCounts.f1,
}


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric.

    Parameters
    ----------
    name
        Its key in JSON.
    formula
        Computes it: shape (R,), or (R, C) for a metric of each class.
    smaller_is_better
        Whether it is a loss or an error.
    needs
        The field of the settings that must be true for it.
    is_count
        Whether it is a whole number, and so has no interval.
    """

    name: str
    formula: Callable[[Totals], Array]
    smaller_is_better: bool = False
    needs: Literal["probabilities", "ranking", "top_k", "coverage"] | None = None
    is_count: bool = False


# Formulas


def _accuracy(totals: Totals) -> Array:
    return ratio(totals.correct, totals.rows)


def _balanced_accuracy(totals: Totals) -> Array:
    return defined_mean(totals.of_class["recall"])


def _share_of_rows(name: str, totals: Totals) -> Array:
    """Return the mean over rows of a row statistic."""
    return ratio(totals.sums[name], totals.rows)


def _log_loss(totals: Totals) -> Array:
    """Return the mean loss of a decision; NaN where one of them is infinite."""
    return np.where(totals.sums["infinite"] > 0, np.nan, ratio(totals.sums["loss"], totals.decisions))


def _hamming_loss(totals: Totals) -> Array:
    return ratio(totals.sums["wrong"], totals.decisions)


def _error_rate(totals: Totals) -> Array:
    return 1 - _accuracy(totals)


def _calibration_gaps(totals: Totals) -> Array:
    return np.asarray(np.abs(totals.bins["confidence"] - totals.bins["correct"]))


def _ece(totals: Totals) -> Array:
    """Return the expected calibration error.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
    """
    return ratio(_calibration_gaps(totals).sum(axis=1), totals.bins["count"].sum(axis=1))


def _mce(totals: Totals) -> Array:
    """Return the maximum calibration error: the largest gap of a bin; same source as `_ece`."""
    of_bins = ratio(_calibration_gaps(totals), totals.bins["count"])
    return np.where(np.isnan(_ece(totals)), np.nan, or_zero(of_bins).max(axis=1))


def _macro(name: str, totals: Totals) -> Array:
    """Return the mean over classes; of exclusive classes, those that are neither true nor predicted are left out."""
    occurs = totals.counts.support + totals.counts.predicted > 0
    counted = occurs if totals.settings.exclusive else np.broadcast_to(totals.rows[:, np.newaxis] > 0, occurs.shape)
    return ratio(np.where(counted, or_zero(totals.of_class[name]), 0).sum(axis=1), counted.sum(axis=1))


def _micro(name: str, totals: Totals) -> Array:
    """Return the value for all decisions together."""
    return totals.pooled[name]


def _weighted(name: str, totals: Totals) -> Array:
    """Return the mean over classes, weighted by support."""
    support = totals.counts.support
    return ratio((support * or_zero(totals.of_class[name])).sum(axis=1), support.sum(axis=1))


def _chance_agreement(totals: Totals) -> Array:
    return np.asarray((totals.counts.support * totals.counts.predicted).sum(axis=1))


def _mcc(totals: Totals) -> Array:
    """Return Matthews' correlation coefficient: Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006.

    It is 0, as in scikit-learn, where all labels or all predictions are the same class: there is no correlation.
    """
    squares = totals.rows**2
    counts = totals.counts
    spread = (squares - (counts.predicted**2).sum(axis=1)) * (squares - (counts.support**2).sum(axis=1))
    found = ratio(totals.correct * totals.rows - _chance_agreement(totals), np.sqrt(np.maximum(spread, 0)))
    return np.where(totals.rows > 0, or_zero(found), np.nan)


def _cohen_kappa(totals: Totals) -> Array:
    """Return Cohen's kappa: Cohen 1960, doi:10.1177/001316446002000104."""
    chance = _chance_agreement(totals)
    return ratio(totals.correct * totals.rows - chance, totals.rows**2 - chance)


def _ranked_macro(name: str, totals: Totals) -> Array:
    return defined_mean(totals.ranked[name])


def _coverage(totals: Totals) -> Array:
    return ratio(totals.rows, totals.sums["every"])


def _youden(totals: Totals) -> Array:
    """Return sensitivity + specificity - 1.

    Youden 1950, doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3.
    """
    return np.asarray(totals.of_class["recall"].sum(axis=1) - 1)


def _of_positive(name: str, totals: Totals) -> Array:
    return totals.of_class[name][:, 1]


def _ranked_of_positive(name: str, totals: Totals) -> Array:
    return totals.ranked[name][:, 1]


def _ratio_of_class(name: str, totals: Totals) -> Array:
    return totals.of_class[name]


def _ranked_of_class(name: str, totals: Totals) -> Array:
    return totals.ranked[name]


def _false_positives(totals: Totals) -> Array:
    return totals.counts.predicted - totals.counts.true_positives


def _false_negatives(totals: Totals) -> Array:
    return totals.counts.support - totals.counts.true_positives


def _true_negatives(totals: Totals) -> Array:
    counts = totals.counts
    return np.asarray(counts.rows - counts.support - counts.predicted + counts.true_positives)


# Registry

_MEANS: dict[str, Callable[[str, Totals], Array]] = {"macro": _macro, "micro": _micro, "weighted": _weighted}


def _averages(names: tuple[str, ...], means: tuple[str, ...]) -> tuple[Metric, ...]:
    """Return the means over classes, or for "samples" over rows, of precision, recall or F1."""
    return tuple(
        Metric(f"{name}_{mean}", partial(_share_of_rows if mean == "samples" else _MEANS[mean], name))
        for name in names
        for mean in means
    )


_EXCLUSIVE = (
    Metric("log_loss", _log_loss, smaller_is_better=True, needs="probabilities"),
    Metric("brier_loss", partial(_share_of_rows, "brier"), smaller_is_better=True, needs="probabilities"),
    Metric("ece", _ece, smaller_is_better=True, needs="probabilities"),
    Metric("mce", _mce, smaller_is_better=True, needs="probabilities"),
    *_averages(("precision", "recall", "f1"), ("macro", "micro", "weighted")),
    Metric("mcc", _mcc),
    Metric("cohen_kappa", _cohen_kappa),
    Metric("roc_auc_ovr_macro", partial(_ranked_macro, "roc_auc"), needs="ranking"),
    Metric("average_precision_macro", partial(_ranked_macro, "average_precision"), needs="ranking"),
    Metric("coverage", _coverage, needs="coverage"),
)
METRICS: dict[Task, tuple[Metric, ...]] = {
    Task.SOFTMAX: (
        Metric("accuracy", _accuracy),
        Metric("balanced_accuracy", _balanced_accuracy),
        Metric("top_k_accuracy", partial(_share_of_rows, "hit"), needs="top_k"),
        *_EXCLUSIVE,
    ),
    Task.MULTILABEL: (
        Metric("subset_accuracy", partial(_share_of_rows, "exact")),
        Metric("hamming_loss", _hamming_loss, smaller_is_better=True),
        *_averages(("f1", "precision", "recall"), ("micro", "macro", "weighted", "samples")),
        Metric("jaccard_samples", partial(_share_of_rows, "jaccard")),
        Metric("log_loss", _log_loss, smaller_is_better=True, needs="probabilities"),
        Metric("ece", _ece, smaller_is_better=True, needs="probabilities"),
        Metric("roc_auc_macro", partial(_ranked_macro, "roc_auc"), needs="ranking"),
        Metric("average_precision_macro", partial(_ranked_macro, "average_precision"), needs="ranking"),
        Metric("label_ranking_average_precision", partial(_share_of_rows, "lrap"), needs="ranking"),
    ),
    Task.BINARY: (
        Metric("accuracy", _accuracy),
        Metric("balanced_accuracy", _balanced_accuracy),
        Metric("precision", partial(_of_positive, "precision")),
        Metric("recall", partial(_of_positive, "recall")),
        Metric("f1", partial(_of_positive, "f1")),
        Metric("youden", _youden),
        Metric("hamming_loss", _error_rate, smaller_is_better=True),
        Metric("roc_auc", partial(_ranked_of_positive, "roc_auc"), needs="ranking"),
        Metric("average_precision", partial(_ranked_of_positive, "average_precision"), needs="ranking"),
        *_EXCLUSIVE,
    ),
}
"""The metrics of each task, in the order in which they are shown."""

_OF_EVERY_CLASS = (
    *(Metric(name, partial(_ratio_of_class, name)) for name in _RATIOS),
    Metric("support", lambda totals: totals.counts.support, is_count=True),
    *(Metric(name, partial(_ranked_of_class, name), needs="ranking") for name in ("roc_auc", "average_precision")),
)
PER_CLASS: dict[Task, tuple[Metric, ...]] = {
    Task.SOFTMAX: _OF_EVERY_CLASS,
    Task.MULTILABEL: (
        Metric("true_positives", lambda totals: totals.counts.true_positives, is_count=True),
        Metric("false_positives", _false_positives, is_count=True),
        Metric("false_negatives", _false_negatives, is_count=True),
        Metric("true_negatives", _true_negatives, is_count=True),
        *_OF_EVERY_CLASS,
    ),
    Task.BINARY: _OF_EVERY_CLASS,
}
"""The metrics of each class, in the order in which they are shown."""

_ALL = tuple(metric for registry in (METRICS, PER_CLASS) for metrics in registry.values() for metric in metrics)

COUNTS = frozenset(metric.name for metric in _ALL if metric.is_count)
"""The names of the metrics that are whole numbers."""

RANKING = frozenset(metric.name for metric in _ALL if metric.needs == "ranking")
"""The names of the metrics that sort all rows."""

PROBABILISTIC = frozenset(metric.name for metric in _ALL if metric.needs == "probabilities")
"""The names of the other metrics that need probabilities."""

_SMALLER_IS_BETTER = frozenset(metric.name for metric in _ALL if metric.smaller_is_better)


def smaller_is_better(name: str) -> bool:
    """Return whether the metric of this name is a loss or an error."""
    return name in _SMALLER_IS_BETTER


def metric_names(settings: MetricSettings) -> tuple[str, ...]:
    """Return the names of the metrics that the settings ask for."""
    return tuple(metric.name for metric in _wanted(METRICS, settings))


def names_of_probabilities(task: Task) -> tuple[str, ...]:
    """Return the names of the metrics of a task that need probabilities."""
    return tuple(metric.name for metric in METRICS[task] if metric.needs in ("probabilities", "ranking"))


def class_metric_names(settings: MetricSettings) -> tuple[str, ...]:
    """Return the names of the metrics of each class that the settings ask for."""
    return tuple(metric.name for metric in _wanted(PER_CLASS, settings))


def compute_metrics(totals: Totals) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the metrics by name, each of shape (R,), and those of each class, each of shape (R, C)."""
    settings = totals.settings
    return (
        {metric.name: metric.formula(totals) for metric in _wanted(METRICS, settings)},
        {metric.name: metric.formula(totals) for metric in _wanted(PER_CLASS, settings)},
    )


def _wanted(registry: Mapping[Task, tuple[Metric, ...]], settings: MetricSettings) -> list[Metric]:
    return [metric for metric in registry[settings.task] if metric.needs is None or getattr(settings, metric.needs)]
