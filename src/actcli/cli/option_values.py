"""Check the values of single options that a type alone does not check."""

import math
from typing import Any

import typer

from actcli.errors import UsageError, visible
from actcli.streaming import memory

__all__ = ["decimal_share", "delimiter", "limit_memory", "named", "row_count", "share"]

_MOST_DIGITS = 1000
"""The most characters of a number that is computed with exactly."""
_DELIMITERS = {"comma": ",", "tab": "\t", "\\t": "\t", "semicolon": ";", "pipe": "|", "space": " "}
DEFAULT_ROWS = 20


def named(parameter: typer.CallbackParam, value: Any) -> Any:
    """Refuse a file without a name, which is what a shell makes of a variable that it does not know."""
    if value is not None and "" in ([value] if isinstance(value, str) else value):
        option = parameter.opts[-1] if parameter.param_type_name == "option" else "FILE"
        raise UsageError(f"{option}: is empty, and no name of a file", hint="is a variable of the shell not set?")
    return value


def limit_memory(value: str | None) -> str | None:
    """Set the limit of memory that ``--memory-limit`` gives, before anything is read.

    Raises
    ------
    UsageError
        If it is no size, or too small for the program.
    """
    if value is not None:
        memory.set_limit(memory.parse_size(value))
    return value


def delimiter(text: str) -> str:
    """Return the character that ``--delimiter`` names.

    Raises
    ------
    UsageError
        If it cannot separate cells.
    """
    character = _DELIMITERS.get(text, text)
    if len(character) != 1 or not character.isascii() or character.isalnum() or character in '"\r\n\0.+-':
        raise UsageError(
            f"--delimiter: {visible(text)!r} cannot separate cells",
            hint="a character such as ; or one of comma, tab, semicolon, pipe, space",
        )
    return character


def share(value: float | None, option: str) -> float | None:
    """Return the value of `option`, a number from 0 to 1.

    Raises
    ------
    UsageError
        If it is outside.
    """
    if value is not None and not 0 <= value <= 1:
        raise UsageError(f"{option}: {value} is not a number from 0 to 1")
    return value


def decimal_share(text: str, option: str) -> str:
    """Return the value of `option`, a decimal number above 0 and below 1, as text: it is exact.

    Raises
    ------
    UsageError
        If it is not such a number.
    """
    from actcli.formats.column_roles import is_number

    if not (is_number(text) and math.isfinite(float(text)) and 0 < float(text) < 1):
        raise UsageError(f"{option}: {visible(text)!r} is not a number above 0 and below 1")
    if len(text) > _MOST_DIGITS:
        raise UsageError(f"{option}: has {len(text):,} characters, more than {_MOST_DIGITS:,}")
    return text.strip(" \t")


def row_count(text: str | None, default: int = DEFAULT_ROWS) -> int | None:
    """Return how many rows ``--rows`` asks the table to show; None is all.

    Raises
    ------
    UsageError
        If it is neither a number nor "all".
    """
    if text is None:
        return default
    if text == "all":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise UsageError(f"--rows: {visible(text)!r} is neither a number nor all")
    return int(text)
