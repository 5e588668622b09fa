"""`actcli gradient`."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from actcli.cli.analysis_options import FixedTableOptions, TemperatureOptions
from actcli.cli.declaration import DECISION, files_read, options
from actcli.cli.input_options import FromWithoutPolicy, InputOptions, TruthOptions
from actcli.cli.inputs import check_input
from actcli.cli.running import run_plan
from actcli.cli.tables import TABLE, settled_format, sink_of, written_precision
from actcli.errors import UsageError
from actcli.tasks import Function, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actcli.evaluation.truth import Truth
    from actcli.formats import Inputs
    from actcli.prediction.plan import Plan
    from actcli.streaming.batch import Chunk, Sink
    from actcli.streaming.output import Output


@options
class ScoreOptions(InputOptions):
    """What is read: derivatives are of the scores as they are."""

    origin: FromWithoutPolicy = None
    renormalize: bool = False


def gradient(
    of: Annotated[
        Function, typer.Option("--of", help="The function to differentiate.", rich_help_panel=DECISION)
    ] = Function.SOFTMAX,
    *,
    input: ScoreOptions,
    truth: TruthOptions,
    temperature: TemperatureOptions,
    row: Annotated[
        int | None,
        typer.Option("--row", metavar="I", min=0, help="Show only this row, counted from 0.", rich_help_panel=DECISION),
    ] = None,
    output: FixedTableOptions,
) -> None:
    """Show how fast each probability moves with each logit: the derivatives.

    \b
      actcli gradient logits.csv --of sigmoid
      actcli gradient logits.csv --of softmax --row 0
      actcli gradient logits.npy --of softmax -o jacobians.npy
      actcli gradient logits.csv --of cross-entropy --truth truth.csv

    sigmoid: sigmoid(x) (1 - sigmoid(x)) for each cell, at most 0.25, at x = 0.

    softmax: the Jacobian diag(y) - y yT of each row, in C lines. Line i holds the derivatives of probability i with
    respect to the C logits. NPY holds an array of shape (N, C, C).

    cross-entropy: y - onehot, the gradient of the loss after a softmax, which training subtracts from the logits. It
    needs the truth.
    """
    check_input("gradient", input.files, truth=truth.truth)
    check_truth(of, truth)
    read_options = replace(input.read_options("row"), truth=truth.input_column)
    format = settled_format(output)
    given = input.rules()

    from actcli.evaluation.loss_gradient import LossGradientSink
    from actcli.evaluation.truth import TruthSpec, settle
    from actcli.formats import FORMATS, open_inputs
    from actcli.prediction.derivatives import plan_derivative
    from actcli.prediction.rules import Rules

    rules = Rules(precision=written_precision(output, format), **given, **temperature.rules())
    # One Jacobian fills a screen, and a few digits of each number are enough.
    most = 1 if of is Function.SOFTMAX else 20
    if format == TABLE and output.precision is None:
        output = replace(output, precision=3)
    inputs = open_inputs(input.paths, read_options)
    try:
        plan: Plan = plan_derivative(of, inputs.layout, rules)
        right = None
        if of is Function.CROSS_ENTROPY:
            spec = TruthSpec(Task.SOFTMAX, plan.layout.classes)
            right = settle(spec, inputs.layout, **truth.settings())
            plan = replace(plan, notes=(*plan.notes, *right.notes))
        chunks = None if row is None else only_row(inputs, row, skip=input.skip)
        # The shape of an array says what the other columns of a table say.
        bare = format != TABLE and (FORMATS[format].columns is not None or (format == "npz" and most == 1))
        plan = written(plan, single=row is not None, bare=bare)

        def sink_to(target: "Output") -> "Sink":
            sink = sink_of(target, plan, output, format, chosen=True, rows=most)
            return sink if right is None else LossGradientSink(sink, right, rules)

        read = files_read(input, truth)
        run_plan(inputs, plan, output, format, sink_to, read=read, chunks=chunks, check=end_check(row, right))
    finally:
        inputs.close()


def check_truth(of: Function, truth: TruthOptions) -> None:
    """Refuse a truth that is not needed, and a loss without a truth.

    Raises
    ------
    UsageError
        If there is one too many, or none.
    """
    if of is not Function.CROSS_ENTROPY:
        if truth.given:
            raise UsageError(
                f"the derivative of the {of.value} needs no truth", hint="that of the loss does: --of cross-entropy"
            )
        return
    if not truth.given:
        raise UsageError(
            "the gradient of the cross-entropy needs to know what is right",
            hint="add --truth FILE, or --truth-column NAME of the input",
        )


def written(plan: "Plan", *, single: bool, bare: bool) -> "Plan":
    """Return the plan with fewer columns: no row number for a single row, only the derivatives if they are bare."""
    columns = [column for column in plan.columns if column.name == "gradient" or not bare]
    layout = plan.layout
    if single:
        columns = [column for column in columns if column.name != "row" or column.carried]
        layout = replace(layout, rows=columns[-1].lines)
    return replace(plan, columns=tuple(columns), layout=layout)


def only_row(inputs: "Inputs", row: int, *, skip: bool) -> "Callable[[int], Iterator[Chunk]]":
    """Find a row; return the function that gives it as the only chunk.

    Raises
    ------
    UsageError
        If there is no such row.
    """
    from actcli.streaming.batch import DecodedChunk
    from actcli.streaming.pipeline import find_row

    found, count = find_row(inputs.chunks(0), row, skip=skip)
    if found is None and row < count:
        raise UsageError(f"--row: row {row} cannot be read, and is left out")
    if found is None:
        there = f"they are numbered from 0 to {count - 1}" if count else None
        raise UsageError(f"--row: the input has {count} row{'' if count == 1 else 's'}, and no row {row}", hint=there)
    return lambda output_bytes: iter([DecodedChunk(found)])  # noqa: ARG005  nothing is left to cut


def end_check(row: int | None, truth: "Truth | None") -> "Callable[[int, int], None]":
    """Return the check at the end, which refuses a single row that was left out, and a truth with more rows.

    Parameters
    ----------
    row
        The only row that is written; the truths of the other rows are not needed.
    truth
        The truth, for the loss.
    """

    def check(rows: int, left_out: int) -> None:
        if row is None and truth is not None:
            truth.finish(rows, left_out)
        elif row is not None and left_out:
            raise UsageError(
                f"--row: row {row} is wrong, and is left out", hint="without --on-bad-row skip, an error says why"
            )

    return check
