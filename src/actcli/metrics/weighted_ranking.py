"""ROC AUC and average precision of rows with weights. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.metrics.ratios import or_zero, ratio

if TYPE_CHECKING:
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["WeightedRanking"]


class WeightedRanking:
    """The rows in the order of the probability of one class, from which they can be scored with any weights.

    The scores are those of `actcli.metrics.ranking.ranking_scores`, where each row counts as much as its weight.

    Parameters
    ----------
    values
        The probability of the class, shape (N,).
    positive
        Where the class is true, shape (N,), bool.
    """

    def __init__(self, values: Array, positive: Array) -> None:
        self._order: Array = np.argsort(-values, kind="stable")
        ordered = values[self._order]
        self._positive: Array = positive[self._order]
        self._starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return self._order.nbytes + self._positive.nbytes + self._starts.nbytes

    def scores(self, weights: Array) -> tuple[float, float]:
        """Return the ROC AUC and the average precision; undefined ones are NaN.

        Parameters
        ----------
        weights
            Of the rows, shape (N,), float64, none of them negative.
        """
        if not len(self._starts):
            return np.nan, np.nan
        # Products of two sums keep within the range of a float.
        ordered = np.ldexp(weights, -np.frexp(weights.sum())[1])[self._order]
        hits = np.add.reduceat(np.where(self._positive, ordered, 0.0), self._starts)
        misses = np.add.reduceat(np.where(self._positive, 0.0, ordered), self._starts)
        found, passed = np.cumsum(hits), np.cumsum(misses)
        pairs = (misses * (found - hits / 2)).sum()
        precision = or_zero(ratio(found, found + passed))
        return float(ratio(pairs, found[-1] * passed[-1])), float(ratio((hits * precision).sum(), found[-1]))
