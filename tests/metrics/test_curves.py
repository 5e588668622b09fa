"""The points of curves against scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from actcli.metrics.curves import GRID, THRESHOLDS, at_thresholds, precision_recall_curve, roc_curve


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
