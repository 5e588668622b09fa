"""The surface of reports: a Rich console with the size and the encoding of the output."""

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

__all__ = ["ACCENT", "COLOURS", "GAP", "REFERENCE_COLOUR", "WIDEST_CHART", "Screen", "draw", "empty_table"]

ACCENT = "cyan"
"""The colour of the numbers that matter most."""

COLOURS = ("#2a86d1", "#d58a00", "#009e73", "#c46aa1", "#56a8dd", "#d5601a")
"""The colours of series: the hues of Okabe and Ito ("Color universal design", 2008), legible on dark and on light."""

REFERENCE_COLOUR = "#888888"

WIDEST_CHART = 110

GAP = 3
"""The number of blanks between two columns of `empty_table`."""

_NARROWEST = 10
_FILE_WIDTH = 1000
"""A file is as wide as its tables need."""


class Screen:
    """A drawing, which is written as a whole.

    Parameters
    ----------
    output
        Where it is written to.

    Attributes
    ----------
    console
        The Rich console to draw on.
    ascii
        Whether the output shows ASCII only.
    colours
        Whether the output shows colours.
    height
        The number of lines of the terminal; None for a file or a pipe.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._capture = _Capture(output)
        self.height = _size_of(output, "LINES", 24, None)
        self.console = Console(
            file=self._capture,
            force_terminal=True if output.is_terminal else None,
            width=_size_of(output, "COLUMNS", 80, _FILE_WIDTH),
            height=self.height or 25,  # without it, Rich takes a terminal that calls itself dumb for one of 80 columns
            highlight=False,
            markup=False,
            emoji=False,
        )
        self.ascii = self.console.options.ascii_only
        self.colours = self.console.color_system is not None and not self.console.no_color

    def write(self) -> None:
        """Write the drawing."""
        lines = "\n".join(line.rstrip() for line in self._capture.getvalue().split("\n"))
        if self.ascii:
            lines = lines.replace("…", "~")  # of a name that is cut; an escape sequence would not fit its column
        self._output.write(lines.encode(self._capture.encoding, "backslashreplace"))


def draw(output: Output, parts: Callable[[int], Iterable[Any]]) -> None:
    """Draw Rich renderables, one below the other; `parts` returns them for a width."""
    screen = Screen(output)
    for part in parts(screen.console.width):
        screen.console.print(part)
    screen.write()


def empty_table() -> Table:
    """Return a table without columns and rows, with a rule below its header."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="bold", show_edge=False)


class _Capture(io.StringIO):
    """The file that Rich writes to; it has the encoding of the output, from which Rich learns what it can draw."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        to_file = output.path is not None
        self._encoding = "utf-8" if to_file or sys.stdout is None else sys.stdout.encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property, because StringIO has it so
        """Of the output."""
        return self._encoding


def _size_of(output: Output, variable: str, default: int, of_file: int | None) -> int | None:
    """Return the COLUMNS or the LINES of an output: by the environment variable, else by the terminal."""
    said = os.environ.get(variable, "")
    if said.isdigit() and int(said[:6]) > 0:
        return int(said[:6])
    if not output.is_terminal:
        return of_file
    size = os.get_terminal_size(output.descriptor)
    return max((size.columns if variable == "COLUMNS" else size.lines) or default, _NARROWEST)
