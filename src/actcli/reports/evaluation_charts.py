"""Charts of an evaluation: reliability, confidence, confusion, and curves against a threshold."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

import numpy as np

from actcli.metrics.curves import at_thresholds, precision_recall_curve, roc_curve
from actcli.reports.charts import Axis, Bars, Chart, Curve, Curves, Matrix
from actcli.reports.numbers import json_numbers, number, size
from actcli.tasks import ChartKind, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from actcli.evaluation.result import Evaluation
    from actcli.metrics.curves import Line

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
    Ranked: TypeAlias = Callable[[int], tuple[Array, Array]]

__all__ = [
    "confidence_chart",
    "confusion_chart",
    "precision_recall_chart",
    "reliability_chart",
    "roc_chart",
    "thresholds_chart",
]

MOST_CURVES = 6
"""A reader cannot tell more curves apart."""

_THRESHOLD_CURVES = {"precision": "precision", "recall": "recall", "F1": "f1"}


# Charts of bins


def reliability_chart(result: Evaluation) -> Chart:
    """Return the share of correct predictions in each bin of their probability."""
    labels = _bin_labels(result)
    accuracy, confidence = (
        np.array([getattr(each, name) for each in result.calibration_bins], dtype=np.float64)  # None becomes NaN
        for name in ("accuracy", "confidence")
    )
    errors = f"ECE {number(result.metrics['ece'])}"
    if "mce" in result.metrics:
        errors += f", MCE {number(result.metrics['mce'])}"
    return Chart(
        ChartKind.RELIABILITY,
        "Reliability: how often predictions of a given probability are correct",
        f"{_size(result)}. {errors}. A bar below its mark means overconfident, above it underconfident.",
        Bars(
            Axis(labels.axis, 0, 1),
            Axis(labels.share, 0, 1),
            _edges(result),
            _bin_counts(result),
            {labels.share: accuracy},
            ("mean probability", confidence),
            labels.unit,
        ),
        _bin_numbers(result) | {"ece": result.metrics["ece"], "mce": result.metrics.get("mce")},
    )


def confidence_chart(result: Evaluation, *, known: bool) -> Chart:
    """Return the histogram of the probabilities of the predictions.

    Parameters
    ----------
    result
        The evaluation.
    known
        Whether the truth is known. Each bar then shows how many predictions are correct.
    """
    labels = _bin_labels(result)
    counts = _bin_counts(result)
    series = {labels.unit: counts.astype(np.float64)}
    if known:
        correct = np.array([round((each.accuracy or 0) * each.count) for each in result.calibration_bins], dtype=float)
        series = {labels.correct: correct, labels.wrong: counts - correct}
    total = int(counts.sum())
    mean = sum((each.confidence or 0) * each.count for each in result.calibration_bins) / total if total else None
    numbers = _bin_numbers(result) | {"mean": mean}
    if not known:
        numbers["bins"] = [{key: each[key] for key in each if key != "accuracy"} for each in numbers["bins"]]
    return Chart(
        ChartKind.CONFIDENCE,
        "Confidence: how many predictions have a given probability",
        f"{_size(result)}. Mean probability {number(mean)}.",
        Bars(
            Axis(labels.axis, 0, 1),
            Axis(labels.unit, 0, float(max(1, counts.max(initial=0)))),
            _edges(result),
            counts,
            series,
            unit=labels.unit,
        ),
        numbers,
    )


class _BinLabels(NamedTuple):
    """What the bins count, and the labels of their axes and series."""

    unit: str
    axis: str
    share: str
    correct: str
    wrong: str


def _bin_labels(result: Evaluation) -> _BinLabels:
    match Task(result.task):
        case Task.BINARY:
            negative, positive = result.classes
            axis = f'probability of "{positive}"'
            return _BinLabels("rows", axis, f'share of "{positive}"', positive, negative)
        case Task.MULTILABEL:
            return _BinLabels(
                "cells", "probability of a label", "share with the label", "with the label", "without the label"
            )
        case Task.SOFTMAX:
            return _BinLabels("rows", "probability of the label", "share correct", "correct", "wrong")
        case unknown:
            assert_never(unknown)


def _edges(result: Evaluation) -> Array:
    return np.array([*(each.lower for each in result.calibration_bins), result.calibration_bins[-1].upper])


def _bin_counts(result: Evaluation) -> Array:
    return np.array([each.count for each in result.calibration_bins], dtype=np.int64)


def _bin_numbers(result: Evaluation) -> dict[str, Any]:
    return _head(result) | {"bins": [asdict(each) for each in result.calibration_bins]}


# The confusion matrix


def confusion_chart(result: Evaluation) -> Chart:
    """Return the confusion matrix."""
    counts = result.confusion_matrix
    assert counts is not None
    accuracy = result.metrics["accuracy"]
    decisions = {"decisions": list(result.decisions)} if result.decisions else {}
    of_classes = ", among the rows with a class" if len(result.decisions) > len(result.classes) else ""
    return Chart(
        ChartKind.CONFUSION,
        "Confusion: the predicted classes of each true class",
        f"{_size(result)}. Accuracy {number(accuracy)}: the share on the diagonal{of_classes}.",
        Matrix(result.classes, result.decisions or result.classes, counts),
        {"classes": list(result.classes), **decisions, "confusion_matrix": counts.tolist(), "accuracy": accuracy},
    )


# Curves against a threshold


class _AreaCurve(NamedTuple):
    """A kind of curve whose area is a metric."""

    kind: ChartKind
    title: str
    metric: str
    """The area, by class."""
    mean_metric: str
    short: str
    x: str
    y: str
    points: Callable[[Array, Array], Line]


def roc_chart(result: Evaluation, ranked: Ranked, chosen: Sequence[str] = ()) -> Chart:
    """Return the receiver operating characteristic of each class; parameters as of `precision_recall_chart`."""
    mean = "roc_auc_ovr_macro" if result.task == Task.SOFTMAX else "roc_auc_macro"
    axes = ("false positive rate", "true positive rate")
    curve = _AreaCurve(
        ChartKind.ROC, "ROC: true positives against false positives", "roc_auc", mean, "AUC", *axes, roc_curve
    )
    chance = Curve("chance", np.array([0.0, 1.0]), np.array([0.0, 1.0]), reference=True)
    return _area_chart(curve, result, ranked, chosen, [chance])


def precision_recall_chart(result: Evaluation, ranked: Ranked, chosen: Sequence[str] = ()) -> Chart:
    """Return the precision-recall curve of each class.

    Parameters
    ----------
    result
        The evaluation, with the areas.
    ranked
        Returns for the index of a class its probability in each row, and whether it is true there.
    chosen
        The classes to draw. Without them, the classes with the smallest areas are drawn, or the positive class of a
        binary task.
    """
    curve = _AreaCurve(
        ChartKind.PRECISION_RECALL,
        "Precision against recall",
        "average_precision",
        "average_precision_macro",
        "AP",
        "recall",
        "precision",
        precision_recall_curve,
    )
    return _area_chart(curve, result, ranked, chosen, [])


def _area_chart(
    curve: _AreaCurve, result: Evaluation, ranked: Ranked, chosen: Sequence[str], references: Sequence[Curve]
) -> Chart:
    areas = {name: result.per_class[name][curve.metric] for name in result.classes}
    numbers = {name: number for number, name in enumerate(result.classes)}
    lines = {name: curve.points(*ranked(numbers[name])) for name in chosen or _positive_classes(result)}
    drawn = chosen or _smallest(lines, areas)
    curves = [Curve(f"{name}  {curve.short} {number(areas[name])}", lines[name].x, lines[name].y) for name in drawn]
    caption = f"{_size(result)}."
    if len(result.classes) > 2 or result.task == Task.MULTILABEL:
        caption += f" Mean {curve.short} {number(result.metrics.get(curve.mean_metric))}."
    if len(drawn) < len(lines):
        caption += (
            f" The {len(drawn)} of {len(lines)} classes with the smallest {curve.short}; --class NAME chooses others."
        )
    keys = [label.replace(" ", "_") for label in (curve.x, curve.y)]
    points = {
        name: {
            curve.metric: areas[name],
            keys[0]: json_numbers(line.x),
            keys[1]: json_numbers(line.y),
            "threshold": json_numbers(line.thresholds),
        }
        for name, line in lines.items()
    }
    return Chart(
        curve.kind,
        curve.title,
        caption,
        Curves(Axis(curve.x, 0, 1), Axis(curve.y, 0, 1), [*curves, *references]),
        _head(result) | {"curves": points},
    )


def thresholds_chart(result: Evaluation, ranked: Ranked, chosen: Sequence[str] = ()) -> Chart:
    """Return precision, recall and F1 against the threshold; parameters as of `precision_recall_chart`.

    The measures are micro averages over the chosen classes. Without these, they are over all classes, or of the
    positive class of a binary task.
    """
    names = list(chosen or _positive_classes(result))
    numbers = {name: number for number, name in enumerate(result.classes)}
    measured = at_thresholds(ranked(numbers[name]) for name in names)
    threshold, f1 = measured["threshold"], measured["f1"]
    caption = f"{_size(result)}."
    if not np.isnan(f1).all():
        best = int(np.nanargmax(f1))
        caption += f" F1 is highest at a threshold of {threshold[best]:.2f}: {number(float(f1[best]))}."
    caption += f' For "{names[0]}".' if len(names) == 1 else f" For {len(names)} classes together."
    curves = [Curve(name, threshold, measured[key]) for name, key in _THRESHOLD_CURVES.items()]
    return Chart(
        ChartKind.THRESHOLDS,
        "Precision, recall and F1 against the threshold",
        caption,
        Curves(Axis("threshold (probability)", 0, 1), Axis("precision, recall, F1", 0, 1), curves),
        _head(result) | {"of": names} | {name: json_numbers(values) for name, values in measured.items()},
    )


def _positive_classes(result: Evaluation) -> Sequence[str]:
    return result.classes[1:] if result.task == Task.BINARY else result.classes


def _smallest(names: Mapping[str, Line], areas: Mapping[str, float | None]) -> list[str]:
    """Return the classes with the smallest areas, in the order of the classes; undefined areas are last."""
    by_area = sorted(names, key=lambda name: 2.0 if areas[name] is None else float(areas[name] or 0))
    smallest = set(by_area[:MOST_CURVES])
    return [name for name in names if name in smallest]


def _size(result: Evaluation) -> str:
    return size(result.rows, len(result.classes))


def _head(result: Evaluation) -> dict[str, Any]:
    return {"task": result.task, "rows": result.rows, "classes": list(result.classes)}
