"""Ratios and means of values that may be undefined: NaN. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["defined_mean", "or_zero", "ratio"]


def ratio(part: ArrayLike, whole: ArrayLike) -> Array:
    """Return part / whole as float64, and NaN where `whole` is not above 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(np.asarray(whole) > 0, np.true_divide(part, whole), np.nan))


def or_zero(values: Array) -> Array:
    """Return `values` with 0 in place of NaN."""
    return np.nan_to_num(values, nan=0.0)


def defined_mean(values: Array) -> Array:
    """Return the mean over the last axis of the values that are not NaN; NaN if there are none."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1))
