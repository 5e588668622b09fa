"""How good predictions are: the metrics, and how they are made of sums over rows. NumPy only.

Undefined is NaN in here: a precision without predictions, an AUC without positives. Of precision, recall, F1 and
Jaccard it counts as 0 in means; from means of AUC and average precision it is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = [
    "COUNTS",
    "LARGEST_CONFUSION",
    "METRICS",
    "PER_CLASS",
    "RANKING",
    "Settings",
    "measured",
    "or_zero",
    "ratio",
    "smaller_is_better",
]

_AVERAGED = tuple(f"{name}_{mean}" for name in ("precision", "recall", "f1") for mean in ("macro", "micro", "weighted"))
_EXCLUSIVE = (
    "accuracy",
    "balanced_accuracy",
    "top_k_accuracy",
    "log_loss",
    "brier_loss",
    "ece",
    "mce",
    *_AVERAGED,
    "mcc",
    "cohen_kappa",
    "roc_auc_ovr_macro",
    "average_precision_macro",
    "coverage",
)
METRICS = {
    "softmax": _EXCLUSIVE,
    "multilabel": (
        "subset_accuracy",
        "hamming_loss",
        *(
            f"{name}_{mean}"
            for name in ("f1", "precision", "recall")
            for mean in ("micro", "macro", "weighted", "samples")
        ),
        "jaccard_samples",
        "log_loss",
        "ece",
        "roc_auc_macro",
        "average_precision_macro",
        "label_ranking_average_precision",
    ),
    "binary": (
        "accuracy",
        "balanced_accuracy",
        "precision",
        "recall",
        "f1",
        "youden",
        "hamming_loss",
        "roc_auc",
        "average_precision",
        *(name for name in _EXCLUSIVE[3:]),
    ),
}
"""The metrics of each task, in the order in which they are shown."""

PER_CLASS = {
    "softmax": ("precision", "recall", "f1", "support", "roc_auc", "average_precision"),
    "multilabel": (
        *("true_positives", "false_positives", "false_negatives", "true_negatives"),
        *("precision", "recall", "f1", "support", "roc_auc", "average_precision"),
    ),
    "binary": ("precision", "recall", "f1", "support", "roc_auc", "average_precision"),
}
"""What there is of each class."""

COUNTS = frozenset({"support", "true_positives", "false_positives", "false_negatives", "true_negatives"})
"""Those of them that are counts, and so have no interval."""

RANKING = frozenset(
    {
        *("roc_auc_ovr_macro", "roc_auc_macro", "roc_auc", "average_precision_macro", "average_precision"),
        "label_ranking_average_precision",
    }
)
"""What is left out where nothing is to be ranked."""

LARGEST_CONFUSION = 2000
"""With more classes than this there is no confusion matrix."""


def smaller_is_better(name: str) -> bool:
    """Return whether a metric is better small: a loss or an error."""
    return name.endswith("_loss") or name in ("ece", "mce")


@dataclass(frozen=True, slots=True)
class Settings:
    """What is to be measured.

    Parameters
    ----------
    task
        "softmax", "multilabel" or "binary".
    classes
        How many there are.
    bins
        Of the calibration error.
    equal_mass
        Whether the bins hold equally many rows, instead of being equally wide.
    ranking
        Whether ROC AUC and average precision are wanted.
    top_k
        Whether the summaries say if the truth is among the best K.
    coverage
        Whether labels may be withheld, so that it is said how many are not.
    bootstrap
        How many replicates there are for the intervals; 0 is none.
    seed
        Of their random numbers.
    """

    task: str
    classes: int
    bins: int = 15
    equal_mass: bool = False
    ranking: bool = True
    top_k: bool = False
    coverage: bool = False
    bootstrap: int = 0
    seed: int = 0

    def names(self) -> tuple[str, ...]:
        """Return the metrics that there will be."""
        without = set() if self.ranking else set(RANKING)
        without |= set() if self.top_k and self.task == "softmax" else {"top_k_accuracy"}
        without |= set() if self.coverage else {"coverage"}
        return tuple(name for name in METRICS[self.task] if name not in without)

    def class_names(self) -> tuple[str, ...]:
        """Return what there will be of each class."""
        return tuple(name for name in PER_CLASS[self.task] if self.ranking or name not in RANKING)


def ratio(part: Array, whole: Array) -> Array:
    """Return part / whole, NaN where there is nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(np.asarray(whole) > 0, np.true_divide(part, whole), np.nan))


def or_zero(values: Array) -> Array:
    """Return `values` with 0 where they are undefined."""
    return np.nan_to_num(values, nan=0.0)


def defined_mean(values: Array) -> Array:
    """Return the mean over the last axis of what is defined."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1))


def measured(
    settings: Settings, sums: Mapping[str, Array], ranked: Mapping[str, Array], bins: Mapping[str, Array]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the metrics, each of shape (R,), and what there is of each class, (R, C), for R replicates.

    Parameters
    ----------
    settings
        What is to be measured.
    sums
        Over rows, by `actcli.metrics.accumulator`.
    ranked
        The ROC AUC and the average precision of each class, (R, C), or nothing.
    bins
        The sums of each bin, (R, bins).
    """
    metrics, classes = (_label_metrics if settings.task == "multilabel" else _exclusive_metrics)(
        settings, sums, ranked, bins
    )
    return (
        {name: metrics[name] for name in settings.names()},
        {name: classes[name] for name in settings.class_names()},
    )


def _of_classes(sums: Mapping[str, Array]) -> dict[str, Array]:
    """Return precision, recall, F1 and support of each class."""
    right, support, predicted = sums["right"], sums["support"], sums["predicted"]
    return {
        "precision": ratio(right, predicted),
        "recall": ratio(right, support),
        "f1": ratio(2 * right, support + predicted),
        "support": support,
    }


def _calibration_errors(bins: Mapping[str, Array]) -> tuple[Array, Array]:
    """Return the expected and the maximum calibration error.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
    """
    gaps = np.abs(bins["confidence"] - bins["correct"])
    expected = ratio(gaps.sum(axis=1), bins["count"].sum(axis=1))
    of_bins = ratio(gaps, bins["count"])
    return expected, np.where(np.isnan(expected), np.nan, or_zero(of_bins).max(axis=1))


def _exclusive_metrics(
    settings: Settings, sums: Mapping[str, Array], ranked: Mapping[str, Array], bins: Mapping[str, Array]
) -> tuple[dict[str, Array], dict[str, Array]]:
    right, support, predicted = sums["right"], sums["support"], sums["predicted"]
    rows, correct = sums["rows"], right.sum(axis=1)
    classes = _of_classes(sums) | dict(ranked)
    occurs = support + predicted > 0
    accuracy = ratio(correct, rows)
    chance = (support * predicted).sum(axis=1)
    spread = (rows**2 - (predicted**2).sum(axis=1)) * (rows**2 - (support**2).sum(axis=1))
    ece, mce = _calibration_errors(bins)
    metrics = {
        "accuracy": accuracy,
        "balanced_accuracy": defined_mean(classes["recall"]),
        "log_loss": np.where(sums["infinite"] > 0, np.nan, ratio(sums["loss"], rows)),
        "brier_loss": ratio(sums["brier"], rows),
        "ece": ece,
        "mce": mce,
        # Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006, and Cohen 1960, doi:10.1177/001316446002000104
        "mcc": ratio(correct * rows - chance, np.sqrt(np.maximum(spread, 0))),
        "cohen_kappa": ratio(correct * rows - chance, rows**2 - chance),
        "coverage": ratio(rows, sums["every"]),
    }
    for name in ("precision", "recall", "f1"):
        values = or_zero(classes[name])
        metrics[f"{name}_macro"] = ratio(np.where(occurs, values, 0).sum(axis=1), occurs.sum(axis=1))
        metrics[f"{name}_micro"] = accuracy
        metrics[f"{name}_weighted"] = ratio((support * values).sum(axis=1), support.sum(axis=1))
    if "hit" in sums:
        metrics["top_k_accuracy"] = ratio(sums["hit"], rows)
    if ranked:
        metrics["roc_auc_ovr_macro"] = defined_mean(ranked["roc_auc"])
        metrics["average_precision_macro"] = defined_mean(ranked["average_precision"])
    if settings.task == "binary":
        metrics |= {name: classes[name][:, 1] for name in ("precision", "recall", "f1", *ranked)}
        # Sensitivity and specificity: Youden 1950, doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3
        metrics["youden"] = classes["recall"].sum(axis=1) - 1
        metrics["hamming_loss"] = 1 - accuracy
    return metrics, classes


def _label_metrics(
    settings: Settings, sums: Mapping[str, Array], ranked: Mapping[str, Array], bins: Mapping[str, Array]
) -> tuple[dict[str, Array], dict[str, Array]]:
    right, support, predicted = sums["right"], sums["support"], sums["predicted"]
    rows = sums["rows"]
    classes = _of_classes(sums) | dict(ranked)
    classes["true_positives"] = right
    classes["false_positives"] = predicted - right
    classes["false_negatives"] = support - right
    classes["true_negatives"] = rows[:, np.newaxis] - support - predicted + right
    all_right, all_support, all_predicted = (counts.sum(axis=1) for counts in (right, support, predicted))
    metrics = {
        "subset_accuracy": ratio(sums["exact"], rows),
        "hamming_loss": ratio(sums["wrong"], rows * settings.classes),
        "precision_micro": ratio(all_right, all_predicted),
        "recall_micro": ratio(all_right, all_support),
        "f1_micro": ratio(2 * all_right, all_support + all_predicted),
        "jaccard_samples": ratio(sums["jaccard"], rows),
        "log_loss": np.where(sums["infinite"] > 0, np.nan, ratio(sums["loss"], rows * settings.classes)),
        "ece": _calibration_errors(bins)[0],
    }
    for name in ("precision", "recall", "f1"):
        values = or_zero(classes[name])
        metrics[f"{name}_macro"] = np.where(rows > 0, values.mean(axis=1), np.nan)
        metrics[f"{name}_weighted"] = ratio((support * values).sum(axis=1), all_support)
        metrics[f"{name}_samples"] = ratio(sums[name], rows)
    if ranked:
        metrics["roc_auc_macro"] = defined_mean(ranked["roc_auc"])
        metrics["average_precision_macro"] = defined_mean(ranked["average_precision"])
        metrics["label_ranking_average_precision"] = ratio(sums["lrap"], rows)
    return metrics, classes
