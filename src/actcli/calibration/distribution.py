"""The order of values that are too many to sort at once: ranges of them, in ascending order. NumPy only.

The bits of floats that are not negative, read as whole numbers, have the order of the floats. Each pass over the values
counts them by their first bits, and then again within what holds too many. So the ranges are exact, whatever the values
are, and the same values are always in the same range.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
    Values: TypeAlias = Callable[[Callable[[Array], Any]], Iterator[Any]]

Found = TypeVar("Found")

__all__ = ["ValueRange", "median", "value_ranges"]

_BITS = 16
"""How many bits of a value are told apart in one pass."""

_BEYOND = int(np.array(np.inf).view(np.int64)) + 1
_MOST = 1 << 22


class ValueRange(NamedTuple):
    """Values of a range, and how many there are.

    Parameters
    ----------
    low, high
        The bits of the least value, and of the first one beyond.
    values
        The number of values.
    """

    low: int
    high: int
    values: int

    def where(self, values: Array) -> Array:
        """Return where float64 values, none of them negative, are in the range: a mask of the shape of `values`."""
        bits = _bits(values)
        return np.asarray((bits >= self.low) & (bits < self.high))


def value_ranges(
    values: Values, most: int, count: int | None = None, low: int = 0, high: int = _BEYOND
) -> Iterator[ValueRange]:
    """Yield ranges in ascending order that together hold all values, each at most `most`, unless these are all equal.

    Parameters
    ----------
    values
        Applies a function to one block of values after the other, and yields the results. The values are float64, none
        of them negative or NaN.
    most
        How many values a range may hold.
    count
        The number of all values, if it is known.
    low, high
        The bits of the least value to look at, and of the first one beyond.
    """
    if count is not None and count <= most:
        if count:
            yield ValueRange(low, high, count)
        return
    shift = max(0, (high - low - 1).bit_length() - _BITS)
    counts = np.zeros(((high - low - 1) >> shift) + 1, dtype=np.int64)
    for part in values(partial(_counted, low, high, shift, len(counts))):
        counts += part
    start, held = low, 0
    for bucket in np.flatnonzero(counts).tolist():
        size, first = int(counts[bucket]), low + (bucket << shift)
        if held and held + size > most:
            yield ValueRange(start, first, held)
            start, held = first, 0
        if size > most and shift:
            start = min(first + (1 << shift), high)
            yield from value_ranges(values, most, None, first, start)
        elif size > most:
            yield ValueRange(first, first + 1, size)
            start = first + 1
        else:
            held += size
    if held:
        yield ValueRange(start, high, held)


def median(values: Values, count: int) -> float:
    """Return the median of `count` values, which are as for `value_ranges`."""
    places = [(count - 1) // 2, count // 2]
    found: list[float] = []
    below = 0
    for part in value_ranges(values, _MOST, count):
        inside = [place - below for place in places if below <= place < below + part.values]
        if inside and part.values > _MOST:  # all of them are equal
            found += [float(np.int64(part.low).view(np.float64))] * len(inside)
        elif inside:
            ordered = np.sort(np.concatenate(list(values(partial(_taken, part)))))
            found += ordered[inside].tolist()
        below += part.values
        if len(found) == len(places):
            break
    return (found[0] + found[-1]) / 2


def _counted(low: int, high: int, shift: int, size: int, values: Array) -> Array:
    bits = _bits(values).ravel()
    if low > 0 or high < _BEYOND:
        bits = bits[(bits >= low) & (bits < high)]
    return np.bincount((bits - low) >> shift, minlength=size)


def _taken(part: ValueRange, values: Array) -> Array:
    return values[part.where(values)]


def _bits(values: Array) -> Array:
    return np.ascontiguousarray(values + 0.0).view(np.int64)  # -0.0 becomes 0.0
