"""The weights of rows, in a carried column."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.calibration.calibration import LARGEST_TOTAL
from actcli.errors import DataError, visible
from actcli.evaluation.carried_columns import decoded
from actcli.evaluation.class_labels import LabelError
from actcli.formats.column_roles import is_number

if TYPE_CHECKING:
    from typing import TypeAlias

    from actcli.streaming.batch import Batch, Kind

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["WeightColumn", "check_total_weight", "weight_array"]


class WeightColumn(NamedTuple):
    """The column of the weights: its name, and whether the input has it."""

    name: str
    of_input: bool


def weight_array(batch: Batch, column: str, kind: Kind, *, shown: str) -> Array:
    """Return the weights in a carried column, shape (N,), float64: finite and not negative.

    Parameters
    ----------
    batch
        The rows.
    column, kind
        The name of the column in the batch, and how its data look.
    shown
        The name of the column in messages.

    Raises
    ------
    DataError
        If a value is no weight, with the place of the first row that has it.
    """
    found = _numbers(batch.carried[column])
    if found is not None and bool(((found >= 0) & (found < np.inf)).all()):
        return found
    codes, values = decoded(batch, column, kind, _weight, shown=shown)
    return np.array(values, dtype=np.float64)[codes] if values else np.zeros(0)


def _numbers(values: Any) -> Array | None:
    """Return the values of an Arrow array as numbers, shape (N,), float64; None if one of them might not be one."""
    import pyarrow as pa

    from actcli.formats.arrow_types import is_numeric, values_of
    from actcli.streaming.arrow_calls import CastOptions, call_function

    if values.null_count:
        return None
    if is_numeric(values.type):
        return values_of(values).astype(np.float64)
    try:
        return values_of(call_function("cast", [values], CastOptions.safe(pa.float64())))
    except (pa.ArrowException, NotImplementedError):
        return None


def _weight(value: object) -> float:
    """Return the weight that a value stands for: a number, or the text of one.

    Raises
    ------
    LabelError
        If it is none.
    """
    if value is None:
        raise LabelError("is null")
    text = str(value)
    if not text.strip(" \t"):
        raise LabelError("is empty")
    if isinstance(value, bool) or not is_number(text):
        raise LabelError(f'"{visible(text)}" is not a number')
    number = float(text)
    if not math.isfinite(number):
        raise LabelError(f"{visible(text)} is no weight", "a weight is a finite number")
    if number < 0:
        raise LabelError(f"{visible(text)} is negative", "a weight is 0 or more")
    return number


def check_total_weight(total: float) -> None:
    """Refuse weights that leave nothing to measure.

    Raises
    ------
    DataError
        If their sum is 0, or above `LARGEST_TOTAL`.
    """
    if total == 0:
        raise DataError("--weight: every row has the weight 0", hint="at least one row needs a weight above 0")
    if not total <= LARGEST_TOTAL:
        message = f"--weight: the sum of the weights is above {LARGEST_TOTAL:g}"
        raise DataError(message, hint="divide all weights by the same number: only their ratios count")
