"""`actcli compare`."""

from typing import TYPE_CHECKING

from actcli.cli.analysis_options import FixedTableOptions
from actcli.cli.decision_options import TemperatureOptions, ThresholdOptions
from actcli.cli.declaration import files_read, options
from actcli.cli.input_options import InputOptions
from actcli.cli.inputs import check_input
from actcli.cli.running import run_plan
from actcli.cli.tables import TABLE, settled_format, sink_of, written_precision
from actcli.errors import UsageError, say
from actcli.tasks import Origin

if TYPE_CHECKING:
    from actcli.streaming.batch import Sink
    from actcli.streaming.output import Output

LINES = 20
"""How many lines the table shows, but at least those of one row."""


@options
class LogitOptions(InputOptions):
    """What is read: logits, of which both activations are taken."""

    origin: Origin = Origin.LOGITS
    renormalize: bool = False


def compare(
    input: LogitOptions, temperature: TemperatureOptions, thresholds: ThresholdOptions, output: FixedTableOptions
) -> None:
    """Show sigmoid and softmax of the same logits, side by side.

    \b
      actcli compare logits.csv
      actcli compare logits.csv --rows 5
      actcli compare logits.csv --format json -o comparison.json

    The table has a line for each class of each row: its logit, both probabilities, and whether each would choose it:
    the sigmoid by a threshold, the softmax by being the largest. The summary over all rows says how often the two
    differ, and why: raising one logit leaves the other sigmoids unchanged and lowers the other softmax values. JSON
    holds both; with the other formats the summary goes to standard error.
    """
    decisions = temperature.rules() | thresholds.rules()
    check_input("compare", input.files)
    read_options = input.read_options("row")
    format = settled_format(output)
    given = input.rules()

    from actcli.formats import FORMATS, WriteOptions, open_inputs
    from actcli.prediction.comparison import empty_comparison, plan_comparison
    from actcli.prediction.rules import Rules
    from actcli.reports.comparison import ComparisonJsonSink, ComparisonSink, sentences

    if format != TABLE and FORMATS[format].columns is not None:
        raise UsageError(f"{format} holds one numeric column, and a comparison has several", hint="use csv or parquet")
    rules = Rules(precision=written_precision(output, format), **given, **decisions)
    inputs = open_inputs(input.paths, read_options)
    try:
        plan = plan_comparison(inputs.layout, rules)
        rows = max(1, LINES // plan.columns[0].lines)
        comparison = empty_comparison(plan.layout, rules)

        def sink_to(target: "Output") -> "Sink":
            if format == "json":
                lines: Sink = ComparisonJsonSink(target, plan.columns, WriteOptions(), comparison)
            else:
                lines = sink_of(target, plan, output, format, chosen=True, rows=rows)
            return ComparisonSink(lines, comparison, target if format == TABLE else None)

        run_plan(inputs, plan, output, format, sink_to, read=files_read(input, thresholds))
    finally:
        inputs.close()
    if format not in (TABLE, "json") and not output.quiet:
        for sentence in sentences(comparison):
            say(f"actcli: note: {sentence}\n")
