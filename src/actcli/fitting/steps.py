"""The steps that a policy is made of: each takes rows with their truth, and returns its part and what to report."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.calibration.conformal import RiskControl, fit_conformal, fit_risk_control
from actcli.calibration.methods import METHODS, Temperature
from actcli.calibration.thresholds import tune_thresholds
from actcli.errors import DataError, listed
from actcli.fitting.labeled_rows import decided, label_counts, quality, set_quality
from actcli.prediction.policy import DEFAULT_THRESHOLD, calibration_document, conformal_document
from actcli.prediction.predictions import SoftmaxPredictions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from actcli.calibration.methods import Calibration
    from actcli.calibration.thresholds import Tuned
    from actcli.fitting.labeled_rows import ConfusionCounts, LabeledRows
    from actcli.prediction.policy import Policy
    from actcli.prediction.scoring import Scoring

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["FitContext", "FitResult", "Objective", "calibrate", "conform", "tune"]

_REPORTED = ("log_loss", "brier_loss", "ece", "accuracy", "f1_macro")
_OF_THRESHOLDS = ("precision", "recall", "f1")
_FEW = 10
"""With fewer true rows than this, a threshold is little more than a guess."""


@dataclass(frozen=True, slots=True)
class FitContext:
    """What a step stands on.

    Parameters
    ----------
    policy
        As it was found, or new.
    scoring
        How what was read becomes scores: with the calibration that the policy holds, unless that is fitted.
    labels
        The names of the classes as they are decided: (negative, positive) for binary.
    rows
        To fit.
    held
        Kept apart from them.
    """

    policy: Policy
    scoring: Scoring
    labels: tuple[str, ...]
    rows: LabeledRows
    held: LabeledRows | None

    @property
    def task(self) -> str:
        """What is decided."""
        return self.policy.task

    def report(self, measure: Callable[[LabeledRows], Mapping[str, Any]]) -> dict[str, Any]:
        """Return what `measure` says of the rows that are fitted, and of those that are held out."""
        held = None if self.held is None else {"rows": len(self.held), **measure(self.held)}
        return {"fitted_on": {"rows": len(self.rows), **measure(self.rows)}, "held_out": held}


@dataclass(frozen=True, slots=True)
class FitResult:
    """What comes of a step.

    Parameters
    ----------
    value
        The new part of the policy.
    loss, before, after
        The name of a loss, and what it was on the rows that were fitted.
    document
        What there is to report.
    aim
        What was asked for, where the value does not say it.
    warnings
        What a user must know.
    """

    value: Any
    loss: str
    before: float
    after: float
    document: dict[str, Any]
    aim: str | None = None
    warnings: Sequence[str] = field(default_factory=tuple)


def calibrate(context: FitContext, method: str) -> FitResult:
    """Fit a calibration.

    Parameters
    ----------
    context
        What to fit it on.
    method
        One of `actcli.calibration.methods.METHODS`.

    Raises
    ------
    DataError
        If nothing is left to fit.
    """
    try:
        found = METHODS[method](context.scoring.logits(context.rows.given), context.rows.truth, task=context.task)
    except ValueError as error:
        raise DataError(f"{method}: {error}") from None
    after = replace(context.scoring, calibration=found)

    def measured(rows: LabeledRows) -> dict[str, Any]:
        return {"before": _reported(quality(context.scoring, rows)), "after": _reported(quality(after, rows))}

    report = context.report(measured)
    losses = report["fitted_on"]
    return FitResult(
        value=found,
        loss="log_loss",
        before=losses["before"]["log_loss"],
        after=losses["after"]["log_loss"],
        document={"method": method, "calibration": calibration_document(found, context.policy.labels), **report},
        warnings=_undetermined(found, context),
    )


def _reported(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: metrics[name] for name in _REPORTED if name in metrics}


def _undetermined(found: Calibration, context: FitContext) -> list[str]:
    """Return what there is to say about a fit that has no lowest point."""
    if not getattr(found, "at_bound", False):
        return []
    if isinstance(found, Temperature):
        more = "fit it on more rows, or on rows that the classifier was not trained on"
        return [f"the loss has no lowest point: the temperature ran to its bound, {found.temperature:.6g}; {more}"]
    counts = zip(context.labels, context.rows.counts(len(context.labels)), strict=True)
    constant = [label for label, count in counts if count in (0, len(context.rows))]
    why = f": {listed(constant)} is never or always right" if constant else ""
    return [f"these rows do not determine every scale and bias{why}; those are merely where the search ended"]


@dataclass(frozen=True, slots=True)
class Objective:
    """What thresholds are chosen for.

    Parameters
    ----------
    options
        As `actcli.tune_thresholds` takes them.
    measure
        What is made large, as `actcli.fitting.labeled_rows.ConfusionCounts` calls it.
    text
        The same for people.
    beta
        Of "fbeta".
    """

    options: Mapping[str, Any]
    measure: str
    text: str
    beta: float = 2.0


def tune(context: FitContext, aim: Objective, scope: str) -> FitResult:
    """Choose thresholds.

    Parameters
    ----------
    context
        What to choose them on; a label for which none is found keeps the one that its policy holds, or 0.5.
    aim
        What for.
    scope
        "class" or "global".
    """
    names = context.policy.labels
    old = context.policy.thresholds or dict.fromkeys(names, DEFAULT_THRESHOLD)
    probabilities, truth, masked = _cells(context, context.rows)
    found = tune_thresholds(probabilities, truth, **aim.options, scope=scope, masked=masked)
    every = found * len(names) if scope == "global" else found
    new = {
        name: old[name] if tuned.threshold is None else tuned.threshold
        for name, tuned in zip(names, every, strict=True)
    }

    def measured(rows: LabeledRows) -> dict[str, Any]:
        return _threshold_report(context, rows, aim, {"before": old, "after": new})

    report = context.report(measured)
    mean = "micro" if scope == "global" else "macro"
    return FitResult(
        value=new,
        loss=f"1 - {aim.measure}" if len(names) == 1 else f"1 - {aim.measure} ({mean})",
        before=1 - report["fitted_on"]["before"][mean][aim.measure],
        after=1 - report["fitted_on"]["after"][mean][aim.measure],
        document={"aim": aim.text, "scope": scope, "measure": aim.measure, "thresholds": new, **report},
        aim=f"{aim.text}, {scope}",
        warnings=_hard_labels(names, found, old, aim, scope),
    )


def _cells(context: FitContext, rows: LabeledRows) -> tuple[Array, Array, Array]:
    """Return the probabilities that have a threshold, where these are true, and where they cannot be chosen."""
    probabilities, masked = decided(context.scoring, rows.given).probabilities, context.scoring.masked(rows.given)
    if context.task == "multilabel":
        return probabilities, rows.truth, masked
    return probabilities[:, 1:], np.equal(rows.truth, 1)[:, np.newaxis], masked[:, 1:]


def _threshold_report(
    context: FitContext, rows: LabeledRows, aim: Objective, limits: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    """Return what thresholds do to each label, and to all."""
    names = context.policy.labels
    probabilities, truth, masked = _cells(context, rows)
    shown = dict.fromkeys([*_OF_THRESHOLDS, *(["fpr"] if "at_fpr" in aim.options else []), aim.measure])
    report: dict[str, Any] = {}
    each: dict[str, dict[str, Array]] = {}
    for when, thresholds in limits.items():
        chosen = (probabilities >= np.array([thresholds[name] for name in names])) & ~masked
        counts = label_counts(chosen, truth)
        each[when] = counts.shares(aim.beta)
        report[when] = {
            "macro": {name: float(np.nan_to_num(each[when][name]).mean()) for name in shown},
            "micro": _single(counts.pooled(), aim, shown),
        }
    report["per_class"] = {
        name: {
            "support": int(np.count_nonzero(truth[:, number])),
            **{
                when: {"threshold": limits[when][name]} | {what: float(each[when][what][number]) for what in shown}
                for when in limits
            },
        }
        for number, name in enumerate(names)
    }
    return report


def _single(counts: ConfusionCounts, aim: Objective, shown: Mapping[str, None]) -> dict[str, float]:
    shares = counts.shares(aim.beta)
    return {name: float(shares[name][0]) for name in shown}


def _hard_labels(
    names: Sequence[str],
    found: Sequence[Tuned],
    old: Mapping[str, float],
    aim: Objective,
    scope: str,
) -> list[str]:
    """Return what there is to say about labels for which no threshold was found, or is much of a guess."""
    if scope == "global":
        return [] if found[0].threshold is not None else [f"no threshold reaches {aim.text}; all are left as they were"]
    warnings = []
    of_names = dict(zip(names, found, strict=True))
    none = [name for name, tuned in of_names.items() if not tuned.positives]
    few = [f"{name} ({tuned.positives})" for name, tuned in of_names.items() if 0 < tuned.positives < _FEW]
    unreached = [name for name, tuned in of_names.items() if tuned.positives and tuned.threshold is None]
    if none:
        warnings.append(f"never right in these rows, so {_kept(none, old)}: {listed(none)}")
    if unreached:
        warnings.append(f"no threshold reaches {aim.text}, so {_kept(unreached, old)}: {listed(unreached)}")
    if few:
        warnings.append(f"under {_FEW} rows to choose by, so the threshold may be far off: {listed(few)}")
    return warnings


def _kept(names: Sequence[str], old: Mapping[str, float]) -> str:
    values = {old[name] for name in names}
    return f"the threshold stays {values.pop():g}" if len(values) == 1 else "their thresholds stay as they were"


def conform(context: FitContext, alpha: str, score: str, penalty: float, free: int) -> FitResult:
    """Make prediction sets that keep a promise.

    Parameters
    ----------
    context
        What to make them on.
    alpha
        The share of rows whose set may miss the true class, or for multilabel of a row's labels; a decimal number.
    score, penalty, free
        As `actcli.fit_conformal` takes them; not for multilabel.

    Raises
    ------
    DataError
        If no row of a multi-label table has a label.
    """
    probabilities, masked = _sets_of(context, context.rows)
    truth = context.rows.truth
    if context.task == "multilabel":
        try:
            control = fit_risk_control(probabilities, truth, alpha=alpha, masked=masked)
        except ValueError as error:
            raise DataError(f"conformal: {error}") from None
        return _risk_outcome(context, control)
    rule = fit_conformal(probabilities, truth, alpha=alpha, score=score, penalty=penalty, free=free, masked=masked)

    def measured(rows: LabeledRows) -> dict[str, Any]:
        values, hidden = _sets_of(context, rows)
        found = decided(context.scoring, rows.given, _thresholds(context))
        assert isinstance(found, SoftmaxPredictions)
        alone = np.equal(found.index[:, np.newaxis], np.arange(values.shape[1]))
        return {"before": set_quality(alone, rows.truth), "after": set_quality(rule.sets(values) & ~hidden, rows.truth)}

    report = context.report(measured)
    endless = np.isinf(rule.quantile)
    return FitResult(
        value=rule,
        loss="miscoverage",
        before=1 - report["fitted_on"]["before"]["coverage"],
        after=1 - report["fitted_on"]["after"]["coverage"],
        document={"conformal": conformal_document(rule), **report},
        warnings=[
            f"{len(truth):,} rows are too few to promise anything with alpha {alpha}: every class is in every set"
        ]
        * bool(endless),
    )


def _thresholds(context: FitContext) -> Array | None:
    """Return the threshold of each class that the policy holds."""
    held = context.policy.thresholds
    return None if held is None else np.array([held.get(name, DEFAULT_THRESHOLD) for name in context.labels])


def _sets_of(context: FitContext, rows: LabeledRows) -> tuple[Array, Array]:
    return decided(context.scoring, rows.given).probabilities, context.scoring.masked(rows.given)


def _risk_outcome(context: FitContext, control: RiskControl) -> FitResult:
    old = _thresholds(context)
    limits = {
        "before": np.full(len(context.labels), DEFAULT_THRESHOLD) if old is None else old,
        "after": control.threshold,
    }

    def measured(rows: LabeledRows) -> dict[str, Any]:
        values, hidden = _sets_of(context, rows)
        return {when: set_quality((values >= limit) & ~hidden, rows.truth) for when, limit in limits.items()}

    report = context.report(measured)
    return FitResult(
        value=control,
        loss="missed_labels",
        before=report["fitted_on"]["before"]["missed_labels"],
        after=report["fitted_on"]["after"]["missed_labels"],
        document={"conformal": conformal_document(control), **report},
        warnings=[]
        if control.possible
        else [f"these rows cannot promise to miss under {control.alpha:g} of the labels: every label is in every set"],
    )
