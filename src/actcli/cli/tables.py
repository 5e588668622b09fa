"""Where a table of rows goes: its format, its sink, and what does not apply to them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from actcli.cli.option_values import DEFAULT_ROWS, row_count
from actcli.errors import UsageError, visible

if TYPE_CHECKING:
    from actcli.cli.options import TableOptions
    from actcli.prediction.plan import Plan
    from actcli.streaming.batch import Sink
    from actcli.streaming.output import Output, Packer

__all__ = ["TABLE", "packer_of", "settled_format", "sink_of", "written_precision"]

TABLE = "table"


def sink_of(
    output: Output, plan: Plan, options: TableOptions, format: str, task: str, *, chosen: bool, rows: int = DEFAULT_ROWS
) -> Sink:
    """Return the sink for this format.

    Parameters
    ----------
    output
        The open output.
    plan, options, format
        What is written, and how.
    task, chosen
        What the table on a screen shows, see `actcli.reports.table.TableSink`.
    rows
        How many rows it shows if ``--rows`` is not given.
    """
    if format == TABLE:
        from actcli.reports.table import TableSink

        return TableSink(
            output,
            plan.columns,
            task=task,
            chosen=chosen,
            rows=row_count(options.rows, rows),
            precision=options.precision,
        )
    from actcli.formats import WriteOptions, named, open_sink

    separator = options.label_separator
    return open_sink(
        named(format, writing=True),
        output,
        plan.columns,
        WriteOptions(header=not options.no_output_header, label_separator="|" if separator is None else separator),
    )


def packer_of(options: TableOptions, format: str) -> Packer | None:
    """Return what compresses the output, if the suffix of its file asks for it.

    Raises
    ------
    UsageError
        If the format is binary, and so not compressed.
    """
    from actcli.formats import named
    from actcli.streaming.compression import packer, split_suffix

    compression = None if options.output is None else split_suffix(options.output)[1]
    if compression is None:
        return None
    if format != TABLE and named(format, writing=True).binary:
        raise UsageError(f"{visible(options.output or '', 200)}: {format} is not compressed; leave .{compression} out")
    return packer(compression)


def settled_format(options: TableOptions) -> str:
    """Return the name of the output's format; refuse the options that do not apply to it.

    Raises
    ------
    UsageError
        If there is no such format, or such an option.
    """
    format = _format(options)
    _check_options(options, format)
    return format


def written_precision(options: TableOptions, format: str) -> int | None:
    """Return to how many digits numbers are rounded when they are decided; a table on a screen rounds them itself."""
    return None if format == TABLE else options.precision


def _format(options: TableOptions) -> str:
    """Return the format: as asked, else by the suffix of the file, else by whether a person reads it."""
    from actcli.formats import FORMATS, named, of_path
    from actcli.streaming.compression import split_suffix
    from actcli.streaming.output import is_device
    from actcli.streaming.terminal import is_terminal

    known = ", ".join([TABLE, *(format.name for format in FORMATS.values() if format.sink)])
    if options.format is not None:
        if options.format != TABLE and options.format not in FORMATS:
            raise UsageError(f"--format: {visible(options.format)!r} is no format", hint=f"there are {known}")
        return options.format if options.format == TABLE else named(options.format, writing=True).name
    if options.output is not None and not is_device(options.output):
        found = of_path(split_suffix(options.output)[0])
        if found is None or FORMATS[found].sink is None:
            raise UsageError(
                f"{visible(options.output, 200)}: its suffix does not say its format",
                hint=f"say it with --format; there are {known}",
            )
        return found
    to_terminal = options.output in (None, "-") and is_terminal(sys.stdout)
    return TABLE if to_terminal else "csv"


def _check_options(options: TableOptions, format: str) -> None:
    from actcli.formats import named
    from actcli.formats.column_roles import check_utf8

    if options.rows is not None and format != TABLE:
        raise UsageError(f"--rows is for the table, and the output is {format}", hint="add --format table")
    takes = frozenset[str]() if format == TABLE else named(format, writing=True).writes
    for option, field, given in (
        ("--no-output-header", "header", options.no_output_header),
        ("--label-separator", "label_separator", options.label_separator is not None),
    ):
        if given and field not in takes:
            raise UsageError(f"{option} does not apply to {format}")
    if options.label_separator is not None:
        if not options.label_separator:
            raise UsageError("--label-separator: is empty")
        check_utf8(options.label_separator)
    if options.no_clobber and options.output in (None, "-"):
        raise UsageError("--no-clobber is for a file", hint="add -o FILE")
    row_count(options.rows)
