"""`actcli gradient`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

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
    write,
)
from actcli.errors import UsageError
from actcli.tasks import Function, OnBadRow, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actcli.evaluation.truth import Truth
    from actcli.formats import Inputs
    from actcli.prediction.plan import Plan
    from actcli.streaming.batch import Chunk, Sink
    from actcli.streaming.output import Output


def gradient(
    files: given.Files = None,
    *,
    of: given.Of = Function.SOFTMAX,
    input_format: given.InputFormat = None,
    origin: given.From = None,
    delimiter: given.Delimiter = None,
    header: given.Header = None,
    key: given.Key = None,
    ids: given.Id = None,
    classes: given.Classes = None,
    class_names: given.ClassNames = None,
    on_bad_row: given.OnBadRowOption = OnBadRow.ERROR,
    dtype: given.DtypeOption = None,
    truth: given.Truth = None,
    truth_column: given.TruthColumn = None,
    temperature: given.Temperature = None,
    row: given.Row = None,
    output: given.OutputFile = None,
    format: given.FormatOption = None,
    precision: given.Precision = None,
    rows: given.Rows = None,
    no_output_header: given.NoOutputHeader = False,
    no_clobber: given.NoClobber = False,
    jobs: given.Jobs = None,
    quiet: given.Quiet = False,
) -> None:
    """Show how fast each probability moves with each logit: the derivatives.

    \b
      actcli gradient logits.csv --of sigmoid
      actcli gradient logits.csv --of softmax --row 0
      actcli gradient logits.npy --of softmax -o jacobians.npy
      actcli gradient logits.csv --of cross-entropy --truth truth.csv

    Of the sigmoid, sigmoid(x) (1 - sigmoid(x)) for each cell: at most 0.25, where x is 0. Of the softmax y, the
    Jacobian diag(y) - y yT for each row: C lines, line i holding the derivatives of probability i by each of the C
    logits; NPY holds an array of shape (N, C, C). Of the cross-entropy loss after a softmax, y - onehot: what training
    subtracts from the logits; it needs the truth.
    """
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
    differentiate(
        of,
        reading,
        writing,
        temperature=temperature,
        row=row,
        truth=truth,
        truth_column=truth_column,
    )


def differentiate(
    of: Function,
    reading: Reading,
    writing: Writing,
    *,
    temperature: float | None,
    row: int | None,
    truth: str | None,
    truth_column: str | None,
) -> None:
    """Read the inputs, and write the derivatives of a function.

    Parameters
    ----------
    of
        The function.
    reading, writing
        The options.
    temperature
        T, where the function is of x / T.
    row
        The only row to write, from 0; None is all.
    truth, truth_column
        What is right, for the loss.

    Raises
    ------
    ActcliError
        Whatever goes wrong.
    """
    check_input("gradient", reading.files, truth=truth)
    check_truth(of, truth, truth_column)
    options = replace(reading.options("row"), truth=truth_column if truth is None else None)
    format = output_format(writing)
    check_writing(writing, format)
    names = class_name_rules(reading)

    from actcli.evaluation.truth import TruthSpec, settle
    from actcli.formats import FORMATS, open_inputs
    from actcli.prediction.derivatives import (
        LossGradientSink,
        plan_jacobian,
        plan_loss_gradient,
        plan_sigmoid_derivative,
    )
    from actcli.prediction.plan import Rules

    rules = Rules(
        origin=reading.numbers,
        skip=reading.skip,
        dtype=None if reading.dtype is None else reading.dtype.value,
        precision=None if format == TABLE else writing.precision,
        **names,
        **temperature_rule(temperature),
    )
    plans = {
        Function.SIGMOID: plan_sigmoid_derivative,
        Function.SOFTMAX: plan_jacobian,
        Function.CROSS_ENTROPY: plan_loss_gradient,
    }
    # A few digits of each number are enough to see a Jacobian, one of which fills a screen.
    most = 1 if of is Function.SOFTMAX else 20
    if format == TABLE and writing.precision is None:
        writing = replace(writing, precision=3)
    inputs = open_inputs(reading.files or ["-"], options)
    try:
        plan = plans[of](inputs.layout, rules)
        right = None
        if of is Function.CROSS_ENTROPY:
            question = TruthSpec(Task.SOFTMAX, plan.layout.classes)
            right = settle(question, inputs.layout, file=truth, column=truth_column)
            plan = replace(plan, notes=(*plan.notes, *right.notes))
        chunks = None if row is None else only_row(inputs, row, skip=reading.skip)
        # An array of matrices says by its shape what in a table the other columns say.
        bare = format != TABLE and (FORMATS[format].columns is not None or (format == "npz" and most == 1))
        plan = written(plan, single=row is not None, bare=bare)

        def sink_to(output: Output) -> Sink:
            sink = sink_of(output, plan, writing, format, "gradient", chosen=True, rows=most)
            return sink if right is None else LossGradientSink(sink, right, rules)

        write(inputs, plan, writing, format, sink_to, chunks=chunks, check=end_check(row, right))
    finally:
        inputs.close()


def check_truth(of: Function, truth: str | None, column: str | None) -> None:
    """Refuse a truth where none is asked for, and none where the loss needs one.

    Raises
    ------
    UsageError
        If it is so.
    """
    if of is not Function.CROSS_ENTROPY:
        if truth is not None or column is not None:
            raise UsageError(
                f"the derivative of the {of.value} needs no truth", hint="that of the loss does: --of cross-entropy"
            )
        return
    if truth is None and column is None:
        raise UsageError(
            "the gradient of the cross-entropy needs to know what is right",
            hint="add --truth FILE, or --truth-column NAME of the input",
        )


def written(plan: Plan, *, single: bool, bare: bool) -> Plan:
    """Return the plan with what is written of it: for a single row without its number, bare the derivatives alone."""
    columns = [column for column in plan.columns if column.name == "gradient" or not bare]
    layout = plan.layout
    if single:
        columns = [column for column in columns if column.name != "row" or column.carried]
        layout = replace(layout, rows=columns[-1].lines)
    return replace(plan, columns=tuple(columns), layout=layout)


def only_row(inputs: Inputs, row: int, *, skip: bool) -> Callable[[int], Iterator[Chunk]]:
    """Return what gives that row of the inputs alone.

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


def end_check(row: int | None, truth: Truth | None) -> Callable[[int, int], None]:
    """Return what refuses, at the end, a single row that was left out, or a truth that is not used up.

    Parameters
    ----------
    row
        The only one that is written, for which the truths of the others are not missed.
    truth
        What is right, for the loss.
    """

    def check(rows: int, left_out: int) -> None:
        if row is None and truth is not None:
            truth.finish(rows, left_out)
        elif row is not None and left_out:
            raise UsageError(
                f"--row: row {row} is wrong, and is left out", hint="without --on-bad-row skip, an error says why"
            )

    return check
