"""Columns of 0 and 1 beside scores: they are hardly classes, but labels that were left in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actcli.formats.column_roles import is_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["FEWEST_ROWS", "SAMPLE_BYTES", "column_of_labels"]

FEWEST_ROWS = 4
"""With fewer rows than this, nothing is said about a column."""

SAMPLE_BYTES = 1 << 16
"""How much of a text is looked at. It does not depend on the size of the chunks, so neither does the answer."""

_BITS = ("0", "1")


def column_of_labels(rows: Iterable[Sequence[str]], positions: Sequence[int]) -> int | None:
    """Return the position of the one column that holds 0 and 1, if every other column holds a fraction; else None.

    Parameters
    ----------
    rows
        The cells of the first rows. No more of them are taken than needed.
    positions
        The columns to look at.
    """
    possible = set(positions) if len(positions) > 1 else set()
    seen: dict[int, set[str]] = {position: set() for position in positions}
    whole = set(positions)
    count = 0
    for row in rows:
        if len(row) <= max(positions):
            return None
        count += 1
        for position in tuple(possible):
            cell = row[position].strip(" \t")
            if cell in _BITS:
                seen[position].add(cell)
            else:
                possible.discard(position)
        if not possible:
            return None
        whole = {position for position in whole if not _is_fraction(row[position])}
    found = next(iter(possible), -1)
    return found if count >= FEWEST_ROWS and whole == {found} and len(seen[found]) == len(_BITS) else None


def _is_fraction(cell: str) -> bool:
    return is_number(cell) and not float(cell).is_integer() and abs(float(cell)) < float("inf")
