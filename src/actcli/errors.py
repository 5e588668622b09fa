"""The error tree, and how foreign text is shown in a message.

::

    ActcliError                 exit code
    ├── DataError               1   the content of a file, or a missing file
    ├── OutputError             1   an output that cannot be written
    ├── WorkerError             1   a process that worked on a part of the input and died
    ├── UsageError              2   wrong options
    └── CheckError              3   a requested check that fails

Library code raises these errors; `actcli.cli.app.main` catches the base class, once. `ReaderGoneError` is not in the
tree: it marks the end of the output and is not an error.
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
    "WorkerError",
    "listed",
    "say",
    "visible",
]


class ActcliError(Exception):
    """Base of every error that is not a bug in actcli itself.

    Parameters
    ----------
    message
        What is wrong, where, and what was found, in one line.
    hint
        What to do about it, in one line, or None.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DataError(ActcliError):
    """The content of a file is wrong, or the file does not exist."""


class OutputError(ActcliError):
    """An output cannot be written."""


class WorkerError(ActcliError):
    """A process that worked on a part of the input has died."""


class UsageError(ActcliError):
    """An option is unknown, has a bad value, or does not fit the input or another option."""

    exit_code = 2


class CheckError(ActcliError):
    """A requested check has failed."""

    exit_code = 3


class ReaderGoneError(Exception):
    """The program that reads the output has closed the pipe, as ``head`` does."""


def say(text: str) -> None:
    """Write `text` to standard error, if it can be written."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()


def visible(text: str, limit: int = 60) -> str:
    r"""Return `text` with the characters escaped that a terminal does not show, at most `limit` characters long.

    Control characters, marks that change the direction of writing, and bytes that are not UTF-8 become escapes such as
    ``\x1b``. Longer text is cut and ends with an ellipsis.
    """
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text[: limit + 1]
    )
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def listed(names: Sequence[str], most: int = 12) -> str:
    """Return `names` for a message: in quotes, at most `most` of them."""
    shown = ", ".join(f'"{visible(name, 30)}"' for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
