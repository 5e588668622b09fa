"""The role of each column of a table: a class, or carried along; and the names of the classes."""

from __future__ import annotations

import csv
import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from actcli.errors import ActcliError, DataError, UsageError, listed, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "DECIMAL_COMMA_HINT",
    "MOST_COLUMNS",
    "RECORDED",
    "Roles",
    "assign_roles",
    "check_unique",
    "check_utf8",
    "has_decimal_comma",
    "is_header",
    "is_index",
    "is_number",
    "select",
    "split_list",
]

DECIMAL_COMMA_HINT = "numbers have a point, not a comma, before their fraction"

MOST_COLUMNS = 1_000_000
"""The most columns of a table. The names of more would fill the memory."""

_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE)
_MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "null", "none", "nan", "-", "?"})
_INDEX_NAMES = frozenset({"id", "index", "Unnamed: 0"})
_TRUTH_NAMES = frozenset({"label", "target", "truth"})
RECORDED = "p_"
"""The prefix of the class names in a table of probabilities that actcli wrote."""

_RECORDED_NAMES = re.compile(
    r"label|labels|index|indices|count|probability|margin|entropy|reason|prediction_set|row|file"
    r"|(?:label|probability)_\d+|(?:p|logp|logit|is)_.+",
    re.DOTALL,
)
"""The other columns that actcli may have written."""


class Roles(NamedTuple):
    """The role of each column of a file, by position.

    Parameters
    ----------
    classes
        Positions of the class columns, in the order of the classes.
    carried
        Positions of the carried columns.
    unasked
        Those of the carried columns that no option named.
    recorded
        Whether this is a table of probabilities that actcli wrote.
    """

    classes: tuple[int, ...]
    carried: tuple[int, ...]
    unasked: tuple[int, ...] = ()
    recorded: bool = False


def is_number(text: str) -> bool:
    """Return whether `text`, blanks around it aside, is a number: ASCII digits, one point, exponent; inf or nan."""
    return _NUMBER.fullmatch(text.strip(" \t")) is not None


def cannot_be_header(first: Sequence[str]) -> bool:
    """Return whether the row `first` is data, whatever follows: numbers that do not count 0, 1, 2 or 1, 2, 3."""
    return all(map(is_number, first)) and not (len(first) > 1 and _counts([cell.strip(" \t") for cell in first]))


def has_decimal_comma(text: str) -> bool:
    """Return whether `text` would be a number if its comma were a point."""
    return re.fullmatch(r"\s*[+-]?\d+,\d+\s*", text) is not None


def is_index(name: str) -> bool:
    """Return whether a first column of that name numbers the rows, so that it is carried along."""
    return not name or name in _INDEX_NAMES


def is_header(first: Sequence[str], second: Sequence[str] | None) -> bool:
    """Return whether the row `first` names the columns, judged by the row after it.

    Raises
    ------
    DataError
        If there is no second row and the first holds both numbers and text.
    """
    if second is None:
        numbers = sum(map(is_number, first))
        if 0 < numbers < len(first):
            raise DataError(
                "one row of numbers and text could be a header or data", hint="say which: --header or --no-header"
            )
        return numbers == 0
    numeric = [position for position, cell in enumerate(second) if is_number(cell)]
    above = [first[position].strip(" \t") if position < len(first) else "" for position in numeric]
    if any(cell and not is_number(cell) for cell in above) or first[0].strip(" \t") in _INDEX_NAMES:
        return True
    counted = above[1:] if above and not above[0] else above
    fractional = any(not float(second[position]).is_integer() for position in numeric)
    return len(counted) > 1 and fractional and _counts(counted)


def _counts(cells: Sequence[str]) -> bool:
    return any(list(cells) == [str(number + start) for number in range(len(cells))] for start in (0, 1))


def split_list(text: str, option: str) -> list[str]:
    """Split the comma list given to `option`; a name that holds a comma is quoted as in CSV.

    Raises
    ------
    UsageError
        If there is nothing between two commas, or a quote is not closed.
    """
    try:
        rows = list(csv.reader([text], strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise UsageError(f"{option}: {visible(text)!r} is not a comma list: {error}") from None
    items = rows[0] if rows else []
    if not items or "" in items:
        raise UsageError(f"{option}: {visible(text)!r} has an empty name")
    return items


def select(pattern: str, names: Sequence[str], start: Sequence[int]) -> tuple[tuple[int, ...], bool]:
    """Return the positions that ``--classes`` selects, and whether it names any or only leaves some out.

    Parameters
    ----------
    pattern
        A comma list of exact names (these win), ``a:b`` ranges, ``prefix_*`` globs, and ``!`` before any of these
        to leave out.
    names
        All columns.
    start
        The positions to leave out from when the pattern selects nothing itself.

    Raises
    ------
    UsageError
        If an item matches no column.
    """
    chosen: dict[int, None] = {}
    left_out: set[int] = set()
    selecting = False
    for item in split_list(pattern, "--classes"):
        if item.startswith("!") and item not in names:
            left_out.update(_matches(item[1:], names))
        else:
            selecting = True
            chosen.update(dict.fromkeys(_matches(item, names)))
    return tuple(position for position in (chosen if selecting else start) if position not in left_out), selecting


def _matches(item: str, names: Sequence[str]) -> list[int]:
    if item in names:
        return [names.index(item)]
    first, colon, last = item.partition(":")
    if colon and first in names and last in names:
        low, high = names.index(first), names.index(last)
        if low > high:
            raise UsageError(f"--classes: in {visible(item)!r} the first column comes after the last")
        return list(range(low, high + 1))
    found = []
    if "*" in item:
        glob = re.compile(".*".join(map(re.escape, item.split("*"))), re.DOTALL)
        found = [position for position, name in enumerate(names) if glob.fullmatch(name)]
    if not found:
        raise UsageError(f"--classes: the input has no column {visible(item)!r}", hint=f"it has {listed(names)}")
    return found


def assign_roles(
    names: Sequence[str] | None,
    row: Sequence[str] | None,
    *,
    classes: str | None,
    ids: Sequence[str],
    truth: str | None = None,
    recorded: bool = False,
) -> Roles:
    """Decide which columns are classes and which are carried.

    Parameters
    ----------
    names
        The names of the columns; None without a header, where the name of a column is its position from 0.
    row
        The first data row, which alone decides which columns are text; None if there is none.
    classes
        The ``--classes`` pattern, if given.
    ids
        The names given to ``--id``.
    truth
        The name given to ``--truth-column``.
    recorded
        Whether the columns ``p_*`` are the classes if actcli wrote the table.

    Raises
    ------
    UsageError
        If an option names a column that does not exist.
    DataError
        If a class column cannot be one.
    """
    count = len(names) if names is not None else len(row or ())
    called = list(names) if names is not None else [str(position) for position in range(count)]
    named = []
    for option, name in [*(("--id", name) for name in ids), *([] if truth is None else [("--truth-column", truth)])]:
        if name not in called:
            raise UsageError(f"{option}: the input has no column {visible(name)!r}", hint=f"it has {listed(called)}")
        named.append(called.index(name))
    taken = set(named) | _leading(names, row, named)
    remaining = [position for position in range(count) if position not in taken]
    recorded = recorded and classes is None and _is_recorded(called, remaining)
    classes = RECORDED + "*" if recorded else classes
    if classes is None:
        chosen, by_name = tuple(remaining), False
    else:
        chosen, by_name = select(classes, called, remaining)
        both = set(chosen) & set(named)
        if both:
            raise UsageError(f"{listed([called[position] for position in both])} is named by --id and by --classes")
    if not by_name:
        if row is not None:
            _check_unnamed(called, row, sorted({*chosen, *taken} - set(named)))
        for position in chosen:
            _check_truth_like(called[position])
    if not chosen:
        cells = f"; the first row of data is {listed(row, 4)}" if row else ""
        raise DataError(f"no column of numbers{cells}")
    carried = tuple(sorted(set(range(count)) - set(chosen)))
    unasked = tuple(position for position in carried if position not in named)
    return Roles(chosen, carried, unasked, recorded)


def _is_recorded(called: Sequence[str], remaining: Sequence[int]) -> bool:
    """Return whether actcli wrote the table, judged by the names of the columns that may be classes.

    There must be probabilities. After a label there must be only columns that actcli writes; before it, there may be
    carried columns.
    """
    decided = [position for position, name in enumerate(called) if name in ("label", "labels")]
    after = [called[position] for position in remaining if not decided or position > decided[0]]
    return any(name.startswith(RECORDED) for name in after) and all(map(_RECORDED_NAMES.fullmatch, after))


def _leading(names: Sequence[str] | None, row: Sequence[str] | None, named: Sequence[int]) -> set[int]:
    """Return the columns that are carried because of their position: text before the numbers, and an index."""
    leading = set()
    for position, cell in enumerate(row or ()):
        if is_number(cell) and position not in named:
            break
        leading.add(position)
    if names and is_index(names[0]):
        leading.add(0)
    return leading


def _check_unnamed(called: Sequence[str], row: Sequence[str], positions: Sequence[int]) -> None:
    """Refuse a first data row that does not tell whether a column without an option holds numbers."""
    numbers_before = False
    for position in positions:
        cell, name = row[position], called[position]
        if is_number(cell):
            numbers_before = True
        elif position == 0 and is_index(name):
            continue
        elif has_decimal_comma(cell):
            raise DataError(f'column "{visible(name)}": "{visible(cell)}" is not a number', hint=DECIMAL_COMMA_HINT)
        elif cell.strip(" \t").lower() in _MISSING:
            raise DataError(
                f'column "{visible(name)}": "{visible(cell)}" in the first data row leaves open whether this is text',
                hint=f"if it is to be carried along: --id {_quoted(name)}",
            )
        elif numbers_before:
            raise DataError(
                f'column "{visible(name)}": "{visible(cell)}" is not a number',
                hint=f"to carry this column along: --id {_quoted(name)}",
            )


def _check_truth_like(name: str) -> None:
    if name in _TRUTH_NAMES or name.endswith("_id"):
        raise DataError(
            f'column "{visible(name)}" does not look like a class',
            hint=f"to carry it along: --id {_quoted(name)}; if it is a class, name it with --classes",
        )


def _quoted(name: str) -> str:
    return shlex.quote(visible(name))


def check_unique(names: Sequence[str], where: str, error: type[ActcliError] = DataError) -> None:
    """Refuse class names that are empty or occur twice.

    Raises
    ------
    ActcliError
        Of the class `error`.
    """
    seen: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if not name:
            raise error(f"{where}: class {number} has an empty name")
        if name in seen:
            raise error(f'{where}: classes {seen[name]} and {number} have the same name "{visible(name)}"')
        seen[name] = number


def check_utf8(text: str) -> None:
    """Refuse a text given to an option that cannot be written.

    Raises
    ------
    UsageError
        If it is not UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{visible(text)!r} is not UTF-8 text") from None
