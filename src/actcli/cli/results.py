"""Results that are no table of rows: where they go, and how they are written as JSON."""

import math
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actcli.cli.declaration import OUTPUT, options
from actcli.cli.output_options import Jobs, NoClobber, OutputFile, Quiet
from actcli.errors import UsageError, visible
from actcli.tasks import ResultFormat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actcli.streaming.output import Output

__all__ = ["ResultFileOptions", "ResultOptions", "json_bytes", "open_result", "result_format"]

_WIDTH = 160


@options
class ResultFileOptions:
    """Where a result that is no table of rows is written; a subclass declares the formats."""

    output: OutputFile = None
    format: StrEnum | None = None
    rows: str | None = None
    no_clobber: NoClobber = False
    jobs: Jobs = None
    quiet: Quiet = False


@options
class ResultOptions(ResultFileOptions):
    """Where a result that is no table of rows is written, as a table for people or as JSON."""

    output: Annotated[OutputFile, "Write the result to FILE.json."] = None
    format: Annotated[
        ResultFormat | None,
        typer.Option(
            "-f",
            "--format",
            help="The format of the result. [default: table on a terminal, else json]",
            rich_help_panel=OUTPUT,
        ),
    ] = None


def result_format(given: ResultOptions) -> ResultFormat:
    """Return how a result is written: as asked, else by the suffix of its file, else by whether a person reads it.

    Raises
    ------
    UsageError
        If the suffix is another one than .json.
    """
    from actcli.streaming.compression import split_suffix
    from actcli.streaming.output import is_device
    from actcli.streaming.terminal import is_terminal

    output = given.output
    if given.format is not None:
        return given.format
    if output is not None and not is_device(output):
        if not split_suffix(output)[0].lower().endswith(".json"):
            raise UsageError(
                f"{visible(output, 200)}: its suffix does not say that it is JSON",
                hint="call it FILE.json, or say --format table or json",
            )
        return ResultFormat.JSON
    return ResultFormat.TABLE if output in (None, "-") and is_terminal(sys.stdout) else ResultFormat.JSON


def open_result(given: ResultFileOptions, *, inputs: "Sequence[tuple[int, int]]") -> "Output":
    """Open the output of a result, a context.

    Parameters
    ----------
    given
        Where it goes.
    inputs
        The identities of the files that are read, which it cannot replace.

    Raises
    ------
    UsageError
        If there is no file that ``--no-clobber`` could protect.
    """
    from actcli.streaming.compression import packer, split_suffix
    from actcli.streaming.output import Output

    output = given.output
    if given.no_clobber and output in (None, "-"):
        raise UsageError("--no-clobber is for a file", hint="add -o FILE")
    compression = None if output is None else split_suffix(output)[1]
    packed = None if compression is None else packer(compression)
    return Output(output, inputs=inputs, clobber=not given.no_clobber, packer=packed)


def json_bytes(value: "Mapping[str, Any]") -> bytes:
    """Return a result as JSON for people: short values on one line, null for numbers that are not finite."""
    from actcli.formats.json_text import json_text

    # Searching a large matrix for numbers that are not finite takes longer than writing it.
    try:
        text = json_text(value, width=_WIDTH, whole_lists=True)
    except ValueError:
        text = json_text(_finite(value), width=_WIDTH, whole_lists=True)
    return (text + "\n").encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
