"""Text that fits a number of terminal columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["fitted", "joined", "shortened", "widest"]


def widest(texts: Iterable[str]) -> int:
    """Return the width of the widest of these texts; 0 for no text."""
    return max(map(cell_len, texts), default=0)


def fitted(text: str, width: int) -> str:
    """Return `text` in exactly `width` columns: cut at its end with an ellipsis, or padded with blanks."""
    found = Text(text)
    found.truncate(width, overflow="ellipsis", pad=True)
    return found.plain


def shortened(text: str, width: int) -> str:
    """Return `text` in at most `width` columns, cut in its middle, because identifiers often differ at their ends."""
    if cell_len(text) <= width:
        return text
    tail = (width - 1) // 2
    head = Text(text)
    head.truncate(width - 1 - tail)
    end = text[len(text) - tail :]
    while cell_len(end) > tail:
        end = end[1:]
    return f"{head.plain}…{end}"


def joined(items: Sequence[str], separator: str, width: int) -> list[str]:
    """Return `items` joined into lines of at most `width` columns; a single item may be wider."""
    lines: list[str] = []
    for item in items:
        if lines and cell_len(lines[-1] + separator + item) <= width:
            lines[-1] += separator + item
        else:
            lines.append(item)
    return lines
