"""The check of the scores before anything is decided, and the error of a wrong row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.activations import in_block_order
from actcli.errors import DataError, visible
from actcli.tasks import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from actcli.prediction.rules import Rules
    from actcli.streaming.batch import Batch

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["SUM_TOLERANCE", "SUSPICIOUS_SUM", "checked", "like_probabilities"]

SUM_TOLERANCE = 1e-3
"""How far from 1 the sum of the probabilities of a row may be."""

SUSPICIOUS_SUM = 1e-2
"""How far from 1 the sum of logits may be that look like probabilities."""


_SINGULAR = {
    Origin.LOGITS: "logit",
    Origin.PROBABILITIES: "probability",
    Origin.LOG_PROBABILITIES: "log-probability",
}


def checked(batch: Batch, classes: Sequence[str], dtype: np.dtype[Any], rules: Rules, *, exclusive: bool) -> Batch:
    """Return `batch` without wrong rows, its scores in `dtype` and in the memory layout that the kernels need.

    The first wrong row ends the table, unless the rules skip wrong rows.

    Parameters
    ----------
    batch
        As it was read.
    classes
        The names of its columns.
    dtype
        Of the computation.
    rules
        What the numbers are, and whether wrong rows are skipped.
    exclusive
        Whether the probabilities of a row sum to 1.
    """
    with np.errstate(over="ignore"):
        scores = in_block_order(batch.scores, dtype)
    highest = scores.max(axis=1)
    logarithms = rules.origin is Origin.LOG_PROBABILITIES
    wrong = ~(highest < np.inf)  # also false for NaN
    if dtype.itemsize < batch.scores.dtype.itemsize:
        wrong |= (np.isinf(scores) & np.isfinite(batch.scores)).any(axis=1)
    if exclusive:
        wrong |= highest == -np.inf
    if rules.origin is Origin.PROBABILITIES:
        wrong |= (highest > 1) | (scores.min(axis=1) < 0)
    elif logarithms:
        wrong |= highest > 0
    # The softmax normalizes log-probabilities however small their exponentials are.
    if exclusive and rules.origin is not Origin.LOGITS and not (logarithms and rules.renormalize):
        powers = scores if rules.origin is Origin.PROBABILITIES else np.exp(np.minimum(scores, 0))
        with np.errstate(invalid="ignore"):  # of infinities of both signs
            sums = powers.sum(axis=1, dtype=np.float64)
        wrong |= (sums == 0) if rules.renormalize else ~(np.abs(sums - 1) <= SUM_TOLERANCE)
    found = batch.scores
    batch = replace(batch, scores=scores)
    if wrong.any():
        batch = batch.without(wrong, lambda row, place: _what_is_wrong(place, found[row], scores[row], classes, rules))
    return batch if rules.skip else batch.until_fault()


def _what_is_wrong(place: str, stored: Array, scores: Array, classes: Sequence[str], rules: Rules) -> DataError:
    for name, found, score in zip(classes, stored, scores, strict=True):
        where = f'{place}: column "{visible(name)}"'
        if np.isnan(found) or found == np.inf:
            return DataError(f"{where}: {'NaN' if np.isnan(found) else 'infinity'} is not a {_SINGULAR[rules.origin]}")
        if np.isinf(score) and np.isfinite(found):
            return DataError(f"{where}: {found} is too large for {scores.dtype}", hint="leave --dtype float32 out")
        if rules.origin is Origin.PROBABILITIES and not 0 <= score <= 1:
            named = visible(rules.policy or "", 200)
            return DataError(
                f"{where}: {score} is not a probability",
                hint=f"{named} is for probabilities; for logits, fit another policy on logits"
                if named
                else "leave --from probabilities out for logits",
            )
        if rules.origin is Origin.LOG_PROBABILITIES and score > 0:
            return DataError(f"{where}: {score} is above 0, so it is not the logarithm of a probability")
    if np.isneginf(scores).all():
        return DataError(f"{place}: every class is masked (-inf), so none can be the label")
    powers = scores if rules.origin is Origin.PROBABILITIES else np.exp(scores)
    total = float(powers.sum(dtype=np.float64))
    hint = None if rules.renormalize else "for probabilities of independent labels use multilabel, or --renormalize"
    return DataError(f"{place}: the probabilities sum to {total:.6g}, not to 1", hint=hint)


def like_probabilities(scores: Array, *, sums: bool) -> bool:
    """Return whether logits, shape (N, C), look like probabilities; with `sums`, whether those of a row sum to 1.

    The first row is checked first: that of ordinary logits fails, at no cost.
    """
    for rows in (scores[:1], scores):
        with np.errstate(invalid="ignore", over="ignore"):
            if not ((rows >= 0) & (rows <= 1)).all():
                return False
            if sums and not (np.abs(rows.sum(axis=1) - 1) <= SUSPICIOUS_SUM).all():
                return False
    return True
