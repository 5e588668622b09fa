"""How numbers are shown to people, and how they are prepared for JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

__all__ = ["aligned", "counted", "json_numbers", "number", "percent", "probability", "significant", "size", "tally"]

UNDEFINED = "-"
"""Stands for a number that is undefined."""

PROBABILITY_WIDTH = 6
"""The width of a probability with four decimals."""


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: `one` for 1, else `many`, by default `one` with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def size(rows: int, classes: int, separator: str = ", ") -> str:
    """Return the number of rows and of classes, joined by `separator`."""
    return f"{counted(rows, 'row')}{separator}{counted(classes, 'class', 'classes')}"


def tally(value: float | None) -> str:
    """Return a whole number in full, and a sum of weights, which is a float, in significant digits."""
    if value is not None and isinstance(value, int):
        return f"{value:,}"
    return significant(value)


def number(value: float | None) -> str:
    """Return a count in full, another number with four decimals, or in fewer digits where these would mislead.

    None and NaN are undefined.
    """
    if value is None or math.isnan(value):
        return UNDEFINED
    if isinstance(value, int):
        return f"{value:,}"
    if value != 0 and abs(value) < 0.0001:
        return f"{value:.1e}"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.6g}"


def significant(value: float | None, digits: int = 5) -> str:
    """Return a number of any scale in significant digits, without zeros at the end; None is undefined."""
    return UNDEFINED if value is None else f"{value:.{digits}g}"


def probability(value: float, precision: int | None = None) -> str:
    """Return a probability in `precision` significant digits, or with four decimals in a width of six characters."""
    if precision is not None:
        return aligned(value, precision)
    if 0 < value < 0.00005:
        return "<.0001"
    return ">.9999" if 0.99995 <= value < 1 else f"{value:.4f}"


def aligned(value: float, digits: int) -> str:
    """Return a number in significant digits, with the zeros at its end, so that numbers of a column line up."""
    return f"{value:#.{digits}g}".rstrip(".")


def percent(share: float) -> str:
    """Return a share in three digits; 0 % and 100 % are exact."""
    if 0 < share < 0.001:
        return "under 0.1 %"
    return "over 99.9 %" if 0.999 < share < 1 else f"{100 * share:.3g} %"


def json_numbers(values: np.ndarray[Any, Any]) -> list[float | None]:
    """Return an array of shape (N,) as JSON has it: a number that is not finite is null."""
    return [value if math.isfinite(value) else None for value in values.tolist()]
