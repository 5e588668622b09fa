"""Check that there is an input, before anything is read."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import typer

from actcli.errors import UsageError, say, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_input"]


def check_input(command: str, files: Sequence[str] | None, more: str = "", *, truth: str | None = None) -> None:
    """Show short help and exit if no file is given and standard input is a terminal.

    Parameters
    ----------
    command
        The command that is called.
    files
        Its inputs.
    more
        What else an example of it needs.
    truth
        The file given to ``--truth``.

    Raises
    ------
    UsageError
        If a pipe is given twice, as an input and as the truth for instance.
    """
    from actcli.streaming.terminal import standard_input_is_terminal

    if not files and standard_input_is_terminal():
        more = f" {more}" if more else ""
        say(
            f"Usage: actcli {command} [OPTIONS] [FILE]...\n\n"
            f"There is no file, and standard input is a terminal. For instance:\n"
            f"  actcli {command} logits.npy{more}\n  ... | actcli {command}{more}\n\n"
            f"actcli {command} --help says more.\n"
        )
        raise typer.Exit(2)
    if truth == "-" and "-" in (files or ["-"]):
        raise UsageError("standard input can be read only once, and holds the scores already")
    paths = [*(files or ["-"]), *([] if truth is None else [truth])]
    if len(paths) > 1:
        _refuse_repeated_pipe(paths)


def _refuse_repeated_pipe(paths: Sequence[str]) -> None:
    """Refuse a pipe under two names, such as - and /dev/stdin: each reader would get a part of it."""
    seen: dict[tuple[int, int], str] = {}
    for path in paths:
        try:
            status = os.fstat(0) if path == "-" else os.stat(path)
        except (OSError, ValueError):
            continue  # The reader says what is wrong.
        if stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode):
            other = seen.setdefault((status.st_dev, status.st_ino), path)
            if other is not path:
                raise UsageError(
                    f"{visible(other, 200)} and {visible(path, 200)} are the same pipe, which can be read only once",
                    hint="write it to a file first",
                )
