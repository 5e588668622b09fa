"""safetensors: a header in JSON, then the bytes of all tensors; one of them is read by row ranges."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.errors import DataError, visible
from actcli.formats.array_choice import chosen_array
from actcli.formats.npy import NpySource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.formats.registry import ReadOptions
    from actcli.streaming.batch import Source
    from actcli.streaming.input import Input

__all__ = ["SafetensorsSource"]

_LONGEST_HEADER = 100_000_000
_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    # The upper half of a float32. RowDecoder widens it.
    "BF16": np.dtype("<u2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_OTHER_BITS = {
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "F4": 4,
    "C64": 64,
}
"""The bits of a number of the dtypes that hold no scores, so that tensors of them beside the scores are checked too."""


class _Tensor(NamedTuple):
    """A tensor: its dtype as the header names it, its shape, and where it is after the header, in bytes."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


class SafetensorsSource(NpySource):
    """One tensor of a file.

    Parameters
    ----------
    input
        The open file.
    options
        How to read it; `key` says which tensor.
    file
        Its index among the inputs.
    like
        The first input, when this is a further one.

    Raises
    ------
    DataError
        If the header is wrong, or it is not clear which tensor holds the scores.
    UsageError
        If there is no tensor of the name that was asked for.
    """

    def __init__(self, input: Input, options: ReadOptions, *, file: int, like: Source | None) -> None:
        if input.size is None:
            # The tensors have any order in the file.
            input.spool(None)
        self._options = options
        super().__init__(input, options, file=file, like=like)

    def _read_header(self) -> tuple[int, np.dtype[Any], tuple[int, ...], bool]:
        name = self.input.name
        tensors, start = self._tensors()
        key = chosen_array(list(tensors), name, self._options, what="tensor")
        tensor = tensors[key]
        self.bfloat16 = tensor.dtype == "BF16"
        if tensor.dtype not in _DTYPES or (tensor.dtype == "BOOL" and not self._options.plain):
            raise DataError(
                f'{name}: tensor "{visible(key)}" is of dtype {tensor.dtype}, and holds no scores',
                hint="convert it before it is saved: scores.float()",
            )
        return start + tensor.start, _DTYPES[tensor.dtype], tensor.shape, False

    def _tensors(self) -> tuple[dict[str, _Tensor], int]:
        """Return the tensors by name, and the number of bytes before the first of them."""
        name = self.input.name
        size = self.input.size or 0
        if size < 8:
            raise DataError(f"{name}: has {size} bytes, and no header")
        length = int.from_bytes(self._bytes(8, 0), "little")
        if length > min(_LONGEST_HEADER, size - 8):
            raise DataError(
                f"{name}: says that its header is {length:,} bytes long; it can be at most "
                f"{min(_LONGEST_HEADER, size - 8):,}"
            )
        text = self._bytes(length, 8)
        try:
            header = json.loads(text, object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{name}: its header is no JSON: {visible(str(error), 120)}") from None
        if not text.startswith(b"{") or not isinstance(header, dict):
            raise DataError(f"{name}: its header is no JSON object")
        header.pop("__metadata__", None)
        tensors = {key: self._tensor(key, value) for key, value in header.items()}
        if not tensors:
            raise DataError(f"{name}: holds no tensors")
        end = 0
        for key, tensor in sorted(tensors.items(), key=lambda item: item[1][2:]):
            if tensor.start != end:
                what = "overlaps with the tensor before it" if tensor.start < end else "begins after a gap"
                raise DataError(f'{name}: tensor "{visible(key)}" {what}: at byte {tensor.start:,}, not {end:,}')
            end = tensor.stop
        if 8 + length + end != size:
            raise DataError(f"{name}: is {size:,} bytes long, but its header says {8 + length + end:,}")
        return tensors, 8 + length

    def _bytes(self, count: int, offset: int) -> bytes:
        """Return bytes of the file, which are there."""
        found = bytearray(count)
        self.input.read_at(memoryview(found), offset)
        return bytes(found)

    def _tensor(self, key: str, value: Any) -> _Tensor:
        where = f'{self.input.name}: tensor "{visible(key)}"'
        value = value if isinstance(value, dict) else {}
        dtype, shape, offsets = (value.get(field) for field in ("dtype", "shape", "data_offsets"))
        if not (isinstance(dtype, str) and _are_sizes(shape) and _are_sizes(offsets) and len(offsets) == 2):
            raise DataError(f"{where}: its dtype, shape and data_offsets are not what the format asks for")
        bits = 8 * _DTYPES[dtype].itemsize if dtype in _DTYPES else _OTHER_BITS.get(dtype)
        if bits is None:
            raise DataError(f"{where}: {visible(dtype)!r} is no dtype")
        start, stop = offsets
        if 8 * (stop - start) != math.prod(shape) * bits:
            raise DataError(f"{where}: has {stop - start:,} bytes, which is not what its shape and its dtype need")
        return _Tensor(dtype, tuple(shape), start, stop)

    def _check_size(self, expected: int) -> None:
        """Do nothing: the header was checked against the size of the file."""


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(each) is int and 0 <= each < 1 << 63 for each in value)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; a name that is there twice is an error."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'"{twice}" is there twice')
    return found
