"""`actcli combine`."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from actcli.cli.analysis_options import FixedTableOptions
from actcli.cli.decision_options import TaskOption
from actcli.cli.declaration import DECISION, files_read, options
from actcli.cli.input_options import FromWithoutPolicy, InputOptions
from actcli.cli.inputs import check_input
from actcli.cli.running import run_plan
from actcli.cli.tables import TABLE, settled_format, sink_of, written_precision
from actcli.errors import UsageError, visible
from actcli.tasks import Mean, OnBadRow, Origin, Task

if TYPE_CHECKING:
    from actcli.formats import Inputs, ReadOptions
    from actcli.prediction.combining import Member


@options
class MemberOptions(InputOptions):
    """What is read: every file on its own. A row that one of them lacks has no mean, so no row is left out."""

    origin: Annotated[
        FromWithoutPolicy, "What the numbers are; never guessed. [default: logits, or what actcli's own output says]"
    ] = None
    on_bad_row: OnBadRow = OnBadRow.ERROR


@options
class MeanOptions:
    """What the mean is taken of."""

    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="LIST",
            help="A weight for each file, separated by commas, such as .7,.3. [default: equal]",
            rich_help_panel=DECISION,
        ),
    ] = None
    mean: Annotated[Mean, typer.Option("--mean", help="Of what the mean is taken.", rich_help_panel=DECISION)] = (
        Mean.PROBABILITIES
    )
    task: Annotated[TaskOption, "By which activation logits become probabilities. [default: softmax]"] = None
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="COLUMN",
            help="Make one row of consecutive rows that have the same value in a carried column.",
            rich_help_panel=DECISION,
        ),
    ] = None


def combine(input: MemberOptions, mean: MeanOptions, output: FixedTableOptions) -> None:
    """Take the mean of several models' scores for the same rows, or of several views of one item.

    \b
      actcli combine logits.csv more.csv -o mean.csv
      actcli combine logits.npy scores.npy --weights .7,.3 --mean logits -o mean.npy
      actcli combine more.csv --group id -o items.csv

    Classes are matched by name. Rows are matched by id where all files carry a column of the same name, else by
    position. With --group, the mean is taken within each file first. Other commands read the result as
    probabilities, or as logits after --mean logits.
    """
    task = mean.task or Task.SOFTMAX
    check_input("combine", input.files)
    paths = input.paths
    if len(paths) == 1 and mean.group is None:
        raise UsageError(
            "combine takes the mean of several files, and there is one",
            hint="name the others; for the mean of the rows of one item: --group COLUMN",
        )
    weights = _weights(mean.weights, len(paths))
    format = settled_format(output)
    read_options = replace(
        input.read_options("column" if task is Task.BINARY else "row"),
        recorded=input.origin in (None, Origin.PROBABILITIES),
    )

    from actcli.formats import FORMATS
    from actcli.prediction.combining import JoinedInputs, plan_combination

    members = _open_members(input, task, mean.mean, read_options)
    inputs = JoinedInputs(members, mean.group)
    try:
        plan = plan_combination(
            members,
            weights,
            mean.mean,
            group=mean.group,
            precision=written_precision(output, format),
            alone=format != TABLE and FORMATS[format].columns is not None,
        )
        run_plan(
            inputs,
            plan,
            output,
            format,
            lambda target: sink_of(target, plan, output, format, chosen=True),
            read=files_read(input),
        )
    finally:
        inputs.close()


def _open_members(input: MemberOptions, task: Task, mean: Mean, read_options: "ReadOptions") -> "list[Member]":
    from actcli.cli.evaluating import refuse_single_class
    from actcli.formats import open_inputs
    from actcli.prediction.combining import member
    from actcli.prediction.rules import Rules

    if input.paths.count("-") > 1:
        raise UsageError("standard input can be read only once")
    members: list[Member] = []
    opened: list[Inputs] = []
    try:
        for path in input.paths:
            opened.append(open_inputs([path], read_options))
            layout = opened[-1].layout
            refuse_single_class(task, layout)
            rules = Rules(**input.rules_of(layout))
            members.append(member(opened[-1], task, mean, rules, members[0] if members else None))
    except BaseException:
        for each in opened:
            each.close()
        raise
    return members


def _weights(text: str | None, count: int) -> tuple[float, ...]:
    """Return the weight of each file."""
    if text is None:
        return (1.0,) * count
    weights = []
    for part in text.split(","):
        try:
            weight = float(part)
        except ValueError:
            weight = math.nan
        if not 0 <= weight < math.inf:
            raise UsageError(f"--weights: {visible(part.strip())!r} is not a number of at least 0")
        weights.append(weight)
    if len(weights) != count:
        raise UsageError(f"--weights: has {len(weights)} numbers for {count} files", hint="give one for each file")
    if not sum(weights):
        raise UsageError("--weights: all are 0", hint="at least one must be above 0")
    return tuple(weights)
