"""The steps that a policy is made of: each takes rows with their truth, and returns its part and what to report."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.calibration import METHODS, Temperature
from actcli.columns import listed
from actcli.conformal import RiskControl, fit_conformal, fit_risk_control
from actcli.errors import DataError
from actcli.fitting import decided, label_counts, quality, set_quality
from actcli.policy import DEFAULT_THRESHOLD, calibration_document, conformal_document
from actcli.predict import Exclusive
from actcli.tuning import tune_thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from actcli.calibration import Calibration
    from actcli.fitting import Counts, Rows
    from actcli.policy import Policy
    from actcli.scoring import Scoring
    from actcli.tuning import Tuned

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Aim", "Ground", "Outcome", "calibrate", "conform", "tune"]

_REPORTED = ("log_loss", "brier_loss", "ece", "accuracy", "f1_macro")
_OF_THRESHOLDS = ("precision", "recall", "f1")
_FEW = 10
"""With fewer true rows than this, a threshold is little more than a guess."""


@dataclass(frozen=True, slots=True)
class Ground:
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
    rows: Rows
    held: Rows | None

    @property
    def task(self) -> str:
        """What is decided."""
        return self.policy.task

    def report(self, measure: Callable[[Rows], Mapping[str, Any]]) -> dict[str, Any]:
        """Return what `measure` says of the rows that are fitted, and of those that are held out."""
        held = None if self.held is None else {"rows": len(self.held), **measure(self.held)}
        return {"fitted_on": {"rows": len(self.rows), **measure(self.rows)}, "held_out": held}


@dataclass(frozen=True, slots=True)
class Outcome:
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


def calibrate(ground: Ground, method: str) -> Outcome:
    """Fit a calibration.

    Parameters
    ----------
    ground
        What to fit it on.
    method
        One of `actcli.calibration.METHODS`.

    Raises
    ------
    DataError
        If nothing is left to fit.
    """
    try:
        found = METHODS[method](ground.scoring.logits(ground.rows.given), ground.rows.truth, task=ground.task)
    except ValueError as error:
        raise DataError(f"{method}: {error}") from None
    after = replace(ground.scoring, calibration=found)

    def measured(rows: Rows) -> dict[str, Any]:
        return {"before": _reported(quality(ground.scoring, rows)), "after": _reported(quality(after, rows))}

    report = ground.report(measured)
    losses = report["fitted_on"]
    return Outcome(
        value=found,
        loss="log_loss",
        before=losses["before"]["log_loss"],
        after=losses["after"]["log_loss"],
        document={"method": method, "calibration": calibration_document(found, ground.policy.labels), **report},
        warnings=_undetermined(found, ground),
    )


def _reported(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: metrics[name] for name in _REPORTED if name in metrics}


def _undetermined(found: Calibration, ground: Ground) -> list[str]:
    """Return what there is to say about a fit that has no lowest point."""
    if not getattr(found, "at_bound", False):
        return []
    if isinstance(found, Temperature):
        more = "fit it on more rows, or on rows that the classifier was not trained on"
        return [f"the loss has no lowest point: the temperature ran to its bound, {found.temperature:.6g}; {more}"]
    counts = zip(ground.labels, ground.rows.counts(len(ground.labels)), strict=True)
    constant = [label for label, count in counts if count in (0, len(ground.rows))]
    why = f": {listed(constant)} is never or always right" if constant else ""
    return [f"these rows do not determine every scale and bias{why}; those are merely where the search ended"]


@dataclass(frozen=True, slots=True)
class Aim:
    """What thresholds are chosen for.

    Parameters
    ----------
    options
        As `actcli.tune_thresholds` takes them.
    measure
        What is made large, as `actcli.fitting.Counts` calls it.
    text
        The same for people.
    beta
        Of "fbeta".
    """

    options: Mapping[str, Any]
    measure: str
    text: str
    beta: float = 2.0


def tune(ground: Ground, aim: Aim, scope: str) -> Outcome:
    """Choose thresholds.

    Parameters
    ----------
    ground
        What to choose them on; a label for which none is found keeps the one that its policy holds, or 0.5.
    aim
        What for.
    scope
        "class" or "global".
    """
    names = ground.policy.labels
    old = ground.policy.thresholds or dict.fromkeys(names, DEFAULT_THRESHOLD)
    probabilities, truth, masked = _cells(ground, ground.rows)
    found = tune_thresholds(probabilities, truth, **aim.options, scope=scope, masked=masked)
    every = found * len(names) if scope == "global" else found
    new = {
        name: old[name] if tuned.threshold is None else tuned.threshold
        for name, tuned in zip(names, every, strict=True)
    }

    def measured(rows: Rows) -> dict[str, Any]:
        return _threshold_report(ground, rows, aim, {"before": old, "after": new})

    report = ground.report(measured)
    mean = "micro" if scope == "global" else "macro"
    return Outcome(
        value=new,
        loss=f"1 - {aim.measure}" if len(names) == 1 else f"1 - {aim.measure} ({mean})",
        before=1 - report["fitted_on"]["before"][mean][aim.measure],
        after=1 - report["fitted_on"]["after"][mean][aim.measure],
        document={"aim": aim.text, "scope": scope, "measure": aim.measure, "thresholds": new, **report},
        aim=f"{aim.text}, {scope}",
        warnings=_hard_labels(names, found, old, aim, scope),
    )


def _cells(ground: Ground, rows: Rows) -> tuple[Array, Array, Array]:
    """Return the probabilities that have a threshold, where these are true, and where they cannot be chosen."""
    probabilities, masked = decided(ground.scoring, rows.given).probabilities, ground.scoring.masked(rows.given)
    if ground.task == "multilabel":
        return probabilities, rows.truth, masked
    return probabilities[:, 1:], np.equal(rows.truth, 1)[:, np.newaxis], masked[:, 1:]


def _threshold_report(
    ground: Ground, rows: Rows, aim: Aim, limits: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    """Return what thresholds do to each label, and to all."""
    names = ground.policy.labels
    probabilities, truth, masked = _cells(ground, rows)
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


def _single(counts: Counts, aim: Aim, shown: Mapping[str, None]) -> dict[str, float]:
    shares = counts.shares(aim.beta)
    return {name: float(shares[name][0]) for name in shown}


def _hard_labels(
    names: Sequence[str],
    found: Sequence[Tuned],
    old: Mapping[str, float],
    aim: Aim,
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


def conform(ground: Ground, alpha: str, score: str, penalty: float, free: int) -> Outcome:
    """Make prediction sets that keep a promise.

    Parameters
    ----------
    ground
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
    probabilities, masked = _sets_of(ground, ground.rows)
    truth = ground.rows.truth
    if ground.task == "multilabel":
        try:
            control = fit_risk_control(probabilities, truth, alpha=alpha, masked=masked)
        except ValueError as error:
            raise DataError(f"conformal: {error}") from None
        return _risk_outcome(ground, control)
    rule = fit_conformal(probabilities, truth, alpha=alpha, score=score, penalty=penalty, free=free, masked=masked)

    def measured(rows: Rows) -> dict[str, Any]:
        values, hidden = _sets_of(ground, rows)
        found = decided(ground.scoring, rows.given, _thresholds(ground))
        assert isinstance(found, Exclusive)
        alone = np.equal(found.index[:, np.newaxis], np.arange(values.shape[1]))
        return {"before": set_quality(alone, rows.truth), "after": set_quality(rule.sets(values) & ~hidden, rows.truth)}

    report = ground.report(measured)
    endless = np.isinf(rule.quantile)
    return Outcome(
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


def _thresholds(ground: Ground) -> Array | None:
    """Return the threshold of each class that the policy holds."""
    held = ground.policy.thresholds
    return None if held is None else np.array([held.get(name, DEFAULT_THRESHOLD) for name in ground.labels])


def _sets_of(ground: Ground, rows: Rows) -> tuple[Array, Array]:
    return decided(ground.scoring, rows.given).probabilities, ground.scoring.masked(rows.given)


def _risk_outcome(ground: Ground, control: RiskControl) -> Outcome:
    old = _thresholds(ground)
    limits = {
        "before": np.full(len(ground.labels), DEFAULT_THRESHOLD) if old is None else old,
        "after": control.threshold,
    }

    def measured(rows: Rows) -> dict[str, Any]:
        values, hidden = _sets_of(ground, rows)
        return {when: set_quality((values >= limit) & ~hidden, rows.truth) for when, limit in limits.items()}

    report = ground.report(measured)
    return Outcome(
        value=control,
        loss="missed_labels",
        before=report["fitted_on"]["before"]["missed_labels"],
        after=report["fitted_on"]["after"]["missed_labels"],
        document={"conformal": conformal_document(control), **report},
        warnings=[]
        if control.possible
        else [f"these rows cannot promise to miss under {control.alpha:g} of the labels: every label is in every set"],
    )
