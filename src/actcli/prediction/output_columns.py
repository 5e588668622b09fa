"""The output columns: their names, and which of them a command writes.

A column is a property of the same name in `actcli.prediction.predictions`. To add a column, write the property and a
line in `OUTPUT`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from actcli.errors import UsageError, listed, visible
from actcli.streaming.batch import Carried, Column, Kind
from actcli.tasks import Origin, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from actcli.prediction.rules import Rules

    Maker: TypeAlias = Callable[[Sequence[str], "Rules"], Column]

__all__ = ["OUTPUT", "REASONS", "carried_columns", "missing_for", "output_columns", "printable", "with_names_apart"]

REASONS = ("ok", "below_confidence", "ambiguous")
"""Why there is a label or none: the texts of the column `reason`."""


def _matrix(name: str, prefix: str, integers: str | None = None) -> Maker:
    def column(classes: Sequence[str], rules: Rules) -> Column:  # noqa: ARG001
        headers = tuple(prefix + label for label in classes)
        return Column(name, Kind.MATRIX, headers, tuple(classes), dtype=integers)

    return column


def _number(name: str, integers: str | None = None) -> Maker:
    return lambda classes, rules: Column(name, Kind.NUMBER, (name,), dtype=integers)  # noqa: ARG005


def _label(classes: Sequence[str], rules: Rules) -> Column:
    labels = [*classes]
    if rules.costs is not None:
        known = set(classes)
        labels += [decision for decision in rules.costs.decisions if decision not in known]
    if rules.taxonomy is not None:
        labels += rules.taxonomy.inner
    return Column("label", Kind.CODE, ("label",), (*labels, *([rules.abstain_label] if rules.abstains else [])))


def _leaf(classes: Sequence[str], rules: Rules) -> Column:  # noqa: ARG001
    return Column("leaf", Kind.CODE, ("leaf",), tuple(classes))


def _lineage(classes: Sequence[str], rules: Rules) -> Column:
    assert rules.taxonomy is not None
    return Column("lineage", Kind.SET, ("lineage",), (*classes, *rules.taxonomy.inner), separator=";")


def _costs(classes: Sequence[str], rules: Rules) -> Column:  # noqa: ARG001
    assert rules.costs is not None
    decisions = rules.costs.decisions
    return Column("costs", Kind.MATRIX, tuple(f"cost_{decision}" for decision in decisions), decisions)


def _reason(classes: Sequence[str], rules: Rules) -> Column:  # noqa: ARG001
    return Column("reason", Kind.CODE, ("reason",), REASONS)


def _top_k(classes: Sequence[str], rules: Rules) -> Column:
    count = min(rules.top_k or len(classes), len(classes))
    headers = [f"{what}_{rank}" for rank in range(1, count + 1) for what in ("label", "probability")]
    return Column("top_k", Kind.RANKING, tuple(headers), tuple(classes), dtype="int64")


def _set(name: str, *, integers: bool = False) -> Maker:
    def column(classes: Sequence[str], rules: Rules) -> Column:  # noqa: ARG001
        labels = map(str, range(len(classes))) if integers else classes
        return Column(name, Kind.SET, (name,), tuple(labels), dtype="int64" if integers else None)

    return column


_SHARED = {
    "probabilities": _matrix("probabilities", "p_"),
    "log_probabilities": _matrix("log_probabilities", "logp_"),
    "logits": _matrix("logits", "logit_"),
    "energy": _number("energy"),
    "max_logit": _number("max_logit"),
}
_EXCLUSIVE = {
    "label": _label,
    "index": _number("index", "int64"),
    "probability": _number("probability"),
    **_SHARED,
    "onehot": _matrix("onehot", "is_", "uint8"),
    "top_k": _top_k,
    "margin": _number("margin"),
    "entropy": _number("entropy"),
    "reason": _reason,
    "prediction_set": _set("prediction_set"),
    "expected_cost": _number("expected_cost"),
    "costs": _costs,
}
OUTPUT: dict[Task, dict[str, Maker]] = {
    Task.SOFTMAX: {**_EXCLUSIVE, "leaf": _leaf, "lineage": _lineage},
    Task.MULTILABEL: {
        "labels": _set("labels"),
        "indices": _set("indices", integers=True),
        "count": _number("count", "int64"),
        **_SHARED,
        "multihot": _matrix("multihot", "is_", "uint8"),
    },
    Task.BINARY: _EXCLUSIVE,
}
"""What makes each column, by task and by its name in ``--columns``."""


def output_columns(
    task: Task, carried: Sequence[Carried], classes: Sequence[str], rules: Rules, files: Sequence[str]
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Return the columns to write, and notes on renamed ones.

    Parameters
    ----------
    task
        What is decided.
    carried
        The carried columns of the input.
    classes
        The names of the classes.
    rules
        What is asked for.
    files
        The names of the inputs.

    Raises
    ------
    UsageError
        If a name in ``--columns`` is unknown or is there twice.
    """
    along = {column.name: column for column in carried_columns(carried)}
    columns: list[Column] = []
    for name in rules.columns or _default(task, rules):
        if name == "carried" or (name == "id" and "id" not in along):
            columns.extend(along.values())
        else:
            columns.append(_column(name, task, along, classes, rules, files))
    renamed, notes = with_names_apart(columns)
    seen: set[tuple[str, str | None]] = set()
    for column in renamed:
        key = (column.name, column.carried)
        if key in seen:
            raise UsageError(f"--columns: {visible(column.carried or column.name)!r} is there twice")
        seen.add(key)
    return renamed, notes


def carried_columns(carried: Sequence[Carried]) -> list[Column]:
    """Return the carried columns of the input as output columns."""
    return [Column(name, kind, (name,), carried=name) for name, kind, _ in carried]


def with_names_apart(columns: Sequence[Column]) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Return `columns` with unique names, and a note on each renamed one: a carried column becomes input_NAME."""
    taken = {name for column in columns if column.carried is None for name in (column.name, *column.headers)}
    names = {column.headers[0] for column in columns if column.carried is not None}
    result, notes = list(columns), []
    for position, column in enumerate(columns):
        name = column.headers[0]
        if column.carried is None or name not in taken:
            continue
        while name in taken or name in names:
            name = f"input_{name}"
        result[position] = replace(column, headers=(name,))
        notes.append(f'the input\'s column "{visible(column.carried)}" is written as "{visible(name)}"')
    return tuple(result), tuple(notes)


def missing_for(name: str, rules: Rules) -> str | None:
    """Return what an output column needs and the rules do not have; None if there is nothing."""
    if name == "prediction_set" and rules.conformal is None:
        return "a --policy that actcli conformal has written to"
    if name in ("costs", "expected_cost") and rules.costs is None:
        return "--costs FILE"
    if name in ("leaf", "lineage") and rules.taxonomy is None:
        return "--taxonomy FILE"
    return None


def _default(task: Task, rules: Rules) -> tuple[str, ...]:
    if task is Task.MULTILABEL:
        return ("carried", "labels", "probabilities")
    more = ("expected_cost",) * (rules.costs is not None)
    more += ("reason",) * rules.abstains + ("prediction_set",) * (rules.conformal is not None)
    if rules.top_k is not None:
        return ("carried", "top_k", *more)
    return ("carried", "label", "probability", *more, "probabilities")


def _column(
    name: str, task: Task, along: Mapping[str, Column], classes: Sequence[str], rules: Rules, files: Sequence[str]
) -> Column:
    """Return the output column of a name in ``--columns``; `along` are the carried columns by name."""
    if name in OUTPUT[task]:
        if name == "top_k" and rules.top_k is None and task is Task.SOFTMAX:
            raise UsageError("--columns: top_k needs --top-k K")
        if (missing := missing_for(name, rules)) is not None:
            raise UsageError(f"--columns: {name} needs {missing}")
        if name in ("energy", "max_logit") and rules.origin is not Origin.LOGITS:
            raise UsageError(f"--columns: {name} is of logits, and the input holds {rules.origin}")
        return OUTPUT[task][name](classes, rules)
    if name == "row":
        return Column("row", Kind.ROW, ("row",), dtype="int64")
    if name == "file":
        return Column("file", Kind.CODE, ("file",), tuple(printable(file) for file in files))
    if name in along:
        return along[name]
    if name.startswith("input_") and name.removeprefix("input_") in along:
        return replace(along[name.removeprefix("input_")], headers=(name,))
    known = ["carried", "id", "row", "file", *OUTPUT[task]]
    raise UsageError(
        f"--columns: there is no column {visible(name)!r}",
        hint=f"there are {', '.join(known)}" + (f", and of the input {listed(list(along))}" if along else ""),
    )


def printable(path: str) -> str:
    """Return the name of a file as text that can be written; a name that is not UTF-8 is escaped as in messages."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return visible(path, 8 * len(path))
    return path
