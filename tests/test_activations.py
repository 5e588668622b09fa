"""Probabilities against exact ones (mpmath) and SciPy's, on ordinary and on extreme scores."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from actcli import activations
from actcli.activations import energy, log_sigmoid, log_softmax, sigmoid, softmax

LARGEST = float(np.finfo(np.float64).max)
SMALLEST = 5e-324

EXTREME_ROWS = {
    "article": [-20.0, 10.0, 30.0],
    "far apart": [-1e4, 0.0, 1e4],
    "huge": [-1e308, 1e308, 9.99e307],
    "largest": [LARGEST, -LARGEST, LARGEST],
    "largest and near": [LARGEST, np.nextafter(LARGEST, 0), 0.0],
    "masked": [-np.inf, 1.0, -np.inf, 2.0],
    "one left": [-np.inf, -700.0, -np.inf],
    "subnormal": [SMALLEST, -SMALLEST, 0.0, 1e-310],
    "equal": [3.3] * 7,
    "ties": [1.0, 2.0, 2.0, 1.0],
    "small probabilities": [0.0, -700.0, -745.0, -746.0],
    "shifted far": [1e15, 1e15 + 1, 1e15 - 3],
}


def exact_softmax(row: list[float], temperature: float = 1.0) -> list[Any]:
    """Return the softmax with a thousand digits."""
    with mpmath.workdps(1000):
        largest = max(map(mpmath.mpf, row))
        powers = [mpmath.exp((mpmath.mpf(x) - largest) / mpmath.mpf(temperature)) for x in row]
        return [power / mpmath.fsum(powers) for power in powers]


def exact_sigmoid(x: float) -> Any:
    """Return the sigmoid with a thousand digits."""
    with mpmath.workdps(1000):
        return 1 / (1 + mpmath.exp(-mpmath.mpf(x)))


def units_off(found: float, exact: Any) -> float:
    """Return how many units in the last place of `exact` the two are apart."""
    nearest = float(exact)
    return float(abs(mpmath.mpf(found) - exact) / mpmath.mpf(float(np.spacing(abs(nearest)))))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("row", EXTREME_ROWS.values(), ids=EXTREME_ROWS.keys())
def test_softmax_is_exact_on_extreme_rows(row: list[float], temperature: float) -> None:
    """A probability p is within 4 + abs(log p) units in the last place of the exact one, in float64."""
    found = softmax(row, temperature=temperature)
    for probability, exact in zip(found, exact_softmax(row, temperature), strict=True):
        allowed = 4 + (abs(float(mpmath.log(exact))) if exact else 0)
        assert units_off(probability, exact) <= allowed


@pytest.mark.parametrize("row", EXTREME_ROWS.values(), ids=EXTREME_ROWS.keys())
def test_softmax_of_float32_is_within_a_millionth(row: list[float]) -> None:
    """Scores in float32 give probabilities in float32 within 1e-6 of the exact ones."""
    with np.errstate(over="ignore"):
        cast = np.array(row, dtype=np.float32)
    limits = np.finfo(np.float32)
    scores = np.clip(cast, limits.min, limits.max)
    scores = np.where(np.isneginf(row), np.float32(-np.inf), scores)
    found = softmax(scores)
    assert found.dtype == np.float32
    exact = [float(value) for value in exact_softmax(scores.tolist())]
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-6)


def test_softmax_of_ten_thousand_classes() -> None:
    """The sum over many classes does not lose precision, in either dtype (SciPy in float64 as the reference)."""
    scores = np.random.default_rng(0).normal(size=(3, 10_000)) * 3
    np.testing.assert_allclose(softmax(scores), scipy.special.softmax(scores, axis=1), rtol=1e-13)
    narrow = scores.astype(np.float32)
    exact = scipy.special.softmax(narrow.astype(np.float64), axis=1)
    np.testing.assert_allclose(softmax(narrow), exact, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize(
    "x", [-745.0, -744.4, -700.5, -100.25, -36.7, -1.0, -1e-300, 0.0, 1e-9, 0.7, 36.8, 709.0, 745.0]
)
def test_sigmoid_keeps_its_relative_precision(x: float) -> None:
    """The sigmoid is within 3 units in the last place from the smallest subnormal number up to 1 (mpmath)."""
    assert units_off(float(sigmoid(x)), exact_sigmoid(x)) <= 3


def test_sigmoid_of_float32_keeps_its_relative_precision() -> None:
    """The same in float32, down to its smallest subnormal number."""
    xs = np.linspace(-103, 20, 2001, dtype=np.float32)
    exact = scipy.special.expit(xs.astype(np.float64))
    off = np.abs(sigmoid(xs) - exact) / np.spacing(exact.astype(np.float32))
    assert off.max() <= 4


@pytest.mark.parametrize("x", [-np.inf, -1e308, 1e308, np.inf])
def test_sigmoid_saturates_without_a_warning(x: float) -> None:
    """Warnings are errors in these tests: nothing overflows on either side."""
    assert sigmoid(x) == (0.0 if x < 0 else 1.0)


@pytest.mark.parametrize("x", [-800.0, -40.0, -1.0, 0.0, 1.0, 40.0, 800.0])
def test_log_sigmoid_is_exact(x: float) -> None:
    """The logarithm does not go through the probability (mpmath)."""
    with mpmath.workdps(1000):
        assert units_off(float(log_sigmoid(x)), mpmath.log(exact_sigmoid(x))) <= 3


def test_log_softmax_agrees_with_scipy() -> None:
    """On ordinary scores, masks included (SciPy)."""
    scores = np.random.default_rng(1).normal(size=(50, 7)) * 20
    scores[3, 2] = -np.inf
    np.testing.assert_allclose(log_softmax(scores), scipy.special.log_softmax(scores, axis=1), rtol=1e-12, atol=1e-15)


@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=60), elements=st.floats(-800, 800)),
    st.floats(0.01, 100),
)
def test_softmax_agrees_with_scipy(scores: np.ndarray[Any, Any], temperature: float) -> None:
    """On any scores and temperature, for few and for many classes (SciPy)."""
    found = softmax(scores, temperature=temperature)
    np.testing.assert_allclose(found, scipy.special.softmax(scores / temperature, axis=1), rtol=1e-9, atol=1e-300)


@given(hnp.arrays(np.float64, 6, elements=st.floats(-100, 100)), st.integers(-(2**20), 2**20))
def test_softmax_does_not_change_when_a_row_is_shifted(row: np.ndarray[Any, Any], shift: int) -> None:
    """Adding a constant to a row changes nothing but the rounding of the addition."""
    np.testing.assert_allclose(softmax(row + shift), softmax(row), rtol=1e-8, atol=1e-12)


@given(st.floats(-700, 700), st.floats(-700, 700))
def test_softmax_of_two_classes_is_the_sigmoid_of_their_difference(first: float, second: float) -> None:
    """softmax(x1, x2) of the first class = sigmoid(x1 - x2)."""
    np.testing.assert_allclose(softmax([first, second])[0], sigmoid(first - second), rtol=1e-12)


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 40), st.integers(1, 60)), elements=st.floats(-50, 50, width=32)))
def test_a_row_depends_on_itself_alone(scores: np.ndarray[Any, Any]) -> None:
    """To the last bit: the maximum and the sum are those of the row, whatever rows stand beside it."""
    for function in (softmax, log_softmax):
        together = function(scores)
        for number, row in enumerate(scores):
            assert np.array_equal(together[number], function(row[np.newaxis])[0])


@pytest.mark.parametrize("function", [softmax, log_softmax, sigmoid, log_sigmoid])
def test_the_argument_stays_as_it_is(function: Any) -> None:
    """A read-only argument is fine, and a writable one keeps its values."""
    order: Any
    for order in ("C", "F"):
        for classes in (3, 100):
            scores = np.asarray(np.random.default_rng(2).normal(size=(5, classes)), order=order)
            kept = scores.copy()
            function(scores)
            assert np.array_equal(scores, kept)
            scores.setflags(write=False)
            function(scores)


@pytest.mark.parametrize(
    ("dtype", "computed"),
    [("f2", "f4"), ("f4", "f4"), ("f8", "f8"), (">f4", "f4"), (">f8", "f8"), ("i4", "f8"), ("u8", "f8")],
)
def test_the_precision_of_the_result(dtype: str, computed: str) -> None:
    """float16 is computed in float32, integers in float64, byte order does not matter."""
    scores = np.array([[1, 2, 3]], dtype=dtype)
    for function in (softmax, sigmoid):
        found = function(scores)
        assert found.dtype == np.dtype(computed)
        assert np.array_equal(found, function(np.array([[1, 2, 3]], dtype=computed)))


def test_softmax_along_another_axis() -> None:
    """The classes may be on any axis; shapes stay (SciPy)."""
    scores = np.random.default_rng(3).normal(size=(4, 5, 6))
    for axis in (0, 1, 2, -2):
        found = softmax(scores, axis=axis)
        np.testing.assert_allclose(found, scipy.special.softmax(scores, axis=axis), rtol=1e-13)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("function", [softmax, log_softmax, sigmoid, log_sigmoid])
def test_a_temperature_that_is_none(function: Any, temperature: float) -> None:
    """Only positive finite temperatures divide."""
    with pytest.raises(ValueError, match="temperature must be a positive finite number"):
        function([[1.0, 2.0]], temperature=temperature)


@pytest.mark.parametrize("x", [["a", "b"], [1j], [True, False]])
@pytest.mark.parametrize("function", [softmax, sigmoid])
def test_what_is_no_score(function: Any, x: Any) -> None:
    """Text, complex numbers and truth values are refused."""
    with pytest.raises(ValueError, match="scores must be real numbers"):
        function(x)


def test_softmax_needs_a_class() -> None:
    """A single number, no class at all, or an axis that is not there, has no softmax."""
    with pytest.raises(ValueError, match="at least one class"):
        softmax(np.zeros((3, 0)))
    with pytest.raises(ValueError, match="0 dimensions"):
        softmax(1.0)
    with pytest.raises(ValueError, match="2 dimensions, none is 2"):
        softmax([[1.0]], axis=2)


def test_a_temperature_that_is_none_in_float32() -> None:
    """Is refused where float32 cannot hold it."""
    assert softmax([[1.0, 2.0]], temperature=1e-50).tolist() == [[0, 1]]
    with pytest.raises(ValueError, match="in float32"):
        softmax(np.array([[1, 2]], dtype=np.float32), temperature=1e-50)


def test_few_and_many_classes_meet() -> None:
    """The two ways to sum agree on both sides of the border between them (SciPy)."""
    for classes in (activations.FEW_CLASSES, activations.FEW_CLASSES + 1):
        scores = np.random.default_rng(classes).normal(size=(9, classes))
        np.testing.assert_allclose(softmax(scores), scipy.special.softmax(scores, axis=1), rtol=1e-14)


def test_energy() -> None:
    """-logsumexp (SciPy), along any axis; of nothing but masked classes it is infinite; float32 stays."""
    logits = np.array([[1.0, 2.0, -np.inf], [1000.0, 999.0, 3.0], [-np.inf] * 3])
    exact = -scipy.special.logsumexp(logits, axis=1)
    np.testing.assert_allclose(energy(logits), exact, rtol=1e-15)
    np.testing.assert_allclose(energy(logits.T, axis=0), exact, rtol=1e-15)
    assert energy(logits[0]).shape == ()
    assert energy(logits.astype(np.float32)).dtype == np.float32
    with pytest.raises(ValueError, match="must be real"):
        energy(["a"])
