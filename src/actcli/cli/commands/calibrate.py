"""`actcli calibrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actcli.cli import options as given  # noqa: TC001  Typer reads the annotations
from actcli.cli.fits import FitRequest, fit
from actcli.cli.running import Reading
from actcli.tasks import Method, OnBadRow

if TYPE_CHECKING:
    from actcli.fitting.steps import FitContext, FitResult


def calibrate(
    files: given.Files = None,
    *,
    policy: given.PolicyToWrite,
    truth: given.Truth = None,
    truth_column: given.TruthColumn = None,
    task: given.TaskOption = None,
    method: given.MethodOption = Method.TEMPERATURE,
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
    """Fit probabilities that are right as often as they say.

    All logits are kept in memory: about 50 bytes for each number.

    \b
      actcli calibrate logits.npy --truth labels.npy --policy policy.json
      actcli calibrate logits.csv --truth labels.csv --policy policy.json --method vector --holdout 0.3
      actcli softmax more.csv --policy policy.json
    """

    def work(context: FitContext) -> FitResult:
        from actcli.fitting import steps

        return steps.calibrate(context, method)

    fit(
        FitRequest(
            step="calibration",
            command="calibrate",
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
