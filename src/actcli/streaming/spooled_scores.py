"""A table of scores that grows by rows and is read by columns or by blocks: in memory, then in a temporary file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.streaming.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["SpooledScoreStore", "rows_in_block"]

MEMORY_BYTES = 1 << 26
"""The most that is kept in memory, unless the owner says otherwise."""

_BLOCK_BYTES = 1 << 22
"""About the size of a block, which is stored column by column."""


def rows_in_block(columns: int, dtype: np.dtype[Any]) -> int:
    """Return how many rows have about 4 MiB; at least one."""
    return max(1, _BLOCK_BYTES // (dtype.itemsize * max(1, columns)))


class SpooledScoreStore:
    """A table of numbers, its first blocks in memory and the others in a temporary file.

    All blocks but the last have the same number of rows. A pickle holds the content of the file, not the file.

    Parameters
    ----------
    dtype
        The dtype of the numbers.
    kept
        The most bytes to keep in memory; None is `MEMORY_BYTES`.
    block_rows
        The number of rows in a block; None is as many as have about 4 MiB.

    Raises
    ------
    OutputError
        While it grows, if there is no room for the file.
    """

    def __init__(
        self, dtype: np.dtype[Any] | type = np.float64, kept: int | None = None, block_rows: int | None = None
    ) -> None:
        self._dtype = np.dtype(dtype)
        self._block_rows = block_rows
        self._most = MEMORY_BYTES if kept is None else kept
        self._memory_bytes = 0
        self._last: Array | None = None
        self._filled = 0
        self._blocks: list[Array | tuple[int, int, int]] = []
        self._spool: Spool | None = None
        self.rows = 0

    def append(self, rows: Array) -> None:
        """Add rows, shape (n, C)."""
        self.rows += len(rows)
        while len(rows):
            if self._last is None:
                columns = rows.shape[1]
                size = self._block_rows or rows_in_block(columns, self._dtype)
                self._last, self._filled = np.empty((columns, size), dtype=self._dtype), 0
            end = min(self._filled + len(rows), self._last.shape[1])
            some, rows = rows[: end - self._filled], rows[end - self._filled :]
            self._last[:, self._filled : end] = some.T
            self._filled = end
            if end == self._last.shape[1]:
                self._store(self._last)
                self._last = None

    @property
    def count(self) -> int:
        """The number of blocks."""
        return len(self._blocks) + (self._last is not None)

    def block(self, number: int) -> Array:
        """Return the rows of a block, shape (n, C), stored column by column; any thread may ask for it."""
        if number == len(self._blocks):
            assert self._last is not None
            return self._last[:, : self._filled].T
        block = self._blocks[number]
        if isinstance(block, tuple):
            offset, columns, rows = block
            return self._read(columns * rows, offset).reshape(columns, rows).T
        return block.T

    def blocks(self) -> Iterator[Array]:
        """Yield all rows in order, as blocks of shape (n, C)."""
        return map(self.block, range(self.count))

    def column(self, number: int) -> Array:
        """Return a column, shape (N,)."""
        found, place = np.empty(self.rows, dtype=self._dtype), 0
        for block in self._blocks:
            if isinstance(block, tuple):
                offset, _, rows = block
                values = self._read(rows, offset + self._dtype.itemsize * rows * number)
            else:
                values = block[number]
            found[place : place + len(values)] = values
            place += len(values)
        if self._last is not None:
            found[place:] = self._last[number, : self._filled]
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {"given": (self._dtype, self._most, self._block_rows), "blocks": list(self.blocks())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        SpooledScoreStore.__init__(self, *state["given"])
        for block in state["blocks"]:
            self.append(block)

    def _read(self, count: int, offset: int) -> Array:
        assert self._spool is not None
        return np.frombuffer(self._spool.read_at(self._dtype.itemsize * count, offset), dtype=self._dtype)

    def _store(self, block: Array) -> None:
        """Put a full block in memory or in the file."""
        if self._memory_bytes + block.nbytes <= self._most:
            self._memory_bytes += block.nbytes
            self._blocks.append(block)
            return
        self._spool = self._spool or Spool()
        self._blocks.append((self._spool.size, *block.shape))
        self._spool.write(block.data)
