"""Counts of right and wrong decisions, and the ratios that are made of them. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.metrics.ratios import ratio

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Confusion", "ConfusionCounts", "label_counts", "most_frequent_confusions"]


class ConfusionCounts(NamedTuple):
    """Counts of decisions about each class; the last axis of every array is that of the classes.

    A ratio whose denominator is 0 is NaN.

    Parameters
    ----------
    true_positives
        Rows in which the class is true and predicted, shape (..., C).
    support
        Rows in which it is true.
    predicted
        Rows in which it is predicted.
    rows
        All rows: a number, or shape (..., 1).
    """

    true_positives: Array
    support: Array
    predicted: Array
    rows: ArrayLike

    def pooled(self) -> ConfusionCounts:
        """Return the counts of all classes together, shape (..., 1), from which micro averages are computed."""
        hits, support, predicted = (counts.sum(axis=-1, keepdims=True) for counts in self[:3])
        return ConfusionCounts(hits, support, predicted, np.multiply(self.rows, self.support.shape[-1]))

    def plus(self, other: ConfusionCounts) -> ConfusionCounts:
        """Return the counts of the rows of both."""
        return ConfusionCounts(*(np.add(one, more) for one, more in zip(self, other, strict=True)))

    def precision(self) -> Array:
        """Return the share of the predicted rows in which the class is true."""
        return ratio(self.true_positives, self.predicted)

    def recall(self) -> Array:
        """Return the share of the true rows in which the class is predicted."""
        return ratio(self.true_positives, self.support)

    def f1(self) -> Array:
        """Return the harmonic mean of precision and recall."""
        return ratio(2 * self.true_positives, self.support + self.predicted)

    def fbeta(self, beta: float) -> Array:
        """Return the weighted harmonic mean of precision and recall; recall counts `beta` times as much."""
        return ratio((1 + beta**2) * self.true_positives, beta**2 * self.support + self.predicted)

    def false_positive_rate(self) -> Array:
        """Return the share of the rows in which the class is not true, but predicted."""
        return ratio(self.predicted - self.true_positives, self.rows - self.support)

    def youden(self) -> Array:
        """Return recall minus false positive rate.

        Youden, "Index for rating diagnostic tests", Cancer 3, 1950,
        doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3.
        """
        return self.recall() - self.false_positive_rate()

    def balanced_accuracy(self) -> Array:
        """Return the mean of recall and true negative rate."""
        return (self.recall() + 1 - self.false_positive_rate()) / 2


def label_counts(chosen: Array, truth: Array, weights: Array | None = None) -> ConfusionCounts:
    """Return the counts of each label, or with weights their sums, shape (C,).

    Parameters
    ----------
    chosen, truth
        Where a label is predicted, and where it is true: shape (N, C), bool.
    weights
        How much each row counts, shape (N,); None if all count once.
    """
    if weights is not None:
        hits, support, predicted = (weights @ each for each in (chosen & truth, truth, chosen))
        return ConfusionCounts(hits, support, predicted, weights.sum())
    return ConfusionCounts(
        np.count_nonzero(chosen & truth, axis=0),
        np.count_nonzero(truth, axis=0),
        np.count_nonzero(chosen, axis=0),
        len(truth),
    )


class Confusion(NamedTuple):
    """A class that is predicted in place of another.

    Parameters
    ----------
    truth, predicted
        The index of the row, and that of the column.
    rows
        How often that happens; with weights the sum of these.
    share
        The same as a share of the rows of the true class.
    """

    truth: int
    predicted: int
    rows: int | float
    share: float


def most_frequent_confusions(matrix: Array, most: int) -> list[Confusion]:
    """Return the largest cells of a confusion matrix beside its diagonal, the largest first; cells of 0 are left out.

    Parameters
    ----------
    matrix
        Shape (C, D), whole numbers or sums of weights: a row for each true class, a column for each predicted one and
        for each decision that is no class.
    most
        How many cells to return at most. Equal cells come in the order of the matrix.
    """
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    found = []
    for place in np.argsort(-wrong, axis=None, kind="stable")[:most].tolist():
        truth, predicted = divmod(place, wrong.shape[1])
        if rows := wrong[truth, predicted].item():
            found.append(Confusion(truth, predicted, rows, rows / matrix[truth].sum().item()))
    return found
