"""The fits, against scikit-learn, SciPy and mpmath, and what must hold of them whatever the rows are."""

from __future__ import annotations

import tracemalloc
import warnings
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.optimize
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from actcli.calibration import calibration, scaling, vector_scaling
from actcli.calibration.methods import (
    METHODS,
    Isotonic,
    Platt,
    Temperature,
    VectorScaling,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    fit_vector_scaling,
)

Array = np.ndarray[Any, np.dtype[Any]]
seeds = st.integers(0, 2**32 - 1)


def exclusive(seed: int, rows: int = 300, classes: int = 4, spread: float = 2.0) -> tuple[Array, Array]:
    """Return logits that are over-confident, and what is true."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(rows, classes)) * spread
    truth = (logits + 2 * generator.gumbel(size=logits.shape)).argmax(axis=1)
    logits.flags.writeable = False
    return logits, truth


def labels(seed: int, rows: int = 300, classes: int = 3) -> tuple[Array, Array]:
    """Return logits, with ties, and where a label is true, of rows of which some have none."""
    generator = np.random.default_rng(seed)
    logits = np.round(generator.normal(size=(rows, classes)) * 3, 1)
    truth = generator.random(size=logits.shape) < scipy.special.expit(logits / 2 - 1)
    return logits, truth


def exact_root(logits: Array, truth: Array) -> float:
    """Return the temperature at which the derivative of the loss is 0, in 50 digits."""
    rows = [[mpmath.mpf(value) for value in row] for row in logits.tolist()]

    def slope(beta: Any) -> Any:
        total = mpmath.mpf(0)
        for row, true in zip(rows, truth.tolist(), strict=True):
            powers = [mpmath.exp(beta * value) for value in row]
            total += sum(power * value for power, value in zip(powers, row, strict=True)) / sum(powers) - row[true]
        return total

    with mpmath.workdps(50):
        return float(1 / mpmath.findroot(slope, (0.01, 10), solver="anderson", tol=1e-40))


@pytest.mark.parametrize("seed", [0, 1])
def test_temperature_is_the_exact_root(seed: int) -> None:
    """To 1e-12 of the root that mpmath finds in 50 digits."""
    logits, truth = exclusive(seed, rows=60)
    found = fit_temperature(logits, truth)
    assert found.temperature == pytest.approx(exact_root(logits, truth), rel=1e-12)
    assert not found.at_bound


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("task", ["softmax", "multilabel"])
def test_blocks_of_a_few_cells_give_the_same(method: str, task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit of two rows at a time and of one class at a time is that of all at once, up to rounding."""
    logits, truth = exclusive(4) if task == "softmax" else labels(4)
    logits = np.where(np.random.default_rng(0).random(logits.shape) < 0.05, -np.inf, logits)
    expected = METHODS[method](logits, truth, task=task)
    monkeypatch.setattr(scaling, "_BLOCK", 9)
    monkeypatch.setattr(calibration, "_GATHERED_BYTES", 1)
    monkeypatch.setattr(calibration, "_CHANGED_BYTES", 1)
    found = METHODS[method](logits, truth, task=task)
    new = logits[:20]
    np.testing.assert_allclose(
        found.probabilities(new, task=task), expected.probabilities(new, task=task), rtol=1e-9, atol=1e-12
    )


@given(seeds)
@settings(max_examples=20)
def test_temperature_of_labels_is_one_for_all(seed: int) -> None:
    """The root of the derivative of the mean loss over all cells (SciPy)."""
    logits, truth = labels(seed)
    margins = np.where(truth, logits, -logits).ravel()

    def slope(beta: float) -> float:
        return -float(np.mean(margins * scipy.special.expit(-beta * margins)))

    exact = 1 / scipy.optimize.brentq(slope, 1e-6, 1e3, xtol=1e-15, rtol=1e-14)
    assert fit_temperature(logits, truth, task="multilabel").temperature == pytest.approx(exact, rel=1e-9)


@given(seeds, st.sampled_from(["softmax", "multilabel"]), st.floats(1e-100, 1e100))
@settings(max_examples=30)
def test_temperature_scales_with_the_logits(seed: int, task: str, factor: float) -> None:
    """T(k x) = k T(x), also far from 1."""
    logits, truth = exclusive(seed) if task == "softmax" else labels(seed)
    one = fit_temperature(logits, truth, task=task).temperature
    assert fit_temperature(logits * factor, truth, task=task).temperature == pytest.approx(factor * one, rel=1e-11)


@given(seeds, st.floats(-1e6, 1e6))
@settings(max_examples=20)
def test_a_constant_added_to_a_row_changes_nothing(seed: int, constant: float) -> None:
    """For softmax with a temperature."""
    logits, truth = exclusive(seed)
    moved = logits + constant * np.sin(np.arange(len(logits)))[:, np.newaxis]
    one, other = fit_temperature(logits, truth), fit_temperature(moved, truth)
    assert other.temperature == pytest.approx(one.temperature, rel=1e-7)
    assert one.probabilities(logits) == pytest.approx(other.probabilities(moved), abs=1e-7)


@pytest.mark.parametrize(("which", "bound"), [(np.argmax, "low"), (np.argmin, "high")])
def test_a_temperature_without_a_minimum_says_so(which: Any, bound: str) -> None:
    """Every row right: the loss falls to T = 0; every row wrong: to infinity. The bound scales with the logits."""
    logits, _ = exclusive(0)
    truth = which(logits, axis=1)
    found = fit_temperature(logits, truth)
    assert found.at_bound
    assert (found.temperature < 0.01) == (bound == "low")
    assert fit_temperature(8 * logits, truth).temperature == 8 * found.temperature


def test_equal_logits_determine_no_temperature() -> None:
    """One is as good as another."""
    found = fit_temperature(np.zeros((5, 3)), [0, 1, 2, 0, 1])
    assert (found.temperature, found.at_bound) == (1.0, True)


@given(seeds)
@settings(max_examples=15)
def test_masked_classes_are_as_if_far_below(seed: int) -> None:
    """Whether a class is masked by -inf or by -1e9, as some do, the temperature is the same to the last digit."""
    logits, truth = exclusive(seed)
    hidden = np.asarray(np.random.default_rng(seed).random(logits.shape) < 0.3)
    hidden[np.arange(len(truth)), truth] = False
    masked = fit_temperature(np.where(hidden, -np.inf, logits), truth)
    assert masked.temperature == pytest.approx(fit_temperature(np.where(hidden, -1e9, logits), truth).temperature)
    probabilities = masked.probabilities(np.where(hidden, -np.inf, logits))
    assert (probabilities[hidden] == 0).all()


def test_a_row_whose_true_class_is_masked_teaches_nothing() -> None:
    """No temperature makes its loss finite; without any other row there is nothing to fit."""
    logits, truth = exclusive(3)
    more = np.vstack([logits, [-np.inf, 0.0, 1.0, 2.0]])
    one, other = fit_temperature(more, np.append(truth, 0)), fit_temperature(logits, truth)
    assert one.temperature == pytest.approx(other.temperature, rel=1e-12)
    with pytest.raises(ValueError, match="no row gives what is true"):
        fit_temperature(more[-1:], [0])


def loss_of_lines(lines: Array, logits: Array, truth: Array) -> tuple[float, Array]:
    """Return the mean log loss of scaled logits, and its gradient."""
    count = logits.shape[1]
    logarithms = scipy.special.log_softmax(logits * lines[:count] + lines[count:], axis=1)
    rest = np.exp(logarithms) - np.eye(count)[truth]
    gradient = np.concatenate([(rest * logits).mean(axis=0), rest.mean(axis=0)])
    return -float(logarithms[np.arange(len(truth)), truth].mean()), gradient


@pytest.mark.parametrize("dense", [0, 256], ids=["products", "matrix"])
@pytest.mark.parametrize("seed", range(3))
def test_vector_scaling_is_the_minimum(seed: int, dense: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """That BFGS finds too (SciPy), and where the gradient is 0; also if the Hessian matrix is not stored."""
    monkeypatch.setattr(vector_scaling, "_MOST_DENSE", dense)
    logits, truth = exclusive(seed)
    found = fit_vector_scaling(logits, truth)
    assert not found.at_bound
    best = scipy.optimize.minimize(
        loss_of_lines, np.repeat([1.0, 0.0], 4), (logits, truth), method="BFGS", jac=True, options={"gtol": 1e-9}
    )
    assert found.scale == pytest.approx(best.x[:4], abs=1e-6)
    assert found.bias == pytest.approx(best.x[4:] - best.x[4:].mean(), abs=1e-6)
    assert np.abs(loss_of_lines(np.array([*found.scale, *found.bias]), logits, truth)[1]).max() < 1e-12


@pytest.mark.parametrize("masked", [False, True])
def test_vector_scaling_begins_at_a_sample(masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are many rows: the end is the minimum that BFGS finds (SciPy), and the search without a sample."""
    logits, truth = exclusive(3, rows=2000, classes=3)
    if masked:
        logits = logits.copy()
        logits[::7, 2] = -np.inf
    plain = fit_vector_scaling(logits, truth)
    monkeypatch.setattr(vector_scaling, "_SAMPLE_CELLS", 600)
    found = fit_vector_scaling(logits, truth)
    assert not found.at_bound
    assert found.scale == pytest.approx(plain.scale, rel=1e-11)
    assert found.bias == pytest.approx(plain.bias, rel=1e-11)
    if not masked:
        best = scipy.optimize.minimize(
            loss_of_lines, np.repeat([1.0, 0.0], 3), (logits, truth), method="BFGS", jac=True, options={"gtol": 1e-9}
        )
        assert found.scale == pytest.approx(best.x[:3], abs=1e-6)


def test_a_sample_that_determines_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that occurs in none of its rows: the search begins at the best temperature of all rows."""
    logits, truth = exclusive(3, rows=2000, classes=3)
    truth[::10] = np.where(truth[::10] == 2, 0, truth[::10])
    plain = fit_vector_scaling(logits, truth)
    monkeypatch.setattr(vector_scaling, "_SAMPLE_CELLS", 600)
    monkeypatch.setattr(vector_scaling, "_SAMPLE_ROWS", 60)
    found = fit_vector_scaling(logits, truth)
    assert not found.at_bound
    assert found.scale == pytest.approx(plain.scale, rel=1e-11)


@pytest.mark.parametrize("seed", [189, 230, 237, 266])
def test_vector_scaling_of_separable_rows_converges_or_warns(seed: int) -> None:
    """Some lines make the loss 0 (the truth is made by lines); a loss that is not near it is no minimum."""
    generator = np.random.default_rng(seed)
    rows, classes = int(generator.integers(5, 200)), int(generator.integers(2, 8))
    logits = (
        generator.standard_cauchy(size=(rows, classes)) if seed % 2 else np.exp(generator.normal(size=(rows, 3)) * 3)
    )
    scale, bias = generator.choice([1, 0.1, 10], size=logits.shape[1]), generator.normal(size=logits.shape[1])
    truth = (logits * scale + bias).argmax(axis=1)
    found = fit_vector_scaling(logits, truth)
    assert found.at_bound
    assert loss_of_lines(np.array([*found.scale, *found.bias]), logits, truth)[0] < 1e-6


def test_vector_scaling_of_many_classes_needs_no_matrix() -> None:
    """Of 1,500 classes the Hessian matrix alone would take 72 MB; the peak is a few times the logits, 0.5 MB."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(40, 1500))
    truth = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)
    tracemalloc.start()
    try:
        assert fit_vector_scaling(logits, truth).at_bound
        assert tracemalloc.get_traced_memory()[1] < 20 * logits.nbytes
    finally:
        tracemalloc.stop()


def test_vector_scaling_of_labels_is_logistic_regression() -> None:
    """Of each label on its own logit, without a penalty (scikit-learn)."""
    logits, truth = labels(5)
    found = fit_vector_scaling(logits, truth, task="multilabel")
    for column in range(3):
        model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(logits[:, [column]], truth[:, column])
        assert found.scale[column] == pytest.approx(model.coef_[0, 0], abs=1e-6)
        assert found.bias[column] == pytest.approx(model.intercept_[0], abs=1e-6)


def test_vector_scaling_that_is_not_determined_says_so() -> None:
    """A class that never occurs, rows that are told apart perfectly: finite numbers, and a flag."""
    logits, truth = exclusive(7)
    for true in (np.where(truth == 3, 0, truth), logits.argmax(axis=1), np.zeros_like(truth)):
        found = fit_vector_scaling(logits, true)
        assert found.at_bound
        assert np.isfinite([*found.scale, *found.bias]).all()
    assert fit_vector_scaling(logits, logits > 0, task="multilabel").at_bound


def one_versus_rest(method: str, logits: Array, truth: Array, new: Array) -> Array:
    """Return what scikit-learn makes of the logits of a classifier that is already fitted."""

    class DecodedChunk:
        """A classifier whose scores are its input."""

        _estimator_type = "classifier"

        def __init__(self, classes: int) -> None:
            self.classes_ = np.arange(classes)

        def fit(self, *_: Any) -> Any:
            return self

        def decision_function(self, scores: Array) -> Array:
            return scores

        def predict(self, scores: Array) -> Array:
            return np.asarray(scores.argmax(axis=1))

        def __sklearn_tags__(self) -> Any:
            return LogisticRegression().__sklearn_tags__()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = CalibratedClassifierCV(
            FrozenEstimator(DecodedChunk(logits.shape[1])), method=method, cv=2, ensemble=False
        )
        return np.asarray(model.fit(logits, truth).predict_proba(new))


@pytest.mark.parametrize(("method", "fit"), [("sigmoid", fit_platt), ("isotonic", fit_isotonic)])
def test_one_against_the_rest_is_normalised(method: str, fit: Any) -> None:
    """As CalibratedClassifierCV does it, an all-zero row shared out equally: of probabilities, or of their log-odds."""
    logits, truth = exclusive(11, rows=200)
    new, _ = exclusive(12, rows=500, spread=4)
    found = fit(logits, truth).probabilities(new)
    known, more = (scipy.special.softmax(table, axis=1) for table in (logits, new))
    if method == "sigmoid":
        known, more = scipy.special.logit(known), scipy.special.logit(more)
    assert found == pytest.approx(one_versus_rest(method, known, truth, more), abs=1e-6)
    assert found.sum(axis=1) == pytest.approx(np.ones(500))


def test_an_empty_row_is_shared_out_among_the_classes_that_are_not_masked() -> None:
    """Also where one of them is."""
    steps = Isotonic((((0.0, 1.0), (0.0, 1.0)),) * 3)
    found = steps.probabilities([[0.5, 0.5, -np.inf]])
    assert found.tolist() == [[0.5, 0.5, 0]]
    low = Isotonic((((0.9, 1.0), (0.0, 1.0)),) * 3)
    found = low.probabilities([[-1.0, -2.0, -3.0], [-np.inf, -2.0, -3.0]])
    assert found.tolist() == [[1 / 3] * 3, [0, 0.5, 0.5]]


def platt_loss(line: Array, scores: Array, truth: Array) -> float:
    """Return Platt's loss, written down once more."""
    positives, negatives = truth.sum(), (~truth).sum()
    targets = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    probabilities = scipy.special.expit(line[0] * scores + line[1])
    return float(
        -(scipy.special.xlogy(targets, probabilities) + scipy.special.xlog1py(1 - targets, -probabilities)).sum()
    )


@given(seeds)
@settings(max_examples=15)
def test_platt_is_the_minimum_for_smoothed_targets(seed: int) -> None:
    """No step in any direction is lower, and no parameter is infinite, even if a label never occurs."""
    logits, truth = labels(seed)
    truth[:, 2] = False
    found = fit_platt(logits, truth, task="multilabel")
    assert np.isfinite([*found.slope, *found.intercept]).all()
    for column in range(3):
        line = np.array([found.slope[column], found.intercept[column]])
        here = platt_loss(line, logits[:, column], truth[:, column])
        for step in ([1e-4, 0], [-1e-4, 0], [0, 1e-4], [0, -1e-4]):
            assert platt_loss(line + step, logits[:, column], truth[:, column]) >= here - 1e-9


@given(seeds, st.integers(1, 60))
@settings(max_examples=40)
def test_isotonic_is_that_of_scikit_learn(seed: int, rows: int) -> None:
    """With ties, between and beyond its points; one class or no rows of one included."""
    generator = np.random.default_rng(seed)
    scores = generator.integers(-8, 8, rows) / 2
    truth = generator.random(rows) < generator.random()
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, truth)
    places = np.linspace(-6, 6, 97)
    found = fit_isotonic(scores, truth, task="binary")
    assert found.probabilities(places, task="binary")[:, 0] == pytest.approx(model.predict(places), abs=1e-12)
    (steps, values) = found.points[0]
    assert (np.diff(steps) > 0).all()
    assert (np.diff(values) >= 0).all()


def test_pooling_is_quick_whatever_the_order() -> None:
    """Values that rise but for the last: the worst case for pooling whole runs at once."""
    truth = np.zeros(20_000, dtype=bool)
    truth[1::2] = True
    scores = np.concatenate([np.sort(np.random.default_rng(0).normal(size=19_999)), [99.0]])
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, truth)
    found = fit_isotonic(scores, truth, task="binary").probabilities(scores, task="binary")[:, 0]
    assert found == pytest.approx(model.predict(scores), abs=1e-12)


@pytest.mark.parametrize(
    ("method", "task"),
    [("temperature", "softmax"), ("vector", "softmax"), *((method, "multilabel") for method in METHODS)],
)
@pytest.mark.parametrize("factor", [1e300, 1e-300, 1e8])
def test_extreme_logits(method: str, task: str, factor: float) -> None:
    """Are fitted as ordinary ones are: probabilities do not depend on their unit.

    Platt and isotonic of exclusive classes are of softmax probabilities, which do.
    """
    logits, truth = exclusive(21) if task == "softmax" else labels(21)
    ordinary = METHODS[method](logits, truth, task=task).probabilities(logits, task=task)
    extreme = METHODS[method](logits * factor, truth, task=task).probabilities(logits * factor, task=task)
    assert extreme == pytest.approx(ordinary, abs=1e-6)


def test_log_odds_are_those_of_mpmath() -> None:
    """Where probabilities are 0 or 1 in floats, ties and masked classes included."""
    logits = [[1000.0, 0.0, -1000.0], [40.0, 40.0, -40.0], [0.0, -1e-9, 1e-9], [3.0, -np.inf, 40.0]]
    found = Platt((1.0,) * 3, (0.0,) * 3).calibrated(np.array(logits), exclusive=True)[0]
    for row, logarithms in zip(logits, found.tolist(), strict=True):
        with mpmath.workdps(1000):
            powers = [mpmath.exp(value) for value in row]
            exact = [float(mpmath.log(power / sum(powers))) for power in powers]
        assert logarithms == pytest.approx(exact, rel=1e-14)


def test_two_exclusive_classes_are_binary() -> None:
    """Platt's sigmoids of both classes agree with that of the positive class."""
    logits, truth = exclusive(22, classes=2)
    both = fit_platt(logits, truth).probabilities(logits)
    one = fit_platt(logits, truth, task="binary").probabilities(logits, task="binary")
    assert both[:, 1:] == pytest.approx(one, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_two_columns_are_one(method: str) -> None:
    """Binary from (negative, positive) logits is binary from their difference; masks are certain."""
    logits, _ = labels(31)
    truth = labels(31)[1][:, 0].astype(int)
    difference = logits[:, 1] - logits[:, 0]
    fit = METHODS[method]
    assert fit(logits[:, :2], truth, task="binary") == fit(difference, truth, task="binary")
    certain = fit(logits[:, :2], truth, task="binary").probabilities([[-np.inf, 0], [0, -np.inf]], task="binary")
    assert certain.tolist() == [[1.0], [0.0]]


@pytest.mark.parametrize("calibration", [VectorScaling((2, 3), (0, 0)), Platt((2, 3), (0, 0))])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_line_does_not_lead_beyond_all_numbers(calibration: VectorScaling | Platt, dtype: type) -> None:
    """However large a logit is, the probabilities of its row are numbers that sum to 1."""
    most = np.finfo(dtype).max
    logits: Array = np.array([[most, 2], [most, most], [-most, -np.inf], [-most, 0]], dtype=dtype)
    found = calibration.probabilities(logits)
    assert found.sum(axis=1).tolist() == [1, 1, 1, 1]
    assert found[2:].tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("method", METHODS)
def test_an_infinite_logit_stays_as_it_is(method: str) -> None:
    """A masked label keeps its 0 and a certain one its 1, and neither takes part in the fit."""
    logits, truth = labels(41)
    changed = logits.copy()
    changed[:3] = [[-np.inf, np.inf, 0.0]] * 3
    fit = METHODS[method]
    one, other = fit(changed, truth, task="multilabel"), fit(logits, truth, task="multilabel")
    assert one.probabilities(changed, task="multilabel")[:3, :2].tolist() == [[0.0, 1.0]] * 3
    assert one != other


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("logits", "truth", "task", "message"),
    [
        ([[1.0, 2.0]], [2], "softmax", "from 0 to 1"),
        ([[1.0, 2.0]], [[0, 1]], "softmax", "one class index for each of 1 rows"),
        ([[1.0, 2.0]], [0.5], "softmax", "whole numbers"),
        ([[1.0, np.nan]], [0], "softmax", "NaN"),
        ([[1.0, np.inf]], [0], "softmax", "infinity"),
        ([[1.0, 2.0]], [0, 2], "multilabel", "0 or 1"),
        ([[1.0, 2.0]], [[0, 2]], "multilabel", "0 or 1"),
        ([[1.0, 2.0, 3.0]], [0], "binary", "shape"),
        ([1.0, 2.0], [0, 1], "softmax", "shape"),
        ([["a", "b"]], [0], "softmax", "real numbers"),
        (np.zeros((0, 2)), np.zeros(0, dtype=int), "softmax", "no rows"),
        ([[1.0]], [0], "regression", "no task"),
    ],
)
def test_bad_arguments(method: str, logits: Any, truth: Any, task: str, message: str) -> None:
    """Are refused with what is wrong."""
    with pytest.raises(ValueError, match=message):
        METHODS[method](logits, truth, task=task)


def test_calibrations_are_plain_and_comparable() -> None:
    """Frozen, hashable, equal by what they do."""
    assert Temperature(2.0) == Temperature(2.0, at_bound=True)
    assert len({Platt((1.0,), (0.0,)), Platt((1.0,), (0.0,)), VectorScaling((1.0,), (0.0,))}) == 2
    assert Temperature(2.0).probabilities([[2.0, 0.0]]) == pytest.approx(scipy.special.softmax([[1.0, 0.0]], axis=1))


@pytest.mark.parametrize("method", METHODS)
def test_whole_floats_are_truth_too(method: str) -> None:
    """As they come out of many libraries."""
    logits, truth = labels(51)
    fit = METHODS[method]
    assert fit(logits, truth.astype(float), task="multilabel") == fit(logits, truth, task="multilabel")


def test_a_temperature_does_not_overflow() -> None:
    """However small it is."""
    found = Temperature(1e-300).probabilities([[1e300, 1.0, -1e300]])
    assert found.tolist() == [[1.0, 0.0, 0.0]]
