"""The calibration methods: scores turned into probabilities that are right as often as they say. NumPy only.

A fit takes the logits of a classifier and the truth of the same rows, and returns a calibration: a frozen dataclass of
plain numbers whose `probabilities` are those of new logits. Either the classes are exclusive ("softmax"), or each is
decided by itself ("multilabel", and "binary" with a single class).

Every method keeps infinite logits as they are. So a masked class (-inf) keeps its probability of 0, and does not
influence the fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actcli.calibration.calibration import Calibration
from actcli.calibration.isotonic import Isotonic, fit_isotonic, isotonic_of
from actcli.calibration.platt import Platt, fit_platt, platt_of
from actcli.calibration.temperature import Temperature, fit_temperature, temperature_of
from actcli.calibration.vector_scaling import VectorScaling, fit_vector_scaling, vector_scaling_of
from actcli.tasks import Method

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from actcli.calibration.calibration import Problem

__all__ = [
    "FITS",
    "METHODS",
    "Calibration",
    "Isotonic",
    "Platt",
    "Temperature",
    "VectorScaling",
    "fit_isotonic",
    "fit_platt",
    "fit_temperature",
    "fit_vector_scaling",
]

FITS: Mapping[Method, Callable[[Problem], Calibration]] = {
    Method.TEMPERATURE: temperature_of,
    Method.VECTOR: vector_scaling_of,
    Method.PLATT: platt_of,
    Method.ISOTONIC: isotonic_of,
}
"""The fit of each method, of rows that need not be in memory."""

METHODS: Mapping[str, Callable[..., Calibration]] = {
    Method.TEMPERATURE: fit_temperature,
    Method.VECTOR: fit_vector_scaling,
    Method.PLATT: fit_platt,
    Method.ISOTONIC: fit_isotonic,
}
"""The fit of each method, of arrays."""
