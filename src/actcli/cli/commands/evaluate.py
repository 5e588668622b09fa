"""`actcli evaluate`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from actcli.cli.declaration import MEASURE, OUTPUT, options
from actcli.cli.evaluating import Measured, evaluation_request, measure
from actcli.cli.evaluation_options import EvaluationOptions
from actcli.cli.inputs import check_input
from actcli.cli.option_values import named, row_count
from actcli.cli.output_options import Rows
from actcli.cli.results import ResultOptions, json_bytes, result_format
from actcli.errors import CheckError, UsageError, visible
from actcli.tasks import ResultFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.streaming.output import Output


@options
class EvaluationResultOptions(ResultOptions):
    """Where the evaluation goes."""

    rows: Rows = None


@options
class MeasureOptions:
    """What is measured, and the bounds of it."""

    bootstrap: Annotated[
        int,
        typer.Option(
            "--bootstrap",
            metavar="N",
            min=0,
            max=100_000,
            help="Add a 95 % interval to every metric, from N bootstrap replicates.",
            show_default=False,
            rich_help_panel=MEASURE,
        ),
    ] = 0
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="S",
            min=0,
            max=2**64 - 1,
            help="The random seed of --bootstrap. [default: 0]",
            rich_help_panel=MEASURE,
        ),
    ] = None
    no_ranking: Annotated[
        bool,
        typer.Option(
            "--no-ranking",
            help="Leave out ROC AUC and average precision, which keep 8 bytes for each cell.",
            rich_help_panel=MEASURE,
        ),
    ] = False
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-under",
            metavar="NAME=VALUE",
            help="Exit with code 3 if the metric is below VALUE or undefined; f1[cat]=0.8 for one class; repeatable.",
            rich_help_panel=MEASURE,
        ),
    ] = None
    fail_over: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-over",
            metavar="NAME=VALUE",
            help="The same if it is above VALUE: for losses and calibration errors; repeatable.",
            rich_help_panel=MEASURE,
        ),
    ] = None

    def settings(self) -> dict[str, Any]:
        """Return the fields of `actcli.metrics.settings.MetricSettings` that these options give."""
        return {"ranking": not self.no_ranking, "bootstrap": self.bootstrap, "seed": self.seed or 0}


def evaluate(
    context: typer.Context,
    evaluated: EvaluationOptions,
    report: Annotated[
        str | None,
        typer.Option(
            "--report",
            metavar="FILE.html",
            help="Also write an HTML page with charts, tables and the worst predictions, complete in one file.",
            callback=named,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    *,
    output: EvaluationResultOptions,
    measures: MeasureOptions,
) -> None:
    """Measure how good the predictions are: metrics, overall and for each class, confusion matrix, calibration.

    FILE holds logits, probabilities (--from), or a table that actcli wrote. The labels in such a table are evaluated.
    It may also hold labels only, of any program (--prediction-column).

    \b
      actcli evaluate logits.csv --truth truth.csv
      actcli evaluate logits.npy --truth truth.npy --task multilabel --threshold 0.3 --bootstrap 1000
      actcli softmax logits.csv | actcli evaluate --truth truth.csv --fail-under accuracy=0.9
      actcli evaluate logits.csv --truth truth.csv --report report.html
    """
    from actcli.cli.metric_bounds import metric_bounds

    check_input("evaluate", evaluated.input.files, "--truth truth.csv", truth=evaluated.truth.truth)
    if measures.seed is not None and not measures.bootstrap:
        raise UsageError("--seed is for the random numbers of --bootstrap", hint="add --bootstrap 1000")
    format = result_format(output)
    check_report(report, output.output)
    if output.rows is not None and format is not ResultFormat.TABLE:
        raise UsageError(f"--rows is for the table, and the output is {format}", hint="add --format table")
    bounds = metric_bounds(measures.fail_under, measures.fail_over)
    request = evaluation_request(evaluated, measures.settings(), bounds=bounds)
    rows = row_count(output.rows)

    def write(measured: Measured, target: "Output") -> None:
        write_page(measured, context.find_root().obj or [])
        if format is ResultFormat.TABLE:
            from actcli.reports.evaluation import draw

            draw(measured.result, target, rows=rows)
        else:
            target.write(json_bytes(measured.result.as_json()))

    result = measure(request, output, write, report=report)
    failed = [message for bound in bounds if (message := bound.failure(result)) is not None]
    if failed:
        raise CheckError("; ".join(failed))


def check_report(report: str | None, output: str | None) -> None:
    """Refuse a report that is no page, or would be the same file as the result.

    Raises
    ------
    UsageError
        If it is so.
    """
    from actcli.streaming.output import is_same_path

    if report is None:
        return
    if not report.lower().endswith((".html", ".htm")):
        raise UsageError(f"--report: {visible(report, 200)} is no page", hint="call it FILE.html")
    if output is not None and is_same_path(report, output):
        raise UsageError("--report and --output are the same file")


def write_page(measured: Measured, arguments: "Sequence[str]") -> None:
    """Write the page of an evaluation, if there is to be one.

    Parameters
    ----------
    measured
        The evaluation.
    arguments
        Those of the command line, which the page shows.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    if measured.page is None:
        return
    from actcli.reports.html_page import page

    worst = None if measured.worst is None else measured.worst.worst
    measured.page.write(page(measured.result, worst, arguments).encode("utf-8", "backslashreplace"))
    measured.page.commit()
