"""The fits of a policy: each takes rows with their truth and returns a part of the policy, and a report."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

import numpy as np

from actcli.calibration.calibration import each_class
from actcli.calibration.conformal import RiskControl, conformal_rule, risk_control, true_scores
from actcli.calibration.methods import FITS, Temperature
from actcli.calibration.thresholds import objective_of, tuned_class, tuned_globally
from actcli.errors import DataError, listed
from actcli.fitting.fit_reports import (
    CalibrationReport,
    ConformalReport,
    QualityChange,
    ThresholdChange,
    ThresholdChangeOfClass,
    ThresholdReport,
)
from actcli.fitting.quality import SetSums, decided, quality, set_sums
from actcli.fitting.row_problem import RowProblem, logits, monotone_values
from actcli.metrics.confusion import ConfusionCounts, label_counts
from actcli.prediction.policy import DEFAULT_THRESHOLD
from actcli.prediction.predictions import SoftmaxPredictions
from actcli.tasks import Method, Scope, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from actcli.calibration.conformal import Conformal
    from actcli.calibration.methods import Calibration
    from actcli.calibration.thresholds import Objective as ThresholdObjective
    from actcli.calibration.thresholds import Tuned
    from actcli.fitting.fit_reports import FitReport
    from actcli.fitting.labeled_rows import LabeledRows
    from actcli.prediction.policy import Policy
    from actcli.prediction.scoring import Scoring
    from actcli.tasks import ConformalScore

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

Change = TypeVar("Change")

__all__ = ["FitContext", "FitResult", "Objective", "calibrate", "conform", "tune"]

_REPORTED = ("log_loss", "brier_loss", "ece", "accuracy", "f1_macro")
_OF_THRESHOLDS = ("precision", "recall", "f1")
_FEW = 10
"""A threshold that is chosen on fewer true rows is little more than a guess."""


@dataclass(frozen=True, slots=True)
class FitContext:
    """What a fit starts from.

    Parameters
    ----------
    policy
        The policy file as it was, or a new one.
    scoring
        How given numbers become scores: with the calibration of the policy, unless that is what is fitted.
    labels
        The names of the classes as they are decided: (negative, positive) for binary.
    rows
        The rows to fit.
    held_out
        The rows to judge by, if any are held out.
    """

    policy: Policy
    scoring: Scoring
    labels: tuple[str, ...]
    rows: LabeledRows
    held_out: LabeledRows | None

    @property
    def task(self) -> Task:
        """What is decided of a row."""
        return Task(self.policy.task)

    @property
    def thresholds(self) -> Array | None:
        """The threshold of each class that the policy holds, shape (C,)."""
        held = self.policy.thresholds
        return None if held is None else np.array([held.get(name, DEFAULT_THRESHOLD) for name in self.labels])

    def changes(self, change: Callable[[LabeledRows], Change]) -> tuple[Change, Change | None]:
        """Return the change on the rows to fit, and on those that are held out."""
        return change(self.rows), None if self.held_out is None else change(self.held_out)


@dataclass(frozen=True, slots=True)
class FitResult:
    """The result of a fit.

    Parameters
    ----------
    value
        The new part of the policy.
    loss, before, after
        The name of a loss, and its value on the rows that were fitted.
    report
        The report.
    objective
        What was asked for, where the value does not tell.
    warnings
        What a user must know.
    """

    value: Calibration | Mapping[str, float] | Conformal | RiskControl
    loss: str
    before: float
    after: float
    report: FitReport
    objective: str | None = None
    warnings: Sequence[str] = ()


def calibrate(context: FitContext, method: Method) -> FitResult:
    """Fit a calibration.

    Parameters
    ----------
    context
        What to fit it on.
    method
        How to calibrate.

    Raises
    ------
    DataError
        If nothing is left to fit.
    """
    try:
        found = _fitted(context, method)
    except ValueError as error:
        raise DataError(f"{method.value}: {error}") from None
    calibrated = context.scoring._replace(calibration=found)

    def change(rows: LabeledRows) -> QualityChange:
        return QualityChange(rows.size, _reported(context.scoring, rows), _reported(calibrated, rows))

    fitted_on, held_out = context.changes(change)
    return FitResult(
        value=found,
        loss="log_loss",
        before=fitted_on.before["log_loss"],
        after=fitted_on.after["log_loss"],
        report=CalibrationReport(method, found, context.policy.labels, fitted_on, held_out),
        warnings=[*_undetermined(found, context), *_worse(fitted_on, held_out)],
    )


def _fitted(context: FitContext, method: Method) -> Calibration:
    values = monotone_values if method is Method.ISOTONIC else logits
    return FITS[method](RowProblem(context.rows, context.scoring, values))


def _worse(fitted_on: QualityChange, held_out: QualityChange | None) -> list[str]:
    """Return the warning about a fit whose loss is higher than the loss before."""
    judged = fitted_on if held_out is None else held_out
    before, after = (np.nan_to_num(quality["log_loss"], nan=np.inf) for quality in (judged.before, judged.after))
    if not after > before:
        return []
    rows = "these rows" if held_out is None else "the rows held out"
    return [f"the calibration is worse than none on {rows}: the log loss rises from {before:.6g} to {after:.6g}"]


def _reported(scoring: Scoring, rows: LabeledRows) -> dict[str, float]:
    metrics = quality(scoring, rows)
    return {name: metrics[name] for name in _REPORTED if name in metrics}


def _undetermined(found: Calibration, context: FitContext) -> list[str]:
    """Return the warning about a fit whose loss has no minimum."""
    if not getattr(found, "at_bound", False):
        return []
    if isinstance(found, Temperature):
        more = "fit it on more rows, or on rows that the classifier was not trained on"
        return [f"the loss has no lowest point: the temperature ran to its bound, {found.temperature:.6g}; {more}"]
    counts = zip(context.labels, context.rows.true_counts(), strict=True)
    constant = [label for label, count in counts if count in (0, context.rows.size)]
    why = f": {listed(constant)} is never or always right" if constant else ""
    return [f"these rows do not determine every scale and bias{why}; those are merely where the search ended"]


@dataclass(frozen=True, slots=True)
class Objective:
    """What thresholds are chosen for.

    Parameters
    ----------
    options
        The arguments for `actcli.tune_thresholds`.
    measure
        The name of the metric that is made large.
    text
        The objective as people read it.
    beta
        The beta of "fbeta".
    """

    options: Mapping[str, Any]
    measure: str
    text: str
    beta: float = 2.0

    @property
    def shown(self) -> list[str]:
        """The names of the metrics in the report."""
        return list(dict.fromkeys([*_OF_THRESHOLDS, *(["fpr"] if "at_fpr" in self.options else []), self.measure]))

    def metrics(self, counts: ConfusionCounts) -> dict[str, Array]:
        """Return the metrics in the report, each of shape (C,)."""
        every = {
            "precision": counts.precision,
            "recall": counts.recall,
            "f1": counts.f1,
            "fbeta": lambda: counts.fbeta(self.beta),
            "fpr": counts.false_positive_rate,
            "youden": counts.youden,
            "balanced-accuracy": counts.balanced_accuracy,
        }
        return {name: every[name]() for name in self.shown}


def tune(context: FitContext, objective: Objective, scope: Scope) -> FitResult:
    """Choose thresholds.

    Parameters
    ----------
    context
        What to choose them on. A class for which none is found keeps the threshold of the policy, or 0.5.
    objective
        What to choose them for.
    scope
        Whether each class has its own threshold.
    """
    names = context.policy.labels
    old = context.policy.thresholds or dict.fromkeys(names, DEFAULT_THRESHOLD)
    goal = objective_of(**objective.options)
    found: Sequence[Tuned]
    problem = RowProblem(context.rows, context.scoring, _usable_probabilities)
    match scope:
        case Scope.GLOBAL:
            cells = partial(_usable_cells, problem)
            found = (tuned_globally(cells, goal, problem.weight_unit),)
        case Scope.CLASS:
            found = each_class(problem, partial(_tuned_class, goal, problem.weight_unit))
        case _:
            assert_never(scope)
    every = [*found] * len(names) if scope is Scope.GLOBAL else found
    new = {
        name: old[name] if tuned.threshold is None else tuned.threshold
        for name, tuned in zip(names, every, strict=True)
    }
    fitted_on, held_out = context.changes(lambda rows: _threshold_change(context, rows, objective, old, new))
    mean = "micro" if scope is Scope.GLOBAL else "macro"
    return FitResult(
        value=new,
        loss=f"1 - {objective.measure}" if len(names) == 1 else f"1 - {objective.measure} ({mean})",
        before=1 - fitted_on.before[mean][objective.measure],
        after=1 - fitted_on.after[mean][objective.measure],
        report=ThresholdReport(objective.text, scope, objective.measure, new, fitted_on, held_out),
        objective=f"{objective.text}, {scope.value}",
        warnings=_threshold_warnings(names, found, _label_counts(context), old, objective, scope),
    )


def _usable_probabilities(scoring: Scoring, given: Array) -> Array:
    """Return the probabilities that have a threshold, NaN where their class is masked."""
    found = np.where(scoring.masked(given), np.nan, decided(scoring, given).probabilities)
    return found[:, 1:] if scoring.task is Task.BINARY else found


def _usable_cells(problem: RowProblem, work: Callable[[Array, Array, Array, Array | None], Any]) -> Iterator[Any]:
    """Yield `work(probabilities, truth, usable, weights)` of one block of rows after the other."""
    return problem.weighted_blocks(
        lambda probabilities, truth, weights: work(probabilities, truth, ~np.isnan(probabilities), weights)
    )


def _tuned_class(
    goal: ThresholdObjective, unit: float, probabilities: Array, true: Array, weights: Array | None
) -> Tuned:
    """Return the threshold of a class, from its probabilities, NaN where it is masked."""
    return tuned_class(probabilities, true, ~np.isnan(probabilities), goal, weights, unit)


def _threshold_change(
    context: FitContext, rows: LabeledRows, objective: Objective, old: Mapping[str, float], new: Mapping[str, float]
) -> ThresholdChange:
    names = context.policy.labels
    limits = [np.array([thresholds[name] for name in names]) for thresholds in (old, new)]

    def counted(probabilities: Array, truth: Array, weights: Array | None) -> list[ConfusionCounts]:
        return [label_counts(probabilities >= limit, truth, weights) for limit in limits]  # which NaN is not

    parts = RowProblem(rows, context.scoring, _usable_probabilities).weighted_blocks(counted)
    totals = [reduce(ConfusionCounts.plus, counts) for counts in zip(*parts, strict=True)]

    def measured(
        counts: ConfusionCounts, thresholds: Mapping[str, float]
    ) -> tuple[dict[str, dict[str, float]], list[dict[str, float]]]:
        """Return the averages, and the threshold and the metrics of each class."""
        each = objective.metrics(counts)
        pooled = objective.metrics(counts.pooled())
        averages = {
            "macro": {name: float(np.nan_to_num(values).mean()) for name, values in each.items()},
            "micro": {name: float(values[0]) for name, values in pooled.items()},
        }
        of_class = [
            {"threshold": thresholds[label]} | {name: float(values[number]) for name, values in each.items()}
            for number, label in enumerate(names)
        ]
        return averages, of_class

    (before, each_before), (after, each_after) = map(measured, totals, (old, new))
    support = totals[0].support.tolist()
    if rows.weights is not None:
        support = [rows.weight_unit * each for each in support]
    changes = map(ThresholdChangeOfClass, support, each_before, each_after)
    return ThresholdChange(rows.size, before, after, dict(zip(names, changes, strict=True)))


def _label_counts(context: FitContext) -> list[int]:
    """Return the number of rows of which each label that has a threshold is true."""
    counts = context.rows.true_counts()
    return counts[1:] if context.task is Task.BINARY else counts


def _threshold_warnings(
    names: Sequence[str],
    found: Sequence[Tuned],
    rows: Sequence[int],
    old: Mapping[str, float],
    objective: Objective,
    scope: Scope,
) -> list[str]:
    """Return the warnings about classes for which no threshold was found, or only by a few rows."""
    if scope is Scope.GLOBAL:
        missing = found[0].threshold is None
        return [f"no threshold reaches {objective.text}; all are left as they were"] if missing else []
    warnings = []
    of_names = dict(zip(names, found, strict=True))
    none = [name for name, tuned in of_names.items() if not tuned.positives]
    few = [f"{name} ({count})" for name, count in zip(names, rows, strict=True) if 0 < count < _FEW]
    unreached = [name for name, tuned in of_names.items() if tuned.positives and tuned.threshold is None]
    if none:
        warnings.append(f"never right in these rows, so {_kept(none, old)}: {listed(none)}")
    if unreached:
        warnings.append(f"no threshold reaches {objective.text}, so {_kept(unreached, old)}: {listed(unreached)}")
    if few:
        warnings.append(f"under {_FEW} rows to choose by, so the threshold may be far off: {listed(few)}")
    return warnings


def _kept(names: Sequence[str], old: Mapping[str, float]) -> str:
    values = {old[name] for name in names}
    return f"the threshold stays {values.pop():g}" if len(values) == 1 else "their thresholds stay as they were"


def conform(context: FitContext, alpha: str, score: ConformalScore, penalty: float, free: int) -> FitResult:
    """Fit a rule for prediction sets.

    Parameters
    ----------
    context
        What to fit it on.
    alpha
        The share of rows whose set may miss the true class, or for multilabel of the labels of a row; a decimal number.
    score, penalty, free
        The arguments for `actcli.fit_conformal`; not used for multilabel.

    Raises
    ------
    DataError
        If no row of a multi-label table has a label.
    """
    if context.task is Task.MULTILABEL:
        return _control_risk(context, alpha)
    truth = context.rows.true_codes()
    scores = np.concatenate(list(context.rows.blocks(partial(_true_scores, context.scoring, score, penalty, free))))
    rule = conformal_rule(scores, alpha, score, penalty, free)

    def members(given: Array) -> tuple[Array, Array]:
        found = decided(context.scoring, given, context.thresholds)
        assert isinstance(found, SoftmaxPredictions)
        single = np.equal(found.index[:, np.newaxis], np.arange(given.shape[1]))
        return single, rule.sets(found.probabilities) & ~context.scoring.masked(given)

    fitted_on, held_out = context.changes(partial(_set_change, members))
    warnings = []
    if np.isinf(rule.quantile):
        hidden = int(np.count_nonzero(np.isinf(scores)))
        few = f"{len(truth):,} rows are too few to promise anything with alpha {alpha}"
        if (len(truth) + 1) * Fraction(alpha) >= 1:  # with as many rows whose truth is possible, there is a quantile
            few = f"the true class is masked (-inf) in {hidden:,} of {len(truth):,} rows, too many for alpha {alpha}"
        warnings.append(f"{few}: every class is in every set")
    return FitResult(
        value=rule,
        loss="miscoverage",
        before=1 - fitted_on.before["coverage"],
        after=1 - fitted_on.after["coverage"],
        report=ConformalReport(rule, fitted_on, held_out),
        warnings=warnings,
    )


def _true_scores(
    scoring: Scoring, score: ConformalScore, penalty: float, free: int, given: Array, truth: Array
) -> Array:
    """Return the conformal score of the true class of each row of a block."""
    probabilities = decided(scoring, given).probabilities
    return true_scores(probabilities, truth, score, penalty, free, scoring.masked(given))


def _set_change(members: Callable[[Array], tuple[Array, Array]], rows: LabeledRows) -> QualityChange:
    """Return the quality of the sets before and after a fit, which `members` returns for a block of given numbers."""
    parts = rows.blocks(lambda given, truth: [set_sums(some, truth) for some in members(given)])
    before, after = (reduce(SetSums.plus, sums) for sums in zip(*parts, strict=True))
    multilabel = rows.codes is None
    return QualityChange(rows.size, before.quality(multilabel=multilabel), after.quality(multilabel=multilabel))


def _control_risk(context: FitContext, alpha: str) -> FitResult:
    """Fit the threshold that keeps the share of missed labels under a limit."""
    problem = RowProblem(context.rows, context.scoring, _usable_probabilities)
    try:
        control = risk_control(lambda work: _usable_cells(problem, lambda *cells: work(*cells[:3])), alpha)
    except ValueError as error:
        raise DataError(f"conformal: {error}") from None
    old: Array | float = DEFAULT_THRESHOLD if context.thresholds is None else context.thresholds

    def members(given: Array) -> tuple[Array, Array]:
        values = _usable_probabilities(context.scoring, given)
        return values >= old, values >= control.threshold  # which NaN is not

    fitted_on, held_out = context.changes(partial(_set_change, members))
    warnings = []
    if not control.possible:
        masked = context.rows.blocks(lambda given, truth: np.count_nonzero(truth & context.scoring.masked(given)))
        hidden = sum(map(int, masked))
        labeled = sum(context.rows.blocks(lambda _, truth: int(np.count_nonzero(truth.any(axis=1)))))
        why = f", since {hidden:,} of the true labels are masked (-inf)" if labeled + 1 >= 1 / Fraction(alpha) else ""
        few = f"these rows cannot promise to miss under {control.alpha:g} of the labels{why}"
        warnings.append(f"{few}: every label is in every set")
    return FitResult(
        value=control,
        loss="missed_labels",
        before=fitted_on.before["missed_labels"],
        after=fitted_on.after["missed_labels"],
        report=ConformalReport(control, fitted_on, held_out),
        warnings=warnings,
    )
