"""Scores brought to a common scale, so that a fit is as precise for large and small ones. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["blocks", "exponent_of", "rescaled", "standardised", "times_power", "unscaled"]

_NORMAL = 1000
"""2 to the power of this, and its inverse, are normal numbers."""

_BLOCK = 1 << 18
"""About how many cells are worked on at once, so that a fit needs little memory beside the logits themselves."""


def rescaled(scores: Array) -> tuple[Array, int]:
    """Return scores divided by a power of 2, so that none is above 1, and its exponent; the division is exact."""
    largest = np.abs(scores).max(where=np.isfinite(scores), initial=0)
    exponent = exponent_of(float(largest))
    return times_power(scores, -exponent), exponent


def exponent_of(largest: float) -> int:
    """Return the exponent of the least power of 2 that is above a number."""
    return int(np.frexp(largest)[1])


def times_power(scores: Array, exponent: int) -> Array:
    """Return scores times 2 to the power of `exponent`, rounded once."""
    if abs(exponent) <= _NORMAL:  # three times as fast
        return np.asarray(scores * 2.0**exponent)
    return np.asarray(np.ldexp(scores, exponent))


def unscaled(values: Array | float, exponent: int) -> Array:
    """Return numbers times 2 to the power of `exponent`, kept finite."""
    with np.errstate(over="ignore", under="ignore"):
        return np.nan_to_num(np.ldexp(values, exponent))


def standardised(scores: Array) -> tuple[Array, float, float]:
    """Return scores with center 0 and width 1, and their center and width before.

    Quartiles define center and width, so that a few extreme logits, such as the -1e9 of a mask, do not change them.
    """
    low, center, high = np.quantile(scores, [0.25, 0.5, 0.75])
    width = high - low if high > low else scores.std()
    width = float(width) if width > 0 else 1.0
    return (scores - center) / width, float(center), width


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Yield slices of the rows of a table, each of about the same number of cells."""
    step = max(1, _BLOCK // columns)
    for start in range(0, rows, step):
        yield slice(start, start + step)
