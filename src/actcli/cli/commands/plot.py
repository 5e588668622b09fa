"""`actcli plot`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from actcli.cli import options as given  # noqa: TC001  Typer reads the annotations
from actcli.cli.commands.evaluate import Measured, Showing, ask, measure
from actcli.cli.results import json_bytes, open_result
from actcli.cli.running import Reading, check_input, temperature_rule
from actcli.errors import UsageError, visible
from actcli.tasks import (
    BINNED_KINDS,
    CURVE_KINDS,
    FUNCTION_KINDS,
    Binning,
    ChartFormat,
    ChartKind,
    Dtype,
    OnBadRow,
    ThresholdOperator,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.reports.charts import Chart
    from actcli.streaming.output import Output

FIGURES = ("png", "svg", "pdf")
"""The formats that matplotlib writes."""

JSON = "json"

_OF_FUNCTIONS = frozenset({"kind", "temperature", "output", "format", "no_clobber", "quiet"})
"""The parameters of a picture of a function."""

_ONLY_OF = {"class_": CURVE_KINDS, "bins": BINNED_KINDS, "binning": BINNED_KINDS}
"""The charts that a parameter means something to, where those are not all."""

_Kind = Annotated[
    ChartKind,
    typer.Argument(metavar="KIND", help="What to draw: " + ", ".join(kind.value for kind in ChartKind) + "."),
]


def plot(
    context: typer.Context,
    kind: _Kind,
    files: given.Files = None,
    *,
    truth: given.Truth = None,
    truth_column: given.TruthColumn = None,
    input_format: given.InputFormat = None,
    origin: given.FromOrRecorded = None,
    delimiter: given.Delimiter = None,
    header: given.Header = None,
    key: given.Key = None,
    ids: given.Id = None,
    classes: given.Classes = None,
    class_names: given.ClassNames = None,
    on_bad_row: given.OnBadRowOption = OnBadRow.ERROR,
    renormalize: given.Renormalize = False,
    task: given.MeasuredTask = None,
    policy: given.PolicyFile = None,
    temperature: given.Temperature = None,
    threshold: given.Threshold = None,
    thresholds: given.Thresholds = None,
    threshold_op: given.ThresholdOp = ThresholdOperator.GE,
    positive: given.Positive = None,
    negative: given.Negative = None,
    bins: given.Bins = 15,
    binning: given.BinningOption = Binning.EQUAL_WIDTH,
    class_: given.DrawnClass = None,
    output: given.ChartFile = None,
    format: given.ChartFormatOption = None,
    no_clobber: given.NoClobber = False,
    jobs: given.Jobs = None,
    quiet: given.Quiet = False,
) -> None:
    """Draw a picture: the functions themselves, or how good predictions are.

    \b
      actcli plot sigmoid
      actcli plot reliability logits.csv --truth truth.csv
      actcli plot roc logits.csv --truth truth.csv -o roc.svg

    sigmoid and softmax are drawn without a file. reliability, roc, precision-recall, thresholds and confusion need the
    truth; confidence shows more with it. The numbers are those of actcli evaluate, with the same options.

    On a terminal the picture is drawn there; -o FILE.png, .svg or .pdf makes a figure, -o FILE.json has the numbers.
    """
    check_options(context, kind.value)
    shown = chart_format(output, format)
    showing = Showing(output, shown, None, clobber=not no_clobber, jobs=jobs, quiet=quiet)
    if kind.value in FUNCTION_KINDS:
        calibration = temperature_rule(temperature).get("calibration")
        draw_function(kind.value, 1.0 if calibration is None else calibration.temperature, showing)
        return
    check_input(f"plot {kind.value}", files, "--truth truth.csv", truth=truth)
    reading = Reading(
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
        dtype=Dtype.FLOAT64,
    )
    request, reading = ask(
        reading,
        None if task is None else task.value,
        truth=truth,
        truth_column=truth_column,
        policy=policy,
        temperature=temperature,
        threshold=threshold,
        thresholds=thresholds,
        rules={
            "renormalize": renormalize,
            "strict": threshold_op is ThresholdOperator.GT,
            "positive": positive,
            "negative": negative,
        },
        measures={
            "bins": bins,
            "equal_mass": binning is Binning.EQUAL_MASS,
            "ranking": kind.value in CURVE_KINDS,
        },
        truth_is_needed=kind is not ChartKind.CONFIDENCE,
    )
    if kind is ChartKind.CONFUSION and request.task == "multilabel":
        raise UsageError("confusion is of classes that exclude each other", hint="actcli evaluate counts each label")

    def write(measured: Measured, output: Output) -> None:
        picture = chart_of(kind.value, measured, class_ or (), known=request.truth_is_given)
        show(picture, output, shown)

    measure(request, reading, showing, write)


def chart_format(output: str | None, format: ChartFormat | None) -> ChartFormat:
    """Return how a picture is written: as request, else by the suffix of its file, else by who is reading.

    Raises
    ------
    UsageError
        If the suffix says no format, or the format would go to a terminal and is binary.
    """
    from actcli.streaming.output import is_device
    from actcli.streaming.terminal import is_terminal

    to_terminal = output in (None, "-") and is_terminal(sys.stdout)
    if format is None and output is not None and not is_device(output):
        suffix = output.rpartition(".")[2].lower()
        if suffix not in (JSON, *FIGURES):
            raise UsageError(
                f"{visible(output, 200)}: its suffix does not say its format",
                hint=f"a picture is written as {', '.join(f'.{name}' for name in (*FIGURES, JSON))}",
            )
        format = ChartFormat(suffix)
    format = format or (ChartFormat.TABLE if to_terminal else ChartFormat.JSON)
    if format in FIGURES:
        if to_terminal:
            raise UsageError(f"{format.value} does not go to a terminal", hint=f"use -o FILE.{format.value}")
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
        raise UsageError("figures need matplotlib", hint="install it: pip install 'actcli[plot]'")


def check_options(context: typer.Context, kind: str) -> None:
    """Refuse what means nothing to the picture.

    Raises
    ------
    UsageError
        If there is such an option, or a file for a picture of a function.
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


def draw_function(kind: str, temperature: float, showing: Showing) -> None:
    """Draw a function, which needs no file."""
    from actcli.reports import charts

    picture = charts.sigmoid_chart(temperature) if kind == "sigmoid" else charts.softmax_chart(temperature)
    with open_result(showing.output, inputs=(), clobber=showing.clobber) as output:
        show(picture, output, ChartFormat(showing.format.value))
        output.commit()


def chart_of(kind: str, measured: Measured, chosen: Sequence[str], *, known: bool) -> Chart:
    """Return the picture of an evaluation.

    Parameters
    ----------
    kind
        Which.
    measured
        The evaluation.
    chosen
        The classes whose curves are drawn.
    known
        Whether there is a truth.

    Raises
    ------
    UsageError
        If a class is not there, or there are too many for a matrix.
    """
    from actcli.errors import listed
    from actcli.reports import charts

    result, ranked = measured.result, measured.evaluator.ranked
    for name in chosen:
        if name not in result.classes:
            raise UsageError(f"--class: {visible(name)!r} is no class", hint=f"there is {listed(result.classes)}")
    match kind:
        case "reliability":
            return charts.reliability_chart(result)
        case "confidence":
            return charts.confidence_chart(result, known=known)
        case "thresholds":
            return charts.thresholds_chart(result, ranked, chosen)
        case "confusion":
            if result.confusion_matrix is None:
                raise UsageError(f"{len(result.classes):,} classes are too many for a confusion matrix")
            return charts.confusion_chart(result)
        case _:
            return charts.curves_chart(kind, result, ranked, chosen)


def show(picture: Chart, output: Output, format: ChartFormat) -> None:
    """Write a picture in a format."""
    if format is ChartFormat.JSON:
        head = {"kind": picture.kind, "title": picture.title, "caption": picture.caption}
        output.write(json_bytes(head | dict(picture.numbers)))
    elif format is ChartFormat.TABLE:
        from actcli.reports.terminal_chart import draw

        draw(picture, output)
    else:
        from actcli.reports.matplotlib_chart import figure_bytes

        output.write(figure_bytes(picture, format.value))
