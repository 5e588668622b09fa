"""`actcli conformal`."""

import math
from typing import TYPE_CHECKING, Annotated

import typer

from actcli.cli.declaration import FIT, options
from actcli.cli.fit_options import FitOptions, FittedRowOptions
from actcli.cli.fitting import FitStep, fit
from actcli.cli.input_options import WeightedTruthOptions
from actcli.cli.option_values import decimal_share
from actcli.cli.results import ResultOptions
from actcli.errors import UsageError
from actcli.tasks import ConformalScore, Step, Task

if TYPE_CHECKING:
    from actcli.fitting.steps import FitContext, FitResult


_KEPT = 1 << 25
"""It reads the scores twice: for the score of the true class of each row, and for the sizes of the sets."""


@options
class ConformalOptions:
    """What the prediction sets promise, and how a class is scored."""

    alpha: Annotated[
        str,
        typer.Option(
            "--alpha",
            metavar="A",
            help="The share of rows whose set may miss the true class; multilabel: the share of labels.",
            rich_help_panel=FIT,
        ),
    ] = "0.1"
    score: Annotated[
        ConformalScore | None,
        typer.Option(
            "--score",
            help="lac: small sets; aps: sets whose size says how hard a row is; raps: like aps, but smaller. "
            "[default: lac]",
            rich_help_panel=FIT,
        ),
    ] = None
    raps_lambda: Annotated[
        float | None,
        typer.Option(
            "--raps-lambda",
            metavar="L",
            min=0,
            help="The penalty that each rank after the first K adds to a score. [default: 0.01]",
            rich_help_panel=FIT,
        ),
    ] = None
    raps_k: Annotated[
        int | None,
        typer.Option(
            "--raps-k",
            metavar="K",
            min=0,
            help="The number of ranks without a penalty. [default: 5]",
            rich_help_panel=FIT,
        ),
    ] = None


@options
class _UnweightedTruthOptions(WeightedTruthOptions):
    """What is right."""

    # It is declared so that the error can say why there are none.
    weight: Annotated[str | None, typer.Option("--weight", metavar="COLUMN", hidden=True)] = None


@options
class _UnweightedRowOptions(FittedRowOptions):
    """The rows that are fitted, and their truth: each counts once."""

    truth: _UnweightedTruthOptions


def conformal(target: FitOptions, sets: ConformalOptions, rows: _UnweightedRowOptions, output: ResultOptions) -> None:
    """Fit prediction sets that contain the true class as often as you ask.

    The promise holds on average over new rows from the same source, for any classifier. The rows must not be rows that
    the classifier was trained on. For multilabel, a threshold keeps the promise, which is about the share of a row's
    labels that is missed. The scores are kept once; beyond 32 MiB they are in a temporary file.

    \b
      actcli conformal logits.npy --truth labels.npy --policy policy.json
      actcli conformal logits.csv --truth labels.csv --policy policy.json --alpha 0.05 --score aps --holdout 0.3
      actcli softmax more.csv --policy policy.json --columns id,prediction_set
    """
    if rows.truth.weight is not None:
        raise UsageError("--weight: the promise of conformal is about rows that count equally", hint="leave it out")
    alpha = decimal_share(sets.alpha, "--alpha")
    score, raps_lambda, raps_k = sets.score, sets.raps_lambda, sets.raps_k
    if score is not ConformalScore.RAPS and (raps_lambda is not None or raps_k is not None):
        raise UsageError("--raps-lambda and --raps-k are for --score raps")
    if raps_lambda is not None and not math.isfinite(raps_lambda):
        raise UsageError(f"--raps-lambda: {raps_lambda} is not a finite number")

    def work(context: "FitContext") -> "FitResult":
        from actcli.fitting import steps

        if context.task == Task.MULTILABEL and score is not None:
            raise UsageError("--score is for a single class a row; for multilabel there is a threshold")
        return steps.conform(
            context,
            alpha,
            score or ConformalScore.LAC,
            0.01 if raps_lambda is None else raps_lambda,
            5 if raps_k is None else raps_k,
        )

    fit(FitStep(Step.CONFORMAL, "conformal", Task.SOFTMAX, work, _KEPT), target, rows, output)
