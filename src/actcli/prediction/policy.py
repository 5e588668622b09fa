"""The policy file: one JSON file that says how scores become decisions.

It holds what was fitted, step by step: a calibration, thresholds, a conformal rule. Each step is fitted on what the
steps before it put out, so that one that is fitted anew makes those after it stale.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from actcli.calibration.conformal import Conformal, RiskControl
from actcli.calibration.methods import Calibration, Isotonic, Platt, Temperature, VectorScaling
from actcli.errors import DataError, UsageError, listed, visible
from actcli.formats.column_roles import check_utf8
from actcli.prediction.option_files import parsed_json, read_text
from actcli.prediction.schema import what_is_wrong

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actcli.streaming.output import Output

__all__ = [
    "STEPS",
    "VERSION",
    "Policy",
    "Record",
    "calibration_document",
    "conformal_document",
    "read_policy",
    "schema",
]

VERSION = 1
STEPS = ("calibration", "thresholds", "conformal")
"""What a policy may hold, in the order in which it is fitted."""
DEFAULT_THRESHOLD = 0.5
"""Of a label that nothing was decided about."""
_MISSED = "missed-labels"


@dataclass(frozen=True, slots=True)
class Record:
    """What a step was fitted on, and what it did there.

    Parameters
    ----------
    rows
        How many.
    truth
        How many of them each class was true of.
    loss, before, after
        The name of a loss, and its value before and after the step; NaN where it is infinite, null in the file.
    version
        Of actcli.
    aim
        What was asked for, where the step itself does not say it.
    """

    rows: int
    truth: Mapping[str, int]
    loss: str
    before: float
    after: float
    version: str
    aim: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """How scores become decisions.

    Parameters
    ----------
    task
        "softmax", "multilabel" or "binary".
    origin
        What the input holds: "logits", "probabilities" or "log-probabilities".
    classes
        Their names in the order of the columns; (negative, positive) where only the positive class has one.
    positive
        The positive class of "binary".
    calibration, thresholds, conformal
        The steps. The thresholds are by the names of the classes; of "binary" there is that of the positive one.
    fitted
        What each step was fitted on.
    """

    task: str
    origin: str
    classes: tuple[str, ...]
    positive: str | None = None
    calibration: Calibration | None = None
    thresholds: Mapping[str, float] | None = None
    conformal: Conformal | RiskControl | None = None
    fitted: Mapping[str, Record] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that have a threshold, and parameters of their own in a calibration."""
        return (self.positive,) if self.positive is not None else self.classes

    def with_step(self, step: str, value: Any, record: Record) -> tuple[Policy, tuple[str, ...]]:
        """Return the policy with a step that was fitted anew, and the names of the others that this made stale.

        Of a multi-label task the conformal rule is a threshold, so that it and the thresholds replace one another.
        """
        stale = list(STEPS[STEPS.index(step) + 1 :])
        if step == "thresholds" and self.task != "multilabel":
            stale.remove("conformal")
        changes: dict[str, Any] = dict.fromkeys(stale) | {step: value}
        if isinstance(value, RiskControl):
            stale.append("thresholds")
            changes["thresholds"] = dict.fromkeys(self.labels, value.threshold)
        fitted = {name: self.fitted[name] for name in self.fitted if name not in stale} | {step: record}
        removed = tuple(name for name in STEPS if name in stale and getattr(self, name) is not None)
        if isinstance(self.conformal, RiskControl) and "thresholds" in removed:
            removed = tuple(name for name in removed if name != "thresholds")  # it was the conformal rule itself
        return replace(self, **changes, fitted=fitted), removed

    def text(self) -> str:
        """Return the content of the file: keys in a fixed order, one thing a line, so that it can be compared."""
        document: dict[str, Any] = {
            "actcli": VERSION,
            "task": self.task,
            "from": self.origin,
            "classes": list(self.classes),
        }
        if self.positive is not None:
            document["positive"] = self.positive
        if self.calibration is not None:
            document["calibration"] = calibration_document(self.calibration, self.labels)
        if self.thresholds is not None:
            document["thresholds"] = dict(self.thresholds)
        if self.conformal is not None:
            document["conformal"] = conformal_document(self.conformal)
        if self.fitted:
            document["fitted"] = {step: _record_document(self.fitted[step]) for step in STEPS if step in self.fitted}
        return _pretty(document, "") + "\n"

    def write(self, output: Output) -> None:
        """Write the file to an open output, and make it appear.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        output.write(self.text().encode())
        output.commit()


def read_policy(path: str) -> Policy:
    """Return the policy in a file.

    Raises
    ------
    DataError
        If it cannot be read, or is no policy of a version that is known here.
    """
    name = visible(path, 200)
    document = parsed_json(read_text(path, "actcli calibrate, tune and conformal write one"), path)
    if not isinstance(document, dict) or "actcli" not in document:
        raise DataError(f"{name}: is no policy file: it has no 'actcli'", hint='a policy begins with {"actcli": 1, ...')
    if document["actcli"] != VERSION or isinstance(document["actcli"], bool):
        raise DataError(
            f"{name}: is a policy of version {visible(str(document['actcli']), 20)}, and this actcli knows {VERSION}"
        )
    wrong = what_is_wrong(document, schema())
    if wrong is None:
        try:
            return _policy(document)
        except ValueError as error:
            wrong = str(error)
    raise DataError(f"{name}: {wrong}")


def schema() -> dict[str, Any]:
    """Return the JSON schema of the file, which is in the package."""
    text = resources.files("actcli.prediction").joinpath("policy.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _policy(document: Mapping[str, Any]) -> Policy:
    """Return the policy in a document that the schema allows; what it cannot say is checked here."""
    task, classes = document["task"], tuple(document["classes"])
    for text in classes:
        try:
            check_utf8(text)
        except UsageError as error:
            raise ValueError(f"classes: {error.message}") from None
    positive = None
    if task == "binary":
        if len(classes) != 2:
            raise ValueError(f"classes: a binary task has two, not {len(classes)}")
        positive = document.get("positive", classes[1])
        if positive not in classes:
            raise ValueError(f"positive: {visible(positive)!r} is none of its classes: {listed(classes)}")
    elif "positive" in document:
        raise ValueError(f"positive: {task} has no positive class")
    if task == "softmax" and len(classes) == 1:
        raise ValueError("classes: softmax needs two or more")
    policy = Policy(task, document["from"], classes, positive)
    thresholds = document.get("thresholds")
    if thresholds is not None:
        if task == "softmax":
            raise ValueError("thresholds: softmax has none")
        _check_names("thresholds", thresholds, policy.labels, all=False)
        thresholds = {label: float(thresholds.get(label, DEFAULT_THRESHOLD)) for label in policy.labels}
    conformal = document.get("conformal")
    if conformal is not None and (conformal["score"] == _MISSED) != (task == "multilabel"):
        raise ValueError(f"conformal.score: {conformal['score']} is not for {task}")
    if conformal is not None and task == "multilabel" and set((thresholds or {}).values()) != {conformal["threshold"]}:
        raise ValueError("conformal.threshold: is not that of every class in thresholds")
    return replace(
        policy,
        calibration=None if "calibration" not in document else _calibration(document["calibration"], policy.labels),
        thresholds=thresholds,
        conformal=None if conformal is None else _conformal(conformal),
        fitted={step: _record(document["fitted"][step]) for step in document.get("fitted", ())},
    )


def _check_names(what: str, given: Mapping[str, Any], labels: Sequence[str], *, all: bool) -> None:
    odd = next((name for name in given if name not in labels), None)
    if odd is not None:
        raise ValueError(f"{what}: {visible(odd)!r} is not {'the positive class' if len(labels) == 1 else 'a class'}")
    missing = next((name for name in labels if name not in given), None)
    if all and missing is not None:
        raise ValueError(f"{what}: there is none for {visible(missing)!r}")


def _calibration(document: Mapping[str, Any], labels: Sequence[str]) -> Calibration:
    method = document["method"]
    if method == "temperature":
        return Temperature(float(document["temperature"]))
    parts = {}
    for name, numbers in document.items():
        if name != "method":
            _check_names(f"calibration.{name}", numbers, labels, all=True)
            parts[name] = [numbers[label] for label in labels]
    if method == "isotonic":
        for label, points in zip(labels, parts["points"], strict=True):
            _check_points(points, f"calibration.points.{visible(label)}")
        return Isotonic(
            tuple(
                (tuple(float(place) for place, _ in points), tuple(float(value) for _, value in points))
                for points in parts["points"]
            )
        )
    names = ("scale", "bias") if method == "vector" else ("slope", "intercept")
    first, second = (tuple(map(float, parts[name])) for name in names)
    return VectorScaling(first, second) if method == "vector" else Platt(first, second)


def _check_points(points: Sequence[Sequence[float]], where: str) -> None:
    for (place, value), (following, higher) in pairwise(points):
        if not (place < following and value <= higher):
            raise ValueError(f"{where}: does not rise from {place}, {value} to {following}, {higher}")
    if not 0 <= points[0][1] <= points[-1][1] <= 1:
        raise ValueError(f"{where}: goes from {points[0][1]} to {points[-1][1]}, which are not both probabilities")


def calibration_document(calibration: Calibration, labels: Sequence[str]) -> dict[str, Any]:
    """Return a calibration as the file holds it."""
    document: dict[str, Any] = {"method": calibration.method}
    match calibration:
        case Temperature():
            document["temperature"] = calibration.temperature
        case VectorScaling():
            document["scale"] = dict(zip(labels, calibration.scale, strict=True))
            document["bias"] = dict(zip(labels, calibration.bias, strict=True))
        case Platt():
            document["slope"] = dict(zip(labels, calibration.slope, strict=True))
            document["intercept"] = dict(zip(labels, calibration.intercept, strict=True))
        case Isotonic():
            pairs = [[list(pair) for pair in zip(*points, strict=True)] for points in calibration.points]
            document["points"] = dict(zip(labels, pairs, strict=True))
    return document


def _conformal(document: Mapping[str, Any]) -> Conformal | RiskControl:
    if document["score"] == _MISSED:
        return RiskControl(float(document["alpha"]), float(document["threshold"]))
    quantile = math.inf if document["quantile"] is None else float(document["quantile"])
    return Conformal(
        document["score"],
        float(document["alpha"]),
        quantile,
        float(document.get("lambda", 0)),
        int(document.get("k", 0)),
    )


def conformal_document(conformal: Conformal | RiskControl) -> dict[str, Any]:
    """Return a conformal rule as the file holds it."""
    if isinstance(conformal, RiskControl):
        return {"score": _MISSED, "alpha": conformal.alpha, "threshold": conformal.threshold}
    quantile = conformal.quantile if math.isfinite(conformal.quantile) else None
    document = {"score": conformal.score, "alpha": conformal.alpha, "quantile": quantile}
    return document | ({"lambda": conformal.penalty, "k": conformal.free} if conformal.score == "raps" else {})


def _record(document: Mapping[str, Any]) -> Record:
    loss = document["loss"]
    before, after = (math.nan if loss[when] is None else float(loss[when]) for when in ("before", "after"))
    aim = document.get("aim")
    return Record(int(document["rows"]), document["truth"], loss["name"], before, after, document["actcli"], aim)


def _record_document(record: Record) -> dict[str, Any]:
    before, after = (number if math.isfinite(number) else None for number in (record.before, record.after))
    document: dict[str, Any] = {"rows": record.rows, "truth": dict(record.truth)}
    if record.aim is not None:
        document["aim"] = record.aim
    return document | {
        "loss": {"name": record.loss, "before": before, "after": after},
        "actcli": record.version,
    }


def _pretty(value: Any, indent: str) -> str:
    """Return JSON with one item a line; a pair of numbers is one item."""
    if isinstance(value, dict) and value:
        items = [f"{_json(name)}: {_pretty(item, indent + '  ')}" for name, item in value.items()]
    elif isinstance(value, list) and value and not all(isinstance(item, float) for item in value):
        items = [_pretty(item, indent + "  ") for item in value]
    else:
        return _json(value)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines = f",\n{indent}  ".join(items)
    return f"{opening}\n{indent}  {lines}\n{indent}{closing}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
