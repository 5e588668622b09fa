"""Which classes are possible: what the options and the policy say of it, before the classes of the input are known."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from actcli.errors import ActcliError, DataError, UsageError, listed, visible
from actcli.formats.column_roles import split_list
from actcli.prediction.option_files import csv_rows, read_text
from actcli.prediction.policy_values import check_names, check_utf8

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from actcli.prediction.policy_values import Value

__all__ = ["EVERY_OTHER", "Allow", "ClassChoice", "allow_document", "allow_in", "read_allow_groups", "read_names"]

EVERY_OTHER = "*"
"""The group of the values that have none of their own."""


class Allow(NamedTuple):
    """Which classes are possible.

    Parameters
    ----------
    groups
        The names of the possible classes, by the value of a carried column; those of every other value under "*".
    by
        The name of this column; None if the same classes are possible in every row.
    """

    groups: Mapping[str, tuple[str, ...]]
    by: str | None = None

    def with_names(self, renamed: Mapping[str, str]) -> Allow:
        """Return it with other names for the classes."""
        return self._replace(
            groups={value: tuple(renamed[name] for name in names) for value, names in self.groups.items()}
        )

    def settled(self, classes: Sequence[str]) -> Allow:  # noqa: ARG002  the reader of the policy checks them
        """Return it as it is."""
        return self


class ClassChoice(NamedTuple):
    """What ``--allow``, ``--deny`` and ``--allow-by`` say.

    Parameters
    ----------
    allow
        For each value of the column, as in `Allow`, the place of each name: a file and a line, or an option. None if
        every class is allowed that is not denied.
    deny
        The same of the names that are left out.
    by
        The column.
    """

    allow: Mapping[str, Mapping[str, str]] | None
    deny: Mapping[str, str]
    by: str | None = None

    def settled(self, classes: Sequence[str]) -> Allow:
        """Return which of `classes` are possible.

        Raises
        ------
        UsageError
            If the command line names an unknown class, or leaves none.
        DataError
            If a file names an unknown class.
        """
        groups = {EVERY_OTHER: dict.fromkeys(classes, "")} if self.allow is None else self.allow
        known = set(classes)
        for places in (*groups.values(), self.deny):
            for name, place in places.items():
                if name not in known:
                    raise _error(place, f"{visible(name)!r} is not a class", f"there is {listed(classes)}")
        left = {}
        for value, names in groups.items():
            left[value] = tuple(name for name in classes if name in names and name not in self.deny)
            if not left[value]:
                where = f" where {visible(self.by or '')} is {visible(value)!r}" if self.by is not None else ""
                raise UsageError(f"--deny: no class is left{where}")
        return Allow(left, self.by)


def read_names(value: str, option: str) -> dict[str, str]:
    """Return the class names that an option gives, and the place of each.

    The value is a file with one name a line, or else the names themselves with commas between.

    Raises
    ------
    DataError
        If the file cannot be read, holds no names, or holds one twice.
    UsageError
        If the list has empty names or duplicates.
    """
    if not _is_path(value):
        return _unique((name, option) for name in split_list(value, option))
    text = read_text(value, f"{option} takes names with commas between, or a file with one name a line")
    lines = enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1)
    found = _unique((line, f"{visible(value, 200)}:{number}") for number, line in lines if line.strip())
    if not found:
        raise DataError(f"{visible(value, 200)}: holds no class names")
    return found


def _is_path(value: str) -> bool:
    """Return whether a value is a file, or looks like the path of one, so that a missing one is said to be missing."""
    if os.path.exists(value):
        return not os.path.isdir(value)
    return "," not in value and (os.sep in value or bool(os.path.splitext(value)[1]))


def read_allow_groups(path: str, by: str) -> dict[str, dict[str, str]]:
    """Return the classes in a CSV file with the columns `by` and "class": for each value, the place of each name.

    Raises
    ------
    DataError
        If the file cannot be read, has other columns, or has a row twice.
    """
    name = visible(path, 200)
    rows = csv_rows(read_text(path, f"--allow-by {visible(by)} needs a CSV file: {visible(by)},class"), path)
    header = rows[0][1] if rows else []
    if sorted(header) != sorted([by, "class"]):
        raise DataError(
            f"{name}:{rows[0][0] if rows else 1}: the columns are {listed(header) or 'none'}, "
            f"not {listed([by, 'class'])}",
            hint=f"the first line is {visible(by)},class",
        )
    position = header.index(by)
    found: dict[str, dict[str, str]] = {}
    for line, row in rows[1:]:
        if len(row) != 2:
            raise DataError(f"{name}:{line}: {len(row)} cell{'' if len(row) == 1 else 's'}, not 2")
        value, label = row[position], row[1 - position]
        group = found.setdefault(value, {})
        if label in group:
            raise DataError(f"{name}:{line}: {visible(label)!r} is there twice for {visible(value)!r}")
        group[label] = f"{name}:{line}"
    if not found:
        raise DataError(f"{name}: allows no class")
    return found


def allow_document(allow: Allow) -> Any:
    """Return the possible classes as the file holds them."""
    groups = {value: list(names) for value, names in allow.groups.items()}
    return groups[EVERY_OTHER] if allow.by is None else {"by": allow.by, "groups": groups}


def allow_in(value: Value, classes: Sequence[str]) -> Allow:
    """Return which classes are possible, from a part of a policy with these classes."""
    if isinstance(value.value, list):
        return Allow({EVERY_OTHER: _names_in(value, classes)})
    parts = value.object(("by", "groups"))
    groups = {group: _names_in(names, classes) for group, names in parts["groups"].named()}
    if not groups:
        raise parts["groups"].malformed("has no group")
    for group in groups:
        check_utf8(group, parts["groups"])
    return Allow(groups, parts["by"].text())


def _names_in(value: Value, classes: Sequence[str]) -> tuple[str, ...]:
    names = value.unique_texts()
    check_names(value, names, classes)
    return names


def _unique(named: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, place in named:
        if name in found:
            raise _error(place, f"{visible(name)!r} is there twice")
        found[name] = place
    return found


def _error(place: str, message: str, hint: str | None = None) -> ActcliError:
    kind = UsageError if place.startswith("--") else DataError
    return kind(f"{place}: {message}", hint=hint)
