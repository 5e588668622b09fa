"""The policy: how scores become decisions, and its JSON file.

It holds what was fitted or decided, step by step: the classes that are allowed, a calibration, a prior, thresholds,
costs, a taxonomy, a conformal rule, an abstention. Each step is made for the results of the steps before it, so a step
that changes makes the steps after it stale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, assert_never

from actcli.calibration.conformal import Conformal, RiskControl
from actcli.calibration.methods import Calibration, Isotonic, Platt, Temperature, VectorScaling
from actcli.prediction.allow import allow_document
from actcli.tasks import YES_OR_NO, ConformalScore, Origin, Step, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actcli.prediction.allow import Allow
    from actcli.prediction.costs import Costs
    from actcli.prediction.prior import Prior
    from actcli.prediction.taxonomy import Taxonomy

__all__ = [
    "DEFAULT_THRESHOLD",
    "MISSED_LABELS",
    "VERSION",
    "Abstain",
    "Policy",
    "Record",
    "calibration_document",
    "conformal_document",
    "stale_after",
]

T = TypeVar("T")

VERSION = 1
DEFAULT_THRESHOLD = 0.5
"""Of a label without a threshold of its own."""
MISSED_LABELS = "missed-labels"
"""The conformal score of a multi-label task: the share of a row's labels that is missed."""


class Abstain(NamedTuple):
    """When a label is withheld.

    Parameters
    ----------
    below
        A label whose probability is below this is withheld.
    at_accuracy
        The least accuracy of the other labels that it was fitted for.
    delta
        The largest probability that the accuracy on new rows is less.
    """

    below: float
    at_accuracy: float | None = None
    delta: float | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """The rows that a step was fitted on, and its effect on their loss.

    Parameters
    ----------
    rows
        How many rows.
    truth
        How many of the rows each class is true of; with weights the sum of these.
    loss, before, after
        The name of a loss, and its value before and after the step. None, null in the file, for
        a value that is infinite or undefined.
    version
        Of actcli.
    aim
        The objective, where the step itself does not say it.
    """

    rows: int
    truth: Mapping[str, int | float]
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
    allow, calibration, prior, thresholds, costs, taxonomy, conformal, abstain
        The steps. Thresholds are by the names of the classes; a binary task has one, of the positive class. Costs
        decide in place of thresholds.
    fitted
        The record of each step.
    """

    task: Task
    origin: Origin
    classes: tuple[str, ...]
    positive: str | None = None
    allow: Allow | None = None
    calibration: Calibration | None = None
    prior: Prior | None = None
    thresholds: Mapping[str, float] | None = None
    costs: Costs | None = None
    taxonomy: Taxonomy | None = None
    conformal: Conformal | RiskControl | None = None
    abstain: Abstain | None = None
    fitted: Mapping[Step, Record] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that have thresholds and calibration parameters of their own."""
        return (self.positive,) if self.positive is not None else self.classes

    @property
    def unnamed(self) -> bool:
        """Whether it was fitted without class names."""
        return self.classes in (YES_OR_NO, tuple(map(str, range(len(self.classes)))))

    def part(self, step: Step) -> Any:
        """Return what the policy holds for a step, or None."""
        return getattr(self, step)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that the policy holds, in their order."""
        return tuple(step for step in Step if self.part(step) is not None)

    def conflicts(self, step: Step) -> tuple[Step, ...]:
        """Return the held steps that an option for `step` contradicts: itself, and those that it would make stale."""
        return tuple(held for held in self.steps if held is step or held in stale_after(step, self.task))

    def with_names(self, names: tuple[str, ...]) -> Policy:
        """Return the policy with other names for its classes, in the same order."""
        renamed = dict(zip(self.classes, names, strict=True))

        def by_name(values: Mapping[str, T]) -> dict[str, T]:
            return {renamed.get(name, name): value for name, value in values.items()}

        return replace(
            self,
            classes=names,
            positive=None if self.positive is None else renamed[self.positive],
            allow=self.allow and self.allow.with_names(renamed),
            prior=self.prior and self.prior.with_names(renamed),
            thresholds=self.thresholds and by_name(self.thresholds),
            costs=self.costs and self.costs.with_names(renamed),
            taxonomy=self.taxonomy and self.taxonomy.with_names(renamed),
            fitted={step: record.with_names(renamed) for step, record in self.fitted.items()},
        )

    def with_step(self, step: Step, value: Any, record: Record | None = None) -> tuple[Policy, tuple[Step, ...]]:
        """Return the policy with a new step, and the other steps, which are removed as stale.

        The conformal rule of a multi-label task is a threshold, so it and the thresholds replace one another.
        """
        stale = set(stale_after(step, self.task))
        changes: dict[str, Any] = dict.fromkeys(stale) | {step: value}
        if isinstance(value, RiskControl):
            stale.add(Step.THRESHOLDS)
            changes[Step.THRESHOLDS] = dict.fromkeys(self.labels, value.threshold)
        fitted = {name: self.fitted[name] for name in self.fitted if name not in stale and name is not step}
        if record is not None:
            fitted[step] = record
        removed = tuple(name for name in self.steps if name in stale)
        if isinstance(self.conformal, RiskControl):
            # Its thresholds are the rule itself.
            removed = tuple(name for name in removed if name is not Step.THRESHOLDS)
        return replace(self, **changes, fitted=fitted), removed

    def text(self) -> str:
        """Return the content of the file: keys in a fixed order, one item a line, so that files can be compared."""
        from actcli.formats.json_text import json_text

        return json_text(self.document()) + "\n"

    def document(self) -> dict[str, Any]:
        """Return the JSON document of the file, its keys in a fixed order."""
        document: dict[str, Any] = {
            "actcli": VERSION,
            "task": self.task,
            "from": self.origin,
            "classes": list(self.classes),
        }
        if self.positive is not None:
            document["positive"] = self.positive
        document |= {step: self._part_document(step) for step in self.steps}
        if self.fitted:
            document["fitted"] = {step: _record_document(self.fitted[step]) for step in Step if step in self.fitted}
        return document

    def _part_document(self, step: Step) -> Any:
        """Return a step that the policy holds as the file holds it."""
        value = self.part(step)
        match step:
            case Step.ALLOW:
                return allow_document(value)
            case Step.CALIBRATION:
                return calibration_document(value, self.labels)
            case Step.PRIOR:
                return {"train": dict(value.train), "new": dict(value.new)}
            case Step.THRESHOLDS:
                return dict(value)
            case Step.COSTS:
                matrix = {truth: list(costs) for truth, costs in value.matrix.items()}
                return {"decisions": list(value.decisions), "matrix": matrix}
            case Step.TAXONOMY:
                return {"parents": dict(value.parents), "at": value.at}
            case Step.CONFORMAL:
                return conformal_document(value)
            case Step.ABSTAIN:
                return {name: number for name, number in value._asdict().items() if number is not None}
            case _:
                assert_never(step)


def stale_after(step: Step, task: Task) -> tuple[Step, ...]:
    """Return the steps of a policy for `task` that a change of `step` makes stale, in their order.

    Thresholds, costs, a taxonomy and the conformal rule do not depend on one another; the thresholds and the conformal
    rule of a multi-label task replace one another.
    What a mask leaves of a calibration, a prior and thresholds is still right; what a conformal rule and an abstention
    promise was measured with other probabilities.
    """
    match step:
        case Step.ALLOW:
            return (Step.CONFORMAL, Step.ABSTAIN)
        case Step.CALIBRATION:
            return (Step.PRIOR, Step.THRESHOLDS, Step.COSTS, Step.TAXONOMY, Step.CONFORMAL, Step.ABSTAIN)
        case Step.PRIOR:
            return (Step.THRESHOLDS, Step.COSTS, Step.TAXONOMY, Step.CONFORMAL, Step.ABSTAIN)
        case Step.THRESHOLDS:
            return (Step.CONFORMAL,) if task is Task.MULTILABEL else (Step.ABSTAIN,)
        case Step.COSTS | Step.TAXONOMY | Step.CONFORMAL:
            return (Step.ABSTAIN,)
        case Step.ABSTAIN:
            return ()
        case _:
            assert_never(step)


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
