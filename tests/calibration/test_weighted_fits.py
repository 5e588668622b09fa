"""Fits of rows with weights, against SciPy, scikit-learn with sample_weight, and the same fits of repeated rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from sklearn.calibration import _sigmoid_calibration
from sklearn.isotonic import IsotonicRegression

import actcli
from actcli.calibration import thresholds
from actcli.calibration.methods import METHODS, Isotonic, Platt, Temperature, VectorScaling
from actcli.calibration.thresholds import Tuned

Array = np.ndarray[Any, np.dtype[Any]]

ROWS = 400
TASKS = ("softmax", "multilabel", "binary")


def problem(task: str, seed: int = 0) -> tuple[Array, Array, Array]:
    """Return logits that are not calibrated, the truth, and weights, some of them 0."""
    rng = np.random.default_rng(seed)
    weights = rng.random(ROWS) * 3 * (rng.random(ROWS) < 0.8)
    if task == "softmax":
        logits = rng.normal(size=(ROWS, 4)) * 2
        truth = (logits + rng.gumbel(size=logits.shape) * 2).argmax(axis=1)
        return logits, truth, weights
    shape = (ROWS, 3) if task == "multilabel" else (ROWS,)
    logits = rng.normal(size=shape) * 2
    return logits, rng.random(shape) < scipy.special.expit(logits / 2 - 0.5), weights


def loss(task: str, logits: Array, truth: Array, weights: Array) -> float:
    """Return the weighted mean log loss of logits."""
    if task == "softmax":
        each = -scipy.special.log_softmax(logits, axis=1)[np.arange(len(logits)), truth]
    else:
        each = -scipy.special.log_expit(np.where(truth, logits, -logits)).reshape(len(logits), -1).mean(axis=1)
    return float(weights @ each / weights.sum())


@pytest.mark.parametrize("task", TASKS)
def test_temperature(task: str) -> None:
    """Is the minimum that SciPy finds."""
    logits, truth, weights = problem(task)
    found = actcli.fit_temperature(logits, truth, task=task, weights=weights)
    expected = scipy.optimize.minimize_scalar(
        lambda beta: loss(task, logits * beta, truth, weights),
        bounds=(0.01, 10),
        method="bounded",
        options={"xatol": 1e-12},
    )
    assert found.temperature == pytest.approx(1 / expected.x, rel=1e-6)
    plain = actcli.fit_temperature(logits, truth, task=task)
    assert abs(plain.temperature - found.temperature) > 1e-3


@pytest.mark.parametrize("task", TASKS)
def test_vector(task: str) -> None:
    """No line near the one that is found has a smaller loss, and the slope there is 0 (SciPy)."""
    logits, truth, weights = problem(task)
    found = actcli.fit_vector_scaling(logits, truth, task=task, weights=weights)
    assert isinstance(found, VectorScaling)
    lines = np.array([*found.scale, *found.bias])
    count = len(found.scale)

    def of_lines(lines: Array) -> float:
        scaled = logits * (lines[:count] if logits.ndim == 2 else lines[0])
        return loss(task, scaled + (lines[count:] if logits.ndim == 2 else lines[1]), truth, weights)

    slope = scipy.optimize.approx_fprime(lines, of_lines, 1e-6)
    assert np.abs(slope).max() < 2e-6
    best = scipy.optimize.minimize(of_lines, np.r_[np.ones(count), np.zeros(count)], method="BFGS", tol=1e-10)
    assert of_lines(lines) <= best.fun + 1e-12


def test_vector_with_many_classes() -> None:
    """The slope is 0 where the Hessian matrix is not stored, too."""
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(3000, 300))
    truth, weights = (logits + rng.gumbel(size=logits.shape) * 2).argmax(axis=1), rng.random(3000)
    found = actcli.fit_vector_scaling(logits, truth, weights=weights)
    scaled = logits * found.scale + found.bias
    rest = scipy.special.softmax(scaled, axis=1)
    rest[np.arange(3000), truth] -= 1
    rest *= weights[:, np.newaxis] / weights.sum()
    assert np.abs(rest.sum(axis=0)).max() < 1e-6
    assert np.abs((rest * logits).sum(axis=0)).max() < 1e-6


@pytest.mark.parametrize("scale", [1.0, 0.01, 50.0])
def test_platt(scale: float) -> None:
    """Is scikit-learn's fit with sample_weight, whose targets are smoothed by sums of weights."""
    logits, truth, weights = problem("binary")
    found = actcli.fit_platt(logits, truth, task="binary", weights=weights * scale)
    assert isinstance(found, Platt)
    slope, intercept = _sigmoid_calibration(logits, truth, sample_weight=weights * scale)
    assert found.slope[0] == pytest.approx(-slope, abs=1e-4)
    assert found.intercept[0] == pytest.approx(-intercept, abs=1e-4)


@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e290])
def test_isotonic(scale: float) -> None:
    """Is scikit-learn's regression with sample_weight, also where values tie."""
    logits, truth, weights = problem("binary")
    logits = logits.round(1)
    found = actcli.fit_isotonic(logits, truth, task="binary", weights=weights * scale)
    assert isinstance(found, Isotonic)
    expected = IsotonicRegression(out_of_bounds="clip").fit(logits, truth, sample_weight=weights)
    np.testing.assert_allclose(found.probabilities(logits, task="binary")[:, 0], expected.predict(logits), atol=1e-12)


def numbers_of(fitted: Any) -> Array:
    """Return the parameters of a calibration; of isotonic functions the values at many places."""
    match fitted:
        case Temperature():
            return np.array([fitted.temperature])
        case VectorScaling():
            return np.array([*fitted.scale, *fitted.bias])
        case Platt():
            return np.array([*fitted.slope, *fitted.intercept])
        case Isotonic():
            return np.concatenate([np.interp(np.linspace(-6, 6, 1001), *each) for each in fitted.points])
    raise AssertionError


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("method", METHODS)
def test_whole_weights_repeat_rows(task: str, method: str) -> None:
    """And a weight of 0 leaves a row out; equal weights are no weights, of any scale but for Platt's smoothing."""
    logits, truth, _ = problem(task)
    often = np.random.default_rng(2).integers(0, 4, ROWS)
    fit = METHODS[method]
    found = numbers_of(fit(logits, truth, task=task, weights=often))
    more = numbers_of(fit(np.repeat(logits, often, axis=0), np.repeat(truth, often, axis=0), task=task))
    np.testing.assert_allclose(found, more, rtol=1e-7, atol=1e-9)
    plain = numbers_of(fit(logits, truth, task=task))
    for weight in (1.0,) if method == "platt" else (1.0, 1e-300, 1e290):
        equal = numbers_of(fit(logits, truth, task=task, weights=np.full(ROWS, weight)))
        np.testing.assert_allclose(equal, plain, rtol=1e-7, atol=1e-9)


OBJECTIVES: list[dict[str, Any]] = [
    {"metric": "f1"},
    {"metric": "fbeta", "beta": 0.5},
    {"metric": "youden"},
    {"at_precision": 0.6},
    {"at_precision": 1.0},
    {"at_recall": 0.7},
    {"at_recall": 1.0},
    {"at_fpr": 0.2},
    {"at_fpr": 0.0},
]


def best_threshold(values: Array, truth: Array, weights: Array, objective: dict[str, Any]) -> float | None:
    """Return the goodness of the best candidate, tried one by one; None if there is none. F1 is scikit-learn's."""
    best = None
    kept = weights > 0
    values, truth, weights = values[kept], truth[kept], weights[kept]
    for candidate in np.unique(values):
        chosen = values >= candidate
        both = weights[chosen & truth].sum()
        precision, recall = both / weights[chosen].sum(), both / weights[truth].sum()
        alarms = weights[chosen & ~truth].sum() / weights[~truth].sum()
        match objective:
            case {"metric": "f1"}:
                goodness = sklearn_metrics.f1_score(truth, chosen, sample_weight=weights, zero_division=0)
            case {"metric": "fbeta", "beta": beta}:
                square = beta * beta
                goodness = (1 + square) * both / (square * weights[truth].sum() + weights[chosen].sum())
            case {"metric": "youden"}:
                goodness = recall - alarms
            case {"at_precision": least}:
                goodness = recall if precision >= least - 1e-12 else -1
            case {"at_recall": least}:
                goodness = precision if recall >= least - 1e-12 else -1
            case {"at_fpr": most}:
                goodness = recall if alarms <= most + 1e-12 else -1
        if goodness >= 0 and (best is None or goodness > best):
            best = goodness
    return best


def goodness_of(found: Tuned, objective: dict[str, Any]) -> float:
    """Return what an objective makes large, from the sums of weights of a threshold."""
    recall = found.true_positives / found.positives
    match objective:
        case {"metric": "f1"}:
            return 2 * found.true_positives / (found.positives + found.true_positives + found.false_positives)
        case {"metric": "fbeta", "beta": beta}:
            square = beta * beta
            both = square * found.positives + found.true_positives + found.false_positives
            return float((1 + square) * found.true_positives / both)
        case {"metric": "youden"}:
            return recall - found.false_positives / found.negatives
        case {"at_recall": _}:
            return found.true_positives / (found.true_positives + found.false_positives)
    return recall


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@pytest.mark.parametrize("scope", ["class", "global"])
@pytest.mark.parametrize("most", [1 << 22, 30])
def test_thresholds(objective: dict[str, Any], scope: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Are as good as the best of all candidates, which are tried one by one, in any unit of the weights."""
    monkeypatch.setattr(thresholds, "_MOST_CELLS", most)
    logits, truth, weights = problem("multilabel", seed=3)
    logits, truth, weights = logits[:40], truth[:40], weights[:40]
    probabilities = scipy.special.expit(logits).round(2)
    columns = list(zip(probabilities.T, truth.T, [weights] * 3, strict=True))
    if scope == "global":
        columns = [(probabilities.ravel(), truth.ravel(), np.repeat(weights, 3))]
    every = [best_threshold(*column, objective) for column in columns]
    for unit in (1.0, 1e-280, 1e280):
        found = actcli.tune_thresholds(probabilities, truth, weights=weights * unit, scope=scope, **objective)
        for tuned, column, best in zip(found, columns, every, strict=True):
            assert (tuned.threshold is None) == (best is None)
            values, true, each = column
            assert tuned.positives == pytest.approx(each[true].sum() * unit, rel=1e-12)
            assert tuned.negatives == pytest.approx(each[~true].sum() * unit, rel=1e-12)
            if tuned.threshold is None:
                continue
            assert goodness_of(tuned, objective) == pytest.approx(best, rel=1e-10)
            chosen = values >= tuned.threshold
            assert tuned.true_positives == pytest.approx(each[chosen & true].sum() * unit, rel=1e-12)
            assert tuned.false_positives == pytest.approx(each[chosen & ~true].sum() * unit, rel=1e-12, abs=0)


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 3)), min_size=1, max_size=20))
@settings(deadline=None)
def test_whole_weights_repeat_cells(cells: list[tuple[int, bool, int]]) -> None:
    """For thresholds too."""
    values, truth, often = (np.array(each) for each in zip(*cells, strict=True))
    if not often.any():
        return
    probabilities = values / 6
    (found,) = actcli.tune_thresholds(probabilities, truth, weights=often)
    (more,) = actcli.tune_thresholds(np.repeat(probabilities, often), np.repeat(truth, often))
    assert found == more


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [np.nan, 1.0]])
def test_what_is_no_weight(weights: list[float]) -> None:
    """Is refused."""
    for fit in METHODS.values():
        with pytest.raises(ValueError, match="weights must"):
            fit([[1.0, 0.0], [0.0, 1.0]], [0, 1], weights=weights)
    with pytest.raises(ValueError, match="weights must"):
        actcli.tune_thresholds([0.1, 0.9], [0, 1], weights=weights)
