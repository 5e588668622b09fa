"""`evaluate`: the evaluation of arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.calibration.calibration import checked_weights
from actcli.calibration.methods import Temperature
from actcli.evaluation.class_labels import code_array, set_array
from actcli.evaluation.evaluator import Evaluator, properties
from actcli.evaluation.truth import ArrayTruth
from actcli.metrics.settings import MetricSettings
from actcli.prediction.costs import costs_from
from actcli.prediction.plan import plan
from actcli.prediction.rules import Rules
from actcli.streaming.batch import Batch, Layout
from actcli.tasks import Origin, Task, enum_member

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    from actcli.evaluation.result import Evaluation

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["evaluate"]

_ROWS_AT_ONCE = 4096


def evaluate(
    logits: ArrayLike,
    truth: ArrayLike,
    *,
    task: str = "softmax",
    classes: Sequence[str] | None = None,
    origin: str = "logits",
    temperature: float = 1.0,
    threshold: float | Mapping[str, float] = 0.5,
    strict: bool = False,
    top_k: int | None = None,
    at_least_one: bool = False,
    costs: Mapping[str, Mapping[str, float]] | None = None,
    bins: int = 15,
    equal_mass: bool = False,
    ranking: bool = True,
    bootstrap: int = 0,
    seed: int = 0,
    weights: ArrayLike | None = None,
    ordered: bool = False,
) -> Evaluation:
    """Evaluate predictions.

    Parameters
    ----------
    logits
        Shape (N, C); for binary also (N,) or (N, 1), the positive class alone. They are computed in float64.
    truth
        For softmax and binary: N indices or names of classes, or a 0/1 table with a single 1 in each row. For
        multilabel: a 0/1 table of shape (N, C), or N sets or lists of names.
    task
        "softmax", "multilabel" or "binary".
    classes
        The names of the classes, by default "0" to "C-1"; (negative, positive) for binary.
    origin
        What the numbers are: "logits", "probabilities" or "log-probabilities".
    temperature
        Divides the logits.
    threshold
        For multilabel and binary: the threshold of all classes, or those of some classes by name; the others have 0.5.
    strict
        Whether a probability must be above the threshold, instead of reaching it.
    top_k
        For softmax: the K of the top-K accuracy. For multilabel: the most labels that a row gets.
    at_least_one
        For multilabel: whether a row with no class above the threshold gets its best class.
    costs
        For softmax and binary: by the name of the true class, the cost of each decision by its name. The decision of a
        row is the one of the smallest expected cost. This adds "mean_cost".
    bins, equal_mass
        The number of bins of the calibration error, and whether they hold equally many rows instead of being equally
        wide.
    ranking
        Whether to compute ROC AUC and average precision, which sort all rows for every class.
    bootstrap, seed
        The number of replicates for the 95 % intervals, 0 for no intervals, and the seed of their random numbers.
    weights
        How much each row counts, shape (N,): finite, not negative, not all 0. None: every row counts once.
    ordered
        For softmax and binary: whether the order of the classes means something. This adds "mae" and "kappa_quadratic".

    Returns
    -------
    Evaluation
        The metrics, in float64. Undefined ones are None.

    Raises
    ------
    ValueError
        If the shapes do not match, the truth holds a value that is not a class, or an argument is out of range.
    ActcliError
        If a row of scores is invalid, or the arguments contradict each other.

    Notes
    -----
    The metrics agree with scikit-learn where it has them. In means, undefined precision, recall, F1 and Jaccard index
    count as 0; undefined ROC AUC and average precision are left out. The log loss is computed from log-probabilities
    and never clipped. The bins of the calibration error are (lower, upper] (Naeini, Cooper and Hauskrecht 2015; Guo et
    al., "On calibration of modern neural networks", 2017, arXiv:1706.04599). The Brier loss is a sum over classes
    (Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2).

    Examples
    --------
    >>> evaluate([[2.0, 1.0], [0.0, 4.0], [3.0, 0.0]], [0, 1, 1]).metrics["accuracy"]
    0.6666666666666666
    """
    decided_task, scores = enum_member(Task, task, "task"), _score_table(logits, task)
    if costs is not None and decided_task is Task.MULTILABEL:
        raise ValueError("costs are for softmax and binary")
    if ordered and decided_task is Task.MULTILABEL:
        raise ValueError("the labels of a set have no order: ordered is for softmax and binary")
    if bins < 1 or bootstrap < 0 or seed < 0:
        raise ValueError("bins must be at least 1, bootstrap and seed at least 0")
    named = None if isinstance(threshold, float | int) else dict(threshold)
    rules = Rules(
        origin=enum_member(Origin, origin, "origin"),
        dtype="float64",
        calibration=None if temperature == 1 else Temperature(temperature),
        class_names=None if classes is None else tuple(classes),
        threshold=threshold if isinstance(threshold, float | int) else 0.5,
        thresholds=named,
        strict=strict,
        top_k=top_k,
        at_least_one=at_least_one,
        costs=None if costs is None else costs_from(costs, "costs"),
    )
    settings = MetricSettings(
        decided_task,
        max(2, scores.shape[1]) if decided_task is Task.BINARY else scores.shape[1],
        bins=bins,
        equal_mass=equal_mass,
        ranking=ranking,
        top_k=top_k is not None and decided_task is Task.SOFTMAX,
        costs=costs is not None,
        ordered=ordered,
        weighted=weights is not None,
        bootstrap=bootstrap,
        seed=seed,
    )
    layout = Layout(tuple(map(str, range(scores.shape[1]))), (), scores.dtype, len(scores))
    planned = plan(decided_task, layout, rules, properties=properties(settings))
    if planned.costs is not None and planned.costs.others:
        settings = replace(settings, others=len(planned.costs.others), coverage=True)
    codes = (code_array if settings.exclusive else set_array)(truth, planned.layout.classes)
    if len(codes) != len(scores):
        raise ValueError(f"there are {len(codes)} truths, but {len(scores)} rows of scores")
    if not len(scores):
        raise ValueError("there are no rows")
    evaluator = Evaluator(settings, ArrayTruth(codes, checked_weights(weights, len(scores))), costs=planned.costs)
    for start in range(0, len(scores), _ROWS_AT_ONCE):
        decided = planned.decide(Batch(scores[start : start + _ROWS_AT_ONCE], {}, _Places(start)))
        if decided.fault is not None:
            raise decided.fault
        evaluator.accept(evaluator.encoder.encode(decided), start)
    return evaluator.result(planned.layout.classes)


def _score_table(logits: ArrayLike, task: str) -> Array:
    scores = np.asarray(logits)
    if task == Task.BINARY and scores.ndim == 1:
        scores = scores[:, np.newaxis]
    if scores.ndim != 2 or not scores.shape[1] or scores.dtype.kind not in "fiu":
        raise ValueError(f"logits must be numbers of shape (rows, classes), not {scores.dtype} of shape {scores.shape}")
    return scores


@dataclass(frozen=True, slots=True)
class _Places:
    """Says where a row of a part of an array is."""

    start: int

    def __call__(self, row: int) -> str:
        """Return the place of a row, for messages."""
        return f"row {self.start + row}"
