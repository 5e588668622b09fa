"""How Arrow and Parquet say a value once that many rows have: what a file of a few bytes can unfold to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from actcli.formats.text import call_function

__all__ = ["decoded", "decoded_type", "is_text", "longest", "longest_repeated"]


def is_text(type: Any) -> bool:
    """Return whether values of an Arrow type are texts or bytes of any length."""
    return any(
        is_type(type)
        for is_type in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    )


def longest_repeated(array: Any) -> int:
    """Return how many bytes the longest value of an Arrow array takes that rows may share; 0 if each has its own."""
    if pa.types.is_dictionary(array.type):
        return longest(array.dictionary)
    if pa.types.is_run_end_encoded(array.type):
        return longest(array.values)
    return longest(array) if _is_view(array.type) else 0


def longest(values: Any) -> int:
    """Return how many bytes the longest of an Arrow array takes, or all together where that is not known."""
    if not len(values):
        return 0
    if _is_view(values.type):
        # Each is 16 bytes, the first four of which are its length.
        views = np.frombuffer(values.buffers()[1], np.int32, 4 * len(values), 16 * values.offset)
        return int(views[::4].max())
    if is_text(values.type):
        return int(call_function("max", [call_function("binary_length", [values])]).as_py() or 0)
    return int(values.nbytes)


def decoded_type(type: Any) -> Any:
    """Return the type of the values of an Arrow type that says how often each is there, of others the type itself."""
    return type.value_type if pa.types.is_run_end_encoded(type) else type


def decoded(array: Any) -> Any:
    """Return an Arrow array of that type, with each value as often as it is there."""
    return call_function("run_end_decode", [array]) if pa.types.is_run_end_encoded(array.type) else array


def _is_view(type: Any) -> bool:
    return bool(pa.types.is_string_view(type) or pa.types.is_binary_view(type))
