"""The taxonomy of the classes: its file, and the roll-up from a class to a node that is probable enough."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.errors import DataError, UsageError, listed, visible
from actcli.prediction.option_files import csv_rows, read_text
from actcli.prediction.policy_values import check_utf8
from actcli.streaming.batch import Sets
from actcli.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from actcli.prediction.costs import Costs
    from actcli.prediction.policy_values import Value

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["RollUp", "Taxonomy", "clash", "read_taxonomy", "settled_taxonomy", "taxonomy_in"]

_HINT = "each line is a name and its parent; the parent of a root is empty"


class Taxonomy(NamedTuple):
    """A tree of names, or several trees; the classes are the leaves.

    Parameters
    ----------
    parents
        By the name of each node, the name of its parent; None for a root.
    at
        The smallest probability of a label that is no root.
    path
        The file, for messages; None where a policy holds the taxonomy.
    lines
        The line of each node in the file, if it has lines.
    """

    parents: Mapping[str, str | None]
    at: float
    path: str | None = None
    lines: Mapping[str, int] = MappingProxyType({})

    @property
    def inner(self) -> tuple[str, ...]:
        """The names of the nodes that are parents, in the order in which they first are."""
        return tuple(dict.fromkeys(parent for parent in self.parents.values() if parent is not None))

    def with_names(self, renamed: Mapping[str, str]) -> Taxonomy:
        """Return the taxonomy with other names for the classes.

        Raises
        ------
        UsageError
            If a new name is that of another node.
        """
        parents = {renamed.get(name, name): parent for name, parent in self.parents.items()}
        if len(parents) < len(self.parents):
            taken = next(name for name in renamed.values() if name in self.parents and name not in renamed)
            raise UsageError(f"{visible(taken)!r} is a node of the taxonomy, so it cannot be the name of a class")
        return Taxonomy(parents, self.at)

    def settled(self, classes: Sequence[str]) -> Taxonomy:
        """Return the taxonomy of these classes as a policy holds it.

        Raises
        ------
        DataError
            As for `settled_taxonomy`.
        """
        settled_taxonomy(self, classes)
        return Taxonomy(self.parents, self.at)

    def check(self) -> None:
        """Refuse a parent that is no node, and a cycle.

        Raises
        ------
        DataError
            If there is one.
        """
        for name, parent in self.parents.items():
            if parent is not None and parent not in self.parents:
                raise self.error(name, f"its parent {visible(parent)!r} has no line")
        known: set[str] = set()
        for name in self.parents:
            way: dict[str, None] = {}
            node: str | None = name
            while node is not None and node not in known and node not in way:
                way[node] = None
                node = self.parents[node]
            if node is not None and node in way:
                raise self.error(node, "is its own ancestor", "follow the parents of this name: they form a cycle")
            known.update(way)

    def error(self, name: str, says: str, hint: str = _HINT) -> DataError:
        """Return the error of a node, with its line."""
        line = f":{self.lines[name]}" if name in self.lines else ""
        return DataError(f"{visible(self.path or 'taxonomy', 200)}{line}: {visible(name)!r}: {says}", hint=hint)


class RollUp(NamedTuple):
    """A taxonomy of classes in a known order. The number of a node is the index of its class, or C and more.

    Parameters
    ----------
    names
        Of the nodes that are no class.
    parents
        The number of the parent of each node, shape (nodes,); -1 for a root.
    order
        The numbers of the nodes that have a parent, children before parents.
    at
        The smallest probability of a label that is no root.
    """

    names: tuple[str, ...]
    parents: Array
    order: Array
    at: float

    def probabilities(self, leaves: Array) -> Array:
        """Return the probability of each node, shape (N, nodes), from those of the classes, shape (N, C).

        It is a sum in float64, in the dtype of `leaves`. That of a row depends on the row alone.
        """
        rows, classes = leaves.shape
        totals = np.zeros((len(self.parents), rows))
        totals[:classes] = leaves.T
        for node, parent in zip(self.order.tolist(), self.parents[self.order].tolist(), strict=True):
            totals[parent] += totals[node]
        return totals.astype(leaves.dtype).T

    def rolled_up(self, leaf: Array, probabilities: Array) -> Array:
        """Return the lowest node on the way from a class to its root that is probable enough, shape (N,).

        Parameters
        ----------
        leaf
            The index of a class for each row, shape (N,).
        probabilities
            Of each node, shape (N, nodes).
        """
        found = leaf.copy()
        least = probabilities.dtype.type(self.at)
        rows = np.arange(len(leaf))
        while rows.size:
            nodes = found[rows]
            rising = (probabilities[rows, nodes] < least) & (self.parents[nodes] >= 0)
            rows = rows[rising]
            found[rows] = self.parents[nodes[rising]]
        return found

    def lineages(self, nodes: Array) -> Sets:
        """Return the way from the root to a node for each row; that of -1 is empty."""
        distinct, inverse = np.unique(nodes, return_inverse=True)
        ways = [self._way(node) for node in distinct.tolist()]
        lengths = np.array([len(way) for way in ways], dtype=np.int64)[inverse]
        codes = [ways[place] for place in inverse.tolist()]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Sets(offsets, np.concatenate(codes) if codes else np.zeros(0, dtype=np.int64))

    def _way(self, node: int) -> Array:
        """Return the nodes from the root to a node; none for -1."""
        way = []
        while node >= 0:
            way.append(node)
            node = int(self.parents[node])
        return np.array(way[::-1], dtype=np.int64)


def read_taxonomy(path: str, at: float) -> Taxonomy:
    """Return the taxonomy in a CSV file with a name and its parent a line, and the smallest probability of a label.

    Raises
    ------
    DataError
        If the file cannot be read, names a node twice, or its parents do not lead to roots.
    """
    name = visible(path, 200)
    text = read_text(path, "--taxonomy takes a CSV file")
    parents: dict[str, str | None] = {}
    lines: dict[str, int] = {}
    for line, row in csv_rows(text, path, ("name", "parent")):
        where = f"{name}:{line}"
        if len(row) != 2:
            cells = f"{len(row)} cell{'' if len(row) == 1 else 's'}"
            raise DataError(f"{where}: {cells}, not a name and its parent", hint=_HINT)
        node, parent = row
        if not node.strip():
            raise DataError(f"{where}: the name is empty", hint=_HINT)
        if node in parents:
            raise DataError(f"{where}: {visible(node)!r} is named again, after line {lines[node]}")
        parents[node] = parent if parent.strip() else None
        lines[node] = line
    if not parents:
        raise DataError(f"{name}: holds no taxonomy", hint=_HINT)
    taxonomy = Taxonomy(parents, at, path, lines)
    taxonomy.check()
    return taxonomy


def taxonomy_in(value: Value, task: Task, classes: Sequence[str]) -> Taxonomy:
    """Return a taxonomy from a part of a policy for `task` with these classes."""
    if task is not Task.SOFTMAX:
        raise value.contradiction(f"{task} has none")
    parts = value.object(("parents", "at"))
    parents = {name: None if item.value is None else item.text() for name, item in parts["parents"].named()}
    for name in parents:
        if not name.strip():
            raise parts["parents"].contradiction("a name is empty")
        check_utf8(name, parts["parents"])
    taxonomy = Taxonomy(parents, parts["at"].between(0, 1))
    try:
        taxonomy.check()
        settled_taxonomy(taxonomy, classes)
    except DataError as error:
        raise parts["parents"].contradiction(str(error).partition(": ")[2]) from None
    return taxonomy


def settled_taxonomy(taxonomy: Taxonomy, classes: Sequence[str]) -> RollUp:
    """Return the roll-up for classes in this order.

    Raises
    ------
    DataError
        If the classes are not the leaves of the taxonomy.
    """
    inner = dict.fromkeys(taxonomy.inner)
    known = set(classes)
    for label in classes:
        if label not in taxonomy.parents:
            raise DataError(
                f"{visible(taxonomy.path or 'taxonomy', 200)}: has no line for the class {visible(label)!r}", hint=_HINT
            )
        if label in inner:
            child = next(name for name, parent in taxonomy.parents.items() if parent == label)
            raise taxonomy.error(child, f"its parent {visible(label)!r} is a class", "classes have no children")
    for name in taxonomy.parents:
        if name not in inner and name not in known:
            raise taxonomy.error(name, "is neither a class nor a parent", f"there is {listed(classes)}")
    numbers = {name: number for number, name in enumerate((*classes, *inner))}
    parents = np.array(
        [-1 if (parent := taxonomy.parents[name]) is None else numbers[parent] for name in numbers], dtype=np.int64
    )
    depths = _depths(parents.tolist())
    order = np.argsort(-depths, kind="stable")
    return RollUp(tuple(inner), parents, order[parents[order] >= 0], taxonomy.at)


def clash(costs: Costs | None, taxonomy: Taxonomy | None) -> str | None:
    """Return what is wrong where a decision that has costs is a node that is no class, or None."""
    if costs is None or taxonomy is None:
        return None
    inner = set(taxonomy.inner)
    name = next((decision for decision in costs.decisions if decision in inner), None)
    return None if name is None else f"{visible(name)!r} is a decision that has costs and a node of the taxonomy"


def _depths(parents: Sequence[int]) -> Array:
    """Return the number of steps from each node to its root, shape (nodes,)."""
    depths = [-1] * len(parents)
    for number in range(len(parents)):
        way, node = [], number
        while node >= 0 and depths[node] < 0:
            way.append(node)
            node = parents[node]
        depth = depths[node] if node >= 0 else -1
        for below in reversed(way):
            depth += 1
            depths[below] = depth
    return np.array(depths, dtype=np.int64)
