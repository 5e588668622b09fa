"""`actcli calibrate`."""

from typing import TYPE_CHECKING, Annotated

import typer

from actcli.cli.declaration import FIT
from actcli.cli.fit_options import FitOptions, FittedRowOptions
from actcli.cli.fitting import FitStep, fit
from actcli.cli.results import ResultOptions
from actcli.tasks import Method, Step, Task

if TYPE_CHECKING:
    from actcli.fitting.steps import FitContext, FitResult


def calibrate(
    target: FitOptions,
    method: Annotated[
        Method,
        typer.Option(
            "--method",
            help="temperature: one for all classes; for each class, vector: a scale and a bias, platt: a sigmoid, "
            "isotonic: a rising step function.",
            rich_help_panel=FIT,
        ),
    ] = Method.TEMPERATURE,
    *,
    rows: FittedRowOptions,
    output: ResultOptions,
) -> None:
    """Fit probabilities that are right as often as they say.

    The scores are kept once; beyond 128 MiB they are in a temporary file.

    \b
      actcli calibrate logits.npy --truth labels.npy --policy policy.json
      actcli calibrate logits.csv --truth labels.csv --policy policy.json --method vector --holdout 0.3
      actcli softmax more.csv --policy policy.json
    """

    def work(context: "FitContext") -> "FitResult":
        from actcli.fitting import steps

        return steps.calibrate(context, method)

    fit(FitStep(Step.CALIBRATION, "calibrate", Task.SOFTMAX, work), target, rows, output)
