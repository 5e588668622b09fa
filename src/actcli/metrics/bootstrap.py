"""The weights of rows in the replicates of a bootstrap. NumPy only.

A classic bootstrap draws N rows out of N with replacement, which needs to know N. Here each row counts as often as a
Poisson number of mean 1 says, which comes to the same for many rows (Hanley and MacGibbon 2006,
doi:10.1016/j.cmpb.2006.04.006). The numbers are those of a counter-based generator: the weights of a row depend on the
seed and the number of the row alone, and can be computed at any time, in any order.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["REPLICATES_AT_ONCE", "runs", "weights"]

REPLICATES_AT_ONCE = 16
"""The number of replicates whose weights are computed together: a group."""


def weights(seed: int, group: int, numbers: Array, block_rows: int) -> Array:
    """Return how often each row counts in each replicate of a group.

    Parameters
    ----------
    seed
        The seed of the random numbers.
    group
        Which group of `REPLICATES_AT_ONCE` replicates, from 0.
    numbers
        The numbers of the rows, shape (N,).
    block_rows
        How many consecutive rows share a block of random numbers; a multiple of 4.

    Returns
    -------
    array
        Shape (REPLICATES_AT_ONCE, N), uint8, each at most 15.
    """
    blocks = numbers // block_rows
    parts = [
        _block_weights(seed, group, int(blocks[start]), block_rows)[:, numbers[start:end] % block_rows]
        for start, end in runs(blocks)
    ]
    return np.concatenate(parts, axis=1) if parts else np.zeros((REPLICATES_AT_ONCE, 0), dtype=np.uint8)


def runs(values: Array) -> list[tuple[int, int]]:
    """Return where each run of equal values, none of them negative, starts and ends."""
    starts = np.flatnonzero(np.diff(values, prepend=-1)).tolist()
    return list(itertools.pairwise([*starts, len(values)]))


def _poisson_table() -> Array:
    """Return the quantiles of the Poisson distribution of mean 1, for each of 65,536 equally likely numbers."""
    mass, below, table = np.exp(-1.0), 0.0, np.zeros(1 << 16, dtype=np.uint8)
    shares = (np.arange(1 << 16) + 0.5) / (1 << 16)
    for count in range(1, 20):
        below += mass
        mass /= count
        table[shares >= below] = count
    return table


_POISSON = _poisson_table()


def _block_weights(seed: int, group: int, block: int, rows: int) -> Array:
    """Return the weights of a whole block of rows, shape (REPLICATES_AT_ONCE, rows), uint8."""
    generator = np.random.Philox(key=seed, counter=np.array([0, 0, group, block], dtype=np.uint64))
    raw = generator.random_raw(REPLICATES_AT_ONCE * rows // 4).astype("<u8").view("<u2")
    return np.take(_POISSON, raw).reshape(REPLICATES_AT_ONCE, rows)
