"""The points of curves against scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from actcli.metrics.curves import GRID, THRESHOLDS, at_thresholds, gain_curve, precision_recall_curve, roc_curve


def sample(seed: int, rows: int, digits: int = 2) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return probabilities, with ties, and what is right."""
    random = np.random.default_rng(seed)
    positive = random.random(rows) < 0.4
    return np.clip(random.normal(0.4 + 0.2 * positive, 0.2), 0, 1).round(digits), positive


@given(st.integers(0, 1000), st.integers(5, 80))
def test_roc(seed: int, rows: int) -> None:
    """Has the points of scikit-learn: every one of them, where there are few."""
    values, positive = sample(seed, rows)
    if positive.all() or not positive.any():
        return
    x, y, thresholds = sklearn.metrics.roc_curve(positive, values, drop_intermediate=False)
    line = roc_curve(values, positive)
    np.testing.assert_array_equal(line.thresholds, thresholds)
    np.testing.assert_allclose(line.x, x)
    np.testing.assert_allclose(line.y, y)


@given(st.integers(0, 1000), st.integers(5, 80))
def test_precision_recall(seed: int, rows: int) -> None:
    """Has points of scikit-learn, the last of them too; it begins with the precision of the highest threshold."""
    values, positive = sample(seed, rows)
    if not positive.any():
        return
    precision, recall, thresholds = sklearn.metrics.precision_recall_curve(positive, values)
    line = precision_recall_curve(values, positive)
    assert line.thresholds[-1] == thresholds[0]
    places = np.searchsorted(thresholds, line.thresholds[1:])
    np.testing.assert_array_equal(thresholds[places], line.thresholds[1:])
    np.testing.assert_allclose(line.x[1:], recall[places])
    np.testing.assert_allclose(line.y[1:], precision[places])
    assert (line.x[0], line.y[0]) == (0, precision[len(thresholds) - 1])


def test_many_rows_make_few_points() -> None:
    """Each of which is exact, and the area under them nearly that under all (scikit-learn)."""
    values, positive = sample(0, 200_000, digits=9)
    line = roc_curve(values, positive)
    assert len(line.x) < 4 * GRID
    x, y, thresholds = sklearn.metrics.roc_curve(positive, values, drop_intermediate=False)
    places = np.searchsorted(-thresholds, -line.thresholds)
    np.testing.assert_allclose(line.x, x[places])
    np.testing.assert_allclose(line.y, y[places])
    assert np.trapezoid(line.y, line.x) == pytest.approx(sklearn.metrics.roc_auc_score(positive, values), abs=1e-4)
    assert len(precision_recall_curve(values, positive).x) < 8 * GRID


def test_at_thresholds() -> None:
    """Precision, recall and F1 are scikit-learn's micro averages of the cells that reach each threshold."""
    samples = [sample(seed, 60) for seed in range(3)]
    found = at_thresholds(samples)
    values, positive = (np.concatenate(parts) for parts in zip(*samples, strict=True))
    assert len(found["threshold"]) == THRESHOLDS
    assert found["threshold"].tolist() == [float(f"{number / 100:.2f}") for number in range(THRESHOLDS)]
    for number, threshold in enumerate(found["threshold"]):
        chosen = values >= threshold
        expected = sklearn.metrics.precision_recall_fscore_support(
            positive, chosen, average="binary", zero_division=np.nan
        )
        got = [found[name][number] for name in ("precision", "recall", "f1")]
        np.testing.assert_allclose(got, expected[:3])


def test_nothing() -> None:
    """Makes curves of nothing, undefined ones."""
    empty = np.zeros(0)
    line = roc_curve(empty, empty.astype(np.bool_))
    assert np.isnan(line.x).all()
    assert len(precision_recall_curve(empty, empty.astype(np.bool_)).x) == 1
    assert np.isnan(roc_curve(np.array([0.5]), np.array([False])).y).all()
    assert np.isnan(at_thresholds([(empty, empty.astype(np.bool_))])["f1"]).all()


def some_weights(seed: int, rows: int) -> np.ndarray[Any, Any]:
    """Return weights, some of them 0 and at least one that is not."""
    random = np.random.default_rng(seed + 1)
    found = random.random(rows) * (random.random(rows) < 0.8)
    found[0] = 1
    return found


@given(st.integers(0, 1000), st.integers(5, 80))
def test_weighted_curves(seed: int, rows: int) -> None:
    """Have the points of scikit-learn with sample_weight."""
    values, positive = sample(seed, rows)
    weights = some_weights(seed, rows)
    if not weights[positive].any() or not weights[~positive].any():
        return
    x, y, thresholds = sklearn.metrics.roc_curve(positive, values, sample_weight=weights, drop_intermediate=False)
    line = roc_curve(values, positive, weights)
    places = np.searchsorted(-thresholds, -line.thresholds)
    np.testing.assert_array_equal(line.thresholds, thresholds[places])
    assert len(places) > len(thresholds) / 2
    np.testing.assert_allclose(line.x, x[places], atol=1e-12)
    np.testing.assert_allclose(line.y, y[places], atol=1e-12)
    precision, recall, thresholds = sklearn.metrics.precision_recall_curve(positive, values, sample_weight=weights)
    line = precision_recall_curve(values, positive, weights)
    places = np.searchsorted(thresholds, line.thresholds[1:])
    np.testing.assert_array_equal(thresholds[places], line.thresholds[1:])
    np.testing.assert_allclose(line.x[1:], recall[places], atol=1e-12)
    np.testing.assert_allclose(line.y[1:], precision[places], atol=1e-12)


@given(st.integers(0, 1000), st.integers(5, 80))
def test_weighted_thresholds(seed: int, rows: int) -> None:
    """Precision, recall and F1 at each threshold are scikit-learn's with sample_weight."""
    values, positive = sample(seed, rows)
    weights = some_weights(seed, rows)
    found = at_thresholds([(values, positive)], weights)
    for place in range(0, THRESHOLDS, 10):
        expected = sklearn.metrics.precision_recall_fscore_support(
            *(positive, values >= place / 100), average="binary", sample_weight=weights, zero_division=np.nan
        )
        for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
            np.testing.assert_allclose(found[name][place], value, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@given(st.integers(0, 1000), st.integers(5, 60))
def test_gain(weighted: bool, seed: int, rows: int) -> None:
    """Is counted row by row: the share of the positive rows among those with at least each probability."""
    values, positive = sample(seed, rows)
    weights = some_weights(seed, rows) if weighted else np.ones(rows)
    if not weights[positive].any():
        return
    line = gain_curve(values, positive, weights if weighted else None)
    assert (line.x[0], line.y[0], line.thresholds[0]) == (0, 0, np.inf)
    assert set(line.thresholds[1:]) <= set(values[weights > 0])
    assert line.x[-1] == line.y[-1] == pytest.approx(1)
    for x, y, threshold in zip(line.x[1:], line.y[1:], line.thresholds[1:], strict=True):
        found = values >= threshold
        assert x == pytest.approx(weights[found].sum() / weights.sum(), rel=1e-12)
        assert y == pytest.approx(weights[found & positive].sum() / weights[positive].sum(), rel=1e-12, abs=1e-15)
