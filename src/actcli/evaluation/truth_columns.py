"""Which columns of a file of truths hold what: the header, the truth, and the id that joins it to the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actcli.errors import DataError, UsageError, listed, visible
from actcli.evaluation.class_labels import LabelError
from actcli.formats.column_roles import is_number
from actcli.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from actcli.evaluation.class_labels import TruthSpec

__all__ = ["FirstLine", "TruthColumns", "choose_columns", "first_line", "table_hint"]

_PREFERRED = ("label", "labels", "truth", "target")
_INDEX_NAMES = frozenset({"", "id", "index", "Unnamed: 0", "__index_level_0__"})


@dataclass(frozen=True, slots=True)
class FirstLine:
    """The cells of the first line of a text file, and whether they were taken for a header."""

    cells: tuple[str, ...]
    is_header: bool


@dataclass(frozen=True, slots=True)
class TruthColumns:
    """Which columns to read.

    Parameters
    ----------
    labels
        The column of labels; None if there is a 0/1 table with a column for each class.
    join
        The column that is joined to the column of the input with the same name; None is by position.
    table
        The columns of the 0/1 table, in the order of the classes.
    """

    labels: str | None
    join: str | None
    table: tuple[str, ...] = ()


def first_line(cells: Sequence[str], spec: TruthSpec, carried: Collection[str]) -> FirstLine:
    """Return whether the first line names the columns: a single cell does if it is not a class."""
    return FirstLine(tuple(cells), _is_header(cells, spec, carried))


def _is_header(cells: Sequence[str], spec: TruthSpec, carried: Collection[str]) -> bool:
    if any(map(is_number, cells)):
        # pandas writes an index without a name as an empty cell, and a column without a name as 0.
        return len(cells) > 1 and cells[0] in _INDEX_NAMES and list(cells[1:]) == list(map(str, range(len(cells) - 1)))
    if spec.open:
        return len(cells) > 1 or cells[0] in carried or cells[0] in _PREFERRED or cells[0] in _INDEX_NAMES
    if len(cells) == 1:
        return not is_label(cells[0], spec)
    if any(cell in carried or cell in _PREFERRED or cell in _INDEX_NAMES for cell in cells):
        return True
    return all(cell in spec.book for cell in cells) or not any(is_label(cell, spec) for cell in cells)


def is_label(cell: str, spec: TruthSpec) -> bool:
    """Return whether a cell is the truth of a row, were it not for upper and lower case."""
    folded = spec.folded_book
    try:
        _ = folded.codes(cell.casefold()) if spec.sets else folded.code(cell.casefold())
    except LabelError:
        return False
    return True


def choose_columns(
    names: Sequence[str],
    column: str | None,
    spec: TruthSpec,
    carried: Collection[str],
    *,
    file: str,
    place: str,
    tabular: bool,
) -> TruthColumns:
    """Return which columns hold the truth and the id.

    Parameters
    ----------
    names
        The columns of the file.
    column
        The column of labels, if the user names one.
    spec
        Which labels there are.
    carried
        The columns of the input that the truth may be joined on.
    file, place
        What messages call the file, and the place of its header.
    tabular
        Whether the columns may be a 0/1 table.

    Raises
    ------
    DataError
        If nothing says which column holds the truth, or a column of a 0/1 table is no class.
    UsageError
        If there is no column of that name.
    """
    present = frozenset(names)
    joinable = [name for name in carried if name in present]
    table = spec.classes
    if column is None and spec.open and spec.task is Task.MULTILABEL:
        table = _open_table(names, joinable)
    if column is None and tabular and table and present.issuperset(table):
        labels = None
        if spec.open:
            return TruthColumns(None, _join(joinable), table)
        joinable = [name for name in joinable if name not in spec.book]
        for name in names:
            if name not in spec.book and name not in joinable and name not in _INDEX_NAMES:
                raise DataError(f'{place}: column "{visible(name)}" is no class', hint=spec.book.meant(name))
    else:
        labels = _label_column(names, joinable, column, spec, file)
        joinable = [name for name in joinable if name != labels]
    return TruthColumns(labels, _join(joinable), table)


def _join(joinable: Sequence[str]) -> str | None:
    return "id" if "id" in joinable else next(iter(joinable), None)


def _open_table(names: Sequence[str], joinable: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that can only be a 0/1 table where the classes have no names yet: several that are unknown."""
    left = tuple(name for name in names if name not in joinable and name not in _INDEX_NAMES)
    return left if len(left) > 1 and not any(name in _PREFERRED for name in left) else ()


def _label_column(names: Sequence[str], joinable: Sequence[str], column: str | None, spec: TruthSpec, file: str) -> str:
    if column is not None:
        if column not in names:
            raise UsageError(
                f"--truth-column: {file} has no column {visible(column)!r}", hint=f"it has {listed(names)}"
            )
        return column
    left = [name for name in names if name not in joinable]
    for candidates in (left, [name for name in left if name not in _INDEX_NAMES]):
        if len(candidates) == 1:
            return candidates[0]
    preferred = [name for name in names if name in _PREFERRED]
    if len(preferred) == 1 and not (spec.sets and set(left) & set(spec.classes)):
        return preferred[0]
    present = frozenset(names)
    missing = [name for name in spec.classes if name not in present]
    if spec.sets and len(missing) < len(spec.classes):
        raise DataError(f"{file}: there is no column for {listed(missing, 4)}")
    raise DataError(
        f"{file}: has {len(names)} columns, {listed(names, 6)}: which one holds the truth?",
        hint=f"say it with --truth-column NAME{table_hint(spec)}",
    )


def table_hint(spec: TruthSpec) -> str:
    """Return the end of a hint that says what the columns of a 0/1 table are called, where there can be one."""
    return f"; a 0/1 table has the columns {listed(spec.classes, 4)}" if spec.sets else ""
