"""What a report is drawn on: a console as wide as where the drawing goes, in its encoding."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from actcli.streaming.output import Output

__all__ = ["Screen", "counted", "draw", "empty_table"]

_NARROWEST = 10


class Screen:
    """A drawing that is written when it is done.

    Parameters
    ----------
    output
        Where to.

    Attributes
    ----------
    console
        What Rich draws on.
    ascii
        Whether only ASCII can be shown.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._capture = _Capture(output)
        self.console = Console(
            file=self._capture,
            force_terminal=True if output.is_terminal else None,
            width=_width_of(output),
            height=25,  # without it, Rich takes a terminal that calls itself dumb for one of 80 columns
            highlight=False,
            markup=False,
            emoji=False,
        )
        self.ascii = self.console.options.ascii_only

    def write(self) -> None:
        """Write what was drawn."""
        lines = "\n".join(line.rstrip() for line in self._capture.getvalue().split("\n"))
        self._output.write(lines.encode(self._capture.encoding, "backslashreplace"))


def draw(output: Output, parts: Callable[[int], Iterable[Any]]) -> None:
    """Draw what Rich can draw, one thing below the other; `parts` makes them for a width."""
    screen = Screen(output)
    for part in parts(screen.console.width):
        screen.console.print(part)
    screen.write()


def empty_table() -> Table:
    """Return a table without columns or rows yet, whose header stands over a rule."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="bold", show_edge=False)


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return how many there are of what is called `one`, or `many`; left out, that has an s at its end."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


class _Capture(io.StringIO):
    """What Rich draws on, which says the encoding of where the drawing goes."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        to_file = output.path is not None
        self._encoding = "utf-8" if to_file or sys.stdout is None else sys.stdout.encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property, because StringIO has it so
        """Of the output."""
        return self._encoding


def _width_of(output: Output) -> int:
    """Return the width of a terminal, or in a file as much as a table needs; COLUMNS goes before both."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns[:6]) > 0:
        return int(columns[:6])
    if output.is_terminal:
        return max(os.get_terminal_size(output.descriptor).columns or 80, _NARROWEST)
    return 1000
