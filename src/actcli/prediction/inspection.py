"""Counts of the numbers of a table, what the numbers look like, and the command that fits them.

No number is an error here: NaN and infinities are counted. What the numbers look like decides nothing: the proposed
command says it with ``--from``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import numpy as np

from actcli.activations import in_block_order, row_sums
from actcli.prediction.decisions import argmax
from actcli.prediction.output_columns import printable
from actcli.prediction.validation import SUM_TOLERANCE, SUSPICIOUS_SUM
from actcli.tasks import Origin, Task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from actcli.formats import Inputs
    from actcli.streaming.batch import Batch, Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = [
    "Advice",
    "ClassFacts",
    "Facts",
    "Inspection",
    "InspectionSink",
    "ReadableRows",
    "Tally",
    "advice",
    "facts",
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


@dataclass(slots=True)
class Inspection:
    """The counts of a table, added up over all of its rows.

    Parameters
    ----------
    classes
        Their names.
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

    classes: tuple[str, ...]
    rows: dict[str, int] = field(default_factory=dict)
    nan: Array = field(init=False)
    infinite: Array = field(init=False)
    masked: Array = field(init=False)
    best: Array = field(init=False)
    least: Array = field(init=False)
    most: Array = field(init=False)
    total: Array = field(init=False)

    def __post_init__(self) -> None:
        self.classes = tuple(self.classes)
        count = len(self.classes)
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
        for kind, count in found.rows.items():
            self.rows[kind] = self.count(kind) + count
        self.nan = self.nan + found.nan
        self.infinite = self.infinite + found.infinite
        self.masked = self.masked + found.masked
        self.best = self.best + found.best
        self.least = np.minimum(self.least, found.least)
        self.most = np.maximum(self.most, found.most)

    def count(self, kind: str) -> int:
        """Return how many rows there are of a kind."""
        return self.rows.get(kind, 0)

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


class Advice(NamedTuple):
    """What the numbers look like, and the command that fits them."""

    looks: Origin | None
    """None without usable rows."""
    command: str
    options: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    other: Advice | None = None
    """Another command that fits as well."""


def advice(inspection: Inspection, *, origin: Origin | None = None, left_out: int = 0) -> Advice:
    """Return the command that fits the numbers.

    Parameters
    ----------
    inspection
        Of all rows.
    origin
        What the numbers are, if the user says so.
    left_out
        How many rows could not be read.
    """
    classes = len(inspection.classes)
    exclusive = Task.BINARY if classes <= 2 else Task.SOFTMAX
    independent = Task.BINARY if classes == 1 else Task.MULTILABEL
    skipping = left_out + inspection.count("rows") - inspection.count("usable") > 0
    remarks = _remarks(inspection)

    def fitting(looks: Origin, task: Task, *more: str, other: Advice | None = None) -> Advice:
        options = () if looks is Origin.LOGITS else ("--from", str(looks))
        every_class_masked = task is not Task.MULTILABEL and classes > 1 and inspection.count("all_masked") > 0
        bad = ("--on-bad-row", "skip") if skipping or every_class_masked else ()
        return Advice(looks, str(task), (*options, *more, *bad), remarks, other)

    if "probability" in inspection.classes and any(name.startswith("p_") for name in inspection.classes):
        # The columns have the names that actcli itself writes.
        return Advice(Origin.PROBABILITIES, "inspect", ("--classes", "p_*"), remarks)
    if not inspection.count("usable"):
        return Advice(None, str(exclusive), remarks=remarks)
    if origin in (None, Origin.PROBABILITIES) and classes > 1 and inspection.all("nearly_shares"):
        return fitting(Origin.PROBABILITIES, exclusive, *(() if inspection.all("shares") else ("--renormalize",)))
    if origin in (None, Origin.LOG_PROBABILITIES) and classes > 1 and inspection.all("log_shares"):
        return fitting(Origin.LOG_PROBABILITIES, exclusive)
    if origin is not None or inspection.all("in_range"):
        return fitting(origin or Origin.PROBABILITIES, independent)
    if classes == 1:
        return fitting(Origin.LOGITS, Task.BINARY)
    return fitting(Origin.LOGITS, exclusive, other=fitting(Origin.LOGITS, Task.MULTILABEL))


def _remarks(inspection: Inspection) -> tuple[str, ...]:
    """Return what else a user should know about the numbers."""
    found = []
    if inspection.all("zeros_and_ones"):
        found.append("every number is 0 or 1: a truth file rather than scores?")
    if inspection.count("rows") and inspection.classes == tuple(map(str, range(len(inspection.classes)))):
        found.append("the classes have no names: --class-names FILE, or a,b,c, gives them some")
    return tuple(found)


class ClassFacts(TypedDict):
    """What is found of a class, as JSON has it."""

    min: float | None
    mean: float | None
    max: float | None
    nan: int
    infinities: int
    masked: int
    largest: int


Facts = TypedDict(
    "Facts",
    {
        "files": list[str],
        "format": str,
        "rows": int,
        "rows_left_out": int,
        "classes": int,
        "names": list[str],
        "dtype": str,
        "carried": list[str],
        "min": float | None,
        "max": float | None,
        "mean": float | None,
        "nan": int,
        "infinities": int,
        "masked": int,
        "ties": int,
        "share_in_0_1": float | None,
        "share_summing_to_1": float | None,
        "suggests": str | None,
        "remarks": list[str],
        "next": str | None,
        "or": str | None,
        "per_class": dict[str, ClassFacts],
    },
)
"""What is found in a table, as JSON has it."""


def facts(inspection: Inspection, inputs: Inputs, found: Advice, commands: Sequence[str], left_out: int) -> Facts:
    """Return what is found in a table, as JSON has it.

    Parameters
    ----------
    inspection
        Of all rows.
    inputs
        Where they come from.
    found
        What the numbers look like.
    commands
        The command to type next, and perhaps another one that fits as well.
    left_out
        How many rows could not be read.
    """
    return {
        "files": [printable(name) for name in inputs.names],
        "format": inputs.formats[0],
        "rows": inspection.count("rows"),
        "rows_left_out": left_out,
        "classes": len(inspection.classes),
        "names": list(inspection.classes),
        "dtype": str(inputs.stored),
        "carried": [column.name for column in inputs.layout.carried],
        "min": _finite(inspection.least.min()),
        "max": _finite(inspection.most.max()),
        "mean": _finite(inspection.mean),
        "nan": int(inspection.nan.sum()),
        "infinities": int(inspection.infinite.sum()),
        "masked": int(inspection.masked.sum()),
        "ties": inspection.count("ties"),
        "share_in_0_1": inspection.share("in_range"),
        "share_summing_to_1": inspection.share("sum_to_1"),
        "suggests": found.looks,
        "remarks": list(found.remarks),
        "next": commands[0] if commands else None,
        "or": commands[1] if len(commands) > 1 else None,
        "per_class": _class_facts(inspection),
    }


def _class_facts(inspection: Inspection) -> dict[str, ClassFacts]:
    means = inspection.means
    return {
        name: {
            "min": _finite(inspection.least[number]),
            "mean": _finite(means[number]),
            "max": _finite(inspection.most[number]),
            "nan": int(inspection.nan[number]),
            "infinities": int(inspection.infinite[number]),
            "masked": int(inspection.masked[number]),
            "largest": int(inspection.best[number]),
        }
        for number, name in enumerate(inspection.classes)
    }


def _finite(value: float) -> float | None:
    """Return a number as JSON has it: None if it is not finite."""
    return float(value) if math.isfinite(value) else None
