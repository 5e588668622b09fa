"""The options that `calibrate`, `tune` and `conformal` share: what is fitted, and on which rows."""

from typing import Annotated

import typer

from actcli.cli.decision_options import BinaryClassOptions
from actcli.cli.declaration import FIT, options
from actcli.cli.input_options import InputOptions, MatchedTruthOptions
from actcli.cli.option_values import named
from actcli.tasks import Dtype, Task


@options
class FitOptions:
    """What is fitted, and where the result goes."""

    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            metavar="FILE",
            help="The policy file to write the result to; its other parts stay.",
            callback=named,
            rich_help_panel=FIT,
        ),
    ]
    task: Annotated[
        Task | None,
        typer.Option(
            "--task",
            help="What to decide for a row. [default: what the policy says, else binary for one class, softmax for "
            "several; tune: multilabel]",
            rich_help_panel=FIT,
        ),
    ] = None


@options
class FitInputOptions(InputOptions):
    """What is read; fits are computed in float64."""

    dtype: Dtype | None = Dtype.FLOAT64


@options
class FittedRowOptions:
    """The rows that are fitted, and their truth."""

    holdout: Annotated[
        str | None,
        typer.Option(
            "--holdout",
            metavar="SHARE",
            help="Keep this share of the rows out of the fit, and report on them too.",
            rich_help_panel=FIT,
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="N", min=0, help="The random seed of --holdout. [default: 0]", rich_help_panel=FIT
        ),
    ] = None
    truth: MatchedTruthOptions
    input: FitInputOptions
    classes: BinaryClassOptions
