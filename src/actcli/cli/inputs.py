"""Check that there is an input, before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from actcli.errors import UsageError, say

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
        If both the input and the truth are standard input.
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
