"""From the columns of the input to the columns of the classes: their names, their order, and one or two of binary."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from actcli.errors import DataError, UsageError, listed, visible
from actcli.prediction.scoring import log_complement
from actcli.tasks import YES_OR_NO, Origin, Task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from actcli.prediction.rules import Rules

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Arrangement", "class_columns", "named_by_columns"]


class Arrangement(Enum):
    """How the columns of the input become the columns of the classes."""

    AS_GIVEN = "as given"
    REVERSED = "reversed"
    """(positive, negative) becomes (negative, positive)."""
    WITH_NEGATIVE = "with negative"
    """A single positive column becomes (negative, positive): sigmoid(x) is softmax(0, x)."""

    def applied(self, scores: Array, origin: Origin) -> Array:
        """Return the columns of the classes, shape (N, C), from those of the input."""
        match self:
            case Arrangement.AS_GIVEN:
                return scores
            case Arrangement.REVERSED:
                return scores[:, ::-1]
            case Arrangement.WITH_NEGATIVE:
                return np.concatenate([_negative(scores, origin), scores], axis=1)
            case _:
                assert_never(self)


def class_columns(task: Task, columns: tuple[str, ...], rules: Rules) -> tuple[tuple[str, ...], Arrangement]:
    """Return the names of the classes, and how the `columns` of the input become theirs.

    Raises
    ------
    UsageError
        If the options do not fit the input or one another.
    DataError
        If the input does not have the classes that the task needs.
    """
    count = len(columns)
    if task is Task.BINARY:
        if count > 2:
            raise DataError(
                f"binary needs one or two class columns; the input has {count}: {listed(columns, 4)}",
                hint="use softmax or multilabel, or choose the columns: --classes NAME",
            )
        if count == 1:
            return _names_of_single(rules), Arrangement.WITH_NEGATIVE
        return _ordered_pair(_named(columns, rules), rules)
    if task is Task.SOFTMAX and count == 1:
        raise DataError(
            f"softmax of a single class, {listed(columns)}, is always 1",
            hint="a single class takes the sigmoid: actcli binary for a yes-or-no logit, or actcli multilabel",
        )
    return _named(columns, rules), Arrangement.AS_GIVEN


def named_by_columns(columns: tuple[str, ...], rules: Rules) -> Rules:
    """Return the rules of a policy that was fitted without class names, with the names of the `columns` instead.

    The names go by position. Other rules stay as they are, and so do all where the columns have no names either, or
    are not as many as the classes.
    """
    numbered = tuple(str(number) for number in range(len(columns)))
    if not _named_by_policy(rules) or rules.class_names != numbered or columns == numbered:
        return rules
    renamed = dict(zip(numbered, columns, strict=True))
    return replace(
        rules,
        class_names=columns,
        names_file=None,
        thresholds=rules.thresholds and {renamed.get(name, name): value for name, value in rules.thresholds.items()},
        positive=rules.positive and renamed.get(rules.positive, rules.positive),
    )


def _negative(positive: Array, origin: Origin) -> Array:
    match origin:
        case Origin.LOGITS:
            return np.zeros_like(positive)
        case Origin.PROBABILITIES:
            return np.asarray(1 - positive)
        case Origin.LOG_PROBABILITIES:
            return log_complement(positive).astype(positive.dtype)
        case _:
            assert_never(origin)


def _named(columns: tuple[str, ...], rules: Rules) -> tuple[str, ...]:
    names = rules.class_names
    if names is None:
        return columns
    if _named_by_policy(rules):
        _check_policy_names(columns, names, rules)
    if len(names) != len(columns):
        error = UsageError if rules.names_file is None else DataError
        raise error(
            f"{visible(rules.names_file or '--class-names', 200)}: "
            f"{len(names)} class name{'' if len(names) == 1 else 's'}, but there are {len(columns)} classes"
        )
    return names


def _named_by_policy(rules: Rules) -> bool:
    return rules.policy is not None and rules.names_file == rules.policy


def _check_policy_names(columns: Sequence[str], names: Sequence[str], rules: Rules) -> None:
    """Refuse columns with other names than the classes of the policy; numbers count as no names."""
    numbered = tuple(str(number) for number in range(len(columns)))
    if tuple(columns) in (tuple(names), numbered) or len(columns) != len(names):
        return
    number = next(number for number, (one, other) in enumerate(zip(columns, names, strict=True)) if one != other)
    hint = "the same names in another order: --classes selects columns in the order that it gives"
    raise DataError(
        f'{visible(rules.policy or "", 200)}: is for other classes: number {number + 1} is "{visible(names[number])}", '
        f'but "{visible(columns[number])}" in the input',
        hint=hint if set(columns) == set(names) else None,
    )


def _names_of_single(rules: Rules) -> tuple[str, str]:
    """Return the names of (negative, positive) where only the positive class has a column."""
    if rules.class_names is not None and _named_by_policy(rules):
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


def _ordered_pair(classes: tuple[str, ...], rules: Rules) -> tuple[tuple[str, ...], Arrangement]:
    if rules.negative is not None:
        raise UsageError(
            f"--negative names the class that has no column; the input has both: {listed(classes)}",
            hint="say which one is positive: --positive NAME",
        )
    if rules.positive is None or rules.positive == classes[1]:
        return classes, Arrangement.AS_GIVEN
    if rules.positive != classes[0]:
        raise UsageError(f"--positive: {visible(rules.positive)!r} is no class", hint=f"there are {listed(classes)}")
    return classes[::-1], Arrangement.REVERSED
