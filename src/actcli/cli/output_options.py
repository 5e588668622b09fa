"""The options of the output that tables of rows and other results share. Each is declared once."""

from typing import Annotated

import typer

from actcli.cli.declaration import OUTPUT
from actcli.cli.option_values import named

Rows = Annotated[
    str | None,
    typer.Option(
        "--rows", metavar="N|all", help="The number of rows that the table shows. [default: 20]", rich_help_panel=OUTPUT
    ),
]
LabelSeparator = Annotated[
    str | None,
    typer.Option(
        "--label-separator",
        metavar="TEXT",
        help="The separator of the labels of a set in text. [default: |]",
        rich_help_panel=OUTPUT,
    ),
]
OutputFile = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write to FILE; its suffix selects the format.",
        callback=named,
        rich_help_panel=OUTPUT,
    ),
]
NoClobber = Annotated[
    bool, typer.Option("--no-clobber", help="Refuse to replace a file that exists.", rich_help_panel=OUTPUT)
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        min=1,
        max=1024,
        help="The number of processes that work on the input. [default: the number of processors]",
        rich_help_panel=OUTPUT,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("-q", "--quiet", help="Print no notes and no progress bar on standard error.", rich_help_panel=OUTPUT),
]
