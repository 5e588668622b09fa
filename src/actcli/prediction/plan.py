"""From options to a plan: everything that is settled before the first row, as plain data.

A plan decides batches with `Plan.decide`. It can be pickled, and gives the same results in another process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.activations import check_temperature, computing_dtype, in_block_order
from actcli.calibration.temperature import Temperature
from actcli.errors import UsageError, listed, visible
from actcli.formats.column_roles import check_utf8
from actcli.prediction.class_columns import Arrangement, class_columns, named_by_columns
from actcli.prediction.output_columns import output_columns
from actcli.prediction.predictions import predictions
from actcli.prediction.scoring import Scoring
from actcli.prediction.validation import checked, like_probabilities
from actcli.streaming.batch import Batch, Column, Kind, Layout, TopK
from actcli.tasks import Origin, Task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from actcli.prediction.rules import Rules

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Plan", "PredictionPlan", "plan", "rounded"]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is settled before the first row.

    Parameters
    ----------
    layout
        Of the decided table: its classes, and the dtype of the computation.
    columns
        The output columns.
    notes
        What a user should know.
    """

    layout: Layout
    columns: tuple[Column, ...]
    notes: tuple[str, ...]

    def decide(self, batch: Batch) -> Batch:
        """Return the batch with the values of the output columns: pure, in any thread or process."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, eq=False)
class PredictionPlan(Plan):
    """The plan of predictions for a table.

    Parameters
    ----------
    input_classes
        The names of the class columns of the input.
    arrangement
        How these become the columns of the classes.
    scoring
        How the numbers become scores.
    rules
        What is asked for.
    thresholds
        Of each class, shape (C,), in the dtype of the computation.
    properties
        The properties of `Predictions` to compute, and "file", the number of the input file.
    """

    input_classes: tuple[str, ...]
    arrangement: Arrangement
    scoring: Scoring
    rules: Rules
    thresholds: Array
    properties: tuple[str, ...]

    def decide(self, batch: Batch) -> Batch:
        """Return the batch with the values of the properties, and without its scores."""
        exclusive = self.scoring.task is not Task.MULTILABEL and len(self.input_classes) > 1
        batch = checked(batch, self.input_classes, self.layout.dtype, self.rules, exclusive=exclusive)
        scores = batch.scores
        arranged = in_block_order(self.arrangement.applied(scores, self.rules.origin))
        found = predictions(arranged, self.scoring, self.rules, self.thresholds)
        values = {
            name: np.full(len(scores), batch.file) if name == "file" else getattr(found, name)
            for name in self.properties
        }
        values = {name: rounded(value, self.rules.precision) for name, value in values.items()}
        suspicious = self.rules.origin is Origin.LOGITS and like_probabilities(scores, sums=exclusive)
        # Nothing reads the scores from here on. To drop them frees their memory, and their place in the cache.
        return batch.without_scores(values=values, like_probabilities=suspicious)


def plan(
    task: Task, layout: Layout, rules: Rules, files: Sequence[str] = (), properties: Sequence[str] | None = None
) -> PredictionPlan:
    """Settle the predictions for a table.

    Parameters
    ----------
    task
        What is decided.
    layout
        Of the input.
    rules
        What is asked for.
    files
        The names of the inputs, for the column `file`.
    properties
        The properties of `Predictions` to compute where no output columns are wanted.

    Raises
    ------
    UsageError
        If the options do not fit the input or one another.
    DataError
        If the input does not have the classes that the task needs.
    """
    given, rules = rules, named_by_columns(layout.classes, rules)
    classes, arrangement = class_columns(task, layout.classes, rules)
    dtype = np.dtype(rules.dtype) if rules.dtype else computing_dtype(layout.dtype)
    _check_calibration(rules, dtype)
    for name in (*classes, rules.abstain_label):
        check_utf8(name)
    if rules.abstains and rules.abstain_label in classes:
        raise UsageError(f"--abstain-label: {visible(rules.abstain_label)!r} is a class of the input")
    if rules.renormalize and (task is Task.MULTILABEL or len(layout.classes) == 1):
        raise UsageError("--renormalize divides the probabilities of a row by their sum; a single one has none")
    columns: tuple[Column, ...] = ()
    notes: tuple[str, ...] = ()
    if rules is not given:
        name = visible(rules.policy or "", 200)
        notes = (f"{name}: was fitted without class names; its classes take those of the columns, by position",)
    if properties is None:
        columns, renamed = output_columns(task, layout.carried, classes, rules, files)
        notes += renamed
        properties = [column.name for column in columns if column.carried is None and column.kind is not Kind.ROW]
    notes += _check_thresholds(task, classes, rules)
    # A calibration that changes nothing is left out: so the numbers of the input come out to the last bit.
    calibration = None if rules.calibration == Temperature(1.0) else rules.calibration
    return PredictionPlan(
        # The number of rows is unknown where wrong rows are left out.
        layout=replace(layout, classes=classes, dtype=dtype, rows=None if rules.skip else layout.rows),
        columns=columns,
        notes=notes,
        input_classes=layout.classes,
        arrangement=arrangement,
        scoring=Scoring(task, rules.origin, rules.renormalize, calibration),
        rules=rules,
        thresholds=np.array([rules.threshold_of(name) for name in classes], dtype=dtype),
        properties=tuple(properties),
    )


def _check_calibration(rules: Rules, dtype: np.dtype[Any]) -> None:
    if isinstance(rules.calibration, Temperature):
        try:
            check_temperature(rules.calibration.temperature, dtype)
        except ValueError as error:
            raise UsageError(f"{visible(rules.policy or '--temperature', 200)}: {error}") from None


def _check_thresholds(task: Task, classes: Sequence[str], rules: Rules) -> tuple[str, ...]:
    """Refuse thresholds for unknown names; return a note on the classes that a file of thresholds leaves out."""
    classes = classes[1:] if task is Task.BINARY else classes
    named = rules.thresholds or {}
    known = set(classes)
    for name in named:
        if name not in known:
            what = "the positive class" if task is Task.BINARY else "a class of the input"
            raise UsageError(f"--threshold: {visible(name)!r} is not {what}", hint=f"there is {listed(classes)}")
    if rules.thresholds_file is None or len(named) == len(classes):
        return ()
    missing = f"{len(classes) - len(named):,} of {len(classes):,} classes"
    return (f"{visible(rules.thresholds_file, 200)}: names no threshold for {missing}; they take {rules.threshold:g}",)


def rounded(value: Any, digits: int | None) -> Any:
    """Return floats rounded to a number of significant digits, as Python formats them; None rounds nothing."""
    if digits is None:
        return value
    if isinstance(value, TopK):
        return TopK(value.codes, rounded(value.probabilities, digits))
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    flat = [float(f"{number:.{digits}g}") for number in value.ravel().tolist()]
    return np.array(flat, dtype=value.dtype).reshape(value.shape)
