"""From scores and probabilities to decisions. NumPy only.

Shapes are (N, C): N rows, C classes. Ties always go to the lowest index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["argmax", "at_least_one", "best_among", "margin", "reached", "top_k"]


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


def _as_table(values: ArrayLike) -> NDArray[np.floating[Any]]:
    """Return an array of floats of shape (N, C)."""
    array: NDArray[Any] = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"scores must be real numbers, not {array.dtype}")
    if array.ndim != 2 or not array.shape[1]:
        raise ValueError(f"scores must have two dimensions, rows and classes, not the shape {array.shape}")
    return array if array.dtype.kind == "f" else array.astype(np.float64)
