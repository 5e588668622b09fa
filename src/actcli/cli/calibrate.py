"""`actcli calibrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actcli.cli import options as given
from actcli.cli.fitting import Asked, fit
from actcli.cli.prediction import Reading

if TYPE_CHECKING:
    from actcli.steps import Ground, Outcome


def calibrate(
    files: given.Files = None,
    *,
    policy: given.PolicyToWrite,
    truth: given.Truth = None,
    truth_column: given.TruthColumn = None,
    task: given.TaskOption = None,
    method: given.MethodOption = given.Method.TEMPERATURE,
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
    on_bad_row: given.OnBadRowOption = given.OnBadRow.ERROR,
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

    def work(ground: Ground) -> Outcome:
        from actcli import steps

        return steps.calibrate(ground, method.value)

    fit(
        Asked(
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
