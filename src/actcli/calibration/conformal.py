"""Conformal prediction: sets that hold the true class with a guaranteed probability. NumPy only.

The guarantee holds on average over new rows that are exchangeable with those of the fit, for any classifier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from actcli.calibration.distribution import value_ranges
from actcli.calibration.thresholds import between
from actcli.tasks import ConformalScore, enum_member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    from actcli.calibration.distribution import ValueRange

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
    Cells: TypeAlias = Callable[[Callable[[Array, Array, Array], Any]], Iterator[Any]]

__all__ = [
    "Conformal",
    "RiskControl",
    "conformal_rule",
    "fit_conformal",
    "fit_risk_control",
    "risk_control",
    "true_scores",
]

_MOST_LABELS = 1 << 19
"""How many labels are sorted at once."""


@dataclass(frozen=True, slots=True)
class Conformal:
    """A rule for prediction sets of exclusive classes: a class is in when its score is at most the quantile.

    Parameters
    ----------
    score
        How a class is scored: "lac", "aps" or "raps".
    alpha
        The share of rows whose set may miss the true class.
    quantile
        Infinite if there were too few rows: then every class is in every set.
    penalty, free
        For "raps": each rank after the first `free` ones adds `penalty` to the score.
    """

    score: str
    alpha: float
    quantile: float
    penalty: float = 0.0
    free: int = 0

    def sets(self, probabilities: ArrayLike) -> NDArray[np.bool_]:
        """Return which classes are in the set of each row, shape (N, C).

        Parameters
        ----------
        probabilities
            Shape (N, C); they are compared in float64.

        Raises
        ------
        ValueError
            If the shape is another one, or a value is not between 0 and 1.
        """
        kind = enum_member(ConformalScore, self.score, "score")
        return _class_scores(_table(probabilities), kind, self.penalty, self.free) <= self.quantile


@dataclass(frozen=True, slots=True)
class RiskControl:
    """A threshold for all labels that limits the expected share of the labels of a row that are missed.

    Parameters
    ----------
    alpha
        The limit.
    threshold
        A label is in the set if its probability is at least this.
    possible
        Whether there were enough rows for the guarantee; if not, the threshold is 0.
    """

    alpha: float
    threshold: float
    possible: bool = True


def fit_conformal(
    probabilities: ArrayLike,
    truth: ArrayLike,
    *,
    alpha: float | str | Fraction,
    score: str = "lac",
    penalty: float = 0.01,
    free: int = 5,
    masked: ArrayLike | None = None,
) -> Conformal:
    """Fit a rule whose sets hold the true class of at least a share 1 - alpha of new rows, on average.

    Parameters
    ----------
    probabilities
        Shape (N, C), of rows that the classifier was not trained on.
    truth
        Class indices, shape (N,).
    alpha
        Above 0 and below 1; a float stands for the decimal number that it is printed as.
    score
        "lac": 1 - p. "aps": the sum of the probabilities, largest first, down to and including the class. "raps": the
        same plus `penalty` for each rank after the first `free` ones.
    penalty, free
        The parameters of "raps".
    masked
        Where a class can never be in a set, shape (N, C), bool.

    Raises
    ------
    ValueError
        If the shapes do not match, a number is out of range, or there is no such score.

    Notes
    -----
    The quantile is the k-th smallest score of a true class, k = ceil((N + 1) (1 - alpha)), computed exactly: in floats
    25 * (1 - 0.44) is above 14. If k is above N, the quantile is infinite. No random number breaks ties, so the sets of
    "aps" and "raps" are slightly larger than necessary.

    References
    ----------
    Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005, doi:10.1007/b106715.
    Sadinle, Lei and Wasserman, "Least ambiguous set-valued classifiers with bounded error levels", JASA 114, 2019,
    doi:10.1080/01621459.2017.1395341: "lac".
    Romano, Sesia and Candès, "Classification with valid and adaptive coverage", NeurIPS 2020, arXiv:2006.02544: "aps".
    Angelopoulos, Bates, Malik and Jordan, "Uncertainty sets for image classifiers using conformal prediction",
    ICLR 2021, arXiv:2009.14193: "raps".

    Examples
    --------
    >>> fit_conformal([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], [0, 0, 1], alpha=0.5).quantile
    0.19999999999999996
    """
    table, true = _table(probabilities), np.asarray(truth)
    if true.shape != (len(table),) or true.dtype.kind not in "iuf" or (true != np.floor(true)).any():
        raise ValueError(f"the truth must be one class index for each of {len(table)} rows")
    if true.size and not 0 <= true.min() <= true.max() < table.shape[1]:
        raise ValueError(f"the truth must be class indices from 0 to {table.shape[1] - 1}")
    kind = enum_member(ConformalScore, score, "score")
    if not (0 <= penalty < math.inf and free >= 0):
        raise ValueError("the penalty of raps and its free ranks must be finite, and not negative")
    hidden = None if masked is None else np.asarray(masked, dtype=np.bool_)
    return conformal_rule(
        true_scores(table, true.astype(np.int64), kind, penalty, free, hidden), alpha, kind, penalty, free
    )


def true_scores(
    probabilities: Array, truth: Array, score: ConformalScore, penalty: float, free: int, masked: Array | None
) -> Array:
    """Return the score of the true class of each row, shape (N,); infinite where it is masked.

    The parameters are those of `fit_conformal`, as arrays.
    """
    rows = np.arange(len(truth))
    found: Array = _class_scores(probabilities, score, penalty, free)[rows, truth]
    if masked is not None:
        found[masked[rows, truth]] = np.inf
    return found


def conformal_rule(
    scores: Array, alpha: float | str | Fraction, score: ConformalScore, penalty: float, free: int
) -> Conformal:
    """Return the rule for the scores of the true classes, shape (N,); other parameters are those of `fit_conformal`."""
    share = _share(alpha)
    rank = math.ceil((len(scores) + 1) * (1 - share))
    quantile = np.inf if rank > len(scores) else float(np.partition(scores, rank - 1)[rank - 1])
    if score is not ConformalScore.RAPS:
        penalty, free = 0.0, 0
    return Conformal(score.value, float(share), quantile, penalty, free)


def fit_risk_control(
    probabilities: ArrayLike, truth: ArrayLike, *, alpha: float | str | Fraction, masked: ArrayLike | None = None
) -> RiskControl:
    """Fit the highest threshold at which the expected share of the labels of a row that are missed is at most alpha.

    Parameters
    ----------
    probabilities
        Shape (N, C), of rows that the classifier was not trained on.
    truth
        0 and 1, same shape. Rows without a label are left out: the guarantee is for the others.
    alpha
        Above 0 and below 1; a float stands for the decimal number that it is printed as.
    masked
        Where a class can never be chosen, same shape, bool.

    Raises
    ------
    ValueError
        If the shapes do not match, alpha is out of range, or no row has a label.

    Notes
    -----
    With R the mean share missed on these n rows, the threshold is the highest one with n R / (n + 1) + 1 / (n + 1) at
    most alpha, computed exactly. It is then lowered halfway to the next lower probability (or 0). That changes no set
    of these rows, and rounding, as in float32, does not leave out the label that decides.

    References
    ----------
    Angelopoulos, Bates, Fisch, Lei and Schuster, "Conformal risk control", ICLR 2024, arXiv:2208.02814.

    Examples
    --------
    >>> fit_risk_control([[0.9, 0.2], [0.7, 0.8], [0.6, 0.4]], [[1, 0], [1, 1], [0, 1]], alpha="0.5").threshold
    0.6499999999999999
    """
    table, true = _table(probabilities), np.asarray(truth)
    if true.shape != table.shape or ((true != 0) & (true != 1)).any():
        raise ValueError(f"the truth must be 0 or 1 for each cell of the shape {table.shape}")
    usable = np.ones(table.shape, dtype=np.bool_) if masked is None else ~np.asarray(masked, dtype=np.bool_)
    return risk_control(lambda work: iter([work(table, true.astype(np.bool_), usable)]), alpha)


def risk_control(cells: Cells, alpha: float | str | Fraction) -> RiskControl:
    """Fit as `fit_risk_control` does, block by block.

    Parameters
    ----------
    cells
        Applies a function of (probabilities, truth, usable), each of shape (n, C), to one block of rows after the
        other, and yields the results. What can never be chosen is not usable.
    alpha
        As for `fit_risk_control`.
    """
    share = _share(alpha)
    rows_of, masked_of, labels = (sum(parts) for parts in zip(*cells(_counted), strict=True))
    rows = int(rows_of[1:].sum())
    if not rows:
        raise ValueError("no row has a label, so none can be missed")
    # Missing a label of a row with m costs 1 / m: whole numbers in units of the least common multiple stay exact.
    unit = math.lcm(*(np.flatnonzero(rows_of[1:]) + 1).tolist())
    exact = np.int64 if unit * rows < 1 << 62 else object
    costs = np.array([0, *(unit // count for count in range(1, len(rows_of)))], dtype=exact)
    allowed = math.floor(unit * (share * (rows + 1) - 1)) - int((costs * masked_of).sum())
    if allowed < 0 or not labels:
        return RiskControl(float(share), 0.0, possible=False)
    limit = _limit(cells, int(labels), costs, allowed)
    lower = max(cells(lambda table, _, usable: float(np.max(table, where=usable & (table < limit), initial=0))))
    return RiskControl(float(share), between(lower, limit))


def _counted(_: Array, truth: Array, usable: Array) -> tuple[Array, Array, int]:
    """Return the rows with 0, 1, 2, ... labels, the labels of such rows that are masked, and the number of others."""
    counts = np.count_nonzero(truth, axis=1)
    masked = np.count_nonzero(truth & ~usable, axis=1)
    size = truth.shape[1] + 1
    hidden = np.bincount(counts, masked, minlength=size).astype(np.int64)
    return np.bincount(counts, minlength=size), hidden, int(counts.sum() - masked.sum())


def _labels(within: ValueRange | None, table: Array, truth: Array, usable: Array) -> tuple[Array, Array]:
    """Return the probabilities of the labels that are usable, and for each the number of labels of its row."""
    rows, columns = np.nonzero(truth & usable)
    values = table[rows, columns]
    if within is not None:
        inside = within.where(values)
        rows, values = rows[inside], values[inside]
    return values, np.count_nonzero(truth, axis=1).astype(np.int32)[rows]


def _limit(cells: Cells, labels: int, costs: Array, allowed: int) -> float:
    """Return the highest probability of a label at which the labels below cost at most what is allowed."""
    limit, spent = 0.0, 0
    values = lambda work: cells(lambda *block: work(_labels(None, *block)[0]))  # noqa: E731
    for part in value_ranges(values, _MOST_LABELS, labels):
        found, counts = (np.concatenate(each) for each in zip(*cells(partial(_labels, part)), strict=True))
        order = np.argsort(found, kind="stable")
        found, total = found[order], spent + np.cumsum(costs[counts[order]])
        # At the threshold found[i] all lower labels are missed, and none that equals it.
        before = np.concatenate([[spent], total])[np.searchsorted(found, found, side="left")]
        enough = np.flatnonzero(before <= allowed)
        if enough.size:
            limit = float(found[enough[-1]])
        if enough.size < len(found):
            break
        spent = int(total[-1])
    return limit


def _table(probabilities: ArrayLike) -> Array:
    table = np.asarray(probabilities, dtype=np.float64)
    if table.ndim != 2 or not table.shape[1]:
        raise ValueError(f"probabilities must have two dimensions, rows and classes, not the shape {table.shape}")
    if not ((table >= 0) & (table <= 1)).all():
        raise ValueError("probabilities must be from 0 to 1")
    return table


def _share(alpha: float | str | Fraction) -> Fraction:
    share = alpha if isinstance(alpha, Fraction) else Fraction(str(alpha))
    if not 0 < share < 1:
        raise ValueError(f"alpha must be above 0 and below 1, not {alpha}")
    return share


def _class_scores(probabilities: Array, score: ConformalScore, penalty: float, free: int) -> Array:
    """Return the score of every class, shape (N, C)."""
    match score:
        case ConformalScore.LAC:
            return 1 - probabilities
        case ConformalScore.APS:
            return _summed_scores(probabilities, np.zeros(probabilities.shape[1]))
        case ConformalScore.RAPS:
            count = probabilities.shape[1]
            # Scores may become infinite with a huge penalty, which is right.
            with np.errstate(over="ignore"):
                penalties = penalty * np.maximum(np.arange(1, count + 1) - min(free, count), 0)
                return _summed_scores(probabilities, penalties)
        case _:
            assert_never(score)


def _summed_scores(probabilities: Array, penalties: Array) -> Array:
    """Return for every class the sum of the probabilities down to its own, plus the penalty of its rank."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    # From the tail: so the last score is exactly 1 in each row, and a quantile of 1 holds every class.
    tails = np.cumsum(np.take_along_axis(probabilities, order[:, ::-1], axis=1), axis=1)[:, ::-1]
    sums = np.ones_like(probabilities)
    sums[:, :-1] -= tails[:, 1:]
    sums += penalties
    result = np.empty_like(sums)
    np.put_along_axis(result, order, sums, axis=1)
    return result
