"""Other class shares than in training: what they add to calibrated scores. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from actcli.tasks import Task, enum_member

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["prior_shift"]


def prior_shift(train: ArrayLike, new: ArrayLike, *, task: str = "softmax") -> NDArray[np.float64]:
    """Return what is added to calibrated logits where the classes have other shares than in the training data.

    By Bayes' theorem, as long as each class looks as it did in training: log(new / train) for "softmax" and "binary".
    For "multilabel" log(new / (1 - new)) - log(train / (1 - train)), which multiplies the odds of each label.

    Parameters
    ----------
    train, new
        The share of each class, shape (C,). For "softmax" and "binary" they are divided by their sum, so counts will
        do; for "multilabel" each is from 0 to 1.
    task
        "softmax", "multilabel" or "binary".

    Returns
    -------
    array
        Shape (C,): 0 where both shares are equal, -inf where the new share is 0, and +inf where it is 1 for
        "multilabel".

    Raises
    ------
    ValueError
        If the shapes differ, a share is negative, not finite or above 1 where it must not be, all are 0, a share in
        training is 0, or for "multilabel" 1.

    References
    ----------
    Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities: a simple
    procedure", Neural Computation 14, 2002, doi:10.1162/089976602753284446.
    """
    exclusive = enum_member(Task, task, "task") is not Task.MULTILABEL
    old, shares = (_checked(values, exclusive=exclusive) for values in (train, new))
    if old.shape != shares.shape:
        raise ValueError(f"there are {len(old)} shares in training and {len(shares)} new ones")
    if (old == 0).any() or (not exclusive and (old == 1).any()):
        raise ValueError("a share in training is 0" + ("" if exclusive else " or 1"))
    with np.errstate(divide="ignore"):
        shift: NDArray[np.float64] = np.log(shares) - np.log(old)
        if exclusive:
            # Never divided by their sum, so that small counts beside large ones do not become 0.
            return np.asarray(shift - (_log_total(shares) - _log_total(old)))
        return np.asarray(shift - (np.log1p(-shares) - np.log1p(-old)))


def _log_total(counts: NDArray[np.float64]) -> float:
    """Return the logarithm of the sum of counts, whatever their size."""
    most = counts.max()
    return float(np.log(most) + np.log((counts / most).sum()))


def _checked(shares: ArrayLike, *, exclusive: bool) -> NDArray[np.float64]:
    values = np.asarray(shares, dtype=np.float64)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"shares must be one number for each class, not of the shape {values.shape}")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("shares must be finite and not negative")
    if not exclusive:
        if (values > 1).any():
            raise ValueError("the share of a label must not be above 1")
        return values
    if not values.any():
        raise ValueError("all shares are 0")
    return values
