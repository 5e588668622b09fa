"""Sigmoid and softmax of the same logits, class by class, and in numbers why they differ."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.activations import row_sums, sigmoid, softmax
from actcli.prediction.long_form import long_columns, long_layout, unfolded
from actcli.prediction.plan import Plan, Rules, plan, rounded
from actcli.streaming.batch import Batch, Column, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from actcli.streaming.batch import Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Comparison", "Raised", "empty_comparison", "plan_comparison"]

DECISIONS = ("no", "yes")


class ComparisonCounts(NamedTuple):
    """What the comparison needs of a batch."""

    reached: Array
    """How many sigmoids reach the threshold, for each row."""
    agree: int
    sums: Array
    """Of the sigmoids of each row, float64."""
    difference: float
    """Between softmax and sigmoid(x1 - x2), the largest."""
    row: int
    """The first one's number in its chunk."""
    logits: Array
    """Of the first row."""
    suspicious: bool
    """Whether they look like probabilities already."""


def plan_comparison(layout: Layout, rules: Rules) -> Plan:
    """Settle how both activations of a table are computed, and what each would decide: a line for each class.

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
    exclusive = plan("softmax", layout, replace(_plain(exact), columns=("logits", "index", "probabilities")))
    independent = plan("multilabel", layout, replace(exact, columns=("logits", "probabilities", "multihot")))
    classes = exclusive.layout.classes
    columns, notes = long_columns(
        exclusive.layout,
        [
            *(Column(name, Kind.NUMBER, (name,)) for name in ("logit", "sigmoid", "softmax")),
            *(Column(name, Kind.CODE, (name,), DECISIONS) for name in ("by_sigmoid", "by_softmax")),
        ],
    )

    def decide(batch: Batch) -> Batch:
        chosen = exclusive.decide(batch)
        label, shares = chosen.values["index"], chosen.values["probabilities"]
        batch = independent.decide(replace(chosen, scores=chosen.values["logits"]))
        logits, cells, hot = (batch.values[name] for name in ("logits", "probabilities", "multihot"))
        values = {"logit": logits, "sigmoid": cells, "softmax": shares}
        values = {name: rounded(found.reshape(-1), rules.precision) for name, found in values.items()}
        is_label = np.equal(label[:, np.newaxis], np.arange(len(classes)))
        values |= {
            "by_sigmoid": hot.reshape(-1).astype(np.int64),
            "by_softmax": is_label.reshape(-1).astype(np.int64),
            "counts": _counts(chosen, logits, cells, shares, hot, label, rules.temperature),
        }
        return replace(unfolded(batch, len(classes), values), like_probabilities=False)

    return replace(exclusive, layout=long_layout(exclusive.layout), columns=columns, decide=decide, notes=notes)


def empty_comparison(layout: Layout, rules: Rules) -> Comparison:
    """Return what the rows of a table of this layout are to be added to."""
    thresholds: float | Mapping[str, float] = rules.threshold
    if rules.thresholds:
        thresholds = {name: rules.thresholds.get(name, rules.threshold) for name in layout.classes}
    return Comparison(layout.classes, thresholds, rules.temperature)


def _plain(rules: Rules) -> Rules:
    """Return the rules without those of the sigmoid alone."""
    return replace(rules, threshold=0.5, thresholds=None, strict=False)


def _counts(
    batch: Batch, logits: Array, cells: Array, shares: Array, hot: Array, label: Array, temperature: float
) -> ComparisonCounts | None:
    if not len(logits):
        return None
    reached = hot.sum(axis=1, dtype=np.int64)
    is_member = np.take_along_axis(hot, label[:, np.newaxis], axis=1)[:, 0] == 1
    difference = 0.0
    if logits.shape[1] == 2:
        gap = sigmoid(logits[:, 0] - logits[:, 1], temperature=temperature)
        difference = float(np.abs(shares[:, 0] - gap).max())
    return ComparisonCounts(
        reached,
        int(np.count_nonzero((reached == 1) & is_member)),
        row_sums(cells.astype(np.float64)),
        difference,
        int(batch.row_numbers()[0]),
        logits[0].copy(),
        batch.like_probabilities,
    )


class Raised(NamedTuple):
    """What becomes of a row when one of its logits is raised."""

    row: int
    position: int
    """Of the class whose logit is raised."""
    by: float
    sigmoid: tuple[Array, Array]
    """Before and after."""
    softmax: tuple[Array, Array]


@dataclass(slots=True)
class Comparison:
    """What is added up over all rows, in their order.

    Parameters
    ----------
    classes
        Their names.
    threshold
        Which a sigmoid must reach: for all classes, or for each.
    temperature
        T of both functions.
    rows
        How many there are.
    reached
        In how many of them no sigmoid reaches the threshold, one does, several do.
    agree
        In how many both decide for the same single class.
    least, most, total
        Of the sum of the sigmoids of a row.
    difference
        The largest between softmax and sigmoid(x1 - x2), of two classes.
    raised
        An example, the first row.
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
        """Add what a batch has; the first row of its chunk is number `start`."""
        self.rows += len(counts.reached)
        for number, found in enumerate(np.bincount(np.minimum(counts.reached, 2), minlength=3).tolist()):
            self.reached[number] += found
        self.agree += counts.agree
        self.least = min(self.least, float(counts.sums.min()))
        self.most = max(self.most, float(counts.sums.max()))
        # One after the other, so that the sum does not depend on where the chunks begin.
        self.total = float(np.add.accumulate(np.concatenate([[self.total], counts.sums]))[-1])
        self.difference = max(self.difference, counts.difference)
        self.suspicious &= counts.suspicious
        if self.raised is None:
            self.raised = _raised(counts.logits, start + counts.row, self.temperature)


def _raised(logits: Array, row: int, temperature: float) -> Raised:
    """Raise the second largest logit of a row to the largest, or by 1 where it is as large or masked."""
    order = np.argsort(-logits, kind="stable")
    position = int(order[1])
    with np.errstate(over="ignore"):
        gap = float(logits[order[0]]) - float(logits[position])
    by = gap if 0 < gap < np.inf else 1.0
    after = logits.copy()
    after[position] = logits[order[0]] if by == gap else logits[position] + logits.dtype.type(by)
    sigmoids, shares = (
        tuple(function(rows, temperature=temperature) for rows in (logits, after)) for function in (sigmoid, softmax)
    )
    return Raised(row, position, by, (sigmoids[0], sigmoids[1]), (shares[0], shares[1]))
