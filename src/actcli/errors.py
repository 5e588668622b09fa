"""The error tree, and how foreign text is shown in a message.

::

    ActcliError                 exit code
    ├── DataError               1   what a file holds, or that it is not there
    ├── OutputError             1   what cannot be written
    ├── UsageError              2   what was asked for
    └── CheckError              3   a check that was asked for, and failed

Library code raises these; `actcli.cli.app.main` catches the base class, once. `ReaderGoneError` is beside the tree: it
marks the end of the output and is no error.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ActcliError",
    "CheckError",
    "DataError",
    "OutputError",
    "ReaderGoneError",
    "UsageError",
    "listed",
    "say",
    "visible",
]


class ActcliError(Exception):
    """Base of every error that is not a bug in actcli itself.

    Parameters
    ----------
    message
        What is wrong, where, and what was found: one line.
    hint
        What to do about it: one line, or None.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DataError(ActcliError):
    """The content of a file, or its absence."""


class OutputError(ActcliError):
    """An output that cannot be written."""


class UsageError(ActcliError):
    """An option that is unknown, has a bad value, or does not fit the input or another option."""

    exit_code = 2


class CheckError(ActcliError):
    """A check that was asked for has failed."""

    exit_code = 3


class ReaderGoneError(Exception):
    """The program that reads our output has gone away, as ``head`` does: no error, but the end."""


def say(text: str) -> None:
    """Write `text` to standard error, if there is one that can be written."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()


def visible(text: str, limit: int = 60) -> str:
    r"""Return `text` with what a terminal would not show as itself escaped, at most `limit` characters long.

    Control characters, marks that change the direction of writing, and bytes that were not UTF-8 become
    escapes such as ``\x1b``; longer text keeps its beginning and ends with an ellipsis.
    """
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text[: limit + 1]
    )
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def listed(names: Sequence[str], most: int = 12) -> str:
    """Return `names` as a message shows them: quoted, a few."""
    shown = ", ".join(f'"{visible(name, 30)}"' for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
