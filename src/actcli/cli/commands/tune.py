"""`actcli tune`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from actcli.cli import options as given  # noqa: TC001  Typer reads the annotations
from actcli.cli.fits import FitRequest, fit
from actcli.cli.running import Reading, checked_share
from actcli.errors import UsageError
from actcli.tasks import Metric, OnBadRow, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from actcli.fitting.steps import FitContext, FitResult, Objective


def tune(
    files: given.Files = None,
    *,
    policy: given.PolicyToWrite,
    truth: given.Truth = None,
    truth_column: given.TruthColumn = None,
    task: given.TaskOption = None,
    metric: given.MetricOption = None,
    beta: given.Beta = None,
    at_precision: given.AtPrecision = None,
    at_recall: given.AtRecall = None,
    at_fpr: given.AtFpr = None,
    scope: given.ScopeOption = Scope.CLASS,
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
    """Choose thresholds: the probability from which on a label counts as there.

    Every distinct probability is tried.
    All numbers are kept in memory: about 60 bytes for each, or 100 with --scope global.

    \b
      actcli tune logits.csv --truth labels.csv --policy policy.json
      actcli tune logits.csv --truth labels.csv --policy policy.json --at-precision 0.9 --holdout 0.3
      actcli multilabel more.csv --policy policy.json
    """
    chosen = _chosen(metric, beta, {"precision": at_precision, "recall": at_recall, "fpr": at_fpr})

    def work(context: FitContext) -> FitResult:
        from actcli.fitting import steps

        return steps.tune(context, chosen(), scope)

    fit(
        FitRequest(
            step="thresholds",
            command="tune",
            default_task="multilabel",
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


def _chosen(
    metric: Metric | None, beta: float | None, constraints: Mapping[str, float | None]
) -> Callable[[], Objective]:
    """Return what thresholds are chosen for, checked now and made when it is needed."""
    request = {name: level for name, level in constraints.items() if level is not None}
    if len(request) + (metric is not None) > 1:
        options = ["--metric"] * (metric is not None) + [f"--at-{name}" for name in request]
        raise UsageError(f"{' and '.join(options)} cannot be request for together")
    if beta is not None and metric is not Metric.FBETA:
        raise UsageError("--beta is for --metric fbeta")
    if beta is not None and not 0 < beta < math.inf:
        raise UsageError(f"--beta: {beta} is not a positive finite number")
    for name, level in request.items():
        checked_share(level, f"--at-{name}")

    def aim() -> Objective:
        from actcli.fitting.steps import Objective

        for name, level in request.items():
            best, limit = ("precision" if name == "recall" else "recall"), "at most" if name == "fpr" else "at least"
            return Objective({f"at_{name}": level}, best, f"{best} at a {name} of {limit} {level:g}")
        name = (metric or Metric.F1).value
        number = 2.0 if beta is None else beta
        text = f"fbeta with beta {number:g}" if name == "fbeta" else name
        return Objective({"metric": name, "beta": number}, name, text, number)

    return aim
