"""What the commands share whose result is no table of rows: where it goes, and how it is written as JSON."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

from actcli.errors import UsageError, visible
from actcli.tasks import ResultFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.streaming.output import Output

__all__ = ["json_bytes", "open_result", "result_format"]

_WIDTH = 160


def result_format(output: str | None, format: ResultFormat | None) -> ResultFormat:
    """Return how a result is written: as asked, else by the suffix of its file, else by who is reading.

    Raises
    ------
    UsageError
        If the suffix is another one than .json.
    """
    from actcli.streaming.compression import split_suffix
    from actcli.streaming.output import is_device
    from actcli.streaming.terminal import is_terminal

    if format is not None:
        return format
    if output is not None and not is_device(output):
        if not split_suffix(output)[0].lower().endswith(".json"):
            raise UsageError(
                f"{visible(output, 200)}: its suffix does not say that it is JSON",
                hint="call it FILE.json, or say --format table or json",
            )
        return ResultFormat.JSON
    return ResultFormat.TABLE if output in (None, "-") and is_terminal(sys.stdout) else ResultFormat.JSON


def open_result(output: str | None, *, inputs: Sequence[tuple[int, int]], clobber: bool) -> Output:
    """Return where a result goes, a context.

    Raises
    ------
    UsageError
        If there is no file that ``--no-clobber`` could protect.
    """
    from actcli.streaming.compression import packer, split_suffix
    from actcli.streaming.output import Output

    if not clobber and output in (None, "-"):
        raise UsageError("--no-clobber is for a file", hint="add -o FILE")
    compression = None if output is None else split_suffix(output)[1]
    return Output(output, inputs=inputs, clobber=clobber, packer=None if compression is None else packer(compression))


def json_bytes(value: dict[str, Any]) -> bytes:
    """Return a result as JSON that a person can read: what fits a line stands on one, what is not finite is null."""
    # To look for what is not finite would take longer than to write a large matrix that has none.
    try:
        text = _laid_out(value, "")
    except ValueError:
        text = _laid_out(_finite(value), "")
    return (text + "\n").encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _laid_out(value: Any, indent: str) -> str:
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, dict | list) or not value or len(indent) + len(line) <= _WIDTH:
        return line
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        items = [f"{json.dumps(key, ensure_ascii=False)}: {_laid_out(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(inner + item for item in items) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + _laid_out(item, inner) for item in value) + f"\n{indent}]"
