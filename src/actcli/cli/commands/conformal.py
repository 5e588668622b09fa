"""`actcli conformal`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from actcli.cli import options as given  # noqa: TC001  Typer reads the annotations
from actcli.cli.fits import FitRequest, decimal, fit
from actcli.cli.running import Reading
from actcli.errors import UsageError
from actcli.tasks import ConformalScore, OnBadRow

if TYPE_CHECKING:
    from actcli.fitting.steps import FitContext, FitResult


def conformal(
    files: given.Files = None,
    *,
    policy: given.PolicyToWrite,
    truth: given.Truth = None,
    truth_column: given.TruthColumn = None,
    task: given.TaskOption = None,
    alpha: given.Alpha = "0.1",
    score: given.Score = None,
    raps_lambda: given.RapsLambda = None,
    raps_k: given.RapsK = None,
    holdout: given.Holdout = None,
    seed: given.Seed = None,
    input_format: given.InputFormat = None,
    origin: given.FromOrPolicy = None,
    delimiter: given.Delimiter = None,
    header: given.Header = None,
    key: given.Key = None,
    ids: given.Id = None,
    classes: given.Classes = None,
    class_names: given.ClassNames = None,
    on_bad_row: given.OnBadRowOption = OnBadRow.ERROR,
    renormalize: given.Renormalize = False,
    positive: given.Positive = None,
    negative: given.Negative = None,
    output: given.ResultFile = None,
    format: given.ResultFormatOption = None,
    no_clobber: given.NoClobber = False,
    jobs: given.Jobs = None,
    quiet: given.Quiet = False,
) -> None:
    """Make prediction sets that hold the true class as often as you ask.

    The promise holds on average over new rows that are like these, whatever the classifier is; so these must not be
    rows that it was trained on. For multilabel a threshold keeps it, and it is about the share of a row's labels that
    is missed. All numbers are kept in memory: about 80 bytes for each.

    \b
      actcli conformal logits.npy --truth labels.npy --policy policy.json
      actcli conformal logits.csv --truth labels.csv --policy policy.json --alpha 0.05 --score aps --holdout 0.3
      actcli softmax more.csv --policy policy.json --columns id,prediction_set
    """
    exact = decimal(alpha, "--alpha")
    if score is not ConformalScore.RAPS and (raps_lambda is not None or raps_k is not None):
        raise UsageError("--raps-lambda and --raps-k are for --score raps")
    if raps_lambda is not None and not math.isfinite(raps_lambda):
        raise UsageError(f"--raps-lambda: {raps_lambda} is not a finite number")

    def work(context: FitContext) -> FitResult:
        from actcli.fitting import steps

        if context.task == "multilabel" and score is not None:
            raise UsageError("--score is for a single class a row; for multilabel there is a threshold")
        return steps.conform(
            context,
            exact,
            ConformalScore.LAC if score is None else score,
            0.01 if raps_lambda is None else raps_lambda,
            5 if raps_k is None else raps_k,
        )

    fit(
        FitRequest(
            step="conformal",
            command="conformal",
            default_task="softmax",
            reading=Reading(
                files=files,
                input_format=input_format,
                origin=origin,
                delimiter=delimiter,
                header=header,
                key=key,
                ids=ids,
                classes=classes,
                class_names=class_names,
                on_bad_row=on_bad_row,
                dtype=None,
            ),
            renormalize=renormalize,
            truth=truth,
            truth_column=truth_column,
            task=task,
            positive=positive,
            negative=negative,
            policy=policy,
            holdout=holdout,
            seed=seed,
            output=output,
            format=format,
            clobber=not no_clobber,
            jobs=jobs,
            quiet=quiet,
        ),
        work,
    )
