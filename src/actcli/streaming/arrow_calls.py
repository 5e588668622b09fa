"""How this process uses Arrow: its settings, and calls that neither import pandas nor all of pyarrow.compute."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pyarrow as pa

from actcli.streaming import memory

try:
    # The import of pyarrow.compute makes a Python function for each of Arrow's functions, which takes longer than the
    # work on a small file. All of them call this one.
    from pyarrow._compute import CastOptions, call_function
except ImportError:  # pragma: no cover
    from pyarrow.compute import CastOptions, call_function

__all__ = ["CastOptions", "call_function", "from_numpy", "settle", "take"]


@functools.cache
def settle() -> None:
    """Leave signals to the program, and memory to the C library and the limit of this process."""
    # Arrow would handle signals itself while it parses, and lose one that arrives just when it is done.
    pa.enable_signal_handlers(False)
    # Arrow's own allocator is not faster for chunks of one size, and keeps 20 % more memory.
    pa.set_memory_pool(pa.system_memory_pool())
    memory.catch_crashes()


def from_numpy(values: np.ndarray[Any, Any]) -> Any:
    """Return an array of shape (N,) as an Arrow array over the same memory."""
    data = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(data.dtype), len(data), [None, pa.py_buffer(data)])


def take(values: Any, positions: np.ndarray[Any, Any]) -> Any:
    """Return the values of an Arrow array at these positions, as an Arrow array."""
    return call_function("take", [values, from_numpy(positions)])
