"""Selective decisions: the share of wrong labels among the rows whose label is most probable. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["SelectiveRanking"]

_ROWS_AT_ONCE = 1 << 18


class SelectiveRanking:
    """The rows in the order of the probability of their label, the highest first.

    The selective risk at k is the share of wrong labels among the first k rows. Rows whose labels are equally probable
    have no order: the risk is its mean over all orders of such rows. With weights, the risk is the share of the weight
    of these rows that is wrong; rows whose labels are equally probable then share their weight equally, and its wrong
    part too.

    Geifman and El-Yaniv, "Selective classification for deep neural networks", 2017, arXiv:1705.08500.

    Parameters
    ----------
    confidence
        The probability of the label, shape (N,).
    wrong
        Where the label is wrong, shape (N,), bool.
    """

    def __init__(self, confidence: Array, wrong: Array) -> None:
        self._order: Array = np.argsort(-confidence)
        ordered = confidence[self._order]
        self._wrong: Array = wrong[self._order]
        self._starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
        self._confidence = confidence

    def area(self, weights: Array | None = None) -> float:
        """Return the mean of the selective risk over k = 1, 2, ..., N; NaN without rows.

        With weights it is the weighted mean over the rows.

        Geifman, Uziel and El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", 2019,
        arXiv:1805.08206.

        Parameters
        ----------
        weights
            Of the rows, shape (N,), float64; a row with a weight of 0 does not count.
        """
        _, starts, reached, wrong = self._reached(weights)
        count = len(reached) - 1
        ends = np.append(starts[1:], count)
        total = rows_weight = 0.0
        for first in range(0, count, _ROWS_AT_ONCE):
            last = min(first + _ROWS_AT_ONCE, count)
            if len(starts) == count:  # no two rows tie
                risk = wrong[first + 1 : last + 1] / reached[first + 1 : last + 1]
                each = np.diff(reached[first : last + 1])
            else:
                rows = np.arange(first, last)
                levels = np.searchsorted(starts, rows, side="right") - 1
                start, end = starts[levels], ends[levels]
                share = (rows + 1 - start) / (end - start)
                kept = reached[end] - reached[start]
                risk = (wrong[start] + (wrong[end] - wrong[start]) * share) / (reached[start] + kept * share)
                each = kept / (end - start)
            total += float((risk * each).sum())
            rows_weight += float(each.sum())
        return total / rows_weight if rows_weight else float("nan")

    def curve(self, weights: Array | None = None) -> tuple[Array, Array, Array]:
        """Return the coverage and the selective risk at each threshold, and the thresholds, each of shape (levels,).

        The thresholds are the distinct probabilities, the highest first. The coverage is the share of the rows whose
        label is at least as probable.
        """
        order, starts, reached, wrong = self._reached(weights)
        ends = np.append(starts[1:], len(reached) - 1)[: len(starts)]
        return reached[ends] / reached[-1], wrong[ends] / reached[ends], self._confidence[order[starts]]

    def _reached(self, weights: Array | None) -> tuple[Array, Array, Array, Array]:
        """Return the order of the rows, where each distinct probability starts in it, and sums up to each place.

        These are the weight, and the wrong weight, of the first 0, 1, ..., N rows. Rows without weight are left out.
        """
        order, starts, wrong = self._order, self._starts, self._wrong
        if weights is None:
            sums = np.arange(len(wrong) + 1.0), np.concatenate([[0.0], np.cumsum(wrong, dtype=np.float64)])
            return order, starts, *sums
        # In units of about their sum, so that no product leaves the range of a float.
        ordered = np.ldexp(weights, -np.frexp(weights.sum())[1])[order]
        counted = ordered > 0
        if not counted.all():
            counts = np.add.reduceat(counted, starts, dtype=np.int64) if len(starts) else starts
            starts = (np.cumsum(counts) - counts)[counts > 0]
            order, ordered, wrong = order[counted], ordered[counted], wrong[counted]
        reached, missed = (np.append(0.0, np.cumsum(each)) for each in (ordered, np.where(wrong, ordered, 0.0)))
        return order, starts, reached, missed
