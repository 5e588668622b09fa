"""Turn a classifier's raw scores into probabilities and decisions.

The functions behind the command-line tool, for NumPy arrays::

    import actcli

    actcli.softmax([-20.0, 10.0, 30.0])

They are imported when they are first used, so that the command-line tool starts without what it does not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actcli.activations import (
        cross_entropy_gradient,
        log_sigmoid,
        log_softmax,
        sigmoid,
        sigmoid_derivative,
        softmax,
        softmax_jacobian,
    )
    from actcli.calibration.conformal import Conformal, RiskControl, fit_conformal, fit_risk_control
    from actcli.calibration.methods import (
        Isotonic,
        Platt,
        Temperature,
        VectorScaling,
        fit_isotonic,
        fit_platt,
        fit_temperature,
        fit_vector_scaling,
    )
    from actcli.calibration.thresholds import Tuned, tune_thresholds
    from actcli.errors import ActcliError, CheckError, DataError, OutputError, UsageError
    from actcli.evaluation.arrays import evaluate
    from actcli.evaluation.result import CalibrationBin, Evaluation, Intervals
    from actcli.prediction.combining import weighted_mean
    from actcli.prediction.decisions import argmax, at_least_one, best_among, margin, reached, top_k

__version__ = "0.1.0"

__all__ = [
    "ActcliError",
    "CalibrationBin",
    "CheckError",
    "Conformal",
    "DataError",
    "Evaluation",
    "Intervals",
    "Isotonic",
    "OutputError",
    "Platt",
    "RiskControl",
    "Temperature",
    "Tuned",
    "UsageError",
    "VectorScaling",
    "argmax",
    "at_least_one",
    "best_among",
    "cross_entropy_gradient",
    "evaluate",
    "fit_conformal",
    "fit_isotonic",
    "fit_platt",
    "fit_risk_control",
    "fit_temperature",
    "fit_vector_scaling",
    "log_sigmoid",
    "log_softmax",
    "margin",
    "reached",
    "sigmoid",
    "sigmoid_derivative",
    "softmax",
    "softmax_jacobian",
    "top_k",
    "tune_thresholds",
    "weighted_mean",
]

_HOMES = {
    "activations": (
        "cross_entropy_gradient",
        "log_sigmoid",
        "log_softmax",
        "sigmoid",
        "sigmoid_derivative",
        "softmax",
        "softmax_jacobian",
    ),
    "calibration.methods": (
        "Isotonic",
        "Platt",
        "Temperature",
        "VectorScaling",
        "fit_isotonic",
        "fit_platt",
        "fit_temperature",
        "fit_vector_scaling",
    ),
    "calibration.conformal": ("Conformal", "RiskControl", "fit_conformal", "fit_risk_control"),
    "prediction.combining": ("weighted_mean",),
    "prediction.decisions": ("argmax", "at_least_one", "best_among", "margin", "reached", "top_k"),
    "calibration.thresholds": ("Tuned", "tune_thresholds"),
    "errors": ("ActcliError", "CheckError", "DataError", "OutputError", "UsageError"),
    "evaluation.arrays": ("evaluate",),
    "evaluation.result": ("CalibrationBin", "Evaluation", "Intervals"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"actcli.{module}"), name)
    raise AttributeError(f"module 'actcli' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
