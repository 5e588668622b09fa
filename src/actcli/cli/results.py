"""Results that are no table of rows: drawn on a terminal, JSON anywhere else."""

from __future__ import annotations

import json
import math
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from actcli.cli.options import ResultFormat
from actcli.errors import UsageError, visible

if TYPE_CHECKING:
    from actcli.files import Output

__all__ = ["result_format", "show"]


def result_format(output: str | None, format: ResultFormat | None) -> ResultFormat:
    """Return how a result is written: as asked, else by the suffix of its file, else by who is reading.

    Raises
    ------
    UsageError
        If the suffix is another one than .json.
    """
    from actcli.files import is_device, is_terminal

    if format is not None:
        return format
    if output is not None and not is_device(output):
        if not output.lower().endswith(".json"):
            raise UsageError(
                f"{visible(output, 200)}: its suffix does not say its format",
                hint="a report is written as .json, or with --format table",
            )
        return ResultFormat.JSON
    return ResultFormat.TABLE if output in (None, "-") and is_terminal(sys.stdout) else ResultFormat.JSON


def show(document: dict[str, Any], command: str, output: Output, format: ResultFormat) -> None:
    """Write a result; what is undefined or infinite is null in JSON."""
    if format is ResultFormat.JSON:
        output.write((json.dumps(_plain(document), ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode())
        return
    from actcli.reports import fits
    from actcli.reports.screen import draw

    draw(output, partial(getattr(fits, command), document))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
