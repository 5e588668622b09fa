"""`actcli compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actcli.cli import options as given  # noqa: TC001  Typer reads the annotations
from actcli.cli.running import (
    TABLE,
    Reading,
    Writing,
    check_input,
    check_writing,
    class_name_rules,
    output_format,
    sink_of,
    temperature_rule,
    threshold_rules,
    write,
)
from actcli.errors import UsageError, say
from actcli.tasks import OnBadRow, Origin, ThresholdOperator

if TYPE_CHECKING:
    from actcli.streaming.batch import Sink
    from actcli.streaming.output import Output

LINES = 20
"""How many lines the table shows, but at least those of one row."""


def compare(
    files: given.Files = None,
    *,
    input_format: given.InputFormat = None,
    delimiter: given.Delimiter = None,
    header: given.Header = None,
    key: given.Key = None,
    ids: given.Id = None,
    classes: given.Classes = None,
    class_names: given.ClassNames = None,
    on_bad_row: given.OnBadRowOption = OnBadRow.ERROR,
    dtype: given.DtypeOption = None,
    temperature: given.Temperature = None,
    threshold: given.Threshold = None,
    thresholds: given.Thresholds = None,
    threshold_op: given.ThresholdOp = ThresholdOperator.GE,
    output: given.OutputFile = None,
    format: given.FormatOption = None,
    precision: given.Precision = None,
    rows: given.Rows = None,
    no_output_header: given.NoOutputHeader = False,
    no_clobber: given.NoClobber = False,
    jobs: given.Jobs = None,
    quiet: given.Quiet = False,
) -> None:
    """Show sigmoid and softmax of the same logits, side by side.

    \b
      actcli compare logits.csv
      actcli compare logits.csv --rows 5
      actcli compare logits.csv --format json -o comparison.json

    A line for each class of each row: its logit, both probabilities, and whether each would decide for it, the sigmoid
    by a threshold and the softmax by being the largest. Then, over all rows, how often they differ, and why: raising
    one logit leaves the other sigmoids alone and lowers the other softmax values. JSON has all of that; with the other
    formats the summary goes to standard error.
    """
    reading = Reading(
        files=files,
        input_format=input_format,
        origin=Origin.LOGITS,
        delimiter=delimiter,
        header=header,
        key=key,
        ids=ids,
        classes=classes,
        class_names=class_names,
        on_bad_row=on_bad_row,
        dtype=dtype,
    )
    writing = Writing(
        output=output,
        format=format,
        columns=None,
        precision=precision,
        rows=rows,
        no_output_header=no_output_header,
        no_clobber=no_clobber,
        jobs=jobs,
        quiet=quiet,
    )
    show_both(
        reading,
        writing,
        **temperature_rule(temperature),
        strict=threshold_op is ThresholdOperator.GT,
        **threshold_rules(threshold, thresholds),
    )


def show_both(reading: Reading, writing: Writing, **given_rules: Any) -> None:
    """Read the inputs, and write both activations of them.

    Parameters
    ----------
    reading, writing
        The options.
    **given_rules
        Those fields of `actcli.prediction.plan.Rules` that the other options give.

    Raises
    ------
    ActcliError
        Whatever goes wrong.
    """
    check_input("compare", reading.files)
    options = reading.options("row")
    format = output_format(writing)
    check_writing(writing, format)
    names = class_name_rules(reading)

    from actcli.formats import FORMATS, WriteOptions, open_inputs
    from actcli.prediction.comparison import empty_comparison, plan_comparison
    from actcli.prediction.plan import Rules
    from actcli.reports.comparison import ComparisonJsonSink, ComparisonSink, sentences

    if format != TABLE and FORMATS[format].columns is not None:
        raise UsageError(f"{format} holds one numeric column, and a comparison has several", hint="use csv or parquet")
    rules = Rules(
        skip=reading.skip,
        dtype=None if reading.dtype is None else reading.dtype.value,
        precision=None if format == TABLE else writing.precision,
        **names,
        **given_rules,
    )
    inputs = open_inputs(reading.files or ["-"], options)
    try:
        plan = plan_comparison(inputs.layout, rules)
        rows = max(1, LINES // plan.columns[0].lines)
        comparison = empty_comparison(plan.layout, rules)

        def sink_to(output: Output) -> Sink:
            if format == "json":
                lines: Sink = ComparisonJsonSink(output, plan.columns, WriteOptions(), comparison)
            else:
                lines = sink_of(output, plan, writing, format, "compare", chosen=True, rows=rows)
            return ComparisonSink(lines, comparison, output if format == TABLE else None)

        write(inputs, plan, writing, format, sink_to)
    finally:
        inputs.close()
    if format not in (TABLE, "json") and not writing.quiet:
        for sentence in sentences(comparison):
            say(f"actcli: note: {sentence}\n")
