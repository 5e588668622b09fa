"""Conformal prediction: sets that hold the true class with a guaranteed probability. NumPy only.

The guarantee holds on average over new rows that are exchangeable with those of the fit, for any classifier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from actcli.calibration.thresholds import between
from actcli.tasks import ConformalScore, enum_member

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Conformal", "RiskControl", "fit_conformal", "fit_risk_control"]


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
    if kind is not ConformalScore.RAPS:
        penalty, free = 0.0, 0
    share = _share(alpha)
    every = _class_scores(table, kind, penalty, free)
    if masked is not None:
        every[np.asarray(masked, dtype=np.bool_)] = np.inf
    found = np.take_along_axis(every, true[:, np.newaxis].astype(np.int64), axis=1)[:, 0]
    rank = math.ceil((len(found) + 1) * (1 - share))
    quantile = np.inf if rank > len(found) else float(np.partition(found, rank - 1)[rank - 1])
    return Conformal(kind.value, float(share), quantile, penalty, free)


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
    share = _share(alpha)
    usable = np.ones(table.shape, dtype=np.bool_) if masked is None else ~np.asarray(masked, dtype=np.bool_)
    counts = np.count_nonzero(true, axis=1)
    rows = int(np.count_nonzero(counts))
    if not rows:
        raise ValueError("no row has a label, so none can be missed")
    cells = true.astype(np.bool_)
    # Missing a label of a row with m costs 1 / m: whole numbers in units of the least common multiple stay exact.
    unit = math.lcm(*np.unique(counts[counts > 0]).tolist())
    costs = np.array([unit // count if count else 0 for count in range(int(counts.max()) + 1)], dtype=object)
    allowed = math.floor(unit * (share * (rows + 1) - 1))
    allowed -= sum((costs[counts] * np.count_nonzero(cells & ~usable, axis=1)).tolist())
    labels, where = table[cells & usable], np.nonzero(cells & usable)[0]
    order = np.argsort(labels, kind="stable")
    labels, spent = labels[order], np.cumsum(costs[counts[where[order]]])
    # At the threshold labels[i] all lower labels are missed, and none that equals it.
    places = np.searchsorted(labels, labels, side="left")
    before = np.concatenate([[0], spent])[places] if labels.size else np.array([0])
    if allowed < 0 or not labels.size:
        return RiskControl(float(share), 0.0, possible=False)
    limit = float(labels[np.flatnonzero(before <= allowed)[-1]])
    lower = float(np.max(table, where=usable & (table < limit), initial=0))
    return RiskControl(float(share), between(lower, limit))


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
