"""Predictions against the plainest code that could be written: sorting each row in Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from actcli.prediction.decisions import argmax, at_least_one, best_among, margin, reached, top_k

# Few distinct values, so that ties are frequent; -inf is a mask.
SCORES = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 20), st.integers(1, 8)),
    elements=st.sampled_from([-np.inf, -2.0, -1.0, 0.0, 0.5, 3.0]),
)


def ranked(row: list[float]) -> list[int]:
    """Return the indices of a row, best first, ties by lowest index."""
    return sorted(range(len(row)), key=lambda index: (-row[index], index))


@given(SCORES, st.sampled_from("CF"))
def test_argmax_takes_the_lowest_of_ties(scores: np.ndarray[Any, Any], order: Any) -> None:
    """In either memory order."""
    expected = [ranked(row)[0] for row in scores.tolist()]
    assert argmax(np.asarray(scores, order=order)).tolist() == expected


@given(SCORES, st.integers(1, 10))
def test_top_k_ranks_with_ties_by_lowest_index(scores: np.ndarray[Any, Any], k: int) -> None:
    """More than there are classes is all of them."""
    assert top_k(scores, k).tolist() == [ranked(row)[:k] for row in scores.tolist()]


def test_top_k_of_nothing() -> None:
    """K is at least 1."""
    with pytest.raises(ValueError, match="k must be at least 1, not 0"):
        top_k([[1.0]], 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_threshold_is_reached_when_it_is_met(dtype: Any) -> None:
    """0.3 reaches 0.3 in the precision of the probabilities, unless it must be passed."""
    probabilities = np.array([[0.3, 0.29999, 0.30001]], dtype=dtype)
    assert reached(probabilities, 0.3).tolist() == [[True, False, True]]
    assert reached(probabilities, 0.3, strict=True).tolist() == [[False, False, True]]
    assert reached(probabilities, [0.31, 0.2, 0.30001]).tolist() == [[False, True, True]]


@given(SCORES, st.data(), st.integers(1, 4))
def test_best_among_keeps_the_best_of_the_chosen(scores: np.ndarray[Any, Any], data: st.DataObject, k: int) -> None:
    """And leaves rows with few chosen ones alone."""
    chosen = data.draw(hnp.arrays(np.bool_, scores.shape)) & (scores > -np.inf)
    found = best_among(chosen, scores, k)
    for row, picked, kept in zip(scores.tolist(), chosen.tolist(), found.tolist(), strict=True):
        expected = [index for index in ranked(row) if picked[index]][:k]
        assert sorted(expected) == [index for index, flag in enumerate(kept) if flag]


@given(SCORES, st.data())
def test_at_least_one_fills_only_empty_rows(scores: np.ndarray[Any, Any], data: st.DataObject) -> None:
    """With the best class; a row that is masked entirely stays empty."""
    chosen = data.draw(hnp.arrays(np.bool_, scores.shape))
    found = at_least_one(chosen, scores)
    for row, before, after in zip(scores.tolist(), chosen.tolist(), found.tolist(), strict=True):
        best = ranked(row)[0]
        expected = before if any(before) or row[best] == -np.inf else [index == best for index in range(len(row))]
        assert after == expected


def test_margin_is_the_lead_of_the_first() -> None:
    """Over the second; a single class leads by its own probability."""
    np.testing.assert_allclose(margin([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]), [0.2, 0.0], atol=1e-15)
    np.testing.assert_allclose(margin([[0.7]]), [0.7])


def test_whole_numbers_are_ranked_as_numbers() -> None:
    """Unsigned ones have no negatives, and thresholds between them stay what they are."""
    assert top_k(np.array([[0, 5, 3]], dtype=np.uint8), 2).tolist() == [[1, 2]]
    assert reached([[0, 1]], 0.5).tolist() == [[False, True]]
    assert at_least_one([[False, False]], [[1, 2]]).tolist() == [[False, True]]


@pytest.mark.parametrize("values", [[1.0, 2.0], [[]], [["a"]], [[True]], 1.0])
def test_what_is_no_table_of_scores(values: Any) -> None:
    """Is refused by all."""
    for function in (argmax, margin, lambda x: top_k(x, 1), lambda x: reached(x, 0.5)):
        with pytest.raises(ValueError, match="scores must"):
            function(values)


def test_a_threshold_that_is_no_number() -> None:
    """Would never be reached."""
    with pytest.raises(ValueError, match="NaN"):
        reached([[0.5]], float("nan"))
