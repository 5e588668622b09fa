"""A table that grows by rows and is read by columns; its end is kept in a temporary file if it is large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.streaming.spool import Spool

if TYPE_CHECKING:
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["SpooledScoreStore"]

MEMORY_BYTES = 1 << 26
"""The most bytes that are kept in memory."""

_BLOCK_BYTES = 1 << 22
"""How many bytes are gathered before they are stored column by column."""


class SpooledScoreStore:
    """A table of float64, the first rows in memory and the others in a temporary file.

    Raises
    ------
    OutputError
        While it grows, if the disk is full.
    """

    def __init__(self) -> None:
        self._pending: list[Array] = []
        self._pending_bytes = 0
        self._memory_bytes = 0
        self._blocks: list[Array | tuple[int, int]] = []
        self._spool: Spool | None = None

    def append(self, rows: Array) -> None:
        """Add rows, shape (n, C)."""
        self._pending.append(rows)
        self._pending_bytes += rows.nbytes
        if self._pending_bytes >= _BLOCK_BYTES:
            self._store()

    def column(self, number: int) -> Array:
        """Return a column, shape (N,)."""
        if self._pending:
            self._store()
        parts = [np.zeros(0)]
        for block in self._blocks:
            if isinstance(block, tuple):
                assert self._spool is not None
                offset, rows = block
                data = self._spool.read_at(8 * rows, offset + 8 * rows * number)
                parts.append(np.frombuffer(data, dtype=np.float64))
            else:
                parts.append(block[number])
        return np.concatenate(parts)

    def _store(self) -> None:
        """Move the pending rows to memory or to the file."""
        block = np.ascontiguousarray(np.concatenate(self._pending).T, dtype=np.float64)
        self._pending, self._pending_bytes = [], 0
        if self._memory_bytes + block.nbytes <= MEMORY_BYTES:
            self._memory_bytes += block.nbytes
            self._blocks.append(block)
            return
        self._spool = self._spool or Spool()
        self._blocks.append((self._spool.size, block.shape[1]))
        self._spool.write(block.data)
