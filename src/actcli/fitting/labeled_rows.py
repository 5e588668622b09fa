"""The rows of a fit with their true labels: the sink that gathers them in memory, and the rows that are held out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.errors import DataError

if TYPE_CHECKING:
    from typing import TypeAlias

    from actcli.evaluation.truth import Truth
    from actcli.streaming.batch import Batch, Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["GivenRows", "LabeledRows", "LabeledRowsEncoder", "LabeledRowsSink", "hold_out"]


@dataclass(frozen=True, slots=True)
class LabeledRows:
    """Rows and their true labels.

    Parameters
    ----------
    given
        The numbers of the input, shape (N, C), float64; (negative, positive) for binary.
    truth
        Codes, shape (N,), int64; for multilabel where a label is true, shape (N, C), bool.
    """

    given: Array
    truth: Array

    def __len__(self) -> int:
        return len(self.given)

    def take(self, numbers: Array) -> LabeledRows:
        """Return the rows with these numbers."""
        return LabeledRows(self.given[numbers], self.truth[numbers])

    def counts(self, classes: int) -> list[int]:
        """Return for each class the number of rows of which it is true."""
        if self.truth.ndim == 2:
            return [int(count) for count in np.count_nonzero(self.truth, axis=0)]
        return [int(count) for count in np.bincount(self.truth, minlength=classes)]


class GivenRows(NamedTuple):
    """The rows of a chunk before their truth is known: the batch, and its numbers, shape (N, C), float64."""

    batch: Batch
    given: Array


@dataclass(frozen=True, slots=True)
class LabeledRowsEncoder:
    """Takes the given numbers out of a decided batch."""

    def encode(self, batch: Batch) -> GivenRows:
        """Return the batch and its numbers."""
        return GivenRows(batch, np.ascontiguousarray(batch.values["given"]))


class LabeledRowsSink:
    """Gathers all rows with their truth, eight bytes for each number: a sink. It can be pickled and merged.

    Parameters
    ----------
    truth
        The true labels.
    """

    def __init__(self, truth: Truth) -> None:
        self.encoder = LabeledRowsEncoder()
        self._truth = truth
        self._given: list[Array] = []
        self._truths: list[Array] = []

    def open(self, layout: Layout) -> int:  # noqa: ARG002  the rows are kept, not written
        """Return 0: nothing is written."""
        return 0

    def accept(self, encoded: GivenRows, start: int) -> None:
        """Keep the next rows and their truth; the first row of their chunk is number `start` of the table."""
        rows, truth = self._truth.match(encoded.batch, start)
        self._truths.append(truth)
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
        self._given += other._given
        self._truths += other._truths

    def rows(self) -> LabeledRows:
        """Return all rows and forget them; there must be at least one."""
        given, self._given = np.concatenate(self._given), []
        truth, self._truths = np.concatenate(self._truths), []
        return LabeledRows(given, truth)


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
    count = math.ceil(Fraction(share) * len(rows))
    if count >= len(rows):
        raise DataError(
            f"{len(rows)} row{'' if len(rows) == 1 else 's'} cannot be divided to keep {share} of them apart"
        )
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows.take(np.sort(order[count:])), rows.take(np.sort(order[:count]))
