"""Which options have an effect: what is read to compute the output columns is recorded, for one row."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from actcli.errors import UsageError
from actcli.prediction.output_columns import OUTPUT, missing_for
from actcli.prediction.predictions import predictions
from actcli.streaming.batch import TopK
from actcli.tasks import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actcli.prediction.plan import PredictionPlan

T = TypeVar("T")

__all__ = ["PRECISION", "check_effects"]

PRECISION = "precision"
"""What stands for numbers with a point among the names that are read."""


def check_effects(plan: PredictionPlan, given: Mapping[str, str]) -> None:
    """Refuse options that change nothing that is written.

    Parameters
    ----------
    plan
        The plan, with its output columns.
    given
        By the name of each option that is given, the name of what holds its value: a field of `Rules`, "thresholds" and
        "scores" of the predictions, or `PRECISION`.

    Raises
    ------
    UsageError
        If the value of an option is not read.
    """
    known = {name: _read(plan, name) for name in OUTPUT[plan.scoring.task] if missing_for(name, plan.rules) is None}
    unused = {
        option: name
        for option, name in given.items()
        if not any(name in known[column] for column in plan.properties if column in known)
    }
    if unused:
        [name, *_] = unused.values()
        more = ", ".join(column for column, read in known.items() if name in read)
        verb = "change" if len(unused) > 1 else "changes"
        raise UsageError(
            f"{' and '.join(unused)} {verb} no column that is written",
            hint=f"leave {next(iter(unused))} out, or add one of these to --columns: {more}",
        )


def _read(plan: PredictionPlan, column: str) -> set[str]:
    """Return the names of what an output column is computed from."""
    read: set[str] = set()
    rules = _recorded(plan.rules, read)
    classes = plan.layout.classes
    share = 1 / len(classes)
    value = {Origin.LOGITS: 0.0, Origin.PROBABILITIES: share, Origin.LOG_PROBABILITIES: np.log(share)}[
        plan.rules.origin
    ]
    row = np.full((1, len(classes)), value, dtype=plan.layout.dtype)
    made = predictions(row, plan.scoring, rules, plan.thresholds, costs=plan.costs, taxonomy=plan.taxonomy)
    found = _recorded(made, read)
    read.clear()
    OUTPUT[plan.scoring.task][column](classes, rules)
    values = getattr(found, column)
    if isinstance(values, TopK) or (isinstance(values, np.ndarray) and values.dtype.kind == "f"):
        read.add(PRECISION)
    return read


def _recorded(value: T, read: set[str]) -> T:
    """Return a copy that adds the name of each attribute that is read to `read`."""

    def recording(self: Any, name: str) -> Any:
        read.add(name)
        return object.__getattribute__(self, name)

    kind = type(value)
    result = copy(value)
    recorder = type(kind.__name__, (kind,), {"__slots__": (), "__getattribute__": recording})
    object.__setattr__(result, "__class__", recorder)
    return result
