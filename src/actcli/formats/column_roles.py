"""The role of each column of a table: a class, or carried along; and the names of the classes."""

from __future__ import annotations

import csv
import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from actcli.errors import ActcliError, DataError, UsageError, listed, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

__all__ = [
    "DECIMAL_COMMA_HINT",
    "MOST_COLUMNS",
    "RECORDED_LOGARITHMS",
    "Roles",
    "assign_roles",
    "check_unique",
    "check_utf8",
    "has_decimal_comma",
    "is_header",
    "is_index",
    "is_number",
    "names_decisions",
    "select",
    "split_list",
]

DECIMAL_COMMA_HINT = "numbers have a point, not a comma, before their fraction"

MOST_COLUMNS = 1_000_000
"""The most columns of a table. The names of more would fill the memory."""

_NUMBER = re.compile(r"[+-]?(?:(?:\d++(?:\.\d*+)?|\.\d++)(?:e[+-]?\d++)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE)
"""A number. Its digits are possessive, so that no text takes more than one pass."""
_MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "null", "none", "nan", "-", "?"})
_INDEX_NAMES = frozenset({"id", "index", "Unnamed: 0"})
_TRUTH_NAMES = frozenset({"label", "target", "truth", "y", "y_true", "gt", "ground_truth"})
RECORDED = "p_"
RECORDED_LOGARITHMS = "logp_"
"""The prefixes of the class names in a table of probabilities, or of their logarithms, that actcli wrote."""

_RECORDED_NAMES = re.compile(
    r"label|labels|index|indices|count|probability|margin|entropy|reason|prediction_set|row|file|top_k|multihot"
    r"|(?:label|probability)_\d+|(?:p|logp|logit|is)_.+",
    re.DOTALL,
)
"""The other columns that actcli may have written."""

_DECISIONS = re.compile(r"label|labels|label_1|top_k|index|indices|multihot|is_.+", re.DOTALL)
"""Those of them that say what was decided."""


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
    prefix
        The prefix of the class names in a table of probabilities that actcli wrote; None in any other table.
    advised
        What ``--classes`` must say so that other commands find the same roles; None if they find them without it.
    """

    classes: tuple[int, ...]
    carried: tuple[int, ...]
    unasked: tuple[int, ...] = ()
    prefix: str | None = None
    advised: str | None = None

    @property
    def recorded(self) -> bool:
        """Whether actcli wrote the table."""
        return self.prefix is not None


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


def select(
    pattern: str, names: Sequence[str], start: Sequence[int], option: str = "--classes"
) -> tuple[tuple[int, ...], bool]:
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
    option
        The option that gives the pattern, for messages.

    Raises
    ------
    UsageError
        If an item matches no column.
    """
    places: dict[str, int] = {}
    for position, name in enumerate(names):
        places.setdefault(name, position)
    chosen: dict[int, None] = {}
    left_out: set[int] = set()
    selecting = False
    for item in split_list(pattern, option):
        if item.startswith("!") and item not in places:
            left_out.update(_matches(item[1:], names, places, option))
        else:
            selecting = True
            chosen.update(dict.fromkeys(_matches(item, names, places, option)))
    return tuple(position for position in (chosen if selecting else start) if position not in left_out), selecting


def _matches(item: str, names: Sequence[str], places: Mapping[str, int], option: str) -> Sequence[int]:
    """Return the positions that an item selects; `places` has the position of each name."""
    if item in places:
        return [places[item]]
    first, colon, last = item.partition(":")
    if colon and first in places and last in places:
        low, high = places[first], places[last]
        if low > high:
            raise UsageError(f"{option}: in {visible(item)!r} the first column comes after the last")
        return range(low, high + 1)
    found = [position for position, name in enumerate(names) if _matches_glob(item, name)] if "*" in item else []
    if not found:
        raise UsageError(f"{option}: the input has no column {visible(item)!r}", hint=f"it has {listed(names)}")
    return found


def _matches_glob(glob: str, name: str) -> bool:
    """Return whether a name matches a glob; the first place of each part is taken, so that nothing is tried twice."""
    start, *inner, end = glob.split("*")
    if len(name) < len(start) + len(end) or not (name.startswith(start) and name.endswith(end)):
        return False
    place, last = len(start), len(name) - len(end)
    for part in inner:
        place = name.find(part, place, last)
        if place < 0:
            return False
        place += len(part)
    return True


def assign_roles(
    names: Sequence[str] | None,
    row: Sequence[str] | None,
    *,
    classes: str | None,
    ids: Sequence[str],
    truth: str | None = None,
    recorded: bool = False,
    decisions: bool = False,
    predictions: str | None = None,
    describing: bool = False,
    found: Callable[[int], str] | None = None,
    labels: Callable[[Sequence[int]], int | None] | None = None,
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
        Whether the columns ``p_*``, or else ``logp_*``, are the classes if actcli wrote the table.
    decisions
        Whether there are no classes if it wrote decisions without these.
    predictions
        Which columns hold predicted labels; then there are no classes.
    describing
        Whether columns that cannot be classes are carried along, instead of being an error.
    found
        Says of a column that is not of numbers what it is, to continue its name in a message. None shows its cell.
    labels
        Returns which of the classes holds 0 and 1, beside others that hold fractions; it looks at the first rows.

    Raises
    ------
    UsageError
        If an option names a column that does not exist.
    DataError
        If a class column cannot be one.
    """
    count = len(names) if names is not None else len(row or ())
    called = list(names) if names is not None else [str(position) for position in range(count)]
    named = _named_positions(called, ids, truth)
    taken = named | _leading(names, row, named)
    remaining = [position for position in range(count) if position not in taken]
    prefix = _recorded_prefix(called, remaining) if recorded and classes is None else None
    if predictions is not None:
        select(predictions, called, (), "--prediction-column")
        return Roles((), tuple(range(count)))
    if decisions and classes is None and prefix is None and _holds_decisions(called, named, remaining):
        return Roles((), tuple(range(count)))
    classes = classes if prefix is None else prefix + "*"
    if classes is None:
        chosen, by_name = tuple(remaining), False
    else:
        chosen, by_name = select(classes, called, remaining)
        both = set(chosen) & named
        if both:
            raise UsageError(f"{listed([called[position] for position in both])} is named by --id and by --classes")
    advised = None
    if not by_name:
        _check_decimal_commas(called, row, sorted({*chosen, *taken} - named))
    if not by_name and describing:
        numeric = [position for position in chosen if row is None or is_number(row[position])]
        truths = set(_truth_like([called[position] for position in numeric]))
        possible = tuple(position for position in numeric if called[position] not in truths)
        if labels is not None and not named and (bits := labels(possible)) is not None:
            possible = tuple(position for position in possible if position != bits)
        advised = _pattern(called, possible) if possible != chosen else None
        chosen = possible
    elif not by_name:
        _check_unnamed(called, row, sorted({*chosen, *taken} - named), found, chosen)
        _check_truth_like([called[position] for position in chosen])
        if labels is not None and not ids and prefix is None and (bits := labels(chosen)) is not None:
            _refuse_labels(called[bits])
    if not chosen and not describing:
        cells = f"; the first row of data is {listed(row, 4)}" if row and found is None else ""
        hint = "if a column holds predicted labels: --prediction-column NAME" if decisions else None
        raise DataError(f"no column of numbers{cells}", hint=hint)
    carried = tuple(sorted(set(range(count)) - set(chosen)))
    unasked = tuple(position for position in carried if position not in named)
    return Roles(chosen, carried, unasked, prefix, advised)


def _named_positions(called: Sequence[str], ids: Sequence[str], truth: str | None) -> set[int]:
    """Return the positions of the columns that ``--id`` and ``--truth-column`` name."""
    places: dict[str, int] = {}
    for position, name in enumerate(called):
        places.setdefault(name, position)
    named = set()
    for option, name in [*(("--id", name) for name in ids), *([] if truth is None else [("--truth-column", truth)])]:
        if name not in places:
            parts = name.split(",")
            hint = f"it has {listed(called)}"
            if option == "--id" and len(parts) > 1 and all(part in places for part in parts):
                hint = "each column has its own option: " + " ".join(f"--id {_quoted(part)}" for part in parts)
            raise UsageError(f"{option}: the input has no column {visible(name)!r}", hint=hint)
        named.add(places[name])
    return named


def _pattern(called: Sequence[str], positions: Sequence[int]) -> str | None:
    """Return the ``--classes`` that selects these columns: a range, or else names; None if there are none."""
    if not positions:
        return None
    if len(positions) > 1 and positions[-1] - positions[0] == len(positions) - 1:
        ends = f"{called[positions[0]]}:{called[positions[-1]]}"
        if "," not in ends and '"' not in ends and ends.count(":") == 1:
            return ends
    return ",".join(map(_listed_name, (called[position] for position in positions)))


def _listed_name(name: str) -> str:
    """Return a name as an item of a comma list."""
    return '"' + name.replace('"', '""') + '"' if "," in name or '"' in name or name != name.strip() else name


def _recorded_prefix(called: Sequence[str], remaining: Sequence[int]) -> str | None:
    """Return the prefix of the classes if actcli wrote the table, judged by the names that may be classes, or None.

    There must be probabilities. After a label there must be only columns that actcli writes; before it, there may be
    carried columns.
    """
    decided = [position for position, name in enumerate(called) if name in ("label", "labels")]
    after = [called[position] for position in remaining if not decided or position > decided[0]]
    if not all(map(_RECORDED_NAMES.fullmatch, after)):
        return None
    prefixes = (RECORDED, RECORDED_LOGARITHMS)
    return next((prefix for prefix in prefixes if any(name.startswith(prefix) for name in after)), None)


def names_decisions(names: Sequence[str]) -> bool:
    """Return whether names of columns may be those of a table of decisions that actcli wrote."""
    return any(_is_decision(name, position, len(names)) for position, name in enumerate(names))


def _is_decision(name: str, position: int, count: int) -> bool:
    """Return whether a column holds decisions, by its name; an index before other columns counts the rows."""
    return _DECISIONS.fullmatch(name) is not None and not (name == "index" and position == 0 and count > 1)


def _holds_decisions(called: Sequence[str], named: AbstractSet[int], remaining: Sequence[int]) -> bool:
    """Return whether actcli wrote a table of decisions without probabilities, judged by the names of its columns."""
    decided = any(
        _is_decision(name, position, len(called)) for position, name in enumerate(called) if position not in named
    )
    return decided and all(_RECORDED_NAMES.fullmatch(called[position]) for position in remaining)


def _leading(names: Sequence[str] | None, row: Sequence[str] | None, named: AbstractSet[int]) -> set[int]:
    """Return the columns that are carried because of their position: text before the numbers, and an index."""
    leading = set()
    for position, cell in enumerate(row or ()):
        if is_number(cell) and position not in named:
            break
        leading.add(position)
    if names and is_index(names[0]):
        leading.add(0)
    return leading


def _check_decimal_commas(called: Sequence[str], row: Sequence[str] | None, positions: Sequence[int]) -> None:
    """Refuse a first data row with numbers that have a comma before their fraction."""
    for position in positions:
        cell = "" if row is None else row[position]
        if has_decimal_comma(cell) and not (position == 0 and is_index(called[0])):
            message = f'column "{visible(called[position])}": "{visible(cell)}" is not a number'
            raise DataError(message, hint=DECIMAL_COMMA_HINT)


def _check_unnamed(
    called: Sequence[str],
    row: Sequence[str] | None,
    positions: Sequence[int],
    found: Callable[[int], str] | None,
    chosen: Sequence[int],
) -> None:
    """Refuse a first data row that does not tell whether a column without an option holds numbers."""
    numeric: set[int] = set()
    wrong: list[int] = []
    if row is None:
        return
    for position in positions:
        cell, name = row[position], called[position]
        if is_number(cell):
            numeric.add(position)
        elif position == 0 and is_index(name):
            continue
        elif cell.strip(" \t").lower() in _MISSING and not wrong:
            raise DataError(
                f'column "{visible(name)}": "{visible(cell)}" in the first data row leaves open whether this is text',
                hint=f"if it is to be carried along: --id {_quoted(name)}",
            )
        elif numeric:
            wrong.append(position)
    if not wrong:
        return
    first = wrong[0]
    what = found(first) if found is not None else f': "{visible(row[first])}" is not a number'
    hint = f"to carry this column along: --id {_quoted(called[first])}"
    others = ""
    if len(wrong) > 1:
        others = f"; the same holds for {listed([called[position] for position in wrong[1:]], 6)}"
        possible = [position for position in chosen if position in numeric]
        truths = set(_truth_like([called[position] for position in possible]))
        possible = [position for position in possible if called[position] not in truths]
        if pattern := _pattern(called, possible):
            hint += f"; to carry all of them along: --classes {shlex.quote(visible(pattern, 200))}"
    raise DataError(f'column "{visible(called[first])}"{what}{others}', hint=hint)


def _truth_like(names: Sequence[str]) -> list[str]:
    """Return which names of columns are those of truths and ids; y among other single letters is one of these."""
    letters = sum(len(name) == 1 for name in names) > 1
    return [name for name in names if (name in _TRUTH_NAMES and not (letters and name == "y")) or name.endswith("_id")]


def _check_truth_like(names: Sequence[str]) -> None:
    """Refuse classes that are called as truths and ids are."""
    for name in _truth_like(names)[:1]:
        truth = "" if name.endswith("_id") else f"; if it is the truth: --truth-column {_quoted(name)}"
        raise DataError(
            f'column "{visible(name)}" does not look like a class',
            hint=f"to carry it along: --id {_quoted(name)}; if it is a class, name it with --classes{truth}",
        )


def _refuse_labels(name: str) -> None:
    raise DataError(
        f'column "{visible(name)}" holds only 0 and 1, beside columns with fractions: is it a class?',
        hint=f"if it is the truth: --truth-column {_quoted(name)}; to carry it along: --id {_quoted(name)}; if it is a "
        "class, name all classes with --classes",
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
