"""The policy: how scores become decisions, and its JSON file.

It holds what was fitted, step by step: a calibration, thresholds, a conformal rule. Each step is fitted on the results
of the steps before it, so a step that is fitted again makes the steps after it stale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, assert_never

from actcli.calibration.conformal import Conformal, RiskControl
from actcli.calibration.methods import Calibration, Isotonic, Platt, Temperature, VectorScaling
from actcli.tasks import YES_OR_NO, ConformalScore, Origin, Step, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "DEFAULT_THRESHOLD",
    "MISSED_LABELS",
    "VERSION",
    "Policy",
    "Record",
    "calibration_document",
    "conformal_document",
]

VERSION = 1
DEFAULT_THRESHOLD = 0.5
"""Of a label without a threshold of its own."""
MISSED_LABELS = "missed-labels"
"""The conformal score of a multi-label task: the share of a row's labels that is missed."""


@dataclass(frozen=True, slots=True)
class Record:
    """The rows that a step was fitted on, and its effect on their loss.

    Parameters
    ----------
    rows
        How many rows.
    truth
        How many of the rows each class is true of.
    loss, before, after
        The name of a loss, and its value before and after the step. None, null in the file, for
        a value that is infinite or undefined.
    version
        Of actcli.
    aim
        The objective, where the step itself does not say it.
    """

    rows: int
    truth: Mapping[str, int]
    loss: str
    before: float | None
    after: float | None
    version: str
    aim: str | None = None

    def with_names(self, renamed: Mapping[str, str]) -> Record:
        """Return the record with other names for the classes; `renamed` has the new name of each."""
        return replace(self, truth={renamed.get(name, name): count for name, count in self.truth.items()})


@dataclass(frozen=True, slots=True)
class Policy:
    """How scores become decisions.

    Parameters
    ----------
    task
        What is decided of a row.
    origin
        What the numbers of the input are.
    classes
        Their names in the order of the columns; (negative, positive) where only the positive class has a column.
    positive
        The positive class of a binary task.
    calibration, thresholds, conformal
        The steps. Thresholds are by the names of the classes; a binary task has one, of the positive class.
    fitted
        The record of each step.
    """

    task: Task
    origin: Origin
    classes: tuple[str, ...]
    positive: str | None = None
    calibration: Calibration | None = None
    thresholds: Mapping[str, float] | None = None
    conformal: Conformal | RiskControl | None = None
    fitted: Mapping[Step, Record] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that have thresholds and calibration parameters of their own."""
        return (self.positive,) if self.positive is not None else self.classes

    @property
    def unnamed(self) -> bool:
        """Whether it was fitted without class names."""
        return self.classes in (YES_OR_NO, tuple(map(str, range(len(self.classes)))))

    def with_names(self, names: tuple[str, ...]) -> Policy:
        """Return the policy with other names for its classes, in the same order."""
        renamed = dict(zip(self.classes, names, strict=True))
        return replace(
            self,
            classes=names,
            positive=None if self.positive is None else renamed[self.positive],
            thresholds=self.thresholds and {renamed[name]: value for name, value in self.thresholds.items()},
            fitted={step: record.with_names(renamed) for step, record in self.fitted.items()},
        )

    def with_step(self, step: Step, value: Any, record: Record) -> tuple[Policy, tuple[Step, ...]]:
        """Return the policy with a newly fitted step, and the other steps, which are removed as stale.

        The conformal rule of a multi-label task is a threshold, so it and the thresholds replace one another.
        """
        steps = list(Step)
        stale = steps[steps.index(step) + 1 :]
        if step is Step.THRESHOLDS and self.task is not Task.MULTILABEL:
            stale.remove(Step.CONFORMAL)
        changes: dict[str, Any] = dict.fromkeys(stale) | {step: value}
        if isinstance(value, RiskControl):
            stale.append(Step.THRESHOLDS)
            changes[Step.THRESHOLDS] = dict.fromkeys(self.labels, value.threshold)
        fitted = {name: self.fitted[name] for name in self.fitted if name not in stale} | {step: record}
        removed = tuple(name for name in steps if name in stale and getattr(self, name) is not None)
        if isinstance(self.conformal, RiskControl):
            # Its thresholds are the rule itself.
            removed = tuple(name for name in removed if name is not Step.THRESHOLDS)
        return replace(self, **changes, fitted=fitted), removed

    def text(self) -> str:
        """Return the content of the file: keys in a fixed order, one item a line, so that files can be compared."""
        from actcli.formats.json_text import json_text

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
            document["fitted"] = {step: _record_document(self.fitted[step]) for step in Step if step in self.fitted}
        return json_text(document) + "\n"


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


def conformal_document(conformal: Conformal | RiskControl) -> dict[str, Any]:
    """Return a conformal rule as the file holds it."""
    match conformal:
        case RiskControl():
            return {"score": MISSED_LABELS, "alpha": conformal.alpha, "threshold": conformal.threshold}
        case Conformal():
            quantile = conformal.quantile if math.isfinite(conformal.quantile) else None
            document = {"score": conformal.score, "alpha": conformal.alpha, "quantile": quantile}
            raps = {"lambda": conformal.penalty, "k": conformal.free}
            return document | (raps if conformal.score == ConformalScore.RAPS else {})
        case _:
            assert_never(conformal)


def _record_document(record: Record) -> dict[str, Any]:
    document: dict[str, Any] = {"rows": record.rows, "truth": dict(record.truth)}
    if record.aim is not None:
        document["aim"] = record.aim
    return document | {
        "loss": {"name": record.loss, "before": record.before, "after": record.after},
        "actcli": record.version,
    }
