"""From scores and probabilities to decisions. NumPy only.

Shapes are (N, C): N rows, C classes. Ties always go to the lowest index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["argmax", "at_least_one", "best_among", "cheapest", "expected_costs", "margin", "reached", "top_k"]

_LARGEST_COST = float(np.finfo(np.float64).max) / 4
_CELLS_AT_ONCE = 1 << 15
"""How many sums are added up at once, so that they stay in the cache."""
_FEW_DECISIONS = 50
"""For so few, the sums of a decision are consecutive in memory."""


def argmax(scores: ArrayLike) -> NDArray[np.int64]:
    """Return the index of the largest score of each row, shape (N,), int64; ties go to the lowest index.

    `scores` has shape (N, C), C at least 1, without NaN.

    Raises
    ------
    ValueError
        If the scores are not a table of real numbers.
    """
    array = _as_table(scores)
    if array.flags.c_contiguous:
        return np.asarray(array.argmax(axis=1), dtype=np.int64)
    # NumPy copies a strided array to reduce it. Instead, the largest scores get weights that fall with their index, in
    # the smallest integers, of which a processor compares many at once.
    count = array.shape[1]
    weights = np.arange(count, 0, -1, dtype=np.min_scalar_type(count))
    rank = (np.equal(array, array.max(axis=1)[:, np.newaxis]) * weights).max(axis=1)
    return np.asarray(count - rank.astype(np.int64))


def top_k(scores: ArrayLike, k: int) -> NDArray[np.int64]:
    """Return the indices of the `k` largest scores of each row, largest first, ties by lowest index.

    Parameters
    ----------
    scores
        Shape (N, C), without NaN.
    k
        At least 1; above C it counts as C.

    Returns
    -------
    array
        Shape (N, min(k, C)), int64.

    Raises
    ------
    ValueError
        If `k` is less than 1, or the scores are not a table of real numbers.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    array = _as_table(scores)
    return np.argsort(-array, axis=1, kind="stable")[:, :k].astype(np.int64, copy=False)


def reached(
    probabilities: ArrayLike, thresholds: float | Sequence[float] | NDArray[Any], *, strict: bool = False
) -> NDArray[np.bool_]:
    """Return where probabilities reach their thresholds, shape (N, C), bool.

    Parameters
    ----------
    probabilities
        Shape (N, C).
    thresholds
        One number, or one for each class, shape (C,). They are cast to the dtype of the probabilities, so that a
        float32 probability that prints as 0.3 reaches a threshold of 0.3.
    strict
        Compare with ``>`` instead of ``>=``.

    Raises
    ------
    ValueError
        If a threshold is NaN, or the probabilities are not a table of real numbers.
    """
    array = _as_table(probabilities)
    limits = np.asarray(thresholds, dtype=array.dtype)
    if np.isnan(limits).any():
        raise ValueError("a threshold is NaN")
    return array > limits if strict else array >= limits


def best_among(chosen: ArrayLike, scores: ArrayLike, k: int) -> NDArray[np.bool_]:
    """Return `chosen`, shape (N, C), reduced to the `k` classes of each row with the highest `scores`, same shape.

    Raises
    ------
    ValueError
        If `k` is less than 1, or the scores are not a table of real numbers.
    """
    result = np.array(chosen, dtype=np.bool_)
    table = _as_table(scores)
    crowded = np.flatnonzero(result.sum(axis=1) > k)
    if crowded.size:
        candidates = np.where(result[crowded], table[crowded], -np.inf)
        kept = np.zeros_like(candidates, dtype=np.bool_)
        np.put_along_axis(kept, top_k(candidates, k), values=True, axis=1)
        result[crowded] = kept
    return result


def at_least_one(chosen: ArrayLike, scores: ArrayLike) -> NDArray[np.bool_]:
    """Return `chosen`, shape (N, C), with the best class added to each empty row, unless it is masked (-inf).

    Raises
    ------
    ValueError
        If the scores, of the same shape, are not a table of real numbers.
    """
    result = np.array(chosen, dtype=np.bool_)
    table = _as_table(scores)
    empty = np.flatnonzero(~result.any(axis=1))
    best = argmax(table[empty])
    allowed = table[empty, best] != -np.inf
    result[empty[allowed], best[allowed]] = True
    return result


def margin(probabilities: ArrayLike) -> NDArray[Any]:
    """Return the largest probability of each row minus the second largest, shape (N,).

    `probabilities` has shape (N, C); with a single class the margin is that class's probability.

    Raises
    ------
    ValueError
        If it is not a table of real numbers.
    """
    array = _as_table(probabilities)
    if array.shape[1] == 1:
        return array[:, 0].copy()
    largest = np.partition(array, -2, axis=1)[:, -2:]
    return np.asarray(largest[:, 1] - largest[:, 0])


def expected_costs(probabilities: ArrayLike, costs: ArrayLike) -> NDArray[np.float64]:
    """Return the expected cost of each decision: the sum over the classes t of p[t] costs[t, d].

    The sums of a row depend on that row alone, to the last bit: products of matrices do not have this property.

    Parameters
    ----------
    probabilities
        Shape (N, C).
    costs
        Shape (C, D): a row for each true class, a column for each decision. Finite, of any sign.

    Returns
    -------
    array
        Shape (N, D), float64.

    Raises
    ------
    ValueError
        If an array is not a table of real numbers, the costs do not have a row for each class, or a cost is not finite.
    """
    table = _as_table(probabilities)
    prices = _as_prices(costs, table.shape[1])
    rows, decisions = len(table), prices.shape[1]
    totals = np.zeros((rows, decisions), order="F" if decisions <= _FEW_DECISIONS else "C")
    step = max(1, _CELLS_AT_ONCE // decisions)
    for start in range(0, rows, step):
        some, block = table[start : start + step], totals[start : start + step]
        for truth, prices_of_truth in enumerate(prices):
            block += some[:, truth : truth + 1] * prices_of_truth
    return totals


def cheapest(
    probabilities: ArrayLike, costs: ArrayLike, possible: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Return the decision of the smallest expected cost in each row, shape (N,), int64; ties go to the lowest index.

    Only differences of costs matter: a number that is added to the costs of a true class changes nothing, and costs of
    0 on the diagonal and 1 elsewhere give the most probable class, ties included (Elkan, "The foundations of
    cost-sensitive learning", IJCAI 2001).

    Parameters
    ----------
    probabilities, costs
        As for `expected_costs`.
    possible
        Which decisions a row may have, shape (N, D), at least one in each row; None for all of them.

    Raises
    ------
    ValueError
        As for `expected_costs`.
    """
    table = _as_table(probabilities)
    prices = _as_prices(costs, table.shape[1])
    rough = table @ prices
    if possible is not None:
        rough[~possible] = np.inf
    best = rough.argmin(axis=1)
    # Twice the bound of the error of a sum of C products, whatever the order in which the library adds them up.
    error = 8 * (table.shape[1] + 2) * np.finfo(np.float64).eps * np.abs(prices).max()
    near = rough <= rough.min(axis=1)[:, np.newaxis] + error
    doubtful = np.flatnonzero(near.sum(axis=1) > 1)
    if doubtful.size:
        best[doubtful] = _exactly_cheapest(table[doubtful], prices, None if possible is None else possible[doubtful])
    return np.asarray(best, dtype=np.int64)


def _exactly_cheapest(
    table: NDArray[Any], prices: NDArray[np.float64], possible: NDArray[np.bool_] | None
) -> NDArray[np.int64]:
    """Return the cheapest decisions of rows: by their differences to one of them, in which common costs cancel out."""
    totals = expected_costs(table, prices)
    if possible is not None:
        totals[~possible] = np.inf
    first = totals.argmin(axis=1)
    best = np.zeros(len(table), dtype=np.int64)
    for reference in np.unique(first):
        rows = np.flatnonzero(first == reference)
        differences = expected_costs(table[rows], prices - prices[:, [reference]])
        if possible is not None:
            differences[~possible[rows]] = np.inf
        best[rows] = differences.argmin(axis=1)
    return best


def _as_prices(costs: ArrayLike, classes: int) -> NDArray[np.float64]:
    """Return costs as an array of shape (C, D), float64."""
    prices = _as_table(costs).astype(np.float64, copy=False)
    if len(prices) != classes:
        raise ValueError(f"costs must have a row for each class: {len(prices)} rows, {classes} classes")
    if not (np.abs(prices) <= _LARGEST_COST).all():
        raise ValueError(f"costs must be finite, and at most {_LARGEST_COST:.3g}")
    return prices


def _as_table(values: ArrayLike) -> NDArray[np.floating[Any]]:
    """Return an array of floats of shape (N, C)."""
    array: NDArray[Any] = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"scores must be real numbers, not {array.dtype}")
    if array.ndim != 2 or not array.shape[1]:
        raise ValueError(f"scores must have two dimensions, rows and classes, not the shape {array.shape}")
    return array if array.dtype.kind == "f" else array.astype(np.float64)
