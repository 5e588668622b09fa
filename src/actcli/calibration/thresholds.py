"""The choice of thresholds: the lowest probability at which a class is predicted. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

import numpy as np

from actcli.calibration.calibration import checked_weights, in_units
from actcli.calibration.distribution import value_ranges
from actcli.tasks import Metric, Scope, enum_member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    from actcli.calibration.distribution import ValueRange

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
    Cells: TypeAlias = Callable[[Callable[[Array, Array, Array, Array | None], Any]], Iterator[Any]]

__all__ = ["Objective", "Tuned", "between", "objective_of", "tune_thresholds", "tuned_class", "tuned_globally"]

_MOST_CELLS = 1 << 21
"""How many probabilities are sorted at once."""

_ROUNDING = 1e-12
"""How far a ratio of sums of weights may miss a constraint by rounding, as a share of it."""

LARGEST_BETA = 1e150
"""The largest whose square is a float."""


class _Constraint(StrEnum):
    """What a threshold must keep to, in place of a metric that it makes largest."""

    PRECISION = "precision"
    RECALL = "recall"
    FPR = "fpr"


_NEEDS_NEGATIVES = (Metric.YOUDEN, Metric.BALANCED_ACCURACY, _Constraint.FPR)


@dataclass(frozen=True, slots=True)
class Tuned:
    """A threshold, and its counts on the rows that it was chosen on.

    Parameters
    ----------
    threshold
        None if no threshold meets the objective.
    positives, negatives
        The numbers of cells that are true and that are not; with weights sums of these.
    true_positives, false_positives
        How many of these reach the threshold.
    """

    threshold: float | None
    positives: int | float
    negatives: int | float
    true_positives: int | float = 0
    false_positives: int | float = 0


def tune_thresholds(
    probabilities: ArrayLike,
    truth: ArrayLike,
    *,
    metric: str = "f1",
    beta: float = 2.0,
    at_precision: float | None = None,
    at_recall: float | None = None,
    at_fpr: float | None = None,
    scope: str = "class",
    masked: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> tuple[Tuned, ...]:
    """Choose the best threshold of each class.

    Every distinct probability is a candidate; a class is predicted if ``p >= threshold``. Of equally good candidates
    the lowest wins. The threshold is halfway between it and the next lower probability (or 0), so that small
    differences in new probabilities do not matter.

    Parameters
    ----------
    probabilities
        Shape (N, C), or (N,) for a single class.
    truth
        0 and 1, same shape.
    metric
        The metric to maximize: "f1", "fbeta", "youden" (recall minus the false positive rate) or "balanced-accuracy".
    beta
        For "fbeta": how many times as much recall counts as precision.
    at_precision, at_recall, at_fpr
        At most one of them, in place of a metric: the largest recall at no less than this precision, the largest
        precision at no less than this recall, or the largest recall at no more than this false positive rate.
    scope
        "class", or "global": one threshold for all, judged by the counts of all cells together (micro).
    masked
        Where a class can never be predicted, same shape, bool.
    weights
        How much each row counts, shape (N,): finite, not negative, not all 0. None: every row counts once. The counts
        are then sums of weights, and rows with a weight of 0 have no candidates.

    Returns
    -------
    tuple
        One `Tuned` for each class, or a single one for "global". The threshold is None for a class that is never true,
        for one that is always true if the objective needs negative cells, and if the objective cannot be met.

    Raises
    ------
    ValueError
        If the shapes do not match, a value is out of range, or there is no such metric or scope.

    References
    ----------
    Lipton, Elkan and Naryanaswamy, "Optimal thresholding of classifiers to maximize F1 measure", ECML PKDD 2014,
    doi:10.1007/978-3-662-44851-9_15.
    Youden, "Index for rating diagnostic tests", Cancer 3, 1950,
    doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3.

    Examples
    --------
    >>> tune_thresholds([0.1, 0.4, 0.6, 0.8], [0, 0, 1, 1])[0].threshold
    0.5
    """
    table, true, usable = _checked(probabilities, truth, masked)
    unit, each = in_units(checked_weights(weights, len(table)))
    if each is not None and not each.all():
        table, true, usable, each = (part[each > 0] for part in (table, true, usable, each))
    objective = objective_of(metric, beta, at_precision, at_recall, at_fpr)
    match enum_member(Scope, scope, "scope"):
        case Scope.GLOBAL:
            return (tuned_globally(lambda work: iter([work(table, true, usable, each)]), objective, unit),)
        case Scope.CLASS:
            columns = zip(table.T, true.T, usable.T, strict=True)
            return tuple(tuned_class(*column, objective, each, unit) for column in columns)
        case other:
            assert_never(other)


def _checked(probabilities: ArrayLike, truth: ArrayLike, masked: ArrayLike | None) -> tuple[Array, Array, Array]:
    table, true = np.asarray(probabilities), np.asarray(truth)
    usable = np.ones(table.shape, dtype=np.bool_) if masked is None else ~np.asarray(masked, dtype=np.bool_)
    if table.dtype.kind != "f" or table.ndim not in (1, 2):
        raise ValueError("probabilities must be a table of real numbers")
    if true.shape != table.shape or usable.shape != table.shape:
        raise ValueError(f"the truth must have the shape of the probabilities, {table.shape}, not {true.shape}")
    if not ((table >= 0) & (table <= 1)).all():
        raise ValueError("probabilities must be from 0 to 1")
    if ((true != 0) & (true != 1)).any():
        raise ValueError("the truth must be 0 or 1")
    if table.ndim == 1:
        table, true, usable = table[:, np.newaxis], true[:, np.newaxis], usable[:, np.newaxis]
    return table, true.astype(np.bool_), usable


class Objective(NamedTuple):
    """What a threshold is chosen for: a metric and its beta, or a constraint and its limit."""

    goal: Metric | _Constraint
    level: float


def objective_of(
    metric: str = "f1",
    beta: float = 2.0,
    at_precision: float | None = None,
    at_recall: float | None = None,
    at_fpr: float | None = None,
) -> Objective:
    """Return an objective; parameters and errors are those of `tune_thresholds`."""
    constraints = {_Constraint.PRECISION: at_precision, _Constraint.RECALL: at_recall, _Constraint.FPR: at_fpr}
    given = {name: level for name, level in constraints.items() if level is not None}
    if len(given) > 1:
        raise ValueError(f"only one of at_{' and at_'.join(given)} can be asked for")
    for name, level in given.items():
        if not 0 <= level <= 1:
            raise ValueError(f"at_{name} must be from 0 to 1, not {level}")
        return Objective(name, level)
    maximized = enum_member(Metric, metric, "metric")
    if maximized is not Metric.FBETA:
        return Objective(maximized, 1.0)
    if not 0 < beta <= LARGEST_BETA:
        raise ValueError(f"beta must be a positive number up to {LARGEST_BETA:g}, not {beta}")
    return Objective(maximized, beta)


def tuned_class(
    probabilities: Array,
    true: Array,
    usable: Array,
    objective: Objective,
    weights: Array | None = None,
    unit: float = 1.0,
) -> Tuned:
    """Choose the threshold of a class.

    Parameters
    ----------
    probabilities, true, usable
        Its probabilities, where it is true, and where it can be predicted: shape (N,).
    objective
        What to choose it for.
    weights, unit
        How much each row counts, in this unit, shape (N,), above 0; None if all count once.
    """
    if weights is not None:
        weighted = _Search(objective, np.array([weights[true].sum(), weights.sum()]), unit)
        weighted.add_weighted(probabilities[usable], true[usable], weights[usable], above=np.zeros(2))
        return weighted.result()
    search = _Search(objective, np.array([np.count_nonzero(true), len(true)]))
    search.count(np.array([np.count_nonzero(true & usable), np.count_nonzero(usable)]))
    search.add(probabilities[true & usable], probabilities[usable])
    return search.result()


def tuned_globally(cells: Cells, objective: Objective, unit: float = 1.0) -> Tuned:
    """Choose one threshold for all classes.

    Parameters
    ----------
    cells
        Applies a function of (probabilities, truth, usable, weights) to one block of rows after the other, and yields
        the results. The first three have the shape (n, C); what can never be predicted is not usable. The weights have
        the shape (n,), or are None.
    objective
        What to choose it for.
    unit
        The unit of the weights.
    """

    def counted(_: Array, true: Array, usable: Array, weights: Array | None) -> Array:
        both = np.count_nonzero(true & usable), np.count_nonzero(usable)
        sums = (np.count_nonzero(true), true.size)
        if weights is not None:
            sums = (weights @ np.count_nonzero(true, axis=1), weights.sum() * true.shape[1])
        return np.array([*sums, *both, weights is not None])

    def values(work: Callable[[Array], Any]) -> Iterator[Any]:
        return cells(lambda table, _, usable, __: work(table[usable].astype(np.float64, copy=False)))

    def within(part: ValueRange, table: Array, true: Array, usable: Array, weights: Array | None) -> tuple[Array, ...]:
        inside = usable & part.where(table.astype(np.float64, copy=False))
        if weights is None:
            return table[inside & true], table[inside]
        return table[inside], true[inside], np.broadcast_to(weights[:, np.newaxis], table.shape)[inside]

    def gathered(part: ValueRange) -> Iterator[Array]:
        return (np.concatenate(each) for each in zip(*cells(partial(within, part)), strict=True))

    counts = sum(cells(counted), np.zeros(5))
    search = _Search(objective, counts[:2], unit) if counts[4] else _Search(objective, counts[:2].astype(np.int64))
    parts = value_ranges(values, _MOST_CELLS, int(counts[3]))
    if not counts[4]:
        search.count(counts[2:4].astype(np.int64))
        for part in parts:
            search.add(*gathered(part))
        return search.result()
    ranges = list(parts)
    sums = [_true_and_false(*list(gathered(part))[1:]) for part in ranges]
    for number, part in enumerate(ranges):
        above = sum(sums[number + 1 :], np.zeros(2))
        search.add_weighted(*gathered(part), above=above)
    return search.result()


def _true_and_false(true: Array, weights: Array) -> Array:
    """Return the weight of the true cells, and of the others."""
    return np.array([weights[true].sum(), weights[~true].sum()])


class _Search:
    """The search for a threshold among all distinct probabilities, which come in ascending ranges.

    Parameters
    ----------
    objective
        What it is chosen for.
    counts
        The number of true cells, and of all cells; or the sums of their weights.
    unit
        The unit of the weights, where there are any.
    """

    def __init__(self, objective: Objective, counts: Array, unit: float = 1.0) -> None:
        self._objective = objective
        self._unit = unit
        self._slack = 0.0 if counts.dtype.kind == "i" else _ROUNDING
        self._positives, self._negatives = counts[0].item(), (counts[1] - counts[0]).item()
        self._best: Tuned | None = None
        self._goodness: Any = None
        self._previous = 0.0

    def count(self, usable: Array) -> None:
        """Take the number of true cells, and of all cells, that can be predicted."""
        self._hits, self._alarms = int(usable[0]), int(usable[1] - usable[0])

    def add(self, chosen: Array, every: Array) -> None:
        """Take the next probabilities: of the true cells, and of all cells."""
        if not len(every):
            return
        chosen, every = np.sort(chosen), np.sort(every)
        firsts = np.flatnonzero(np.append(True, every[1:] != every[:-1]))
        candidates = every[firsts]
        below = np.searchsorted(chosen, candidates, side="left")
        hits, alarms = self._hits - below, self._alarms - (firsts - below)
        self._choose(candidates, hits, alarms)
        self._hits -= len(chosen)
        self._alarms -= len(every) - len(chosen)
        self._previous = float(candidates[-1])

    def add_weighted(self, every: Array, true: Array, weights: Array, *, above: Array) -> None:
        """Take the next probabilities, of all cells, which of them are true, and their weights.

        `above` has the sums of the weights of the cells with higher probabilities: the true ones, and the others. Sums
        are added up from the highest probability on, so that no difference of sums stands for a weight of 0.
        """
        if not len(every):
            return
        order = np.argsort(every, kind="stable")
        ordered = every[order]
        firsts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        hits, alarms = (
            more + np.cumsum(np.add.reduceat(np.where(chosen[order], weights[order], 0.0), firsts)[::-1])[::-1]
            for more, chosen in zip(above, (true, ~true), strict=True)
        )
        self._choose(ordered[firsts], hits, alarms)
        self._previous = float(ordered[-1])

    def _choose(self, candidates: Array, hits: Array, alarms: Array) -> None:
        """Keep the best candidate, of equally good ones the lowest."""
        goal, level = self._objective
        positives, negatives = self._positives, self._negatives
        if not positives or (not negatives and goal in _NEEDS_NEGATIVES):
            return
        # Whole numbers and single quotients of them: equally good candidates compare as equal.
        possible: Array = np.ones(len(candidates), dtype=np.bool_)
        goodness: Array = hits
        match goal:
            case Metric.F1 | Metric.FBETA:
                goodness = hits / (level * level * positives + hits + alarms)
            case Metric.YOUDEN | Metric.BALANCED_ACCURACY:
                goodness = hits * negatives - alarms * positives
            case _Constraint.PRECISION:
                possible = hits / (hits + alarms) >= level * (1 - self._slack)
            case _Constraint.RECALL:
                possible, goodness = hits / positives >= level * (1 - self._slack), hits / (hits + alarms)
            case _Constraint.FPR:
                possible = alarms / negatives <= level * (1 + self._slack)
            case _:
                assert_never(goal)
        best = np.flatnonzero(possible)
        if not best.size:
            return
        index = int(best[np.argmax(goodness[best])])
        if self._best is not None and not goodness[index] > self._goodness:
            return
        lower = float(candidates[index - 1]) if index else self._previous
        threshold = between(lower, float(candidates[index]))
        self._goodness = goodness[index]
        found = (positives, negatives, hits[index].item(), alarms[index].item())
        self._best = Tuned(threshold, *map(self._in_full, found))

    def result(self) -> Tuned:
        """Return the threshold that was found, if any."""
        return self._best or Tuned(None, self._in_full(self._positives), self._in_full(self._negatives))

    def _in_full(self, count: float) -> float:
        """Return a count as it is, and a sum of weights in their own unit."""
        return count if isinstance(count, int) else max(count, 0.0) * self._unit


def between(lower: float, upper: float) -> float:
    """Return the middle of two numbers, or `upper` if no float lies between them."""
    middle = lower + (upper - lower) / 2
    return middle if lower < middle <= upper else upper
