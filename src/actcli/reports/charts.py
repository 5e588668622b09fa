"""Pictures as numbers: what a terminal, a figure, a page and JSON all show. NumPy only.

A picture is made once, of numbers that are exact; how it looks is decided in `actcli.reports`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.activations import sigmoid, sigmoid_derivative, softmax
from actcli.metrics.curves import Line, at_thresholds, precision_recall_curve, roc_curve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from actcli.evaluation.result import Evaluation

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
    Ranked: TypeAlias = Callable[[int], tuple[Array, Array]]

__all__ = [
    "Axis",
    "Bars",
    "Chart",
    "Curve",
    "Curves",
    "Matrix",
    "confidence_chart",
    "confusion_chart",
    "curves_chart",
    "reliability_chart",
    "round_numbers",
    "sigmoid_chart",
    "softmax_chart",
    "thresholds_chart",
]

MOST_CURVES = 6
"""More curves than this cannot be told apart."""

STEPS = 160
"""Into how many parts the range of a function is divided."""

FARTHEST = 8.0
"""From how far left of 0 to how far right a function is shown: beyond, nothing happens."""

OTHERS = (1.0, -1.0)
"""The logits that stay where they are while the first one moves, in the picture of the softmax."""


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis: what it is of, with its unit, and from where to where."""

    label: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through points.

    Parameters
    ----------
    name
        As the legend says it.
    x, y
        The points.
    guide
        Whether it is no result, but something to compare with.
    """

    name: str
    x: Array
    y: Array
    guide: bool = False


@dataclass(frozen=True, slots=True)
class Curves:
    """Lines on two axes."""

    x: Axis
    y: Axis
    curves: Sequence[Curve]


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar for each bin.

    Parameters
    ----------
    x, y
        Of the bins, and of the height of the bars.
    edges
        Of the bins, shape (B + 1,).
    counts
        How many rows, or cells, each holds.
    parts
        The heights of the parts of each bar, by name, one on the other; NaN where there is none.
    marks
        A height in each bin to compare with, and what it is called; None for none.
    what
        What is counted: "rows" or "cells".
    """

    x: Axis
    y: Axis
    edges: Array
    counts: Array
    parts: Mapping[str, Array]
    marks: tuple[str, Array] | None = None
    what: str = "rows"


@dataclass(frozen=True, slots=True)
class Matrix:
    """How often each class (a row) was taken for each (a column)."""

    classes: Sequence[str]
    counts: Array


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture.

    Parameters
    ----------
    kind
        Its name on the command line.
    title
        What it shows.
    caption
        Of how many rows and classes, and the numbers to take away.
    content
        What is drawn.
    numbers
        All of it, as it stands in JSON.
    """

    kind: str
    title: str
    caption: str
    content: Curves | Bars | Matrix
    numbers: Mapping[str, Any]


def sigmoid_chart(temperature: float = 1.0) -> Chart:
    """Return the sigmoid and its derivative."""
    x = np.linspace(-FARTHEST, FARTHEST, STEPS + 1)
    values, slopes = sigmoid(x, temperature=temperature), sigmoid_derivative(x, temperature=temperature)
    argument = "x" if temperature == 1 else f"x / {temperature:g}"
    curves = (Curve(f"sigmoid({argument})", x, values), Curve("its derivative", x, slopes))
    return Chart(
        "sigmoid",
        f"The sigmoid: 1 / (1 + exp(-{argument if temperature == 1 else f'({argument})'}))",
        f"Each class by itself. Half at x = 0, where the slope is largest: {slopes.max():g}. Far from 0 it is flat.",
        Curves(Axis("logit x", -FARTHEST, FARTHEST), Axis("probability, and slope", 0, 1), curves),
        {"temperature": temperature, "x": x.tolist(), "sigmoid": values.tolist(), "derivative": slopes.tolist()},
    )


def softmax_chart(temperature: float = 1.0) -> Chart:
    """Return the softmax of three classes, of which the logit of one moves."""
    x = np.linspace(-FARTHEST, FARTHEST, STEPS + 1)
    logits = np.column_stack([x, *(np.full(len(x), other) for other in OTHERS)])
    values = softmax(logits, temperature=temperature)
    names = ["class 1, logit x", *(f"class {number}, logit {other:g}" for number, other in enumerate(OTHERS, start=2))]
    curves = [Curve(name, x, column) for name, column in zip(names, values.T, strict=True)]
    divided = "" if temperature == 1 else f" / {temperature:g}"
    return Chart(
        "softmax",
        f"The softmax: exp(x_i{divided}) / sum of exp(x_j{divided})",
        "Three classes. Only the logit of class 1 moves: as it rises the others fall, because all sum to 1.",
        Curves(Axis("logit x of class 1", -FARTHEST, FARTHEST), Axis("probability", 0, 1), curves),
        {
            "temperature": temperature,
            "x": x.tolist(),
            "logits": [None, *OTHERS],
            "softmax": {f"class {number}": column.tolist() for number, column in enumerate(values.T, start=1)},
        },
    )


# Of an evaluation


def reliability_chart(found: Evaluation) -> Chart:
    """Return how often predictions are right, against how probable they are said to be, in bins."""
    of = _of_confidence(found)
    accuracy = _numbers([each.accuracy for each in found.calibration_bins])
    confidence = _numbers([each.confidence for each in found.calibration_bins])
    errors = f"ECE {_shown(found.metrics['ece'])}"
    if "mce" in found.metrics:
        errors += f", MCE {_shown(found.metrics['mce'])}"
    return Chart(
        "reliability",
        "Reliability: how often predictions are right, by how sure they are",
        f"{_size(found)}. {errors}. Below the marks: too sure; above: not sure enough.",
        Bars(
            Axis(of.axis, 0, 1),
            Axis(of.share, 0, 1),
            _edges(found),
            _bin_counts(found),
            {of.share: accuracy},
            ("mean probability", confidence),
            of.what,
        ),
        _bin_numbers(found) | {"ece": found.metrics["ece"], "mce": found.metrics.get("mce")},
    )


def confidence_chart(found: Evaluation, *, known: bool) -> Chart:
    """Return how many predictions are how probable, in bins; and where the truth is `known`, how many are right."""
    of = _of_confidence(found)
    counts = _bin_counts(found)
    parts = {of.what: counts.astype(np.float64)}
    if known:
        right = np.array(
            [round((each.accuracy or 0) * each.count) for each in found.calibration_bins], dtype=np.float64
        )
        parts = {of.right: right, of.wrong: counts - right}
    total = int(counts.sum())
    mean = sum((each.confidence or 0) * each.count for each in found.calibration_bins) / total if total else None
    numbers = _bin_numbers(found) | {"mean": mean}
    if not known:
        numbers["bins"] = [{key: each[key] for key in each if key != "accuracy"} for each in numbers["bins"]]
    return Chart(
        "confidence",
        "Confidence: how many predictions are how sure",
        f"{_size(found)}. Mean probability {_shown(mean)}.",
        Bars(
            Axis(of.axis, 0, 1),
            Axis(of.what, 0, float(max(1, counts.max(initial=0)))),
            _edges(found),
            counts,
            parts,
            what=of.what,
        ),
        numbers,
    )


def confusion_chart(found: Evaluation) -> Chart:
    """Return how often each class was taken for each other."""
    counts = found.confusion_matrix
    assert counts is not None
    return Chart(
        "confusion",
        "Confusion: what was taken for what",
        f"{_size(found)}. Accuracy {_shown(found.metrics['accuracy'])}: the diagonal.",
        Matrix(found.classes, counts),
        {"classes": list(found.classes), "confusion_matrix": counts.tolist(), "accuracy": found.metrics["accuracy"]},
    )


def curves_chart(kind: str, found: Evaluation, ranked: Ranked, chosen: Sequence[str] = ()) -> Chart:
    """Return the ROC ("roc") or the precision-recall curve ("precision-recall") of each class.

    Parameters
    ----------
    kind
        Which of them.
    found
        The evaluation, which has the areas.
    ranked
        Returns the probability of a class in each row, and where it is right.
    chosen
        The classes to draw; none is those with the smallest areas, or of two classes the positive one.
    """
    roc = kind == "roc"
    metric, short = ("roc_auc", "AUC") if roc else ("average_precision", "AP")
    areas = {name: found.per_class[name][metric] for name in found.classes}
    names = list(chosen) or _weakest(found, areas)
    lines: dict[str, Line] = {}
    for name in chosen or (found.classes[1:] if found.task == "binary" else found.classes):
        lines[name] = (roc_curve if roc else precision_recall_curve)(*ranked(found.classes.index(name)))
    curves = [Curve(f"{name}  {short} {_shown(areas[name])}", lines[name].x, lines[name].y) for name in names]
    if roc:
        curves.append(Curve("chance", np.array([0.0, 1.0]), np.array([0.0, 1.0]), guide=True))
    mean = (
        found.metrics.get("roc_auc_ovr_macro" if found.task == "softmax" else "roc_auc_macro")
        if roc
        else (found.metrics.get("average_precision_macro"))
    )
    caption = f"{_size(found)}."
    if len(found.classes) > 2 or found.task == "multilabel":
        caption += f" Mean {short} {_shown(mean)}."
    if len(names) < len(lines):
        caption += f" {len(names)} of {len(lines)} classes, those with the smallest {short}; --class NAME draws others."
    axes = (
        (Axis("false positive rate", 0, 1), Axis("true positive rate", 0, 1))
        if roc
        else (Axis("recall", 0, 1), Axis("precision", 0, 1))
    )
    keys = ("false_positive_rate", "true_positive_rate") if roc else ("recall", "precision")
    return Chart(
        kind,
        "ROC: what is found, against false alarms" if roc else "Precision against recall",
        caption,
        Curves(*axes, curves),
        _about(found)
        | {
            "curves": {
                name: {
                    metric: areas[name],
                    keys[0]: _listed(line.x),
                    keys[1]: _listed(line.y),
                    "threshold": _listed(line.thresholds),
                }
                for name, line in lines.items()
            }
        },
    )


def thresholds_chart(found: Evaluation, ranked: Ranked, chosen: Sequence[str] = ()) -> Chart:
    """Return precision, recall and F1 against the threshold; parameters as of `curves_chart`.

    They are of the classes that are chosen, or of all, taken together: of two classes, of the positive one.
    """
    names = list(chosen) or list(found.classes[1:] if found.task == "binary" else found.classes)
    measured = at_thresholds(ranked(found.classes.index(name)) for name in names)
    threshold = measured["threshold"]
    best = None if np.isnan(measured["f1"]).all() else int(np.nanargmax(measured["f1"]))
    caption = f"{_size(found)}."
    if best is not None:
        caption += f" F1 is highest at a threshold of {threshold[best]:.2f}: {_shown(float(measured['f1'][best]))}."
    caption += f" Of {_listing(names)}{' together' if len(names) > 1 else ''}."
    curves = [Curve(name, threshold, measured[key]) for name, key in _SCORES.items()]
    return Chart(
        "thresholds",
        "Precision, recall and F1 against the threshold",
        caption,
        Curves(Axis("threshold (probability)", 0, 1), Axis("precision, recall, F1", 0, 1), curves),
        _about(found) | {"of": names} | {name: _listed(values) for name, values in measured.items()},
    )


_SCORES = {"precision": "precision", "recall": "recall", "F1": "f1"}


class _Words(NamedTuple):
    """What bins are of."""

    what: str
    axis: str
    share: str
    right: str
    wrong: str


def _of_confidence(found: Evaluation) -> _Words:
    if found.task == "binary":
        negative, positive = found.classes
        axis = f'probability of "{positive}"'
        return _Words("rows", axis, f'share that is "{positive}"', positive, negative)
    if found.task == "multilabel":
        return _Words("cells", "probability of a label", "share that has the label", "has the label", "has it not")
    return _Words("rows", "probability of the label", "share that is right", "right", "wrong")


def _size(found: Evaluation) -> str:
    return f"{found.rows:,} row{'' if found.rows == 1 else 's'}, {len(found.classes):,} classes"


def _about(found: Evaluation) -> dict[str, Any]:
    return {"task": found.task, "rows": found.rows, "classes": list(found.classes)}


def _edges(found: Evaluation) -> Array:
    return np.array([*(each.lower for each in found.calibration_bins), found.calibration_bins[-1].upper])


def _bin_counts(found: Evaluation) -> Array:
    return np.array([each.count for each in found.calibration_bins], dtype=np.int64)


def _bin_numbers(found: Evaluation) -> dict[str, Any]:
    return _about(found) | {"bins": [asdict(each) for each in found.calibration_bins]}


def _weakest(found: Evaluation, areas: Mapping[str, float | None]) -> list[str]:
    """Return the classes to draw where none is asked for, in their order."""
    if found.task == "binary":
        return [found.classes[1]]
    ranked = sorted(found.classes, key=lambda name: 2.0 if areas[name] is None else float(areas[name] or 0))
    return [name for name in found.classes if name in set(ranked[:MOST_CURVES])]


def _numbers(values: Sequence[float | None]) -> Array:
    return np.array([np.nan if value is None else value for value in values])


def _listed(values: Array) -> list[float | None]:
    """Return numbers as JSON has them."""
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _listing(names: Sequence[str]) -> str:
    return f'"{names[0]}"' if len(names) == 1 else f"{len(names)} classes"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def round_numbers(low: float, high: float) -> list[float]:
    """Return four to eight round numbers from one end to the other."""
    span = high - low
    step = 10.0 ** np.floor(np.log10(span / 4))
    for factor in (1, 2, 2.5, 5, 10):
        if span / (step * factor) <= 8:
            step *= factor
            break
    first = np.ceil(low / step - 1e-9)
    return [float(number * step) + 0.0 for number in np.arange(first, np.floor(high / step + 1e-9) + 1)]
