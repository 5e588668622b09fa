"""Progress while the chunks are worked on, and the warnings at the end."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Self

from actcli.streaming import signals
from actcli.streaming.batch import MOST_BAD_ROWS
from actcli.streaming.terminal import is_terminal

if TYPE_CHECKING:
    from actcli.errors import DataError
    from actcli.streaming.pipeline import EncodedChunk

__all__ = ["Watch"]

PATIENCE = 1.0
"""Seconds before a progress bar appears."""


class Watch:
    """Counts rows and bad rows; after a second, it shows a progress bar on standard error, if that is a terminal.

    Parameters
    ----------
    size
        The bytes of the input; None if they are not known.
    quiet
        Never show a bar.

    Attributes
    ----------
    rows
        The rows that the sink has.
    left_out
        The bad rows that were skipped.
    """

    def __init__(self, size: int | None, *, quiet: bool) -> None:
        self._size = size
        self._patient = time.monotonic() + PATIENCE
        self._shows = not quiet and is_terminal(sys.stderr)
        self._bar: Any = None
        self._task: Any = None
        self._done = 0
        self.rows = 0
        self._suspicious = True
        self.left_out = 0
        self._faults: list[DataError] = []

    def warnings(self) -> list[str]:
        """Return the warnings to print at the end, quiet or not."""
        warnings = []
        if self.left_out:
            rows = "1 row was" if self.left_out == 1 else f"{self.left_out:,} rows were"
            warnings.append("\n  ".join([f"{rows} left out:", *(error.message for error in self._faults)]))
            more = self.left_out - len(self._faults)
            warnings[-1] += f"\n  and {more:,} more" if more else ""
        if self._suspicious and self.rows:
            warnings.append("the logits look like probabilities; if they are: --from probabilities")
        return warnings

    def __call__(self, chunk: EncodedChunk) -> None:
        """Count a chunk that the sink has."""
        self._done += chunk.size
        self.rows += chunk.rows
        self.left_out += chunk.left_out
        self._faults += [fault.error for fault in chunk.faults[: MOST_BAD_ROWS - len(self._faults)]]
        self._suspicious &= chunk.like_probabilities or not chunk.rows
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, rows=f"{self.rows:,}")
        elif self._shows and time.monotonic() > self._patient:
            self._start()

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.fields[rows]} rows"),
            BarColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=self._size, completed=self._done, rows=f"{self.rows:,}")
        signals.add(self._bar.stop)  # which shows the cursor again
        self._bar.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            signals.remove(self._bar.stop)
