"""`actcli suspects`."""

from dataclasses import replace
from typing import TYPE_CHECKING

from actcli.cli.analysis_options import FixedTableOptions
from actcli.cli.decision_options import BinaryClassOptions, PolicyOptions, TaskOption
from actcli.cli.declaration import files_read, options
from actcli.cli.evaluating import refuse_single_class
from actcli.cli.evaluation_options import ScoreInputOptions
from actcli.cli.input_options import TruthOptions
from actcli.cli.inputs import check_input
from actcli.cli.output_options import LabelSeparator
from actcli.cli.policies import with_policy
from actcli.cli.running import run_plan
from actcli.cli.tables import TABLE, settled_format, sink_of, written_precision
from actcli.errors import DataError, UsageError, say
from actcli.tasks import Origin, Task

if TYPE_CHECKING:
    from actcli.streaming.output import Output


@options
class GivenLabelOptions:
    """What the labels are."""

    task: TaskOption = None
    label_separator: LabelSeparator = None


def suspects(
    input: ScoreInputOptions,
    truth: TruthOptions,
    labels: GivenLabelOptions,
    policy: PolicyOptions,
    classes: BinaryClassOptions,
    output: FixedTableOptions,
) -> None:
    """List the rows whose given label is probably wrong, by confident learning.

    \b
      actcli suspects logits.csv --truth truth.csv
      actcli suspects logits.csv --truth truth.csv -o to-check.csv

    The scores must be out of sample: of rows that the model was not trained on, for instance by cross-validation. A
    model has learnt the wrong labels of its own training rows, and finds them right.

    Each line has the given label, the one that is suggested, and the probabilities of both. The least plausible label
    comes first.
    """
    check_input("suspects", input.files, "--truth truth.csv", truth=truth.truth)
    task = labels.task or Task.SOFTMAX
    rules = policy.rules() | classes.rules()
    if policy.policy is not None:
        from actcli.prediction.policy_reader import read_policy

        task = labels.task or Task(read_policy(policy.policy).task)
        input, rules = with_policy(policy.policy, task, input, rules)
    if task is not Task.BINARY and (classes.positive, classes.negative) != (None, None):
        raise UsageError(f"--positive and --negative mean nothing to {task}", hint="add --task binary")
    if labels.label_separator is not None and (task is not Task.MULTILABEL or not labels.label_separator):
        raise UsageError("--label-separator is for the label sets of --task multilabel")
    format = settled_format(output)

    from actcli.evaluation.recorded_predictions import DECIDED_COLUMNS
    from actcli.evaluation.suspects import SuspectsSink, plan_suspects
    from actcli.evaluation.truth import TruthSpec, settle
    from actcli.formats import FORMATS, open_inputs
    from actcli.prediction.plan import plan
    from actcli.prediction.rules import Rules

    if format != TABLE and FORMATS[format].columns is not None:
        raise UsageError(f"{format} holds one numeric column, and suspects have several", hint="use csv or parquet")
    read_options = replace(
        input.read_options("column" if task is Task.BINARY else "row"),
        truth=truth.input_column,
        recorded=input.origin in (None, Origin.PROBABILITIES),
    )
    inputs = open_inputs(input.paths, read_options)
    try:
        refuse_single_class(task, inputs.layout)
        settled = Rules(**rules | input.rules_of(inputs.layout))
        planned = plan_suspects(plan(task, inputs.layout, settled, properties=("probabilities",)), truth.input_column)
        spec = TruthSpec(task, planned.layout.classes, labels.label_separator or "|")
        taken = () if inputs.layout.recorded is None else DECIDED_COLUMNS
        given = settle(spec, inputs.layout, taken=taken, **truth.settings())
        planned = replace(planned, notes=(*planned.notes, *given.notes))
        sinks: list[SuspectsSink] = []

        def sink_to(target: "Output") -> SuspectsSink:
            lines = sink_of(target, planned, output, format, chosen=True)
            sinks.append(SuspectsSink(lines, planned, given, written_precision(output, format)))
            return sinks[0]

        def check(rows: int, left_out: int) -> None:
            given.finish(rows, left_out)
            if not sinks[0].rows:
                raise DataError(f"{inputs.title}: has no rows, so there is nothing to suspect")

        read = [*files_read(input, truth, policy), *given.identities]
        run_plan(inputs, planned, output, format, sink_to, read=read, check=check)
    finally:
        inputs.close()
    if not output.quiet:
        what = "labels of rows" if task is Task.MULTILABEL else "rows"
        cells = sinks[0].rows * (len(planned.layout.classes) if task is Task.MULTILABEL else 1)
        say(f"actcli: note: {sinks[0].found:,} of {cells:,} {what} have a label that is probably wrong\n")
        say("actcli: note: the scores must be out of sample: a model agrees with the labels that it was trained on\n")
