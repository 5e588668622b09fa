"""Arrow values as Python values, also those for which Arrow's own conversion fails."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from actcli.streaming.arrow_calls import CastOptions, call_function

__all__ = ["python_values"]

_OUT_OF_RANGE = (ArithmeticError, LookupError, OSError, ValueError, pa.ArrowException)
"""What Arrow raises for a value that no Python type holds, such as nanoseconds and years after 9999."""


def python_values(array: Any) -> list[Any]:
    """Return the values of an Arrow array as Python values; those that Python has no type for, as texts."""
    try:
        return list(array.to_pylist())
    except _OUT_OF_RANGE:
        return [_python_value(scalar) for scalar in array]


def _python_value(scalar: Any) -> Any:
    types = pa.types
    if not scalar.is_valid:
        return None
    if types.is_struct(scalar.type):
        return {field.name: _python_value(scalar[number]) for number, field in enumerate(scalar.type)}
    if types.is_dictionary(scalar.type):
        return _python_value(scalar.value)
    if types.is_map(scalar.type):
        return [(_python_value(item[0]), _python_value(item[1])) for item in scalar.values]
    if types.is_nested(scalar.type):
        return [_python_value(item) for item in scalar.values]
    try:
        return scalar.as_py()
    except _OUT_OF_RANGE:
        return call_function("cast", [scalar], CastOptions.safe(pa.string())).as_py()
