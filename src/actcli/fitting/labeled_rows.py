"""The rows of a fit with their true labels: the sink that gathers them, and the rows that are held out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from actcli.activations import computing_dtype, in_block_order
from actcli.errors import DataError
from actcli.metrics.parallel import in_order
from actcli.prediction.class_columns import Arrangement
from actcli.streaming.spooled_scores import SpooledScoreStore, rows_in_block
from actcli.tasks import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from actcli.evaluation.truth import Truth
    from actcli.prediction.plan import PredictionPlan
    from actcli.streaming.batch import Batch, Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

Found = TypeVar("Found")

__all__ = ["GivenRows", "LabeledRows", "LabeledRowsEncoder", "LabeledRowsSink", "hold_out", "own_dtype"]

_CELLS = 1 << 18
"""About how many numbers are worked on at once."""


class LabeledRows(NamedTuple):
    """Rows and their true labels, which are read block by block.

    Parameters
    ----------
    given
        The numbers of the input, N rows of C, in their own precision; (negative, positive) for binary.
    classes
        C.
    block_rows
        The number of rows in a block of the stores.
    codes
        The true class of each row, shape (N,), in the smallest dtype; None for multilabel.
    labels
        For multilabel: where a label is true, N rows of packed bits.
    taken
        Which rows these are, shape (N,), bool; None is all of them.
    jobs
        The number of threads that work on them; None is the number of processors.
    """

    given: SpooledScoreStore
    classes: int
    block_rows: int
    codes: Array | None
    labels: SpooledScoreStore | None
    taken: Array | None = None
    jobs: int | None = 1

    @property
    def size(self) -> int:
        """The number of rows."""
        return self.given.rows if self.taken is None else int(np.count_nonzero(self.taken))

    def take(self, numbers: Array) -> LabeledRows:
        """Return the rows with these numbers, in the order of all rows."""
        taken = np.zeros(self.given.rows, dtype=np.bool_)
        taken[numbers] = True
        return self._replace(taken=taken)

    def true_codes(self) -> Array:
        """Return the true class of each row, shape (N,), in the smallest dtype; not for multilabel."""
        assert self.codes is not None
        return self.codes if self.taken is None else self.codes[self.taken]

    def true_counts(self) -> list[int]:
        """Return for each class the number of rows of which it is true."""
        if self.codes is not None:
            return list(map(int, np.bincount(self.true_codes(), minlength=self.classes)))
        counts = self.blocks(lambda _, truth: np.count_nonzero(truth, axis=0))
        return list(map(int, sum(counts, np.zeros(self.classes, dtype=np.int64))))

    def blocks(self, work: Callable[[Array, Array], Found]) -> Iterator[Found]:
        """Yield `work(given, truth)` of one block of rows after the other, in order; it may run in any thread.

        The blocks do not depend on how the rows arrived. `given` has the shape (n, C), float64, in the memory order of
        the activations; it must not be changed. `truth` has codes, shape (n,), int64, or for multilabel where a label
        is true, shape (n, C), bool.
        """
        for found in in_order(lambda number: self._worked(work, number), range(self.given.count), self.jobs):
            yield from found

    def _worked(self, work: Callable[[Array, Array], Found], number: int) -> list[Found]:
        """Return the results for a block of the store, in smaller blocks that stay in the cache."""
        given = self.given.block(number)
        first = number * self.block_rows
        packed = None if self.labels is None else self.labels.block(number)
        step = max(1, _CELLS // self.classes)
        found = []
        for start in range(0, len(given), step):
            rows: Any = slice(start, min(start + step, len(given)))
            if self.taken is not None:
                rows = start + np.flatnonzero(self.taken[first + rows.start : first + rows.stop])
                if not len(rows):
                    continue
            numbers = in_block_order(given[rows], np.dtype(np.float64))
            found.append(work(numbers, self._truth(rows, first, packed)))
        return found

    def _truth(self, rows: Any, first: int, packed: Array | None) -> Array:
        if packed is not None:
            return np.unpackbits(np.ascontiguousarray(packed[rows]), axis=1, count=self.classes).view(np.bool_)
        assert self.codes is not None
        return np.asarray(self.codes[first : first + self.block_rows][rows], dtype=np.int64)


class GivenRows(NamedTuple):
    """The rows of a chunk before their truth is known: the batch, and its numbers, shape (N, C)."""

    batch: Batch
    given: Array


@dataclass(frozen=True, slots=True)
class LabeledRowsEncoder:
    """Takes the given numbers out of a decided batch.

    Parameters
    ----------
    dtype
        The dtype that holds them exactly.
    """

    dtype: np.dtype[Any]

    def encode(self, batch: Batch) -> GivenRows:
        """Return the batch and its numbers."""
        return GivenRows(batch, batch.values["given"].astype(self.dtype))


class LabeledRowsSink:
    """Gathers all rows with their truth, once, in their own precision: a sink. It can be pickled and merged.

    Parameters
    ----------
    truth
        The true labels.
    dtype
        The smallest dtype that holds the numbers exactly.
    kept
        The most bytes of numbers to keep in memory; the others go to a temporary file.
    """

    def __init__(self, truth: Truth, dtype: np.dtype[Any], kept: int) -> None:
        self.encoder = LabeledRowsEncoder(dtype)
        self._truth = truth
        self._dtype, self._kept = dtype, kept
        self._codes: list[Array] = []

    def open(self, layout: Layout) -> int:
        """Return 0: nothing is written."""
        classes = len(layout.classes)
        self._classes = classes
        self._block_rows = rows_in_block(classes, self._dtype)
        self._given = SpooledScoreStore(self._dtype, self._kept, self._block_rows)
        self._labels = SpooledScoreStore(np.uint8, self._kept // 4, self._block_rows)
        self._code = np.min_scalar_type(max(0, classes - 1))
        return 0

    def accept(self, encoded: GivenRows, start: int) -> None:
        """Keep the next rows and their truth; the first row of their chunk is number `start` of the table."""
        rows, truth = self._truth.match(encoded.batch, start)
        if truth.ndim == 1:
            self._codes.append(truth.astype(self._code))
        else:
            self._labels.append(np.packbits(truth, axis=1))
        self._given.append(encoded.given if rows is None else encoded.given[rows])

    def finish(self) -> None:
        """Do nothing: `rows` returns the rows."""

    def merge(self, other: LabeledRowsSink) -> None:
        """Add the rows of another sink, which follow the rows of this one.

        Raises
        ------
        DataError
            If a row of both has the same id in the file of truths.
        """
        self._truth.merge(other._truth)
        for own, others in ((self._given, other._given), (self._labels, other._labels)):
            for block in others.blocks():
                own.append(block)
        self._codes += other._codes

    def rows(self, jobs: int | None = 1) -> LabeledRows:
        """Return all rows; there must be at least one. `jobs` threads work on them."""
        codes = np.concatenate(self._codes) if self._codes else None
        labels = self._labels if codes is None else None
        return LabeledRows(self._given, self._classes, self._block_rows, codes, labels, None, jobs)


def own_dtype(layout: Layout, plan: PredictionPlan) -> np.dtype[Any]:
    """Return the smallest dtype that holds the given numbers of a plan exactly; `layout` is that of the input."""
    computed = plan.arrangement is Arrangement.WITH_NEGATIVE and plan.scoring.origin is not Origin.LOGITS
    return plan.layout.dtype if computed else computing_dtype(layout.dtype)


def hold_out(rows: LabeledRows, share: str | None, seed: int) -> tuple[LabeledRows, LabeledRows | None]:
    """Return the rows to fit, and the rows that are held out: a random share.

    Parameters
    ----------
    rows
        All rows.
    share
        A decimal number above 0 and below 1: this share of the rows, rounded up, is held out. None holds out no rows.
    seed
        The seed of the random numbers: the same seed holds out the same rows.

    Raises
    ------
    DataError
        If no row would be left to fit.
    """
    if share is None:
        return rows, None
    count = math.ceil(Fraction(share) * rows.size)
    if count >= rows.size:
        raise DataError(
            f"{rows.size} row{'' if rows.size == 1 else 's'} cannot be divided to keep {share} of them apart"
        )
    order = np.random.default_rng(seed).permutation(rows.size)
    return rows.take(order[count:]), rows.take(order[:count])
