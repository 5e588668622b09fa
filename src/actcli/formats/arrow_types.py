"""Arrow types: which columns actcli reads, and their values in the form in which it works with them.

Some types let many rows share one value (dictionaries, runs, views), or have few kernels in Arrow. Runs and views are
decoded when a chunk is. Types that Arrow itself cannot process safely are refused when a file is opened.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from actcli.errors import visible
from actcli.formats.text import text_array
from actcli.streaming.arrow_calls import CastOptions, call_function, from_numpy

__all__ = [
    "decoded",
    "decoded_type",
    "is_list",
    "is_numeric",
    "is_text",
    "longest",
    "longest_repeated",
    "null_mask",
    "numpy_dtype",
    "type_text",
    "values_of",
    "with_nulls",
]

_DTYPES = {"halffloat": "float16", "float": "float32", "double": "float64"}
"""The names of dtypes that Arrow calls otherwise."""


def type_text(type: Any) -> str:
    """Return the name of an Arrow type as a message shows it: field names and time zones come from the file."""
    return visible(str(type))


def is_numeric(type: Any) -> bool:
    """Return whether values of an Arrow type are numbers."""
    return bool(pa.types.is_integer(type) or pa.types.is_floating(type) or pa.types.is_decimal(type))


def is_list(type: Any) -> bool:
    """Return whether values of an Arrow type are lists."""
    return bool(pa.types.is_list(type) or pa.types.is_large_list(type) or pa.types.is_fixed_size_list(type))


def is_text(type: Any) -> bool:
    """Return whether values of an Arrow type are texts or bytes of any length."""
    return any(
        is_type(type)
        for is_type in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    )


def numpy_dtype(type: Any) -> np.dtype[Any]:
    """Return the dtype of the numbers of a numeric Arrow type, or of a boolean one."""
    # Arrow's own conversion imports pandas in some versions.
    return np.dtype(np.float64 if pa.types.is_decimal(type) else _DTYPES.get(str(type), str(type)))


def decoded_type(type: Any) -> Any:
    """Return the Arrow type of a column once it is decoded: without runs and views.

    Raises
    ------
    TypeError
        If the type is not supported. Arrow reads out of bounds in `nbytes` of unions; views of lists, and runs within
        other types, have hardly any kernels.
    """
    if pa.types.is_run_end_encoded(type):
        return decoded_type(type.value_type)
    if pa.types.is_dictionary(type) and pa.types.is_null(type.value_type):
        return pa.null()
    if isinstance(type, pa.BaseExtensionType) and not pa.types.is_nested(type.storage_type):
        return pa.string() if type.extension_name == "arrow.uuid" else _plain_type(type.storage_type)
    return _plain_type(type)


def _plain_type(type: Any) -> Any:
    """Return an Arrow type with texts in place of views of texts, at any depth."""
    types = pa.types
    if types.is_string_view(type):
        return pa.string()
    if types.is_binary_view(type):
        return pa.binary()
    if is_list(type):
        item = _plain_field(type.value_field)
        if types.is_fixed_size_list(type):
            # A damaged file may claim a size below 0, which would make another type.
            return type if item == type.value_field else pa.list_(item, type.list_size)
        return pa.list_(item) if types.is_list(type) else pa.large_list(item)
    if types.is_map(type):
        return pa.map_(_plain_field(type.key_field), _plain_field(type.item_field), type.keys_sorted)
    if types.is_struct(type):
        fields = [_plain_field(type.field(number)) for number in range(type.num_fields)]
        if len({field.name for field in fields}) < len(fields):
            raise TypeError(f"{type_text(type)}, which has two fields of the same name")
        return pa.struct(fields)
    if types.is_timestamp(type) and type.tz is not None:
        _check_time_zone(type)
    refused = (types.is_union, types.is_run_end_encoded, types.is_list_view, types.is_large_list_view)
    # Arrow follows a null pointer when it asks a dictionary of nulls which of its values are null.
    null_dictionary = types.is_dictionary(type) and types.is_null(type.value_type)
    if null_dictionary or isinstance(type, pa.BaseExtensionType) or any(is_type(type) for is_type in refused):
        raise TypeError(f"{type_text(type)}, which actcli does not read")
    if types.is_dictionary(type):
        return pa.dictionary(type.index_type, _plain_type(type.value_type), type.ordered)
    return type


def _plain_field(field: Any) -> Any:
    return field.with_type(_plain_type(field.type))


def _check_time_zone(type: Any) -> None:
    """Refuse a time zone that Arrow does not know: it raises errors of many kinds while it writes such values."""
    first_second = pa.Array.from_buffers(pa.timestamp("s", type.tz), 1, [None, pa.py_buffer(bytes(8))])
    try:
        call_function("cast", [first_second], CastOptions.safe(pa.string()))
    except pa.ArrowException:
        raise TypeError(f"{type_text(type)}, which is a time zone that this system does not know") from None


def decoded(array: Any, type: Any) -> Any:
    """Return an Arrow array as `type`, which is the `decoded_type` of its own."""
    if pa.types.is_run_end_encoded(array.type):
        ends = values_of(array.run_ends)
        rows = np.searchsorted(ends, array.offset + np.arange(len(array)), side="right")
        return call_function("take", [decoded(array.values, type), from_numpy(rows)])
    if pa.types.is_null(type):
        return pa.nulls(len(array))
    if isinstance(array.type, pa.BaseExtensionType):
        if array.type.extension_name == "arrow.uuid":
            return text_array(None if value is None else _uuid_text(value) for value in array.storage.to_pylist())
        return decoded(array.storage, type)
    return array if array.type == type else call_function("cast", [array], CastOptions.safe(type))


def _uuid_text(value: bytes) -> str:
    digits = value.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


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
    return int(values.get_total_buffer_size())


def values_of(array: Any) -> np.ndarray[Any, Any]:
    """Return the numbers of an Arrow array, 0 for null; Arrow's own conversion would import pandas."""
    if pa.types.is_decimal(array.type):
        array = call_function("cast", [array], CastOptions.safe(pa.float64()))
    dtype = numpy_dtype(array.type)
    if not len(array):
        return np.empty(0, dtype=dtype)
    values = np.frombuffer(array.buffers()[-1], dtype, len(array), array.offset * dtype.itemsize)
    return np.where(null_mask(array), dtype.type(0), values) if array.null_count else values


def null_mask(array: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return where an Arrow array is null, shape (N,)."""
    if not array.null_count:
        return np.zeros(len(array), dtype=np.bool_)
    nulls = call_function("is_null", [array])
    bits = np.frombuffer(nulls.buffers()[1], np.uint8)
    return np.unpackbits(bits, count=nulls.offset + len(nulls), bitorder="little")[nulls.offset :].astype(np.bool_)


def with_nulls(values: np.ndarray[Any, Any], null: np.ndarray[Any, np.dtype[np.bool_]]) -> Any:
    """Return numbers as an Arrow array that is null where the mask says so; both of shape (N,)."""
    data = np.ascontiguousarray(values)
    valid = np.packbits(~null, bitorder="little")
    return pa.Array.from_buffers(pa.from_numpy_dtype(data.dtype), len(data), [pa.py_buffer(valid), pa.py_buffer(data)])


def _is_view(type: Any) -> bool:
    return bool(pa.types.is_string_view(type) or pa.types.is_binary_view(type))
