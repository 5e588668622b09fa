"""Sigmoid and softmax of the same logits, class by class, and in numbers why they differ."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.activations import row_sums, sigmoid, softmax
from actcli.prediction.long_form import long_columns, long_layout, unfolded
from actcli.prediction.plan import Plan, PredictionPlan, plan, rounded
from actcli.streaming.batch import Batch, Column, Kind
from actcli.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from actcli.prediction.rules import Rules
    from actcli.streaming.batch import Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Comparison", "ComparisonPlan", "Raised", "empty_comparison", "plan_comparison"]

DECISIONS = ("no", "yes")


class ComparisonCounts(NamedTuple):
    """What a batch adds to a `Comparison`."""

    reached: Array
    """How many sigmoids of each row reach the threshold, shape (N,)."""
    agree: int
    """In how many rows both activations decide for the same single class."""
    sums: Array
    """The sum of the sigmoids of each row, shape (N,), float64."""
    difference: float
    """The largest difference between softmax and sigmoid(x1 - x2)."""
    row: int
    """The number within its chunk of the first row with two classes that are not masked; of the first without such."""
    logits: Array
    """Of that row, shape (C,)."""
    suspicious: bool
    """Whether the logits look like probabilities already."""


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonPlan(Plan):
    """The plan of both activations of a table, and their decisions: a line for each class.

    Parameters
    ----------
    exclusive, independent
        The predictions by softmax and by sigmoid; both give "logits" and "probabilities".
    rules
        The temperature, the precision.
    """

    exclusive: PredictionPlan
    independent: PredictionPlan
    rules: Rules

    def decide(self, batch: Batch) -> Batch:
        """Return the batch in long form, with its `ComparisonCounts` as `Batch.counted`."""
        chosen = self.exclusive.decide(batch)
        label, shares = chosen.values["index"], chosen.values["probabilities"]
        batch = self.independent.decide(replace(chosen, scores=chosen.values["logits"], length=None))
        logits, cells, members = (batch.values[name] for name in ("logits", "probabilities", "multihot"))
        values = {"logit": logits, "sigmoid": cells, "softmax": shares}
        values = {name: rounded(found.reshape(-1), self.rules.precision) for name, found in values.items()}
        is_label = np.equal(label[:, np.newaxis], np.arange(members.shape[1]))
        values |= {
            "by_sigmoid": members.reshape(-1).astype(np.int64),
            "by_softmax": is_label.reshape(-1).astype(np.int64),
        }
        counted = None
        if len(logits):
            reached = members.sum(axis=1, dtype=np.int64)
            # The example needs a second class that is not masked: a logit of -inf cannot rise.
            example = int(np.argmax(np.count_nonzero(np.isfinite(logits), axis=1) > 1))
            label_is_member = np.take_along_axis(members, label[:, np.newaxis], axis=1)[:, 0] == 1
            counted = ComparisonCounts(
                reached=reached,
                agree=int(np.count_nonzero((reached == 1) & label_is_member)),
                sums=row_sums(cells.astype(np.float64)),
                difference=_difference(logits, shares, self.rules.temperature),
                row=int(chosen.row_numbers()[example]),
                logits=logits[example].copy(),
                suspicious=chosen.like_probabilities,
            )
        lines = unfolded(batch, members.shape[1], values)
        return replace(lines, counted=counted, like_probabilities=False)


def plan_comparison(layout: Layout, rules: Rules) -> ComparisonPlan:
    """Settle the comparison of both activations of a table.

    Parameters
    ----------
    layout
        Of the input.
    rules
        The thresholds, the temperature, the precision.

    Raises
    ------
    ActcliError
        If the input and the options do not fit.
    """
    exact = replace(rules, precision=None)
    without_thresholds = replace(exact, threshold=0.5, thresholds=None, thresholds_file=None, strict=False)
    exclusive = plan(Task.SOFTMAX, layout, without_thresholds, properties=("logits", "index", "probabilities"))
    independent = plan(Task.MULTILABEL, layout, exact, properties=("logits", "probabilities", "multihot"))
    columns, notes = long_columns(
        exclusive.layout,
        [
            *(Column(name, Kind.NUMBER, (name,)) for name in ("logit", "sigmoid", "softmax")),
            *(Column(name, Kind.CODE, (name,), DECISIONS) for name in ("by_sigmoid", "by_softmax")),
        ],
    )
    notes += independent.notes
    return ComparisonPlan(long_layout(exclusive.layout), columns, notes, exclusive, independent, rules)


def empty_comparison(layout: Layout, rules: Rules) -> Comparison:
    """Return the comparison of a table of this layout before its first row."""
    thresholds: float | Mapping[str, float] = rules.threshold
    if rules.thresholds:
        thresholds = {name: rules.threshold_of(name) for name in layout.classes}
    return Comparison(layout.classes, thresholds, rules.temperature)


def _difference(logits: Array, shares: Array, temperature: float) -> float:
    """Return the largest difference between softmax and sigmoid(x1 - x2); 0 unless there are two classes."""
    if logits.shape[1] != 2:
        return 0.0
    gap = sigmoid(logits[:, 0] - logits[:, 1], temperature=temperature)
    return float(np.abs(shares[:, 0] - gap).max())


class Raised(NamedTuple):
    """The activations of a row before and after one of its logits is raised."""

    row: int
    """Its number in the table, from 0."""
    position: int
    """The index of the class whose logit is raised."""
    by: float
    sigmoid: tuple[Array, Array]
    """Before and after."""
    softmax: tuple[Array, Array]
    alone: bool
    """Whether all other classes of the row are masked."""


@dataclass(slots=True)
class Comparison:
    """The comparison over all rows of a table, added up in their order.

    Parameters
    ----------
    classes
        Their names.
    threshold
        For all classes, or for each by name.
    temperature
        T of both functions.
    rows
        How many rows.
    reached
        In how many rows no sigmoid reaches its threshold, one does, several do.
    agree
        In how many rows both activations decide for the same single class.
    least, most, total
        Of the sums of the sigmoids of a row.
    difference
        The largest difference between softmax and sigmoid(x1 - x2), of two classes.
    raised
        An example: the first row with two classes that are not masked, or the first row if there is none.
    suspicious
        Whether all rows look like probabilities already.
    """

    classes: Sequence[str]
    threshold: float | Mapping[str, float]
    temperature: float
    rows: int = 0
    reached: list[int] = field(default_factory=lambda: [0, 0, 0])
    agree: int = 0
    least: float = np.inf
    most: float = -np.inf
    total: float = 0.0
    difference: float = 0.0
    raised: Raised | None = None
    suspicious: bool = True

    def add(self, counts: ComparisonCounts, start: int) -> None:
        """Add the counts of the next batch; the first row of its chunk is number `start` of the table."""
        self.rows += len(counts.reached)
        for number, found in enumerate(np.bincount(np.minimum(counts.reached, 2), minlength=3).tolist()):
            self.reached[number] += found
        self.agree += counts.agree
        self.least = min(self.least, float(counts.sums.min()))
        self.most = max(self.most, float(counts.sums.max()))
        # Row after row: so the sum does not depend on where the chunks begin.
        self.total = float(np.add.accumulate(np.concatenate([[self.total], counts.sums]))[-1])
        self.difference = max(self.difference, counts.difference)
        self.suspicious &= counts.suspicious
        if self.raised is None or self.raised.alone:
            self._take(_raised(counts.logits, start + counts.row, self.temperature))

    def merge(self, other: Comparison) -> None:
        """Add the comparison of the rows of the same table that come after these.

        Raises
        ------
        ValueError
            If it has other classes, thresholds or another temperature.
        """
        settings = (self.classes, self.threshold, self.temperature)
        if settings != (other.classes, other.threshold, other.temperature):
            raise ValueError("comparisons of different classes, thresholds or temperatures cannot be merged")
        self.rows += other.rows
        self.reached = [one + more for one, more in zip(self.reached, other.reached, strict=True)]
        self.agree += other.agree
        self.least = min(self.least, other.least)
        self.most = max(self.most, other.most)
        self.total += other.total
        self.difference = max(self.difference, other.difference)
        self.suspicious &= other.suspicious
        if other.raised is not None:
            self._take(other.raised)

    def _take(self, later: Raised) -> None:
        """Take an example of a later row, if there is none yet or it shows more."""
        if self.raised is None or (self.raised.alone and not later.alone):
            self.raised = later


def _raised(logits: Array, row: int, temperature: float) -> Raised:
    """Raise the second largest logit of a row to the largest, or by 1 where both are equal.

    Where all classes but one are masked, the logit of that one rises by 1.
    """
    order = np.argsort(-logits, kind="stable")
    alone = bool(np.isneginf(logits[order[1]]))
    position = int(order[0 if alone else 1])
    with np.errstate(over="ignore"):
        gap = float(logits[order[0]]) - float(logits[position])
    by = gap if 0 < gap < np.inf else 1.0
    after = logits.copy()
    after[position] = logits[order[0]] if by == gap else logits[position] + logits.dtype.type(by)
    sigmoids, shares = (
        tuple(function(rows, temperature=temperature) for rows in (logits, after)) for function in (sigmoid, softmax)
    )
    return Raised(row, position, by, (sigmoids[0], sigmoids[1]), (shares[0], shares[1]), alone)
