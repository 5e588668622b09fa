"""Counts of the numbers of a table. No number is an error here: NaN and infinities are counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.activations import in_block_order, row_sums
from actcli.prediction.decisions import argmax
from actcli.prediction.validation import SUM_TOLERANCE, SUSPICIOUS_SUM

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from actcli.streaming.batch import Batch, Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = [
    "Inspection",
    "InspectionSink",
    "ReadableRows",
    "Tally",
    "tally",
]


@dataclass(frozen=True, slots=True)
class ReadableRows:
    """The plan of an inspection: the rows that can be read, as they are.

    Parameters
    ----------
    skip
        Whether unreadable rows are left out; otherwise the first of them ends the table.
    """

    skip: bool

    def decide(self, batch: Batch) -> Batch:
        """Return the rows to inspect."""
        return batch if self.skip else batch.until_fault()


class Tally(NamedTuple):
    """The counts of a batch; those of each class have shape (C,)."""

    rows: dict[str, int]
    """How many rows there are of each kind: see `Inspection`."""
    nan: Array
    infinite: Array
    masked: Array
    best: Array
    least: Array
    most: Array
    finite: Array
    """The numbers themselves, shape (N, C), 0 in place of those that are not finite."""


def tally(batch: Batch) -> Tally:
    """Return the counts of a batch, computed in float64."""
    scores = in_block_order(batch.scores.astype(np.float64))
    count = scores.shape[1]
    nan, infinite, masked = (np.zeros(count, dtype=np.int64) for _ in range(3))
    if not count:
        nothing = np.empty(0)
        return Tally({"rows": len(scores)}, nan, infinite, masked, nan, nothing, nothing, scores)
    rows = lowest = highest = finite = scores
    if not np.isfinite(scores).all():
        strange = np.isnan(scores), np.isposinf(scores), np.isneginf(scores)
        nan, infinite, masked = (found.sum(axis=0) for found in strange)
        # A row with NaN or +inf, which no command takes, is of no other kind.
        rows = scores[~(strange[0] | strange[1]).any(axis=1)]
        all_finite = np.isfinite(scores)
        lowest, highest = np.where(all_finite, scores, np.inf), np.where(all_finite, scores, -np.inf)
        finite = np.where(all_finite, scores, 0)
    best = rows.max(axis=1)
    possible = best > -np.inf
    kinds = _kinds(rows, best) | {
        "rows": len(scores),
        "usable": len(rows),
        "ties": int(np.count_nonzero(((rows == best[:, np.newaxis]).sum(axis=1) > 1) & possible)),
        "all_masked": int(np.count_nonzero(~possible)),
    }
    return Tally(
        kinds,
        nan,
        infinite,
        masked,
        np.bincount(argmax(rows)[possible], minlength=count),
        lowest.min(axis=0, initial=np.inf),
        highest.max(axis=0, initial=-np.inf),
        finite,
    )


def _kinds(rows: Array, best: Array) -> dict[str, int]:
    """Return how many of `rows`, whose largest numbers are `best`, are of each kind: see `Inspection`.

    Most rows are logits: they fail the first checks, so that the later ones look at few rows.
    """
    in_range = (best <= 1) & (rows.min(axis=1) >= 0)
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.abs(row_sums(rows) - 1)
    within = rows[in_range]
    log_off = np.abs(row_sums(np.exp(rows[best <= 0])) - 1)
    kinds = {
        "in_range": in_range,
        "sum_to_1": off <= SUM_TOLERANCE,
        "shares": off[in_range] <= SUM_TOLERANCE,
        "nearly_shares": off[in_range] <= SUSPICIOUS_SUM,
        "log_shares": log_off <= SUM_TOLERANCE,
        "zeros_and_ones": ((within == 0) | (within == 1)).all(axis=1),
    }
    return {name: int(np.count_nonzero(found)) for name, found in kinds.items()}


class Inspection:
    """The counts of a table, added up over all of its rows.

    Parameters
    ----------
    classes
        Their names.

    Attributes
    ----------
    rows
        How many rows there are of each kind. "rows" are all; "usable" are those without NaN and +inf. Of the usable
        ones, "ties" have several largest numbers; "all_masked" are -inf throughout; "in_range" are within [0, 1];
        "sum_to_1" do so to the tolerance of ``--from probabilities``; "shares" are both of these; "nearly_shares" are
        the same to a wider tolerance; "log_shares" have exponentials that are shares; "zeros_and_ones" hold no other
        number.
    nan, infinite, masked
        How often each class is NaN, +inf and -inf, shape (C,).
    best
        In how many rows each class has the largest number; the first of equal ones counts. Shape (C,).
    least, most, total
        The smallest and the largest finite number of each class, and the sum of its finite numbers, shape (C,).
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        count = len(self.classes)
        self.rows: Counter[str] = Counter()
        self.nan, self.infinite, self.masked, self.best = (np.zeros(count, dtype=np.int64) for _ in range(4))
        self.least, self.most, self.total = np.full(count, np.inf), np.full(count, -np.inf), np.zeros(count)

    def add(self, found: Tally) -> None:
        """Add the counts of the next batch."""
        self._add_counts(found)
        with np.errstate(over="ignore", invalid="ignore"):
            # Row after row: so the sum does not depend on where the chunks begin.
            self.total = np.add.accumulate(np.vstack([self.total, found.finite]), axis=0)[-1]

    def merge(self, other: Inspection) -> None:
        """Add the counts of other rows of the same table.

        Raises
        ------
        ValueError
            If it has other classes.
        """
        if other.classes != self.classes:
            raise ValueError("inspections of different classes cannot be merged")
        self._add_counts(other)
        with np.errstate(over="ignore", invalid="ignore"):
            self.total = self.total + other.total

    def _add_counts(self, found: Tally | Inspection) -> None:
        self.rows.update(found.rows)
        self.nan = self.nan + found.nan
        self.infinite = self.infinite + found.infinite
        self.masked = self.masked + found.masked
        self.best = self.best + found.best
        self.least = np.minimum(self.least, found.least)
        self.most = np.maximum(self.most, found.most)

    def count(self, kind: str) -> int:
        """Return how many rows there are of a kind."""
        return self.rows[kind]

    def share(self, kind: str) -> float | None:
        """Return the share of all rows that is of a kind; None without rows."""
        return self.count(kind) / self.count("rows") if self.count("rows") else None

    def all(self, kind: str) -> bool:
        """Return whether all usable rows are of a kind; False without usable rows."""
        return self.count(kind) == self.count("usable") > 0

    @property
    def finite(self) -> Array:
        """How many finite numbers each class has, shape (C,)."""
        return self.count("rows") - self.nan - self.infinite - self.masked

    @property
    def means(self) -> Array:
        """The mean of the finite numbers of each class, shape (C,); NaN where there is none."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.total / self.finite)

    @property
    def mean(self) -> float:
        """The mean of all finite numbers; NaN without any."""
        with np.errstate(over="ignore", invalid="ignore"):
            return float(self.total.sum() / np.float64(self.finite.sum()))


@dataclass(frozen=True, slots=True)
class _TallyEncoder:
    """Counts batches."""

    def encode(self, batch: Batch) -> Tally:
        """Return the counts of a batch."""
        return tally(batch)


class InspectionSink:
    """Adds up the counts of a table.

    Parameters
    ----------
    inspection
        Where they are added.
    """

    encoder = _TallyEncoder()

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection

    def open(self, layout: Layout) -> int:  # noqa: ARG002
        """Return 0: nothing goes out."""
        return 0

    def accept(self, encoded: Tally, start: int) -> None:  # noqa: ARG002
        """Add the counts of the next batch."""
        self._inspection.add(encoded)

    def finish(self) -> None:
        """Do nothing."""
