"""Tables of scores that grow by rows and are read by columns. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["MemoryScoreStore", "ScoreStore"]


class ScoreStore(Protocol):
    """A table of float64 that grows by rows and is read by columns; it can be pickled."""

    def append(self, rows: Array) -> None:
        """Add rows, shape (n, C)."""

    def column(self, number: int) -> Array:
        """Return a column, shape (N,)."""

    def blocks(self) -> Iterator[Array]:
        """Yield all rows in order, as blocks of shape (n, C)."""


class MemoryScoreStore:
    """A `ScoreStore` in memory."""

    def __init__(self) -> None:
        self._blocks: list[Array] = []

    def append(self, rows: Array) -> None:
        """Add rows, shape (n, C)."""
        self._blocks.append(rows)

    def column(self, number: int) -> Array:
        """Return a column, shape (N,)."""
        return np.concatenate([np.zeros(0), *(block[:, number] for block in self._blocks)])

    def blocks(self) -> Iterator[Array]:
        """Yield all rows in order, as blocks of shape (n, C)."""
        return iter(self._blocks)
