"""Charts of an evaluation: reliability, confidence, confusion, and curves against a threshold."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

import numpy as np

from actcli.metrics.curves import at_thresholds, gain_curve, precision_recall_curve, risk_coverage_curve, roc_curve
from actcli.metrics.ratios import ratio
from actcli.reports.charts import Axis, Bars, Chart, Curve, Curves, Matrix
from actcli.reports.numbers import json_numbers, number, size, tally
from actcli.tasks import ChartKind, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from actcli.evaluation.result import Evaluation
    from actcli.metrics.curves import Line
    from actcli.metrics.selective import SelectiveRanking

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = [
    "Ranked",
    "confidence_chart",
    "confusion_chart",
    "gain_chart",
    "precision_recall_chart",
    "reliability_chart",
    "risk_coverage_chart",
    "roc_chart",
    "thresholds_chart",
]

MOST_CURVES = 6
"""A reader cannot tell more curves apart."""

_LIFT_AT = 0.1
"""The share of the rows at which the legend shows the lift."""

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
    series = {labels.unit: counts}
    if known:
        shares = [(each.accuracy or 0) * each.count for each in result.calibration_bins]
        correct = np.array(shares if result.total_weight is not None else list(map(round, shares)))
        series = {labels.correct: correct, labels.wrong: counts - correct}
    total = counts.sum()
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
            Axis(labels.unit, 0, float(counts.max(initial=0)) or 1.0),
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
    found = _task_labels(result)
    return found if result.total_weight is None else found._replace(unit="weight")


def _task_labels(result: Evaluation) -> _BinLabels:
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
    return np.array([each.count for each in result.calibration_bins])


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


class Ranked(NamedTuple):
    """What the curves are made of.

    Parameters
    ----------
    of_class
        Returns for the index of a class its probability in each row, and whether it is true there; shape (N,).
    weights
        How much each of these rows counts, shape (N,); None if all count once.
    """

    of_class: Callable[[int], tuple[Array, Array]]
    weights: Array | None = None


class _AreaCurve(NamedTuple):
    """A kind of curve whose area, or what orders it, is a metric."""

    kind: ChartKind
    title: str
    metric: str
    """The metric of a class."""
    mean_metric: str
    short: str
    x: str
    y: str
    points: Callable[[Array, Array, Array | None], Line]


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
        What the curves are made of.
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


def gain_chart(result: Evaluation, ranked: Ranked, chosen: Sequence[str] = ()) -> Chart:
    """Return the gain of each class; parameters as of `precision_recall_chart`. The numbers have the lift too."""
    axes = ("share of rows", "share of positives")
    mean = "roc_auc_ovr_macro" if result.task == Task.SOFTMAX else "roc_auc_macro"
    title = "Gain: the share of the positive rows found among the most probable rows"
    curve = _AreaCurve(ChartKind.GAIN, title, "roc_auc", mean, "AUC", *axes, gain_curve)
    chance = Curve("chance", np.array([0.0, 1.0]), np.array([0.0, 1.0]), reference=True)
    return _area_chart(curve, result, ranked, chosen, [chance])


def risk_coverage_chart(result: Evaluation, ranking: SelectiveRanking, weights: Array | None = None) -> Chart:
    """Return the share of wrong labels among the rows whose label is most probable.

    Parameters
    ----------
    result
        The evaluation, with its rankings, of exclusive classes.
    ranking
        The rows in the order of the probability of their label.
    weights
        How much each of these rows counts, shape (N,); None if all count once.
    """
    line = risk_coverage_curve(ranking, weights)
    area = result.metrics["aurc"]
    every = line.y[-1:]
    curves = [
        Curve("wrong labels", line.x, line.y),
        Curve("all rows", np.array([0.0, 1.0]), np.repeat(every, 2 if len(every) else 0), reference=True),
    ]
    caption = f"{_size(result)}. AURC {number(area)}: the mean height of the curve."
    if len(every):
        caption += f" All rows together: {number(float(every[0]))}."
    return Chart(
        ChartKind.RISK_COVERAGE,
        "Risk against coverage: wrong labels among the most probable ones",
        caption,
        Curves(
            Axis("coverage (share of rows)", 0, 1),
            Axis("risk (share of wrong labels)", 0, _ceiling(float(line.y.max(initial=0)))),
            curves if len(line.x) else [],
        ),
        _head(result)
        | {"aurc": area}
        | {"coverage": json_numbers(line.x), "risk": json_numbers(line.y), "threshold": json_numbers(line.thresholds)},
    )


def _ceiling(value: float) -> float:
    """Return the least of 1, 0.5, 0.2, 0.1, 0.05, ... that is not below a share."""
    found = 1.0
    for step in (0.5, 0.2, 0.1, 0.05, 0.02, 0.01):
        found = step if value <= step else found
    return found


def _area_chart(
    curve: _AreaCurve, result: Evaluation, ranked: Ranked, chosen: Sequence[str], references: Sequence[Curve]
) -> Chart:
    areas = {name: result.per_class[name][curve.metric] for name in result.classes}
    numbers = {name: number for number, name in enumerate(result.classes)}
    lines = {
        name: curve.points(*ranked.of_class(numbers[name]), ranked.weights)
        for name in chosen or _positive_classes(result)
    }
    drawn = chosen or _smallest(lines, areas)
    lifts = curve.kind is ChartKind.GAIN
    curves = [
        Curve(
            f"{name}  {_lift(lines[name]) if lifts else f'{curve.short} {number(areas[name])}'}",
            lines[name].x,
            lines[name].y,
        )
        for name in drawn
    ]
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
            **({"lift": json_numbers(ratio(line.y, line.x))} if lifts else {}),
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


def _lift(line: Line) -> str:
    """Return how many times as many positive rows as by chance are in the first rows, for a legend."""
    found = np.interp(_LIFT_AT, line.x, line.y) / _LIFT_AT if len(line.x) else np.nan
    return f"lift {number(float(found))} at {_LIFT_AT:.0%}"


def thresholds_chart(result: Evaluation, ranked: Ranked, chosen: Sequence[str] = ()) -> Chart:
    """Return precision, recall and F1 against the threshold; parameters as of `precision_recall_chart`.

    The measures are micro averages over the chosen classes. Without these, they are over all classes, or of the
    positive class of a binary task.
    """
    names = list(chosen or _positive_classes(result))
    numbers = {name: number for number, name in enumerate(result.classes)}
    measured = at_thresholds((ranked.of_class(numbers[name]) for name in names), ranked.weights)
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
    weight = "" if result.total_weight is None else f", total weight {tally(result.total_weight)}"
    return f"{size(result.rows, len(result.classes))}{weight}"


def _head(result: Evaluation) -> dict[str, Any]:
    weight = {} if result.total_weight is None else {"total_weight": result.total_weight}
    return {"task": result.task, "rows": result.rows, **weight, "classes": list(result.classes)}
