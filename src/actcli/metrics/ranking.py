"""Metrics that rank rows or labels: ROC AUC, average precision, label ranking average precision. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.metrics.ratios import or_zero, ratio

if TYPE_CHECKING:
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["RankedScores", "label_ranking", "packed", "ranking_scores"]

_CELLS_AT_ONCE = 1 << 20
_LANES = 4
"""Replicates in a word, 16 bits for each."""

_LEVELS_AT_ONCE = 4096

_LONGEST_STRETCH = 4096
"""The most rows whose weights, each at most 15, have a sum of at most 16 bits."""


def ranking_scores(values: Array, positive: Array) -> tuple[float, float]:
    """Return the ROC AUC and the average precision of one class.

    Parameters
    ----------
    values
        The probability of the class, shape (N,), float64.
    positive
        Where the class is true, shape (N,), bool.

    Notes
    -----
    The AUC is the share of pairs of a positive and a negative row in which the positive one has the higher value; ties
    count one half (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747). The average precision is the mean over
    the positive rows of the precision among all rows whose value is at least as high. Undefined scores are NaN.
    """
    chosen, ordered = np.sort(values[positive]), np.sort(values)
    positives, rows = len(chosen), len(ordered)
    if not positives:
        return np.nan, np.nan
    # Equal positive values are looked up once; each stands in `ordered` from `below` to `up_to`.
    firsts = np.flatnonzero(np.append(True, chosen[1:] != chosen[:-1]))
    ends = np.append(firsts[1:], positives)
    counts = ends - firsts
    each = chosen[firsts]
    below = np.searchsorted(ordered, each, "left")
    up_to = below + counts
    tied = np.flatnonzero(ordered[np.minimum(up_to, rows - 1)] == each)
    up_to[tied] = np.searchsorted(ordered, each[tied], "right")
    # Whole numbers: twice the negatives below each positive, and once those that tie with it.
    pairs = int((counts * (below - firsts + up_to - ends)).sum(dtype=np.int64))
    negatives = rows - positives
    auc = pairs / (2 * positives * negatives) if negatives else np.nan
    precision = np.repeat((positives - firsts) / (rows - below), counts)
    return auc, precision.sum() / positives


class RankedScores:
    """The rows in the order of the probability of one class, from which any number of replicates can be scored.

    For each distinct value of a positive row, the scores need the number of rows, and of positive rows, with a higher
    or the same value. All rows are added up between these values, four replicates at a time.

    Parameters
    ----------
    values
        The probability of the class, shape (N,).
    positive
        Where the class is true, shape (N,), bool.
    """

    def __init__(self, values: Array, positive: Array) -> None:
        order = np.argsort(values)[::-1]
        ordered, chosen = values[order], positive[order]
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
        hits = np.add.reduceat(chosen, starts, dtype=np.int64) if len(starts) else starts
        reached = np.append(starts, len(order))
        levels = np.flatnonzero(hits)
        self._hits = _Stretches(order[chosen], np.cumsum(hits[levels]))
        self._above = _Stretches(order, np.concatenate([reached[levels], reached[levels + 1], [len(order)]]))

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return self._hits.nbytes + self._above.nbytes

    def scores(self, words: Array) -> tuple[Array, Array]:
        """Return the ROC AUC and the average precision of each replicate, shape (R,).

        Parameters
        ----------
        words
            The weights of the rows, by `packed`: shape (N, R / 4), uint64.
        """
        levels = len(self._hits.places)
        at_once = max(1, min(words.shape[1], _CELLS_AT_ONCE // (_LANES * max(1, levels))))
        parts = [self._scored(words[:, first : first + at_once]) for first in range(0, words.shape[1], at_once)]
        auc, precision = zip(*parts, strict=True)
        return np.concatenate(auc), np.concatenate(precision)

    def _scored(self, words: Array) -> tuple[Array, Array]:
        hits, seen = self._hits.counted(words), self._above.counted(words)
        levels, rows = len(hits), seen[-1].astype(np.float64)
        positives = hits[-1].astype(np.float64) if levels else np.zeros(len(rows))
        misses, precisions = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows))
        # In blocks that stay in the cache.
        for start in range(0, levels, _LEVELS_AT_ONCE):
            block = slice(start, min(start + _LEVELS_AT_ONCE, levels))
            own, as_high = hits[block], seen[levels + start : levels + block.stop]
            new = np.diff(own, axis=0, prepend=hits[start - 1 : start] if start else np.zeros_like(own[:1]))
            # Whole numbers: twice the negative rows above, and once those that tie.
            above = seen[block] + as_high
            above -= 2 * own
            above += new
            misses += np.einsum("ij,ij->j", new, above, dtype=np.int64)
            precisions += np.sum(new * or_zero(ratio(own, as_high)), axis=0)
        pairs = positives * (rows - positives) - misses / 2
        return ratio(pairs, positives * (rows - positives)), ratio(precisions, positives)


class _Stretches:
    """Rows in an order, and the places in it up to which their weights are added up."""

    def __init__(self, rows: Array, places: Array) -> None:
        self._rows: Array = rows.astype(np.int32 if len(rows) <= np.iinfo(np.int32).max else np.int64)
        cut = np.zeros(len(rows) + 1, dtype=np.bool_)
        cut[places] = cut[::_LONGEST_STRETCH] = True
        self._edges = np.flatnonzero(cut[:-1])
        self.places = np.searchsorted(self._edges, places)

    @property
    def nbytes(self) -> int:
        """How much memory they take."""
        return self._rows.nbytes + self._edges.nbytes + self.places.nbytes

    def counted(self, words: Array) -> Array:
        """Return the sum of the weights of the rows before each place, shape (places, R), whole numbers."""
        whole = np.int32 if 15 * len(self._rows) <= np.iinfo(np.int32).max else np.int64
        before = np.zeros((1 + len(self._edges), _LANES * words.shape[1]), dtype=whole)
        if len(self._edges):
            stretches = np.add.reduceat(np.take(words, self._rows, axis=0), self._edges, axis=0)
            np.cumsum(stretches.view(np.uint16), axis=0, dtype=whole, out=before[1:])
        return np.take(before, self.places, axis=0)


def packed(weights: Array) -> Array:
    """Return weights, shape (R, N), each at most 15, with four replicates in a word: shape (N, R / 4), uint64.

    The sum of up to `_LONGEST_STRETCH` words holds the four sums, so that one addition does the work of four.
    """
    return np.ascontiguousarray(weights.T, dtype=np.uint16).view(np.uint64)


def label_ranking(truth: Array, probabilities: Array) -> Array:
    """Return the label ranking average precision of each row, shape (N,).

    It is the mean over the true labels of the share of true labels among all labels ranked at least as high; 1 where no
    label, or every label, is true. Tsoumakas, Katakis and Vlahavas, "Mining multi-label data", 2010,
    doi:10.1007/978-0-387-09823-4_34.

    Parameters
    ----------
    truth
        Where a label is true, shape (N, C), bool.
    probabilities
        The same shape.
    """
    count, classes = truth.shape
    result = np.zeros(count)
    rows, labels = np.nonzero(truth)
    at_once = max(1, _CELLS_AT_ONCE // classes)
    for start in range(0, len(rows), at_once):
        row = rows[start : start + at_once]
        values = probabilities[row]
        as_high = values >= probabilities[row, labels[start : start + at_once]][:, np.newaxis]
        shares = (as_high & truth[row]).sum(axis=1) / as_high.sum(axis=1)
        result += np.bincount(row, shares, minlength=count)
    actual = truth.sum(axis=1)
    plain = (actual == 0) | (actual == classes)
    return np.where(plain, 1.0, result / np.maximum(actual, 1))
