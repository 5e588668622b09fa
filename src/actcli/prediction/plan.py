"""From options to `decide`, the function that turns a batch of scores into a batch of decisions.

Everything that can be settled before the first row is settled in `plan`: names, thresholds, the columns to write. What
is left is a `Predictions` object for each batch. Its properties are the output columns: only those that are asked for,
and what they need, are computed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.activations import (
    check_temperature,
    computing_dtype,
    exponentials,
    in_block_order,
    log_sigmoid,
    log_softmax_rows,
    row_sums,
    sigmoid,
)
from actcli.calibration.methods import Temperature
from actcli.errors import DataError, UsageError, listed, visible
from actcli.formats.column_roles import check_utf8
from actcli.prediction import decisions
from actcli.prediction.output_columns import output_columns
from actcli.prediction.scoring import LOG_PROBABILITIES, LOGITS, PROBABILITIES, Scoring, log, log_complement
from actcli.prediction.validation import checked, like_probabilities
from actcli.streaming.batch import Batch, Column, Kind, Layout, Sets, TopK
from actcli.tasks import YES_OR_NO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from actcli.calibration.conformal import Conformal
    from actcli.calibration.methods import Calibration
    from actcli.streaming.batch import Stage

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["TASKS", "Plan", "Rules", "plan", "rounded"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What was asked for; every field has the meaning of the option of the same name.

    Parameters
    ----------
    origin
        What the numbers are: "logits", "probabilities" or "log-probabilities" (``--from``).
    calibration
        What changes the logits: of ``--temperature``, or of a policy.
    conformal
        How prediction sets are made, which a policy says.
    policy
        The name of the policy file, for messages.
    threshold
        For every class that `thresholds` does not name.
    names_file
        Where the class names are from, if from a file.
    strict
        Whether a threshold is reached only above it.
    skip
        Whether wrong rows are left out, instead of the first of them being an error (``--on-bad-row``).
    columns
        Names of output columns; None for the default ones.
    """

    origin: str = "logits"
    calibration: Calibration | None = None
    conformal: Conformal | None = None
    policy: str | None = None
    renormalize: bool = False
    skip: bool = False
    dtype: str | None = None
    class_names: tuple[str, ...] | None = None
    names_file: str | None = None
    top_k: int | None = None
    threshold: float = 0.5
    thresholds: Mapping[str, float] | None = None
    strict: bool = False
    at_least_one: bool = False
    abstain_below: float | None = None
    abstain_margin: float | None = None
    abstain_label: str = "abstain"
    positive: str | None = None
    negative: str | None = None
    columns: tuple[str, ...] | None = None
    precision: int | None = None

    def __post_init__(self) -> None:
        if self.renormalize and self.origin == LOGITS:
            raise UsageError("--renormalize is for probabilities", hint="add --from probabilities")

    @property
    def temperature(self) -> float:
        """What the logits are divided by, where that is all that calibrates them."""
        return self.calibration.temperature if isinstance(self.calibration, Temperature) else 1.0

    @property
    def abstains(self) -> bool:
        """Whether a label may be withheld."""
        return self.abstain_below is not None or self.abstain_margin is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is settled before the first row.

    Parameters
    ----------
    layout
        Of the decided table: its classes, and the dtype in which it is computed.
    columns
        What is written of each row.
    decide
        Computes them.
    scoring
        How these become scores that decide.
    notes
        What a user should know.
    """

    layout: Layout
    columns: tuple[Column, ...]
    decide: Stage
    scoring: Scoring
    notes: tuple[str, ...]


class Predictions:
    """What can be said of a batch of scores; each public property is an output column.

    Parameters
    ----------
    given
        Shape (N, C), checked, in the computing dtype.
    scoring
        How these become scores.
    rules
        What was asked for.
    thresholds
        Of each class, in the computing dtype.
    """

    def __init__(self, given: Array, scoring: Scoring, rules: Rules, thresholds: Array) -> None:
        self.given = given
        self.scoring = scoring
        self.rules = rules
        self.thresholds = thresholds
        self.scores, self.form, self.temperature = scoring.scored(given)

    @cached_property
    def logits(self) -> Array:
        """What was given as logits: before calibration."""
        return self.scoring.logits(self.given)

    @property
    def _masked(self) -> Array:
        """Where a class cannot be the label, shape (N, C)."""
        return self.scoring.masked(self.given)


class SoftmaxPredictions(Predictions):
    """Exactly one class is right: softmax."""

    @cached_property
    def _exponentials(self) -> tuple[Array, Array]:
        return exponentials(self.scores, self.temperature)

    @cached_property
    def probabilities(self) -> Array:
        """The probability of each class."""
        if self.form == PROBABILITIES:
            return self.scores
        if self.form == LOG_PROBABILITIES:
            return np.exp(self.scores)
        powers, totals = self._exponentials
        powers /= totals[:, np.newaxis]  # nothing else reads them
        return powers

    @cached_property
    def log_probabilities(self) -> Array:
        """Their logarithms."""
        if self.form == LOG_PROBABILITIES:
            return self.scores
        return log(self.scores) if self.form == PROBABILITIES else log_softmax_rows(self.scores, self.temperature)

    @cached_property
    def _best(self) -> Array:
        return decisions.argmax(self.scores)

    @cached_property
    def probability(self) -> Array:
        """The probability of the label, or of the class that would be it."""
        if self.form == LOGITS and "probabilities" not in self.__dict__:
            return 1 / self._exponentials[1]
        return np.take_along_axis(self.probabilities, self._best[:, np.newaxis], axis=1)[:, 0]

    @cached_property
    def margin(self) -> Array:
        """The largest probability minus the second."""
        return decisions.margin(self.probabilities)

    @cached_property
    def entropy(self) -> Array:
        """Of the probabilities, in nats."""
        probabilities = self.probabilities
        with np.errstate(invalid="ignore"):
            terms = np.where(probabilities > 0, probabilities * self.log_probabilities, 0)
        return np.maximum(-row_sums(terms), 0)

    @cached_property
    def reason(self) -> Array:
        """Why there is a label or none, as indices into `REASONS`."""
        code = np.zeros(len(self.scores), dtype=np.int64)
        if self.rules.abstain_margin is not None:
            code[self.margin < self.margin.dtype.type(self.rules.abstain_margin)] = 2
        if self.rules.abstain_below is not None:
            code[self.probability < self.probability.dtype.type(self.rules.abstain_below)] = 1
        return code

    @cached_property
    def index(self) -> Array:
        """Of the label's class; -1 where there is none."""
        return np.where(self.reason == 0, self._best, -1) if self.rules.abstains else self._best

    @property
    def label(self) -> Array:
        """The label: its code is its index."""
        return self.index

    @property
    def onehot(self) -> Array:
        """1 for the label's class."""
        return np.equal(self.index[:, np.newaxis], np.arange(self.scores.shape[1])).astype(np.uint8)

    @property
    def prediction_set(self) -> Sets:
        """The classes that the conformal rule lets in, in class order.

        In float64 whatever the computation is in, as the rule was made: a promise is no matter of rounding.
        """
        assert self.rules.conformal is not None
        exact = self if self.given.dtype == np.float64 else self._in_float64()
        return _sets(self.rules.conformal.sets(exact.probabilities) & ~self._masked)

    def _in_float64(self) -> SoftmaxPredictions:
        return type(self)(self.given.astype(np.float64), self.scoring, self.rules, self.thresholds)

    @property
    def top_k(self) -> TopK:
        """The classes with the highest scores, masked ones left out."""
        codes = decisions.top_k(self.scores, self.rules.top_k or self.scores.shape[1])
        masked = np.take_along_axis(self._masked, codes, axis=1)
        return TopK(np.where(masked, -1, codes), np.take_along_axis(self.probabilities, codes, axis=1))


class BinaryPredictions(SoftmaxPredictions):
    """Two classes, (negative, positive), and a threshold for the positive one."""

    @cached_property
    def _best(self) -> Array:
        positive = decisions.reached(self.probabilities, self.thresholds, strict=self.rules.strict)[:, 1]
        masked = self._masked
        return np.where(masked[:, 0] | (positive & ~masked[:, 1]), 1, 0)

    @cached_property
    def probability(self) -> Array:
        """The probability of the label, or of the class that would be it."""
        return np.where(self._best == 1, self.probabilities[:, 1], self.probabilities[:, 0])


class SigmoidPredictions(Predictions):
    """Any number of classes is right: sigmoid and a threshold for each."""

    @cached_property
    def probabilities(self) -> Array:
        """The probability of each class."""
        if self.form == PROBABILITIES:
            return self.scores
        if self.form == LOG_PROBABILITIES:
            return np.exp(self.scores)
        return sigmoid(self.scores, temperature=self.temperature)

    @cached_property
    def log_probabilities(self) -> Array:
        """Their logarithms."""
        if self.form == LOG_PROBABILITIES:
            return self.scores
        if self.form == PROBABILITIES:
            return log(self.scores)
        return log_sigmoid(self.scores, temperature=self.temperature)

    @cached_property
    def log_complements(self) -> Array:
        """The logarithms of what the probabilities leave to 1: no output column, but half of a loss."""
        if self.form == LOG_PROBABILITIES:
            return log_complement(self.scores)
        if self.form == PROBABILITIES:
            with np.errstate(divide="ignore"):
                return np.log1p(-self.scores)
        return log_sigmoid(-self.scores, temperature=self.temperature)

    @cached_property
    def _chosen(self) -> Array:
        chosen = decisions.reached(self.probabilities, self.thresholds, strict=self.rules.strict)
        if not self.rules.strict and (self.thresholds == 0).any():
            chosen &= ~self._masked
        if self.rules.top_k is not None:
            chosen = decisions.best_among(chosen, self.scores, self.rules.top_k)
        if self.rules.at_least_one:
            chosen = decisions.at_least_one(chosen, self.scores)
        return chosen

    @cached_property
    def labels(self) -> Sets:
        """The classes that are in, in class order."""
        return _sets(self._chosen)

    @property
    def indices(self) -> Sets:
        """Their indices."""
        return self.labels

    @cached_property
    def count(self) -> Array:
        """How many they are."""
        return np.asarray(self._chosen.sum(axis=1, dtype=np.int64))

    @property
    def multihot(self) -> Array:
        """1 for each of them."""
        return self._chosen.astype(np.uint8)


def _sets(chosen: Array) -> Sets:
    """Return which classes are `chosen`, shape (N, C), row by row."""
    rows, classes = chosen.shape
    # NumPy finds what is true in a flat array many times as fast as in a table, and without its lock.
    cells = np.flatnonzero(chosen)
    return Sets(np.searchsorted(cells, np.arange(rows + 1) * classes), cells % classes)


TASKS: dict[str, type[SoftmaxPredictions | SigmoidPredictions]] = {
    "softmax": SoftmaxPredictions,
    "multilabel": SigmoidPredictions,
    "binary": BinaryPredictions,
}


def plan(
    task: str, layout: Layout, rules: Rules, files: Sequence[str] = (), properties: Sequence[str] | None = None
) -> Plan:
    """Settle what is to be done with a table of this layout.

    Parameters
    ----------
    task
        "softmax", "multilabel" or "binary".
    layout
        Of the input.
    rules
        What was asked for.
    files
        The names of the inputs, for the column `file`.
    properties
        What is to be computed, by its name as a property of `Predictions`, where nothing is to be written.

    Raises
    ------
    UsageError
        If the options do not fit the input or one another.
    DataError
        If the input does not have the classes that the task needs.
    """
    classes, arrange = _arrangement(task, layout, rules)
    one_column = task == "multilabel" or len(layout.classes) == 1
    dtype = np.dtype(rules.dtype) if rules.dtype else computing_dtype(layout.dtype)
    _check_calibration(rules, dtype)
    for name in (*classes, rules.abstain_label):
        check_utf8(name)
    if rules.abstains and rules.abstain_label in classes:
        raise UsageError(f"--abstain-label: {visible(rules.abstain_label)!r} is a class of the input")
    if rules.renormalize and one_column:
        raise UsageError("--renormalize divides the probabilities of a row by their sum; a single one has none")
    decider, scoring = TASKS[task], Scoring(task, rules.origin, rules.renormalize, _effective(rules.calibration))
    columns: tuple[Column, ...] = ()
    notes: tuple[str, ...] = ()
    if properties is None:
        columns, notes = output_columns(task, layout.carried, classes, rules, files)
    thresholds = np.array([_threshold(name, rules) for name in classes], dtype=dtype)
    _check_threshold_names(task, classes, rules)
    wanted = tuple(column for column in columns if column.carried is None and column.kind is not Kind.ROW)

    def decide(batch: Batch) -> Batch:
        batch = checked(batch, layout.classes, dtype, rules, exclusive=not one_column)
        scores = batch.scores
        found = decider(in_block_order(arrange(scores)), scoring, rules, thresholds)
        values: dict[str, Any] = {name: getattr(found, name) for name in properties or ()}
        for column in wanted:
            if column.name == "file":
                values["file"] = np.full(len(scores), batch.file)
            else:
                values[column.name] = getattr(found, column.name)
        values = {name: rounded(value, rules.precision) for name, value in values.items()}
        suspicious = rules.origin == "logits" and like_probabilities(scores, sums=not one_column)
        # The scores have done their part: what is made next takes their place, also in the processor's cache.
        return batch.without_scores(values=values, like_probabilities=suspicious)

    # How many rows will be left is not known where wrong ones are left out.
    settled = replace(layout, classes=tuple(classes), dtype=dtype, rows=None if rules.skip else layout.rows)
    return Plan(settled, columns, decide, scoring, notes)


def _effective(calibration: Calibration | None) -> Calibration | None:
    """Return a calibration, or None if it changes nothing: then what was given comes out to the last bit."""
    return None if calibration == Temperature(1.0) else calibration


def _check_calibration(rules: Rules, dtype: np.dtype[Any]) -> None:
    if isinstance(rules.calibration, Temperature):
        try:
            check_temperature(rules.calibration.temperature, dtype)
        except ValueError as error:
            raise UsageError(f"{visible(rules.policy or '--temperature', 200)}: {error}") from None


def _arrangement(task: str, layout: Layout, rules: Rules) -> tuple[Sequence[str], Callable[[Array], Array]]:
    """Return the class names, and the function that gives the scores the columns that belong to them."""
    count = len(layout.classes)
    if task == "binary":
        if count > 2:
            raise DataError(
                f"binary needs one or two class columns; the input has {count}: {listed(layout.classes, 4)}",
                hint="use softmax or multilabel, or choose the columns: --classes NAME",
            )
        if count == 1:
            return _single_names(rules), _single_logit(rules.origin)
        return _two_logits(_named(layout.classes, rules), rules)
    if task == "softmax" and count == 1:
        raise DataError(
            f"softmax of a single class, {listed(layout.classes)}, is always 1",
            hint="a single class takes the sigmoid: actcli binary for a yes-or-no logit, or actcli multilabel",
        )
    return _named(layout.classes, rules), lambda scores: scores


def _named(classes: tuple[str, ...], rules: Rules) -> tuple[str, ...]:
    names = rules.class_names
    if names is None:
        return classes
    if _policy_names(rules):
        _check_policy_names(classes, names, rules)
    if len(names) != len(classes):
        error = UsageError if rules.names_file is None else DataError
        raise error(
            f"{visible(rules.names_file or '--class-names', 200)}: "
            f"{len(names)} class name{'' if len(names) == 1 else 's'}, but there are {len(classes)} classes"
        )
    return names


def _policy_names(rules: Rules) -> bool:
    """Return whether the names are those of a policy."""
    return rules.policy is not None and rules.names_file == rules.policy


def _check_policy_names(classes: Sequence[str], names: Sequence[str], rules: Rules) -> None:
    """Refuse an input whose classes have other names than those of the policy; it may have none, but numbers."""
    numbered = tuple(str(number) for number in range(len(classes)))
    if tuple(classes) in (tuple(names), numbered) or len(classes) != len(names):
        return
    number = next(number for number, (one, other) in enumerate(zip(classes, names, strict=True)) if one != other)
    hint = "the same names in another order: --classes selects columns in the order that it gives"
    raise DataError(
        f'{visible(rules.policy or "", 200)}: is for other classes: number {number + 1} is "{visible(names[number])}", '
        f'but "{visible(classes[number])}" in the input',
        hint=hint if set(classes) == set(names) else None,
    )


def _single_names(rules: Rules) -> tuple[str, str]:
    """Return the names of (negative, positive) where only the positive class has a column."""
    if rules.class_names is not None and _policy_names(rules):
        names = rules.class_names if rules.positive == rules.class_names[1] else rules.class_names[::-1]
        return names[0], names[1]
    negative, positive = _named(YES_OR_NO, rules)
    if rules.class_names is not None:
        for option, name, given in (("--positive", positive, rules.positive), ("--negative", negative, rules.negative)):
            if given not in (None, name):
                raise UsageError(
                    f"{option}: {visible(given or '')!r} is not what --class-names says: {visible(name)!r}",
                    hint="--class-names has the negative class first",
                )
    negative = negative if rules.negative is None else rules.negative
    positive = positive if rules.positive is None else rules.positive
    if not negative or not positive:
        raise UsageError("--positive and --negative: a class has an empty name")
    if negative == positive:
        raise UsageError(f"both classes are called {visible(positive)!r}", hint="name both: --positive A --negative B")
    return negative, positive


def _single_logit(origin: str) -> Callable[[Array], Array]:
    """Return the function that puts the negative class beside the positive one: sigmoid(x) is softmax(0, x)."""

    def both(scores: Array) -> Array:
        if origin == "logits":
            other = np.zeros_like(scores)
        else:
            other = 1 - scores if origin == "probabilities" else log_complement(scores).astype(scores.dtype)
        return np.concatenate([other, scores], axis=1)

    return both


def _two_logits(classes: tuple[str, ...], rules: Rules) -> tuple[Sequence[str], Callable[[Array], Array]]:
    if rules.negative is not None:
        raise UsageError(
            f"--negative names the class that has no column; the input has both: {listed(classes)}",
            hint="say which one is positive: --positive NAME",
        )
    if rules.positive is None or rules.positive == classes[1]:
        return classes, lambda scores: scores
    if rules.positive != classes[0]:
        raise UsageError(f"--positive: {visible(rules.positive)!r} is no class", hint=f"there are {listed(classes)}")
    return classes[::-1], lambda scores: scores[:, ::-1]


def _threshold(name: str, rules: Rules) -> float:
    return (rules.thresholds or {}).get(name, rules.threshold)


def _check_threshold_names(task: str, classes: Sequence[str], rules: Rules) -> None:
    allowed = list(classes[1:] if task == "binary" else classes)
    known = set(allowed)
    for name in rules.thresholds or {}:
        if name not in known:
            what = "the positive class" if task == "binary" else "a class of the input"
            raise UsageError(f"--threshold: {visible(name)!r} is not {what}", hint=f"there is {listed(allowed)}")


def rounded(value: Any, digits: int | None) -> Any:
    """Return floats rounded to that many significant digits, as Python's own formatting rounds them; None is all."""
    if digits is None:
        return value
    if isinstance(value, TopK):
        return TopK(value.codes, rounded(value.probabilities, digits))
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    flat = [float(f"{number:.{digits}g}") for number in value.ravel().tolist()]
    return np.array(flat, dtype=value.dtype).reshape(value.shape)
