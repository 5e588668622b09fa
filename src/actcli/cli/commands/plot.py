"""`actcli plot`."""

import sys
from typing import TYPE_CHECKING, Annotated, assert_never

import typer

from actcli.cli.declaration import OUTPUT, options
from actcli.cli.evaluating import Measured, evaluation_request, measure
from actcli.cli.evaluation_options import EvaluatedLabelSetOptions, EvaluationOptions, RecordedLabelOptions
from actcli.cli.inputs import check_input
from actcli.cli.output_options import OutputFile
from actcli.cli.results import ResultFileOptions, json_bytes, open_result
from actcli.errors import UsageError, visible
from actcli.tasks import BINNED_KINDS, CURVE_KINDS, FUNCTION_KINDS, ChartFormat, ChartKind, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.reports.charts import Chart
    from actcli.streaming.output import Output

FIGURES = (ChartFormat.PNG, ChartFormat.SVG, ChartFormat.PDF)
"""The formats that matplotlib writes."""

_OF_FUNCTIONS = frozenset({"kind", "temperature", "output", "format", "no_clobber", "quiet"})
"""The parameters of a chart of a function."""

_ONLY_OF = {
    "class_": CURVE_KINDS,
    "bins": BINNED_KINDS,
    "binning": BINNED_KINDS,
    # The other charts are of probabilities, at no threshold or at all of them.
    **dict.fromkeys(("threshold", "thresholds", "threshold_op"), (ChartKind.CONFUSION,)),
}
"""The charts that a parameter means something to, where those are not all."""


@options
class _NoLabelSetOptions(EvaluatedLabelSetOptions):
    """No options: every label that reaches its threshold counts."""

    top_k: int | None = None
    at_least_one: bool = False


@options
class _NoRecordedLabelOptions(RecordedLabelOptions):
    """No options: labels are written as the commands write them by default."""

    abstain_label: str | None = None
    label_separator: str | None = None


@options
class ChartedEvaluationOptions(EvaluationOptions):
    """What is evaluated for a chart, and how."""

    sets: _NoLabelSetOptions
    recorded: _NoRecordedLabelOptions


@options
class ChartOptions(ResultFileOptions):
    """Where the chart goes, and how."""

    output: Annotated[OutputFile, "Write FILE.png, .svg, .pdf or .json."] = None
    format: Annotated[
        ChartFormat | None,
        typer.Option(
            "-f",
            "--format",
            help="table is a drawing in text, json the numbers. [default: table on a terminal, else json]",
            rich_help_panel=OUTPUT,
        ),
    ] = None


def plot(
    context: typer.Context,
    kind: Annotated[
        ChartKind,
        typer.Argument(metavar="KIND", help="What to draw: " + ", ".join(kind.value for kind in ChartKind) + "."),
    ],
    evaluated: ChartedEvaluationOptions,
    class_: Annotated[
        list[str] | None,
        typer.Option(
            "--class", metavar="NAME", help="Draw the curve of this class; repeatable.", rich_help_panel=OUTPUT
        ),
    ] = None,
    *,
    output: ChartOptions,
) -> None:
    """Draw a chart: a function itself, or how good the predictions are.

    \b
      actcli plot sigmoid
      actcli plot reliability logits.csv --truth truth.csv
      actcli plot roc logits.csv --truth truth.csv -o roc.svg

    sigmoid and softmax are drawn without a file. reliability, roc, precision-recall, thresholds and confusion need the
    truth; confidence shows more with it. The numbers are those of actcli evaluate, with the same options.

    On a terminal the chart is drawn as text. -o FILE.png, .svg or .pdf writes a figure, -o FILE.json the numbers.
    """
    check_options(context, kind)
    format = chart_format(output)
    if kind in FUNCTION_KINDS:
        calibration = evaluated.policy.rules().get("calibration")
        draw_function(kind, 1.0 if calibration is None else calibration.temperature, output, format)
        return
    check_input(f"plot {kind}", evaluated.input.files, "--truth truth.csv", truth=evaluated.truth.truth)
    request = evaluation_request(
        evaluated,
        {"ranking": kind in CURVE_KINDS},
        truth_is_needed=kind is not ChartKind.CONFIDENCE,
        probabilities_for=None if kind is ChartKind.CONFUSION else f"plot {kind}",
    )
    if kind is ChartKind.CONFUSION and request.task is Task.MULTILABEL:
        raise UsageError("confusion is of classes that exclude each other", hint="actcli evaluate counts each label")

    def write(measured: Measured, target: "Output") -> None:
        chart = chart_of(kind, measured, class_ or (), known=evaluated.truth.given)
        show(chart, target, format)

    measure(request, output, write)


def chart_format(options: ChartOptions) -> ChartFormat:
    """Return how a chart is written: as asked, else by the suffix of its file, else by whether a person reads it.

    Raises
    ------
    UsageError
        If the suffix says no format, or the format would go to a terminal and is binary.
    """
    from actcli.streaming.output import is_device
    from actcli.streaming.terminal import is_terminal

    output, format = options.output, options.format
    to_terminal = output in (None, "-") and is_terminal(sys.stdout)
    if format is None and output is not None and not is_device(output):
        suffix = output.rpartition(".")[2].lower()
        if suffix not in (ChartFormat.JSON, *FIGURES):
            raise UsageError(
                f"{visible(output, 200)}: its suffix does not say its format",
                hint=f"a chart is written as {', '.join(f'.{name}' for name in (*FIGURES, ChartFormat.JSON))}",
            )
        format = ChartFormat(suffix)
    format = format or (ChartFormat.TABLE if to_terminal else ChartFormat.JSON)
    if format in FIGURES:
        if to_terminal:
            raise UsageError(f"{format} does not go to a terminal", hint=f"use -o FILE.{format}")
        require_matplotlib()
    return format


def require_matplotlib() -> None:
    """Say what to install where there is no matplotlib.

    Raises
    ------
    UsageError
        If there is none.
    """
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise UsageError("figures need matplotlib", hint="install it: pip install 'matplotlib>=3.9'")


def check_options(context: typer.Context, kind: ChartKind) -> None:
    """Refuse the options that mean nothing to the chart.

    Raises
    ------
    UsageError
        If there is such an option, or a file for a chart of a function.
    """
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE":
            continue
        option = parameter.opts[-1] if parameter.param_type_name == "option" else "FILE"
        if kind in FUNCTION_KINDS and name not in _OF_FUNCTIONS:
            raise UsageError(f"plot {kind} draws the function itself: {option} means nothing to it")
        kinds = _ONLY_OF.get(name, (kind,))
        if kind not in kinds:
            raise UsageError(f"{option} means nothing to {kind}", hint=f"it is for {', '.join(kinds)}")


def draw_function(kind: ChartKind, temperature: float, options: ChartOptions, format: ChartFormat) -> None:
    """Draw a function, which needs no file."""
    from actcli.reports import function_charts as charts

    chart = charts.sigmoid_chart(temperature) if kind is ChartKind.SIGMOID else charts.softmax_chart(temperature)
    with open_result(options, inputs=()) as output:
        show(chart, output, format)
        output.commit()


def chart_of(kind: ChartKind, measured: Measured, chosen: "Sequence[str]", *, known: bool) -> "Chart":
    """Return the chart of an evaluation.

    Parameters
    ----------
    kind
        A kind that is not of a function.
    measured
        The evaluation.
    chosen
        The classes whose curves are drawn.
    known
        Whether there is a truth.

    Raises
    ------
    UsageError
        If there is no such class, or there are too many for a matrix.
    """
    from actcli.errors import listed
    from actcli.reports import evaluation_charts as charts

    result, ranked = measured.result, measured.evaluator.ranked
    for name in chosen:
        if name not in result.classes:
            raise UsageError(f"--class: {visible(name)!r} is no class", hint=f"there is {listed(result.classes)}")
    match kind:
        case ChartKind.RELIABILITY:
            return charts.reliability_chart(result)
        case ChartKind.CONFIDENCE:
            return charts.confidence_chart(result, known=known)
        case ChartKind.THRESHOLDS:
            return charts.thresholds_chart(result, ranked, chosen)
        case ChartKind.CONFUSION:
            if result.confusion_matrix is None:
                raise UsageError(f"{len(result.classes):,} classes are too many for a confusion matrix")
            return charts.confusion_chart(result)
        case ChartKind.ROC:
            return charts.roc_chart(result, ranked, chosen)
        case ChartKind.PRECISION_RECALL:
            return charts.precision_recall_chart(result, ranked, chosen)
        case ChartKind.SIGMOID | ChartKind.SOFTMAX:
            raise ValueError(f"{kind} is the chart of a function")
        case _:
            assert_never(kind)


def show(chart: "Chart", output: "Output", format: ChartFormat) -> None:
    """Write a chart in a format."""
    match format:
        case ChartFormat.JSON:
            head = {"kind": chart.kind, "title": chart.title, "caption": chart.caption}
            output.write(json_bytes(head | dict(chart.numbers)))
        case ChartFormat.TABLE:
            from actcli.reports.terminal_chart import draw

            draw(chart, output)
        case ChartFormat.PNG | ChartFormat.SVG | ChartFormat.PDF:
            from actcli.reports.matplotlib_chart import figure_bytes

            output.write(figure_bytes(chart, format))
        case _:
            assert_never(format)
