"""The activation functions and their derivatives: scores in, probabilities out. NumPy only.

Each function takes an array-like of real numbers and returns a new array, of the same shape unless its docstring gives
another one. float32 and float64 keep their dtype, float16 is computed in float32, everything else in float64. The
argument is never changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = [
    "check_temperature",
    "computing_dtype",
    "cross_entropy_gradient",
    "exponentials",
    "gradient_rows",
    "in_block_order",
    "jacobian_rows",
    "log_sigmoid",
    "log_softmax",
    "log_softmax_rows",
    "row_sums",
    "shares",
    "sigmoid",
    "sigmoid_derivative",
    "softmax",
    "softmax_jacobian",
]

FEW_CLASSES = 50
"""Up to this many classes, arrays are stored class by class and reduced over the classes in a loop.

NumPy reduces a short last axis five to eight times slower than the same numbers stored class by class.
"""


def softmax(x: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> Floats:
    """Return exp(x / T) / sum(exp(x / T)): the probabilities of exclusive classes.

    Parameters
    ----------
    x
        Logits, of any shape. ``-inf`` masks a class: its probability is 0.
    axis
        The axis of the classes.
    temperature
        T > 0: above 1 flattens the probabilities, below 1 sharpens them.

    Returns
    -------
    array
        The shape of `x`; sums to 1 along `axis`. A row with NaN or +inf, or with -inf only, becomes NaN.

    Raises
    ------
    ValueError
        If the temperature is not a positive finite number, or `x` is not real or has no class.

    Notes
    -----
    The maximum of each row is subtracted first, before the division by T, so no intermediate value can overflow. The
    relative error of a probability p is a few units in the last place plus the rounding of that
    subtraction, which is ``abs(log(p))`` half-units.

    References
    ----------
    Bridle, "Training stochastic model recognition algorithms as networks can lead to maximum mutual information
    estimation of parameters", NIPS 1989.
    Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax functions", IMA J. Numer. Anal.
    41(4), 2021, doi:10.1093/imanum/draa038.

    Examples
    --------
    >>> softmax([-20.0, 10.0, 30.0])
    array([1.92874985e-22, 2.06115362e-09, 9.99999998e-01])
    """
    rows, restore = _as_rows(x, axis, temperature)
    powers, totals = exponentials(rows, temperature)
    with np.errstate(invalid="ignore"):
        powers /= totals[:, np.newaxis]
    return restore(powers)


def log_softmax(x: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> Floats:
    """Return log(softmax(x / T)), computed without the probabilities, so that small ones keep their precision.

    Parameters, errors and sources are those of `softmax`.

    Examples
    --------
    >>> log_softmax([0.0, -1000.0])
    array([    0., -1000.])
    """
    rows, restore = _as_rows(x, axis, temperature)
    return restore(log_softmax_rows(rows, temperature))


def sigmoid(x: ArrayLike, *, temperature: float = 1.0) -> Floats:
    """Return 1 / (1 + exp(-x / T)): one independent probability for each cell.

    Parameters
    ----------
    x
        Logits, of any shape; infinities are allowed.
    temperature
        T > 0.

    Returns
    -------
    array
        The shape of `x`, within [0, 1].

    Raises
    ------
    ValueError
        If the temperature is not a positive finite number, or `x` is not real.

    Notes
    -----
    Only the exponential of ``-abs(x)`` is computed, so nothing overflows. The result keeps its full relative precision
    down to the smallest subnormal number, where ``1 / (1 + exp(-x))`` underflows to 0.

    Examples
    --------
    >>> sigmoid([0.0, -745.0])
    array([5.0e-001, 4.9e-324])
    """
    scores = _divided(_as_floats(x), temperature)
    total = _decay(scores)
    total += 1
    # 1 for a positive score, else the decay: exp is faster than np.where.
    powers = np.asarray(np.minimum(scores, 0))
    np.exp(powers, out=powers)
    result: Floats = np.divide(powers, total, out=powers if powers.ndim else None)
    return result


def log_sigmoid(x: ArrayLike, *, temperature: float = 1.0) -> Floats:
    """Return log(sigmoid(x / T)) = min(x / T, 0) - log(1 + exp(-abs(x / T))), precise on both sides.

    Parameters and errors are those of `sigmoid`.

    Examples
    --------
    >>> log_sigmoid([-1000.0])
    array([-1000.])
    """
    scores = _divided(_as_floats(x), temperature)
    rest = _decay(scores)
    np.log1p(rest, out=rest)
    result: Floats = np.minimum(scores, 0) - rest
    return result


def sigmoid_derivative(x: ArrayLike, *, temperature: float = 1.0) -> Floats:
    """Return d sigmoid(x / T) / dx = sigmoid(x / T) (1 - sigmoid(x / T)) / T, for each cell.

    Parameters and errors are those of `sigmoid`.

    Notes
    -----
    Its maximum is 0.25 / T at x = 0, and it falls like exp(-abs(x) / T) on both sides. 1 - sigmoid(x) is computed as
    sigmoid(-x), which keeps its full relative precision where 1 - sigmoid(x) rounds to 0, from x = 37 on.

    Examples
    --------
    >>> sigmoid_derivative([0.0, 2.0, 40.0])
    array([2.50000000e-01, 1.04993585e-01, 4.24835426e-18])
    """
    scores = _divided(_as_floats(x), temperature)
    decay = np.exp(-np.abs(scores))
    result: Floats = decay / (1 + decay) / (1 + decay)
    return result if temperature == 1 else result / temperature


def softmax_jacobian(x: ArrayLike, *, temperature: float = 1.0) -> Floats:
    """Return d softmax(x / T)_i / dx_j = (diag(y) - y yT) / T: the change of each probability with each logit.

    Parameters
    ----------
    x
        Logits, of shape (..., C). ``-inf`` masks a class: its row and its column are 0.
    temperature
        T > 0.

    Returns
    -------
    array
        Shape (..., C, C): `[..., i, j]` is the derivative of probability i by logit j. Symmetric; each row sums to 0,
        because the probabilities always sum to 1.

    Raises
    ------
    ValueError
        If the temperature is not a positive finite number, or `x` is not real or has no class.

    Notes
    -----
    The diagonal is y_i (1 - y_i). For the largest probability, 1 - y_i is the sum of the others, which keeps its
    relative precision where y_i rounds to 1.

    Examples
    --------
    >>> softmax_jacobian([1.0, 1.0])
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    rows, shape = _rows_of(x, temperature)
    jacobian = jacobian_rows(*shares(rows, temperature))
    if temperature != 1:
        jacobian /= temperature
    return jacobian.reshape(*shape, shape[-1])


def cross_entropy_gradient(x: ArrayLike, truth: ArrayLike, *, temperature: float = 1.0) -> Floats:
    """Return d (-log softmax(x / T)[truth]) / dx = (y - onehot(truth)) / T: the gradient of the loss.

    Parameters
    ----------
    x
        Logits, of shape (..., C).
    truth
        The index of the right class, shape (...), whole numbers from 0 to C - 1.
    temperature
        T > 0.

    Returns
    -------
    array
        The shape of `x`: negative for the right class, positive for the others; each row sums to 0.

    Raises
    ------
    ValueError
        If the temperature is not a positive finite number, `x` is not real or has no class, or `truth` does not fit.

    Notes
    -----
    If the right class is the largest, its y - 1 is minus the sum of the others, as in `softmax_jacobian`.

    Examples
    --------
    >>> cross_entropy_gradient([1.0, 1.0], 0)
    array([-0.5,  0.5])
    """
    rows, shape = _rows_of(x, temperature)
    right = np.asarray(truth)
    if right.dtype.kind not in "iu" or right.shape != shape[:-1]:
        raise ValueError(f"the truth must be whole numbers of shape {shape[:-1]}, not {right.dtype} of {right.shape}")
    if right.size and not (right.min() >= 0 and right.max() < shape[-1]):
        raise ValueError(f"the truth must be indices from 0 to {shape[-1] - 1}")
    gradient = gradient_rows(*shares(rows, temperature), right.reshape(-1))
    if temperature != 1:
        gradient /= temperature
    return np.ascontiguousarray(gradient.reshape(shape))


def energy(x: ArrayLike, *, axis: int = -1) -> Floats:
    """Return -log(sum(exp(x))): low for inputs like those of the training data, high for others.

    Parameters
    ----------
    x
        Logits, of any shape.
    axis
        The axis of the classes.

    Returns
    -------
    array
        The shape of `x` without the axis; float32 for float16 and float32, else float64.

    Raises
    ------
    ValueError
        If `x` is not of real numbers, or has no such axis.

    References
    ----------
    Liu, Wang, Owens and Li, "Energy-based out-of-distribution detection", NeurIPS 2020, arXiv:2010.03759.
    """
    rows, shape = _rows_of(np.moveaxis(np.asarray(x), axis, -1), 1)
    return energy_rows(rows).reshape(shape[:-1])


def energy_rows(logits: Floats) -> Floats:
    """Return -log(sum(exp(logits))) of each row of `logits`, shape (N, C)."""
    highest = logits.max(axis=1)
    # The energy of a row of -inf is +inf, which the shifted sum does not tell.
    finite = np.where(np.isfinite(highest), highest, 0)
    with np.errstate(divide="ignore"):
        return np.asarray(-(np.log(row_sums(np.exp(logits - finite[:, np.newaxis]))) + finite))


def computing_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype in which scores of `dtype` are computed: float32 for float16 and float32, else float64."""
    narrow = dtype.kind == "f" and dtype.itemsize <= 4
    return np.dtype(np.float32 if narrow else np.float64)


def exponentials(scores: Floats, temperature: float) -> tuple[Floats, Floats]:
    """Return exp((scores - row maximum) / T), shape (N, C), and its sum over each row, shape (N,).

    The softmax is their quotient. The exponential of the label is exactly 1, so its probability is 1 / sum.
    """
    powers = _shifted(scores, temperature)
    np.exp(powers, out=powers)
    return powers, row_sums(powers)


def shares(scores: Floats, temperature: float) -> tuple[Floats, Floats]:
    """Return the softmax y of each row, shape (N, C), and 1 - y, which is precise also where y rounds to 1."""
    powers, totals = exponentials(scores, temperature)
    with np.errstate(invalid="ignore"):
        probabilities = powers / totals[:, np.newaxis]
    complements = 1 - probabilities
    if len(scores):
        best = scores.argmax(axis=1)[:, np.newaxis]
        np.put_along_axis(powers, best, 0, axis=1)
        with np.errstate(invalid="ignore"):
            rest = row_sums(powers) / totals
        np.put_along_axis(complements, best, rest[:, np.newaxis], axis=1)
    return probabilities, complements


def jacobian_rows(probabilities: Floats, complements: Floats) -> Floats:
    """Return diag(y) - y yT of each row of `probabilities`, shape (N, C, C); `complements` are 1 - y."""
    y = np.ascontiguousarray(probabilities)
    jacobian: Floats = y[:, :, np.newaxis] * y[:, np.newaxis, :]
    np.subtract(0, jacobian, out=jacobian)  # the negative would hold -0
    classes = np.arange(y.shape[1])
    jacobian[:, classes, classes] = y * complements
    return jacobian


def gradient_rows(probabilities: Floats, complements: Floats, truth: NDArray[Any]) -> Floats:
    """Return y - onehot of each row of `probabilities`, shape (N, C); `truth` has the index of the right class."""
    gradient: Floats = probabilities.copy()
    right = truth[:, np.newaxis]
    np.put_along_axis(gradient, right, 0 - np.take_along_axis(complements, right, axis=1), axis=1)
    return gradient


def row_sums(rows: Floats) -> Floats:
    """Return the sum of each row of `rows`, shape (N, C).

    The sum of a row depends on that row alone, to the last bit. For few classes it is an explicit loop, because NumPy
    chooses the order of summation by the shape of the whole block.
    """
    classes = rows.shape[1]
    if classes > FEW_CLASSES:
        return np.asarray(np.ascontiguousarray(rows).sum(axis=1))
    totals: Floats = rows[:, 0].copy()
    for column in range(1, classes):
        totals += rows[:, column]
    return totals


def log_softmax_rows(scores: Floats, temperature: float) -> Floats:
    """Return the log-softmax of each row of `scores`, shape (N, C)."""
    _, totals = exponentials(scores, temperature)
    result = _shifted(scores, temperature)
    result -= np.log(totals)[:, np.newaxis]
    return result


def _shifted(scores: Floats, temperature: float) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        shifted: Floats = scores - scores.max(axis=1)[:, np.newaxis]
        if temperature != 1:
            shifted /= temperature
    return shifted


def _decay(scores: Floats) -> Floats:
    """Return exp(-abs(scores))."""
    decay: Floats = np.asarray(np.abs(scores))
    np.negative(decay, out=decay)
    np.exp(decay, out=decay)
    return decay


def _divided(scores: Floats, temperature: float) -> Floats:
    check_temperature(temperature, scores.dtype)
    if temperature == 1:
        return scores
    with np.errstate(over="ignore"):
        return scores / temperature


def _as_floats(x: ArrayLike) -> Floats:
    array = np.asarray(x)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"scores must be real numbers, not {array.dtype}")
    return array.astype(computing_dtype(array.dtype), copy=False)


def _rows_of(x: ArrayLike, temperature: float) -> tuple[Floats, tuple[int, ...]]:
    """Return `x`, with the classes on its last axis, as (N, C), and its shape."""
    array = _as_floats(x)
    rows, _ = _as_rows(array, -1, temperature)
    return rows, array.shape


def _as_rows(x: ArrayLike, axis: int, temperature: float) -> tuple[Floats, Callable[[Floats], Floats]]:
    """Return `x` as (N, C), in the memory order for C classes, and the function that restores the shape of a result."""
    array = _as_floats(x)
    check_temperature(temperature, array.dtype)
    if array.ndim == 0 or not -array.ndim <= axis < array.ndim:
        raise ValueError(f"softmax needs an axis of classes; the array has {array.ndim} dimensions, none is {axis}")
    if not array.shape[axis]:
        raise ValueError("softmax needs at least one class")
    moved = np.moveaxis(array, axis, -1)
    rows = in_block_order(moved.reshape(-1, moved.shape[-1]))

    def restore(result: Floats) -> Floats:
        return np.ascontiguousarray(np.moveaxis(result.reshape(moved.shape), -1, axis))

    return rows, restore


def in_block_order(rows: NDArray[Any], dtype: np.dtype[Any] | None = None) -> Floats:
    """Return `rows`, shape (N, C), in `dtype`, in the memory order that the kernels need: see `FEW_CLASSES`."""
    return np.asarray(rows, dtype, order="F" if rows.shape[1] <= FEW_CLASSES else "C")


def check_temperature(temperature: float, dtype: np.dtype[Any]) -> None:
    """Check a temperature.

    Raises
    ------
    ValueError
        If it is not a positive finite number in `dtype`.
    """
    with np.errstate(over="ignore", under="ignore"):
        if not 0 < dtype.type(temperature) < np.inf:
            raise ValueError(f"the temperature must be a positive finite number in {dtype}, not {temperature}")
