"""The costs of decisions: their file, and the rule that chooses the decision of the smallest expected cost."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.errors import DataError, UsageError, listed, visible
from actcli.formats.column_roles import is_number
from actcli.prediction.decisions import cheapest, expected_costs
from actcli.prediction.option_files import csv_rows, parsed_json, read_text
from actcli.prediction.policy_values import by_label
from actcli.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from actcli.prediction.policy_values import Value

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["LARGEST_COST", "CostRule", "Costs", "costs_from", "costs_in", "read_costs", "settled_costs"]

LARGEST_COST = 1e30
"""The largest absolute value of a cost: its sums stay finite in float32."""

_TRUTH = "truth"
"""The name of the first column of a CSV file."""

_HINT = 'CSV begins with "truth" and the names of the decisions, and has a line for each class'


class Costs(NamedTuple):
    """What each decision costs, for each true class.

    Parameters
    ----------
    decisions
        Their names, in the order of the file.
    matrix
        By the name of the true class, the cost of each decision.
    path
        The file, for messages; None where a policy holds the costs.
    lines
        The line of each true class in the file, if it has lines.
    """

    decisions: tuple[str, ...]
    matrix: Mapping[str, tuple[float, ...]]
    path: str | None = None
    lines: Mapping[str, int] = MappingProxyType({})

    def with_names(self, renamed: Mapping[str, str]) -> Costs:
        """Return the costs with other names for the classes.

        Raises
        ------
        UsageError
            If a new name is that of another decision.
        """
        decisions = tuple(renamed.get(name, name) for name in self.decisions)
        if len(set(decisions)) < len(decisions):
            taken = next(name for name in self.decisions if name not in renamed and name in renamed.values())
            raise UsageError(f"{visible(taken)!r} is a decision that has costs, so it cannot be the name of a class")
        return Costs(decisions, {renamed[name]: prices for name, prices in self.matrix.items()})

    def settled(self, classes: Sequence[str]) -> Costs:
        """Return the costs of these classes, in their order, as a policy holds them.

        Raises
        ------
        DataError
            As for `settled_costs`.
        """
        settled_costs(self, classes)
        return Costs(self.decisions, {label: self.matrix[label] for label in classes})


class CostRule(NamedTuple):
    """Costs for classes in a known order. The decisions have their order in ties: by class, then those that are none.

    Parameters
    ----------
    matrix
        Shape (C, D), float64: a row for each true class.
    codes
        The code of each decision, shape (D,), increasing: the index of its class, or C and more if it is no class.
    others
        The names of the decisions that are no class.
    places
        The position in `matrix` of each decision of the file, shape (D,).
    """

    matrix: Array
    codes: Array
    others: tuple[str, ...]
    places: Array

    def decided(self, probabilities: Array, masked: Array) -> Array:
        """Return the code of the decision of each row, shape (N,).

        Parameters
        ----------
        probabilities
            Shape (N, C).
        masked
            Which classes cannot be the label, same shape.
        """
        possible = self._possible(masked)
        return np.asarray(self.codes[cheapest(probabilities, self.matrix, None if possible.all() else possible)])

    def undecidable(self, masked: Array) -> Array:
        """Return the rows in which every decision is a masked class, shape (N,), bool."""
        return np.logical_not(self._possible(masked).any(axis=1))

    def _possible(self, masked: Array) -> Array:
        """Return which decisions each row may have, shape (N, D), bool."""
        classes = len(self.codes) - len(self.others)
        possible = np.ones((len(masked), len(self.codes)), dtype=np.bool_)
        possible[:, :classes] = ~masked[:, self.codes[:classes]]
        return possible

    def expected(self, probabilities: Array) -> Array:
        """Return the expected cost of each decision, in the order of the file: shape (N, D), float64."""
        return expected_costs(probabilities, self.matrix)[:, self.places]

    def expected_of(self, probabilities: Array, decided: Array) -> Array:
        """Return the expected cost of one decision for each row, given by its code: shape (N,), float64."""
        places = np.searchsorted(self.codes, decided)
        total = np.zeros(len(probabilities))
        for truth, costs in enumerate(self.matrix):
            total += probabilities[:, truth] * costs[places]
        return total

    def by_name(self, classes: Sequence[str]) -> dict[str, int]:
        """Return the code of each decision by its name; `classes` are the names of the classes."""
        names = (*classes, *self.others)
        return {names[code]: code for code in self.codes.tolist()}

    def costs_of(self, truth: Array, decided: Array) -> Array:
        """Return the cost of decisions, given by their codes and the true classes: shape (N,); -1 costs nothing."""
        places = np.searchsorted(self.codes, np.maximum(decided, self.codes[0]))
        return np.where(decided >= 0, self.matrix[truth, places], 0.0)


def read_costs(path: str) -> Costs:
    """Return the costs in a file: CSV, or JSON of the form ``{truth: {decision: cost}}``.

    Raises
    ------
    DataError
        If the file cannot be read, or a decision, a class or a cost is missing, repeated or wrong.
    """
    text = read_text(path, "--costs takes a CSV or JSON file")
    return costs_from(parsed_json(text, path), path) if text.lstrip().startswith(("{", "[")) else _csv_costs(text, path)


def costs_in(value: Value, task: Task, classes: Sequence[str]) -> Costs:
    """Return costs from a part of a policy for `task` with these classes."""
    if task is Task.MULTILABEL:
        raise value.contradiction("multilabel has none")
    parts = value.object(("decisions", "matrix"))
    decisions = parts["decisions"].unique_texts()
    matrix = {}
    for truth, item in parts["matrix"].named():
        costs = item.items()
        if len(costs) != len(decisions):
            raise item.contradiction(f"{len(costs)} costs, but {len(decisions)} decisions")
        matrix[truth] = tuple(cost.between(-LARGEST_COST, LARGEST_COST) for cost in costs)
    return Costs(decisions, dict(zip(classes, by_label(parts["matrix"], matrix, classes), strict=True)))


def settled_costs(costs: Costs, classes: Sequence[str]) -> CostRule:
    """Return the rule for classes in this order.

    Raises
    ------
    DataError
        If a class has no costs, or there are costs of what is no class.
    """
    name = visible(costs.path or "costs", 200)
    known = {label: index for index, label in enumerate(classes)}
    for truth in costs.matrix:
        if truth not in known:
            line = f":{costs.lines[truth]}" if truth in costs.lines else ""
            raise DataError(f"{name}{line}: {visible(truth)!r} is not a class", hint=f"there is {listed(classes)}")
    for label in classes:
        if label not in costs.matrix:
            raise DataError(f"{name}: has no costs for the true class {visible(label)!r}", hint=_HINT)
    others = tuple(decision for decision in costs.decisions if decision not in known)
    codes = known | {decision: len(classes) + place for place, decision in enumerate(others)}
    of_file = np.array([codes[decision] for decision in costs.decisions])
    order = np.argsort(of_file)
    matrix = np.array([costs.matrix[label] for label in classes], dtype=np.float64)
    return CostRule(matrix[:, order], of_file[order], others, np.argsort(order))


def _csv_costs(text: str, path: str) -> Costs:
    name = visible(path, 200)
    rows = csv_rows(text, path)
    if not rows:
        raise DataError(f"{name}: holds no costs", hint=_HINT)
    (line, [first, *decisions]), *rest = rows
    if first.strip() != _TRUTH:
        raise DataError(f'{name}:{line}: the first column is {visible(first)!r}, not "{_TRUTH}"', hint=_HINT)
    _check_decisions(decisions, f"{name}:{line}")
    matrix: dict[str, tuple[float, ...]] = {}
    lines: dict[str, int] = {}
    for line, [truth, *cells] in rest:
        where = f"{name}:{line}"
        if len(cells) != len(decisions):
            raise DataError(f"{where}: {len(cells) + 1} cells, and the first line has {len(decisions) + 1}")
        if truth in matrix:
            raise DataError(f"{where}: there are two lines for the true class {visible(truth)!r}")
        matrix[truth] = _costs(zip(decisions, map(_parsed, cells), strict=True), where)
        lines[truth] = line
    if not matrix:
        raise DataError(f"{name}: has a first line, and no costs", hint=_HINT)
    return Costs(tuple(decisions), matrix, path, lines)


def _parsed(cell: str) -> object:
    """Return the number in a cell, or else its text; float() would also take 1_0 and digits of other scripts."""
    return float(cell) if is_number(cell) else cell


def costs_from(found: Any, path: str) -> Costs:
    """Return the costs in a document of the form ``{truth: {decision: cost}}``; `path` begins the messages.

    Raises
    ------
    DataError
        If it has another form, or a decision or a cost is missing or wrong.
    """
    name = visible(path, 200)
    if not isinstance(found, Mapping) or not all(isinstance(costs, Mapping) for costs in found.values()):
        raise DataError(f"{name}: is no JSON object of the form {{truth: {{decision: cost}}}}")
    if not found:
        raise DataError(f"{name}: holds no costs")
    decisions = tuple(next(iter(found.values())))
    _check_decisions(decisions, name)
    known, matrix = set(decisions), {}
    for truth, costs in found.items():
        where = f"{name}: {visible(truth)}"
        for decision in costs:
            if decision not in known:
                raise DataError(f"{where}: the first true class has no cost of {visible(decision)!r}")
        for decision in decisions:
            if decision not in costs:
                raise DataError(f"{where}: has no cost of {visible(decision)!r}")
        matrix[truth] = _costs(((decision, costs[decision]) for decision in decisions), where)
    return Costs(decisions, matrix, path)


def _check_decisions(decisions: Sequence[str], where: str) -> None:
    if not decisions:
        raise DataError(f"{where}: names no decision", hint=_HINT)
    seen = set()
    for decision in decisions:
        if not decision.strip():
            raise DataError(f"{where}: a decision has an empty name")
        if decision in seen:
            raise DataError(f"{where}: the decision {visible(decision)!r} is there twice")
        try:
            decision.encode()
        except UnicodeEncodeError:
            raise DataError(f"{where}: {visible(decision)!r} is not UTF-8 text") from None
        seen.add(decision)


def _costs(cells: Iterable[tuple[str, object]], where: str) -> tuple[float, ...]:
    """Return the costs of the decisions for a true class."""
    costs = []
    for decision, value in cells:
        if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST_COST <= value <= LARGEST_COST:
            shown = visible(value if isinstance(value, str) else repr(value))
            raise DataError(
                f"{where}: {visible(decision)}: {shown!r} is not a cost",
                hint=f"a cost is a number from {-LARGEST_COST:g} to {LARGEST_COST:g}",
            )
        costs.append(float(value))
    return tuple(costs)
