"""Where a table of rows goes: its format, its sink, and what does not apply to them."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from actcli.cli.declaration import OUTPUT, options
from actcli.cli.option_values import DEFAULT_ROWS, row_count
from actcli.cli.output_options import Jobs, LabelSeparator, NoClobber, OutputFile, Quiet, Rows
from actcli.errors import UsageError, visible
from actcli.formats import FORMATS

if TYPE_CHECKING:
    from actcli.prediction.plan import Plan
    from actcli.streaming.batch import Sink
    from actcli.streaming.output import Output, Packer

__all__ = ["TABLE", "TableOptions", "packer_of", "settled_format", "sink_of", "written_precision"]

TABLE = "table"
_WRITTEN = ", ".join(format.name for format in FORMATS.values() if format.sink)


@options
class TableOptions:
    """Where a table of rows is written, and how."""

    output: OutputFile = None
    format: Annotated[
        str | None,
        typer.Option(
            "-f",
            "--format",
            metavar="NAME",
            help=f"table, {_WRITTEN}. [default: table on a terminal, else csv]",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="LIST",
            help="The columns to write, in this order, separated by commas; a wrong name lists them all.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    precision: Annotated[
        int | None,
        typer.Option(
            "--precision",
            metavar="N",
            min=1,
            max=17,
            help="Round the numbers that are written to N significant digits.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    rows: Rows = None
    no_output_header: Annotated[
        bool, typer.Option("--no-output-header", help="Leave out the line of column names.", rich_help_panel=OUTPUT)
    ] = False
    label_separator: LabelSeparator = None
    no_clobber: NoClobber = False
    jobs: Jobs = None
    quiet: Quiet = False


def sink_of(
    output: "Output",
    plan: "Plan",
    given: TableOptions,
    format: str,
    *,
    chosen: bool,
    rows: int = DEFAULT_ROWS,
) -> "Sink":
    """Return the sink for this format.

    Parameters
    ----------
    output
        The open output.
    plan, given, format
        What is written, and how.
    chosen
        Whether the user chose the columns, see `actcli.reports.table.TableSink`.
    rows
        How many rows it shows if ``--rows`` is not given.
    """
    if format == TABLE:
        from actcli.reports.table import TableSink

        return TableSink(
            output,
            plan.columns,
            chosen=chosen,
            rows=row_count(given.rows, rows),
            precision=given.precision,
        )
    from actcli.formats import WriteOptions, named, open_sink

    separator = given.label_separator
    return open_sink(
        named(format, writing=True),
        output,
        plan.columns,
        WriteOptions(header=not given.no_output_header, label_separator="|" if separator is None else separator),
    )


def packer_of(given: TableOptions, format: str) -> "Packer | None":
    """Return what compresses the output, if the suffix of its file asks for it.

    Raises
    ------
    UsageError
        If the format is binary, and so not compressed.
    """
    from actcli.formats import named
    from actcli.streaming.compression import packer, split_suffix

    compression = None if given.output is None else split_suffix(given.output)[1]
    if compression is None:
        return None
    if format != TABLE and named(format, writing=True).binary:
        raise UsageError(f"{visible(given.output or '', 200)}: {format} is not compressed; leave .{compression} out")
    return packer(compression)


def settled_format(given: TableOptions) -> str:
    """Return the name of the output's format; refuse the options that do not apply to it.

    Raises
    ------
    UsageError
        If there is no such format, or such an option.
    """
    format = _format(given)
    _check_options(given, format)
    return format


def written_precision(given: TableOptions, format: str) -> int | None:
    """Return to how many digits numbers are rounded when they are decided; a table on a screen rounds them itself."""
    return None if format == TABLE else given.precision


def _format(given: TableOptions) -> str:
    """Return the format: as asked, else by the suffix of the file, else by whether a person reads it."""
    from actcli.formats import named, of_path
    from actcli.streaming.compression import split_suffix
    from actcli.streaming.output import is_device
    from actcli.streaming.terminal import is_terminal

    known = f"{TABLE}, {_WRITTEN}"
    if given.format is not None:
        if given.format != TABLE and given.format not in FORMATS:
            raise UsageError(f"--format: {visible(given.format)!r} is no format", hint=f"there are {known}")
        return given.format if given.format == TABLE else named(given.format, writing=True).name
    if given.output is not None and not is_device(given.output):
        found = of_path(split_suffix(given.output)[0])
        if found is None or FORMATS[found].sink is None:
            raise UsageError(
                f"{visible(given.output, 200)}: its suffix does not say its format",
                hint=f"say it with --format; there are {known}",
            )
        return found
    to_terminal = given.output in (None, "-") and is_terminal(sys.stdout)
    return TABLE if to_terminal else "csv"


def _check_options(given: TableOptions, format: str) -> None:
    from actcli.formats import named
    from actcli.formats.column_roles import check_utf8

    if given.rows is not None and format != TABLE:
        raise UsageError(f"--rows is for the table, and the output is {format}", hint="add --format table")
    takes = frozenset[str]() if format == TABLE else named(format, writing=True).writes
    for option, field, is_given in (
        ("--no-output-header", "header", given.no_output_header),
        ("--label-separator", "label_separator", given.label_separator is not None),
    ):
        if is_given and field not in takes:
            raise UsageError(f"{option} does not apply to {format}")
    if given.label_separator is not None:
        if not given.label_separator:
            raise UsageError("--label-separator: is empty")
        check_utf8(given.label_separator)
    if given.no_clobber and given.output in (None, "-"):
        raise UsageError("--no-clobber is for a file", hint="add -o FILE")
    row_count(given.rows)
