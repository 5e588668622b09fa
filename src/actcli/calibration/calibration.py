"""What every calibration has in common: how it is applied, and the checks of logits and truth. NumPy only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, assert_never

import numpy as np

from actcli.activations import in_block_order, sigmoid, softmax
from actcli.calibration.scaling import blocks
from actcli.tasks import Method, Task, enum_member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

Item = TypeVar("Item")
Found = TypeVar("Found")

__all__ = [
    "LARGEST_TOTAL",
    "NOTHING_LEFT",
    "ArrayProblem",
    "Calibration",
    "Problem",
    "checked_problem",
    "checked_weights",
    "each_class",
    "in_units",
    "scaled_logits",
]

EVERY = slice(None)
_GATHERED_BYTES = 1 << 25
"""The memory for all values of some classes."""

_CHANGED_BYTES = 1 << 27
"""The same for exclusive classes, where each pass computes the values of all classes."""


LARGEST_TOTAL = 1e300
"""The largest sum of weights, so that sums of numbers that are multiplied by them are floats."""

NOTHING_LEFT = "no row gives what is true of it a probability above 0"


class Calibration(ABC):
    """A fitted calibration: a frozen dataclass of plain numbers."""

    __slots__ = ()
    method: ClassVar[Method]

    @abstractmethod
    def calibrated(self, logits: Array, *, exclusive: bool) -> tuple[Array, bool]:
        """Return calibrated scores, shape (N, C), and whether they are probabilities; if not, they are logits.

        Parameters
        ----------
        logits
            Shape (N, C), float32 or float64, without NaN.
        exclusive
            Whether exactly one class of a row is true.
        """

    @abstractmethod
    def of_classes(self, classes: slice) -> Self:
        """Return the calibration of some classes that are not exclusive."""

    def probabilities(self, logits: ArrayLike, *, task: str = "softmax") -> NDArray[np.floating[Any]]:
        """Return calibrated probabilities.

        Parameters
        ----------
        logits
            Shape (N, C); for "binary" (N,), (N, 1) or (N, 2), whose second column is the positive class.
        task
            "softmax", "multilabel" or "binary", as in the fit.

        Returns
        -------
        array
            Shape (N, C); for "binary" (N, 1): of the positive class. In float32 for logits in float32, else float64.

        Raises
        ------
        ValueError
            If the shape is another one, the logits hold NaN, or there is no such task.
        """
        checked_task = enum_member(Task, task, "task")
        exclusive = _is_exclusive(checked_task)
        found, done = self.calibrated(_checked_logits(logits, checked_task), exclusive=exclusive)
        if done:
            return found
        return softmax(found) if exclusive else sigmoid(found)


class Problem(ABC):
    """What to fit: logits and truth, block by block, so that they need not be in memory."""

    exclusive: bool
    """Whether exactly one class of a row is true."""

    shape: tuple[int, int]
    """The numbers of rows and of classes."""

    weight_unit: float = 1.0
    """What the weights of the problem were divided by, so that their sum is near the number of rows."""

    @abstractmethod
    def weighted_blocks(
        self, work: Callable[[Array, Array, Array | None], Found], columns: slice = EVERY
    ) -> Iterator[Found]:
        """Yield `work(scores, truth, weights)` of one block of rows after the other.

        Parameters
        ----------
        work
            Takes finite logits or -inf, shape (n, C), float64, in the memory order of the activations; their truth: for
            exclusive classes codes, shape (n,), else where a class is true, shape (n, C), bool; and how much each row
            counts, shape (n,), float64, above 0, or None if all count once. It must not change them, and may run in any
            thread.
        columns
            The classes that are wanted; for exclusive classes, all of them.
        """

    def blocks(self, work: Callable[[Array, Array], Found], columns: slice = EVERY) -> Iterator[Found]:
        """Yield `work(scores, truth)` of one block of rows after the other, as `weighted_blocks` does."""
        return self.weighted_blocks(lambda scores, truth, _: work(scores, truth), columns)

    @abstractmethod
    def each(self, work: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
        """Yield `work(item)` of each item, in their order; it may run in any thread."""


class ArrayProblem(Problem):
    """A problem in memory.

    Parameters
    ----------
    scores, truth, exclusive
        As `Problem` has them, of all rows.
    like
        The problem whose threads do the work.
    weights, weight_unit
        How much each row counts, shape (N,), float64, above 0, in this unit; None if all count once.
    """

    def __init__(
        self,
        scores: Array,
        truth: Array,
        *,
        exclusive: bool,
        like: Problem | None = None,
        weights: Array | None = None,
        weight_unit: float = 1.0,
    ) -> None:
        self.scores, self.truth, self.exclusive = scores, truth, exclusive
        self.shape = scores.shape[0], scores.shape[1]
        self._like = like
        self.weights, self.weight_unit = weights, weight_unit

    def weighted_blocks(
        self, work: Callable[[Array, Array, Array | None], Found], columns: slice = EVERY
    ) -> Iterator[Found]:
        """Yield `work(scores, truth, weights)` of one block of rows after the other."""

        def worked(block: slice) -> Found:
            scores, truth = self.scores[block], self.truth[block]
            if not self.exclusive:
                scores, truth = scores[:, columns], truth[:, columns]
            return work(in_block_order(scores), truth, None if self.weights is None else self.weights[block])

        return self.each(worked, blocks(*self.shape))

    def each(self, work: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
        """Yield `work(item)` of each item, in their order."""
        return map(work, items) if self._like is None else self._like.each(work, items)


def each_class(
    problem: Problem,
    work: Callable[[Array, Array, Array | None], Found],
    change: Callable[[Array], Array] | None = None,
) -> list[Found]:
    """Return `work(values, true, weights)` of each class: all values of it, where it is true, and weights, shape (N,).

    The values are those of the problem or, for exclusive classes, what `change` makes of the rows, shape (n, C). Some
    classes are gathered at once, so one pass over the rows is made for these.
    """
    rows, classes = problem.shape
    room = _CHANGED_BYTES if problem.exclusive else _GATHERED_BYTES
    at_once = max(1, room // ((np.dtype(np.float64).itemsize + 1) * max(1, rows)))
    found: list[Found] = []
    for first in range(0, classes, at_once):
        wanted = slice(first, min(first + at_once, classes))
        values = np.empty((wanted.stop - first, rows))
        true = np.empty(values.shape, dtype=np.bool_)

        def columns(
            scores: Array, truth: Array, weights: Array | None, wanted: slice = wanted
        ) -> tuple[Array, Array, Array | None]:
            if problem.exclusive:
                changed = scores if change is None else change(scores)
                codes = np.arange(wanted.start, wanted.stop)[:, np.newaxis]
                return changed[:, wanted].T, truth == codes, weights
            return scores.T, truth.T, weights

        place = 0
        parts: list[Array] = []
        for some, where, weights in problem.weighted_blocks(columns, wanted):
            end = place + some.shape[1]
            values[:, place:end], true[:, place:end] = some, where
            parts += [] if weights is None else [weights]
            place = end
        every = np.concatenate(parts) if parts else None
        found += problem.each(partial(_worked_class, work, values, true, every), range(len(values)))
    return found


def _worked_class(
    work: Callable[[Array, Array, Array | None], Found], values: Array, true: Array, weights: Array | None, number: int
) -> Found:
    return work(values[number], true[number], weights)


def in_units(weights: Array | None) -> tuple[float, Array | None]:
    """Return a power of 2, and weights over it, whose mean is near 1, so that no product of sums leaves the range."""
    if weights is None:
        return 1.0, None
    exponent = int(np.frexp(weights.mean())[1])
    return float(np.ldexp(1.0, exponent)), np.ldexp(weights, -exponent)


def checked_weights(weights: ArrayLike | None, rows: int) -> Array | None:
    """Return weights as float64, shape (rows,); None stands for no weights.

    Raises
    ------
    ValueError
        If they are not as many finite numbers, one of them is negative, or all are 0.
    """
    if weights is None:
        return None
    found = np.asarray(weights)
    if found.shape != (rows,) or found.dtype.kind not in "biuf":
        raise ValueError(f"weights must be one number for each of {rows} rows, not {found.dtype} of {found.shape}")
    found = found.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        total = found.sum()
    if not ((found >= 0) & (found < np.inf)).all() or not 0 < total <= LARGEST_TOTAL:
        raise ValueError(f"weights must be finite, not negative and not all 0, and their sum at most {LARGEST_TOTAL:g}")
    return found


def _is_exclusive(task: Task) -> bool:
    match task:
        case Task.SOFTMAX:
            return True
        case Task.MULTILABEL | Task.BINARY:  # binary: the positive class alone
            return False
        case _:
            assert_never(task)


def _checked_logits(logits: ArrayLike, task: Task) -> Array:
    """Return logits as a table of floats, with one column for "binary"."""
    table = np.asarray(logits)
    if table.dtype.kind not in "fiu":
        raise ValueError(f"logits must be real numbers, not {table.dtype}")
    table = table.astype(table.dtype if table.dtype in (np.float32, np.float64) else np.float64, copy=False)
    binary = task is Task.BINARY
    if binary and table.ndim == 1:
        table = table[:, np.newaxis]
    if table.ndim != 2 or not table.shape[1] or (binary and table.shape[1] > 2):
        raise ValueError(f"the logits of {task.value} cannot have the shape {np.shape(logits)}")
    if binary and table.shape[1] == 2:
        with np.errstate(invalid="ignore", over="ignore"):
            table = table[:, 1:] - table[:, :1]
    if np.isnan(table).any():
        raise ValueError("the logits hold NaN")
    return table


def checked_problem(logits: ArrayLike, truth: ArrayLike, task: str, weights: ArrayLike | None = None) -> ArrayProblem:
    """Return what to fit; parameters and errors are those of `fit_temperature`."""
    checked_task = enum_member(Task, task, "task")
    exclusive = _is_exclusive(checked_task)
    scores = _checked_logits(logits, checked_task).astype(np.float64, copy=False)
    true = _whole(truth)
    if exclusive:
        if true.shape != (len(scores),) or true.dtype.kind == "b":
            raise ValueError(f"the truth must be one class index for each of {len(scores)} rows")
        if true.size and not 0 <= true.min() <= true.max() < scores.shape[1]:
            raise ValueError(f"the truth must be class indices from 0 to {scores.shape[1] - 1}")
        if np.isposinf(scores).any():
            raise ValueError("the logits hold an infinity")
        true = true.astype(np.int64, copy=False)
    else:
        true = true[:, np.newaxis] if checked_task is Task.BINARY and true.ndim == 1 else true
        if true.shape != scores.shape or ((true != 0) & (true != 1)).any():
            raise ValueError(f"the truth must be 0 or 1 for each cell of the shape {scores.shape}")
        true = true.astype(np.bool_, copy=False)
    if not len(scores):
        raise ValueError("there are no rows to fit")
    unit, each = in_units(checked_weights(weights, len(scores)))
    if each is not None and not each.all():
        scores, true, each = scores[each > 0], true[each > 0], each[each > 0]
    return ArrayProblem(scores, true, exclusive=exclusive, weights=each, weight_unit=unit)


def _whole(truth: ArrayLike) -> Array:
    """Return the truth as whole numbers; floats are accepted if they are whole."""
    true = np.asarray(truth)
    if true.dtype.kind == "f" and (true == np.floor(true)).all():
        true = true.astype(np.int64)
    if true.dtype.kind not in "biu":
        raise ValueError(f"the truth must be whole numbers, not {true.dtype}")
    return true


def scaled_logits(logits: Array, slope: tuple[float, ...], intercept: tuple[float, ...]) -> Array:
    """Return ``slope * logits + intercept``, shape (N, C); infinite logits are kept, finite ones stay finite."""
    most = np.finfo(logits.dtype).max
    with np.errstate(invalid="ignore", over="ignore"):
        result: Array = logits * np.array(slope, dtype=logits.dtype)
        result += np.array(intercept, dtype=logits.dtype)
    np.clip(result, -most, most, out=result)
    infinite = np.isinf(logits)
    if infinite.any():
        result[infinite] = logits[infinite]
    return result
