"""`actcli tune`."""

from typing import TYPE_CHECKING, Annotated

import typer

from actcli.cli.declaration import FIT, options
from actcli.cli.fit_options import FitOptions, FittedRowOptions
from actcli.cli.fitting import FitStep, fit
from actcli.cli.option_values import share
from actcli.cli.results import ResultOptions
from actcli.errors import UsageError
from actcli.tasks import Metric, Scope, Step, Task

if TYPE_CHECKING:
    from actcli.fitting.steps import FitContext, FitResult, Objective


@options
class ObjectiveOptions:
    """What thresholds are chosen for."""

    metric: Annotated[
        Metric | None,
        typer.Option("--metric", help="The metric to maximize. [default: f1]", rich_help_panel=FIT),
    ] = None
    beta: Annotated[
        float | None,
        typer.Option(
            "--beta",
            metavar="B",
            help="With fbeta: recall counts B times as much as precision. [default: 2]",
            rich_help_panel=FIT,
        ),
    ] = None
    at_precision: Annotated[
        float | None,
        typer.Option(
            "--at-precision", metavar="P", help="The largest recall at a precision of at least P.", rich_help_panel=FIT
        ),
    ] = None
    at_recall: Annotated[
        float | None,
        typer.Option(
            "--at-recall", metavar="R", help="The largest precision at a recall of at least R.", rich_help_panel=FIT
        ),
    ] = None
    at_fpr: Annotated[
        float | None,
        typer.Option(
            "--at-fpr",
            metavar="F",
            help="The largest recall at a false positive rate of at most F.",
            rich_help_panel=FIT,
        ),
    ] = None
    scope: Annotated[
        Scope,
        typer.Option(
            "--scope",
            help="class: a threshold for each class; global: one for all, chosen over all cells together.",
            rich_help_panel=FIT,
        ),
    ] = Scope.CLASS

    @property
    def constraints(self) -> dict[str, float]:
        """The bounds that are given, by the name of what they bound."""
        bounds = {"precision": self.at_precision, "recall": self.at_recall, "fpr": self.at_fpr}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    def check(self) -> None:
        """Refuse options that do not fit together, and values out of range.

        Raises
        ------
        UsageError
            If there are such.
        """
        names = ["--metric"] * (self.metric is not None) + [f"--at-{name}" for name in self.constraints]
        if len(names) > 1:
            raise UsageError(f"{' and '.join(names)} cannot be asked for together")
        if self.beta is not None and self.metric is not Metric.FBETA:
            raise UsageError("--beta is for --metric fbeta")
        if self.beta is not None:
            from actcli.calibration.thresholds import LARGEST_BETA

            if not 0 < self.beta <= LARGEST_BETA:
                raise UsageError(f"--beta: {self.beta} is not a positive number up to {LARGEST_BETA:g}")
        for name, bound in self.constraints.items():
            share(bound, f"--at-{name}")

    def objective(self) -> "Objective":
        """Return what the library takes."""
        from actcli.fitting.steps import Objective

        for name, bound in self.constraints.items():
            best, limit = ("precision" if name == "recall" else "recall"), "at most" if name == "fpr" else "at least"
            return Objective({f"at_{name}": bound}, best, f"{best} at a {name} of {limit} {bound:g}")
        metric = self.metric or Metric.F1
        beta = 2.0 if self.beta is None else self.beta
        text = f"fbeta with beta {beta:g}" if metric is Metric.FBETA else metric.value
        return Objective({"metric": metric.value, "beta": beta}, metric.value, text, beta)


def tune(target: FitOptions, objective: ObjectiveOptions, rows: FittedRowOptions, output: ResultOptions) -> None:
    """Choose thresholds: the smallest probability at which a label is predicted.

    Every distinct probability is a candidate.
    The scores are kept once; beyond 128 MiB they are in a temporary file.

    \b
      actcli tune logits.csv --truth labels.csv --policy policy.json
      actcli tune logits.csv --truth labels.csv --policy policy.json --at-precision 0.9 --holdout 0.3
      actcli multilabel more.csv --policy policy.json
    """
    objective.check()

    def work(context: "FitContext") -> "FitResult":
        from actcli.fitting import steps

        return steps.tune(context, objective.objective(), objective.scope)

    fit(FitStep(Step.THRESHOLDS, "tune", Task.MULTILABEL, work), target, rows, output)
