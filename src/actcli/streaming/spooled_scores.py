"""A table of scores that grows by rows and is read by columns: in memory, then in a temporary file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.streaming.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["SpooledScoreStore"]

MEMORY_BYTES = 1 << 26
"""The most that is kept in memory."""

_BLOCK_BYTES = 1 << 22
"""The size of a block, which is stored column by column."""


class SpooledScoreStore:
    """A table of float64, its first blocks in memory and the others in a temporary file.

    A pickle holds the content of the file, not the file.

    Raises
    ------
    OutputError
        While it grows, if there is no room for the file.
    """

    def __init__(self) -> None:
        self._pending: list[Array] = []
        self._pending_bytes = 0
        self._memory_bytes = 0
        self._blocks: list[Array | tuple[int, int, int]] = []
        self._spool: Spool | None = None

    def append(self, rows: Array) -> None:
        """Add rows, shape (n, C)."""
        self._pending.append(rows)
        self._pending_bytes += rows.nbytes
        if self._pending_bytes >= _BLOCK_BYTES:
            self._store()

    def column(self, number: int) -> Array:
        """Return a column, shape (N,)."""
        self._store()
        parts = [np.zeros(0)]
        for block in self._blocks:
            if isinstance(block, tuple):
                offset, _, rows = block
                parts.append(self._read(rows, offset + 8 * rows * number))
            else:
                parts.append(block[number])
        return np.concatenate(parts)

    def blocks(self) -> Iterator[Array]:
        """Yield all rows in order, as blocks of shape (n, C)."""
        self._store()
        for block in self._blocks:
            if isinstance(block, tuple):
                offset, columns, rows = block
                yield self._read(columns * rows, offset).reshape(columns, rows).T
            else:
                yield block.T

    def __getstate__(self) -> dict[str, list[Array]]:
        return {"blocks": list(self.blocks())}

    def __setstate__(self, state: dict[str, list[Array]]) -> None:
        SpooledScoreStore.__init__(self)
        for block in state["blocks"]:
            self.append(block)

    def _read(self, count: int, offset: int) -> Array:
        assert self._spool is not None
        return np.frombuffer(self._spool.read_at(8 * count, offset), dtype=np.float64)

    def _store(self) -> None:
        """Put the pending rows in memory or in the file."""
        if not self._pending:
            return
        block = np.ascontiguousarray(np.concatenate(self._pending).T, dtype=np.float64)
        self._pending, self._pending_bytes = [], 0
        if self._memory_bytes + block.nbytes <= MEMORY_BYTES:
            self._memory_bytes += block.nbytes
            self._blocks.append(block)
            return
        self._spool = self._spool or Spool()
        self._blocks.append((self._spool.size, *block.shape))
        self._spool.write(block.data)
