"""Arrow values as Python values, and texts as Arrow arrays, where Arrow's own conversions fail or import pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

try:
    from pyarrow._compute import CastOptions, call_function
except ImportError:  # pragma: no cover
    from pyarrow.compute import CastOptions, call_function

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CastOptions", "call_function", "python_values", "text_array"]

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
        texts = call_function("cast", [pa.repeat(scalar, 1)], CastOptions.safe(pa.string()))
        return texts[0].as_py()


def text_array(texts: Iterable[str | None]) -> Any:
    """Return texts as an Arrow array; `pa.array` would import pandas where it is installed."""
    parts = [None if text is None else text.encode() for text in texts]
    offsets = np.zeros(len(parts) + 1, dtype=np.int32)
    np.cumsum([len(part or b"") for part in parts], out=offsets[1:])
    valid = np.packbits(np.array([part is not None for part in parts], np.bool_), bitorder="little")
    data = b"".join(part or b"" for part in parts)
    return pa.Array.from_buffers(pa.string(), len(parts), [*map(pa.py_buffer, (valid, offsets, data))])
