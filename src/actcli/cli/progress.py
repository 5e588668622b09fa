"""What is watched while pieces go by: the progress, and what there is to say at the end."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Self

from actcli import signals
from actcli.files import is_terminal

if TYPE_CHECKING:
    from actcli.pipeline import Piece

__all__ = ["Watch"]

PATIENCE = 1.0
"""Seconds before a progress bar appears."""


class Watch:
    """Sees every piece; after a second it shows a progress bar on standard error, if that is a terminal.

    Parameters
    ----------
    size
        How many bytes of input there are; None if that is not known.
    quiet
        Never show a bar.
    """

    def __init__(self, size: int | None, *, quiet: bool) -> None:
        self._size = size
        self._patient = time.monotonic() + PATIENCE
        self._shows = not quiet and is_terminal(sys.stderr)
        self._bar: Any = None
        self._task: Any = None
        self._done = 0
        self._rows = 0
        self._suspicious = True

    @property
    def like_probabilities(self) -> bool:
        """Whether all scores look like probabilities though they were said to be logits."""
        return self._suspicious and self._rows > 0

    def __call__(self, piece: Piece) -> None:
        """Take note of a piece that the sink has."""
        self._done += piece.size
        self._rows += piece.rows
        self._suspicious &= piece.like_probabilities or not piece.rows
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, rows=f"{self._rows:,}")
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
        self._task = self._bar.add_task("", total=self._size, completed=self._done, rows=f"{self._rows:,}")
        signals.add(self._bar.stop)  # which shows the cursor again
        self._bar.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            signals.remove(self._bar.stop)
