"""What is in a table of numbers, what they look like, and which command they are for.

Nothing is refused here: NaN and infinities are counted. What the numbers look like is only said; the command that is
proposed says it with ``--from``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.activations import in_block_order, row_sums
from actcli.prediction.decisions import argmax
from actcli.prediction.output_columns import printable
from actcli.prediction.validation import SUM_TOLERANCE, SUSPICIOUS_SUM

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from actcli.formats import Inputs
    from actcli.streaming.batch import Batch, Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = [
    "LOGITS",
    "LOG_PROBABILITIES",
    "PROBABILITIES",
    "Advice",
    "Inspection",
    "InspectionSink",
    "Tally",
    "advice",
    "facts",
    "tally",
]

LOGITS, PROBABILITIES, LOG_PROBABILITIES = "logits", "probabilities", "log-probabilities"


class Tally(NamedTuple):
    """What is counted in a batch; what is of each class has shape (C,)."""

    rows: dict[str, int]
    """How many rows there are of each kind, see `Inspection`."""
    nan: Array
    infinite: Array
    masked: Array
    best: Array
    least: Array
    most: Array
    finite: Array
    """The numbers themselves, shape (N, C), 0 in place of those that are not finite."""


def tally(batch: Batch) -> Tally:
    """Return what is counted in a batch, in float64."""
    scores = in_block_order(batch.scores.astype(np.float64))
    count = scores.shape[1]
    nan, infinite, masked = (np.zeros(count, dtype=np.int64) for _ in range(3))
    rows = lowest = highest = finite = scores
    if not np.isfinite(scores).all():
        strange = np.isnan(scores), np.isposinf(scores), np.isneginf(scores)
        nan, infinite, masked = (found.sum(axis=0) for found in strange)
        # A row with a number that no command takes is of no other kind.
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
    """Return how many rows look like what; most are logits, and of these little has to be looked at."""
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
    """What is counted in a table, over all of its rows.

    Parameters
    ----------
    classes
        Their names.

    Attributes
    ----------
    rows
        How many there are: "rows" in all; "usable", without NaN and +inf; and of these "ties", with several largest
        numbers; "all_masked", -inf throughout; "in_range", within [0, 1]; "sum_to_1", to the tolerance of ``--from
        probabilities``; "shares", both of these; "nearly_shares", the same to a wider tolerance; "log_shares", whose
        exponentials are shares; "zeros_and_ones", of nothing else.
    nan, infinite, masked
        Of each class, how often it is NaN, +inf and -inf.
    best
        In how many rows it has the largest number, being the first of those.
    least, most
        Its smallest and largest finite number.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        count = len(self.classes)
        self.rows: dict[str, int] = {}
        self.nan, self.infinite, self.masked, self.best = (np.zeros(count, dtype=np.int64) for _ in range(4))
        self.least, self.most, self._total = np.full(count, np.inf), np.full(count, -np.inf), np.zeros(count)

    def add(self, found: Tally) -> None:
        """Add what the next batch has."""
        for name, count in found.rows.items():
            self.rows[name] = self.count(name) + count
        self.nan += found.nan
        self.infinite += found.infinite
        self.masked += found.masked
        self.best += found.best
        self.least = np.minimum(self.least, found.least)
        self.most = np.maximum(self.most, found.most)
        with np.errstate(over="ignore", invalid="ignore"):
            # One row after the other, so that the sum does not depend on where the chunks begin.
            self._total = np.add.accumulate(np.vstack([self._total, found.finite]), axis=0)[-1]

    def count(self, kind: str) -> int:
        """Return how many rows there are of a kind."""
        return self.rows.get(kind, 0)

    def share(self, kind: str) -> float | None:
        """Return which share of all rows is of a kind; None without rows."""
        return self.count(kind) / self.count("rows") if self.count("rows") else None

    def all(self, kind: str) -> bool:
        """Return whether all usable rows are of a kind; False if there is none."""
        return self.count(kind) == self.count("usable") > 0

    @property
    def finite(self) -> Array:
        """How many finite numbers each class has."""
        return self.count("rows") - self.nan - self.infinite - self.masked

    @property
    def means(self) -> Array:
        """Of the finite numbers of each class; NaN where there is none."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self._total / self.finite)

    @property
    def mean(self) -> float:
        """Of all finite numbers; NaN where there is none."""
        with np.errstate(over="ignore", invalid="ignore"):
            return float(self._total.sum() / np.float64(self.finite.sum()))


class InspectionSink:
    """Adds up what is in a table.

    Parameters
    ----------
    inspection
        What it is added to.
    """

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection

    def open(self, layout: Layout) -> int:  # noqa: ARG002
        """Begin."""
        return 0

    def encode(self, batch: Batch) -> Tally:
        """Count."""
        return tally(batch)

    def accept(self, piece: Tally, start: int) -> None:  # noqa: ARG002
        """Add up."""
        self._inspection.add(piece)

    def finish(self) -> None:
        """End."""


class Advice(NamedTuple):
    """What the numbers look like, and what to do with them."""

    looks: str | None
    """`LOGITS`, `PROBABILITIES` or `LOG_PROBABILITIES`; None where there is nothing to look at."""
    command: str
    options: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    other: Advice | None = None
    """What fits as well, where the numbers leave it open."""


def advice(inspection: Inspection, *, origin: str | None = None, left_out: int = 0) -> Advice:
    """Return which command the numbers are for.

    Parameters
    ----------
    inspection
        What was counted.
    origin
        What the numbers are, if that was said.
    left_out
        How many rows could not be read.
    """
    classes = len(inspection.classes)
    exclusive = "binary" if classes <= 2 else "softmax"
    independent = "binary" if classes == 1 else "multilabel"
    skipping = left_out + inspection.count("rows") - inspection.count("usable") > 0
    remarks = _remarks(inspection)

    def with_options(looks: str, command: str, *more: str, other: Advice | None = None) -> Advice:
        options = () if looks == LOGITS else ("--from", looks)
        row_of_nothing = command != "multilabel" and classes > 1 and inspection.count("all_masked") > 0
        bad = ("--on-bad-row", "skip") if skipping or row_of_nothing else ()
        return Advice(looks, command, (*options, *more, *bad), remarks, other)

    if "probability" in inspection.classes and any(name.startswith("p_") for name in inspection.classes):
        # As actcli calls the columns that it writes.
        return Advice(PROBABILITIES, "inspect", ("--classes", "p_*"), remarks)
    if not inspection.count("usable"):
        return Advice(None, exclusive, remarks=remarks)
    if origin in (None, PROBABILITIES) and classes > 1 and inspection.all("nearly_shares"):
        return with_options(PROBABILITIES, exclusive, *(() if inspection.all("shares") else ("--renormalize",)))
    if origin in (None, LOG_PROBABILITIES) and classes > 1 and inspection.all("log_shares"):
        return with_options(LOG_PROBABILITIES, exclusive)
    if origin is not None or inspection.all("in_range"):
        return with_options(origin or PROBABILITIES, independent)
    if classes == 1:
        return with_options(LOGITS, "binary")
    return with_options(LOGITS, exclusive, other=with_options(LOGITS, "multilabel"))


def _remarks(inspection: Inspection) -> tuple[str, ...]:
    """Return what else catches the eye."""
    found = []
    if inspection.all("zeros_and_ones"):
        found.append("every number is 0 or 1: a truth file rather than scores?")
    if inspection.count("rows") and inspection.classes == tuple(map(str, range(len(inspection.classes)))):
        found.append("the classes have no names: --class-names FILE, or a,b,c, gives them some")
    return tuple(found)


def facts(
    inspection: Inspection, inputs: Inputs, found: Advice, commands: Sequence[str], left_out: int
) -> dict[str, Any]:
    """Return what was found, as it stands in JSON.

    Parameters
    ----------
    inspection
        Over all rows.
    inputs
        Where they are from.
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
        "per_class": {
            name: {
                "min": _finite(inspection.least[number]),
                "mean": _finite(inspection.means[number]),
                "max": _finite(inspection.most[number]),
                "nan": int(inspection.nan[number]),
                "infinities": int(inspection.infinite[number]),
                "masked": int(inspection.masked[number]),
                "largest": int(inspection.best[number]),
            }
            for number, name in enumerate(inspection.classes)
        },
    }


def _finite(value: Any) -> float | None:
    """Return a number as JSON has it: None for what is not finite."""
    return float(value) if math.isfinite(value) else None
