"""Derivatives against finite differences of the functions themselves, taken with hundreds of digits (mpmath)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from actcli.activations import cross_entropy_gradient, sigmoid_derivative, softmax, softmax_jacobian

LOGITS = st.floats(-50, 50)
ROWS = hnp.arrays(np.float64, st.integers(2, 5), elements=LOGITS)
TEMPERATURES = st.sampled_from([0.5, 1.0, 3.0])
UNIT = float(np.finfo(np.float64).eps)


def difference(function: Callable[[list[Any]], Any], point: list[float], position: int) -> Any:
    """Return the central difference quotient of `function` by one coordinate, exact to about fifty digits."""
    with mpmath.workdps(400):
        step = mpmath.mpf(10) ** -30
        ends = []
        for sign in (1, -1):
            moved = [mpmath.mpf(x) for x in point]
            moved[position] += sign * step
            ends.append(function(moved))
        return (ends[0] - ends[1]) / (2 * step)


def exact_softmax(row: list[Any], temperature: float) -> list[Any]:
    """Return the softmax in the precision that mpmath has now."""
    powers = [mpmath.exp(x / temperature) for x in row]
    return [power / mpmath.fsum(powers) for power in powers]


def probability(position: int, temperature: float) -> Callable[[list[Any]], Any]:
    """Return the function from logits to the softmax of one class."""
    return lambda at: exact_softmax(at, temperature)[position]


def assert_near(found: float, exact: Any, units: float) -> None:
    """Compare relative to the exact number, however small it is, down to the smallest normal one."""
    scale = max(abs(exact), mpmath.mpf(2) ** -1022)
    assert abs(mpmath.mpf(float(found)) - exact) <= units * UNIT * scale


@given(st.floats(-700, 700), TEMPERATURES)
def test_sigmoid_derivative(x: float, temperature: float) -> None:
    """Is that of 1 / (1 + exp(-x / T)), to a few units in the last place on both sides, far out too."""
    exact = difference(lambda at: 1 / (1 + mpmath.exp(-at[0] / temperature)), [x], 0)
    assert_near(float(sigmoid_derivative(x, temperature=temperature)), exact, 8 + abs(x / temperature))


@given(ROWS, TEMPERATURES)
def test_softmax_jacobian(row: np.ndarray[Any, Any], temperature: float) -> None:
    """Every entry is that of the softmax, relative to its own size: also next to a probability that rounds to 1."""
    jacobian = softmax_jacobian(row, temperature=temperature)
    assert jacobian.shape == (len(row), len(row))
    for i in range(len(row)):
        for j in range(len(row)):
            exact = difference(probability(i, temperature), row.tolist(), j)
            assert_near(jacobian[i, j], exact, 300)


@given(ROWS, TEMPERATURES, st.data())
def test_cross_entropy_gradient(row: np.ndarray[Any, Any], temperature: float, data: st.DataObject) -> None:
    """Is that of -log softmax(x / T)[truth]."""
    truth = data.draw(st.integers(0, len(row) - 1))
    gradient = cross_entropy_gradient(row, truth, temperature=temperature)
    for j in range(len(row)):
        exact = difference(lambda at: -mpmath.log(exact_softmax(at, temperature)[truth]), row.tolist(), j)
        assert_near(gradient[j], exact, 300)


def test_the_jacobian_as_it_is_written() -> None:
    """Is diag(y) - y yT, and its rows and columns sum to 0 (NumPy)."""
    x = np.random.default_rng(0).normal(0, 3, (40, 60)).astype(np.float32)
    y = softmax(x)
    expected = np.apply_along_axis(np.diag, 1, y) - y[:, :, np.newaxis] * y[:, np.newaxis, :]
    jacobian = softmax_jacobian(x)
    assert jacobian.dtype == np.float32
    np.testing.assert_allclose(jacobian, expected, atol=1e-6)
    np.testing.assert_allclose(jacobian.sum(axis=1), 0, atol=1e-6)
    np.testing.assert_array_equal(jacobian, jacobian.swapaxes(1, 2))


def test_the_largest_slope() -> None:
    """Of the sigmoid is 1/4, at 0; of x / T it is 1 / (4 T)."""
    assert sigmoid_derivative(0) == 0.25
    assert sigmoid_derivative(0, temperature=2) == 0.125
    x = np.linspace(-8, 8, 1001)
    assert sigmoid_derivative(x).argmax() == 500
    np.testing.assert_array_equal(sigmoid_derivative(x), sigmoid_derivative(-x))


def test_a_row_does_not_depend_on_its_company() -> None:
    """To the last bit, with few classes and with many."""
    for classes in (3, 70):
        x = np.random.default_rng(1).normal(0, 4, (9, classes))
        together = softmax_jacobian(x)
        for number, row in enumerate(x):
            np.testing.assert_array_equal(together[number], softmax_jacobian(row))


def test_masked_classes() -> None:
    """Move nothing and are moved by nothing; there is no negative zero."""
    jacobian = softmax_jacobian([[0.0, -np.inf, 800.0]])[0]
    assert not jacobian[1].any()
    assert not jacobian[:, 1].any()
    assert not np.signbit(jacobian[jacobian == 0]).any()
    gradient = cross_entropy_gradient([0.0, -np.inf, 800.0], 2)
    assert gradient.tolist() == [0, 0, 0]
    assert not np.signbit(gradient).any()


def test_shapes() -> None:
    """Axes before the last are kept."""
    x = np.zeros((2, 3, 4))
    assert softmax_jacobian(x).shape == (2, 3, 4, 4)
    assert cross_entropy_gradient(x, np.zeros((2, 3), dtype=np.uint8)).shape == x.shape
    assert softmax_jacobian(np.zeros((0, 4))).shape == (0, 4, 4)


@pytest.mark.parametrize(
    ("truth", "reason"),
    [(3, "indices from 0 to 2"), (-1, "indices"), (0.0, "whole numbers"), ([0, 1], "of shape \\(\\)"), (True, "bool")],
)
def test_a_truth_that_does_not_fit(truth: Any, reason: str) -> None:
    """Is refused, with what was expected."""
    with pytest.raises(ValueError, match=reason):
        cross_entropy_gradient([1.0, 2.0, 3.0], truth)


def test_a_temperature_that_is_none() -> None:
    """Is refused."""
    for function in (sigmoid_derivative, softmax_jacobian):
        with pytest.raises(ValueError, match="temperature"):
            function([1.0, 2.0], temperature=0)
