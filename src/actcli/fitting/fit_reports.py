"""What the fits report: the fitted values, and the quality before and after, on the fitted and the held-out rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from actcli.prediction.policy import calibration_document, conformal_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actcli.calibration.conformal import Conformal, RiskControl
    from actcli.calibration.methods import Calibration
    from actcli.tasks import Method, Scope

__all__ = [
    "CalibrationReport",
    "ConformalReport",
    "FitReport",
    "QualityChange",
    "ThresholdChange",
    "ThresholdChangeOfClass",
    "ThresholdReport",
]


@dataclass(frozen=True, slots=True)
class QualityChange:
    """What a fit changes on some rows.

    Parameters
    ----------
    rows
        The number of rows.
    before, after
        Metrics by name.
    """

    rows: int
    before: Mapping[str, float]
    after: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """The report of a calibration.

    Parameters
    ----------
    method
        How it was fitted.
    calibration
        What was fitted.
    labels
        The names of the classes that have parameters of their own.
    fitted_on, held_out
        The change on the rows that were fitted, and on those held out, if there are any.
    """

    method: Method
    calibration: Calibration
    labels: tuple[str, ...]
    fitted_on: QualityChange
    held_out: QualityChange | None

    def as_json(self) -> dict[str, Any]:
        """Return the document for JSON."""
        return {
            "method": self.method.value,
            "calibration": calibration_document(self.calibration, self.labels),
            **_parts(self.fitted_on, self.held_out),
        }


@dataclass(frozen=True, slots=True)
class ConformalReport:
    """The report of a rule for prediction sets.

    Parameters
    ----------
    rule
        What was fitted.
    fitted_on, held_out
        The change on the rows that were fitted, and on those held out, if there are any.
    """

    rule: Conformal | RiskControl
    fitted_on: QualityChange
    held_out: QualityChange | None

    def as_json(self) -> dict[str, Any]:
        """Return the document for JSON."""
        return {"conformal": conformal_document(self.rule), **_parts(self.fitted_on, self.held_out)}


@dataclass(frozen=True, slots=True)
class ThresholdChangeOfClass:
    """What a new threshold changes for a class.

    Parameters
    ----------
    support
        The number of rows of which it is true; with weights the sum of these.
    before, after
        Its "threshold" and its metrics by name.
    """

    support: int | float
    before: Mapping[str, float]
    after: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ThresholdChange:
    """What new thresholds change on some rows.

    Parameters
    ----------
    rows
        The number of rows.
    before, after
        The "macro" and the "micro" average of each metric.
    per_class
        The change of each class, by its name.
    """

    rows: int
    before: Mapping[str, Mapping[str, float]]
    after: Mapping[str, Mapping[str, float]]
    per_class: Mapping[str, ThresholdChangeOfClass]


@dataclass(frozen=True, slots=True)
class ThresholdReport:
    """The report of thresholds.

    Parameters
    ----------
    objective
        What they were chosen for, as people read it.
    scope
        Whether each class has its own threshold.
    measure
        The name of the metric that was made large.
    thresholds
        The threshold of each class, by its name.
    fitted_on, held_out
        The change on the rows that were fitted, and on those held out, if there are any.
    """

    objective: str
    scope: Scope
    measure: str
    thresholds: Mapping[str, float]
    fitted_on: ThresholdChange
    held_out: ThresholdChange | None

    def as_json(self) -> dict[str, Any]:
        """Return the document for JSON."""
        return {
            "aim": self.objective,
            "scope": self.scope.value,
            "measure": self.measure,
            "thresholds": dict(self.thresholds),
            **_parts(self.fitted_on, self.held_out),
        }


FitReport: TypeAlias = CalibrationReport | ThresholdReport | ConformalReport


def _parts(
    fitted_on: QualityChange | ThresholdChange, held_out: QualityChange | ThresholdChange | None
) -> dict[str, Any]:
    return {"fitted_on": asdict(fitted_on), "held_out": None if held_out is None else asdict(held_out)}
