"""The options of the output that tables of rows and other results share. Each is declared once."""

from typing import Annotated

import typer

from actcli.cli.declaration import OUTPUT
from actcli.cli.option_values import named

Rows = Annotated[
    str | None,
    typer.Option(
        "--rows", metavar="N|all", help="How many rows the table shows. [default: 20]", rich_help_panel=OUTPUT
    ),
]
LabelSeparator = Annotated[
    str | None,
    typer.Option(
        "--label-separator",
        metavar="TEXT",
        help="Between the labels of a set in text. [default: |]",
        rich_help_panel=OUTPUT,
    ),
]
OutputFile = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write a file; its suffix is its format.",
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
        help="Work on so many chunks at once. [default: as many as there are processors]",
        rich_help_panel=OUTPUT,
    ),
]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help="No notes and no progress on standard error.", rich_help_panel=OUTPUT)
]
