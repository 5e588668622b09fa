"""What `calibrate`, `tune` and `conformal` share: from option values to rows, and back to a file and a report.

A command gives `fit` the one function that is its own: from the rows to what was fitted.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from actcli.cli.results import json_bytes, open_result, result_format
from actcli.cli.running import check_input, class_name_rules, with_policy_names
from actcli.errors import DataError, UsageError, say, visible
from actcli.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from actcli.cli.running import Reading
    from actcli.fitting.fit_reports import FitReport
    from actcli.fitting.labeled_rows import LabeledRows
    from actcli.fitting.steps import FitContext, FitResult
    from actcli.formats import Inputs
    from actcli.prediction.plan import Plan
    from actcli.prediction.policy import Policy
    from actcli.streaming.output import Output
    from actcli.tasks import ResultFormat

    Work: TypeAlias = Callable[[FitContext], FitResult]

__all__ = ["FitRequest", "decimal", "fit"]


@dataclass(frozen=True, slots=True)
class FitRequest:
    """The options that every fit has, as they were given.

    Parameters
    ----------
    step
        Which part of a policy is fitted.
    command
        What the program's user calls that.
    default_task
        Of several classes, when nothing says what is decided of them.
    """

    step: str
    command: str
    default_task: str
    reading: Reading
    renormalize: bool
    truth: str | None
    truth_column: str | None
    task: Task | None
    positive: str | None
    negative: str | None
    policy: str
    holdout: str | None
    seed: int | None
    output: str | None
    format: ResultFormat | None
    clobber: bool
    jobs: int | None
    quiet: bool


def fit(request: FitRequest, work: Work) -> None:
    """Read the rows and their truth, fit, write the policy, and report.

    Parameters
    ----------
    request
        The options.
    work
        The fit itself.

    Raises
    ------
    ActcliError
        Whatever goes wrong. The policy file is then what it was.
    """
    check_input(request.command, request.reading.files, "--truth labels.csv --policy policy.json", truth=request.truth)
    format = result_format(request.output, request.format)
    _check_policy_path(request)
    share = None if request.holdout is None else decimal(request.holdout, "--holdout")
    if share is None and request.seed is not None:
        raise UsageError("--seed says which rows --holdout draws", hint="add --holdout 0.3")

    from actcli.formats import open_inputs
    from actcli.prediction.policy import read_policy

    found = read_policy(request.policy) if os.path.exists(request.policy) else None
    options = replace(
        request.reading.options("column"), truth=None if request.truth is not None else request.truth_column
    )
    if found is not None and request.reading.origin is None:
        options = replace(options, origin=found.origin)
    inputs = open_inputs(request.reading.files or ["-"], options)
    try:
        _fit(request, work, inputs, found, format, share)
    finally:
        inputs.close()


def _fit(
    request: FitRequest, work: Work, inputs: Inputs, found: Policy | None, format: ResultFormat, share: str | None
) -> None:
    from actcli.evaluation.truth import TruthSpec, settle
    from actcli.fitting.labeled_rows import hold_out
    from actcli.fitting.steps import FitContext
    from actcli.prediction.plan import plan
    from actcli.streaming.output import Output

    task = _task(request, found, len(inputs.layout.classes))
    rules = _rules(request, found)
    settled = plan(task, inputs.layout, rules, properties=("given",))
    policy = found or _new_policy(task, rules, inputs, settled)
    truth = settle(
        TruthSpec(Task(task), settled.layout.classes), inputs.layout, file=request.truth, column=request.truth_column
    )
    identities = [*inputs.identities, *truth.identities]
    with (
        Output(request.policy, inputs=identities, durable=True) as target,
        open_result(request.output, inputs=identities, clobber=request.clobber) as report,
    ):
        rows, warnings = _gathered(request, inputs, settled, truth)
        _check_truth(request, task, rows, settled.layout.classes)
        fitted, held = hold_out(rows, share, request.seed or 0)
        context = FitContext(policy, settled.scoring, settled.layout.classes, fitted, held)
        result = work(context)
        warnings = [*warnings, *result.warnings]
        removed = _write(request, context, result, target)
        document = {
            "command": request.command,
            "task": task,
            "policy": request.policy,
            **result.report.as_json(),
            "removed": list(removed),
            "warnings": warnings,
        }
        _show(result.report, document, report, format)
        report.commit()
    if not request.quiet:
        for note in (*inputs.notes, *truth.notes, *settled.notes, *_notes(request, removed, held is not None)):
            say(f"actcli: note: {note}\n")
    for warning in warnings:
        say(f"actcli: warning: {warning}\n")


def _gathered(request: FitRequest, inputs: Inputs, settled: Plan, truth: Any) -> tuple[LabeledRows, list[str]]:
    """Return all rows, and what there is to say about how they were read."""
    from actcli.cli.progress import Watch
    from actcli.fitting.labeled_rows import LabeledRowsSink
    from actcli.streaming.pipeline import run

    sink = LabeledRowsSink(truth)
    with Watch(inputs.size, quiet=request.quiet) as watch:
        run(inputs.chunks(sink.open(settled.layout)), settled.decide, sink, jobs=request.jobs, watch=watch)
    truth.finish(watch.rows + watch.left_out, watch.left_out)
    if not watch.rows:
        raise DataError(f"{inputs.title}: has no rows, so there is nothing to fit")
    return sink.rows(), watch.warnings()


def _check_policy_path(request: FitRequest) -> None:
    from actcli.streaming.output import is_device

    if request.policy == "-" or (os.path.exists(request.policy) and is_device(request.policy)):
        raise UsageError(f"--policy: {visible(request.policy, 200)} is no file that can be read again")
    if request.output is not None and os.path.realpath(request.output) == os.path.realpath(request.policy):
        raise UsageError("--output and --policy are the same file")


def _task(request: FitRequest, found: Policy | None, classes: int) -> str:
    """Return what is decided of a row: as request, else as the policy says, else by the number of classes."""
    given = None if request.task is None else request.task.value
    if found is not None:
        if given not in (None, found.task):
            name = visible(request.policy, 200)
            raise UsageError(f"--task {given}: {name} is a policy for {found.task}", hint="write to another file")
        given = found.task
    task = given or ("binary" if classes == 1 else request.default_task)
    if request.step == "thresholds" and task == "softmax":
        raise UsageError("softmax has no threshold: the largest score wins", hint="--task multilabel or --task binary")
    if task != "binary" and (request.positive or request.negative) is not None:
        raise UsageError(f"--positive and --negative are for --task binary, and this is {task}")
    return task


def _rules(request: FitRequest, found: Policy | None) -> Any:
    """Return the rules of the steps before this one."""
    from actcli.prediction.plan import Rules

    reading, given = request.reading, dict[str, Any](positive=request.positive, negative=request.negative)
    if found is not None:
        reading, given = with_policy_names(found, request.policy, reading, given)
        if request.step != "calibration":
            given["calibration"] = found.calibration
    return Rules(
        origin=reading.numbers,
        skip=reading.skip,
        dtype="float64",
        renormalize=request.renormalize,
        **given | class_name_rules(reading),
    )


def _new_policy(task: str, rules: Any, inputs: Inputs, settled: Plan) -> Policy:
    from actcli.prediction.policy import Policy

    classes: tuple[str, ...] = settled.layout.classes
    positive = None
    if task == "binary":
        positive = classes[1]
        if len(inputs.layout.classes) == 2:
            classes = rules.class_names or inputs.layout.classes  # in the order of the columns
    return Policy(task, rules.origin, classes, positive)


def _check_truth(request: FitRequest, task: str, rows: LabeledRows, labels: Sequence[str]) -> None:
    """Refuse truth that leaves nothing to choose between."""
    if request.step == "conformal":
        return
    counts = rows.counts(len(labels))
    only = [label for label, count in zip(labels, counts, strict=True) if count]
    if task == "multilabel":
        if not only or all(count == len(rows) for count in counts):
            raise DataError(f"no label is right of any row{' alone' if only else ''}: there is nothing to fit")
    elif len(only) == 1:
        raise DataError(f'"{visible(only[0])}" is right of every row: there is nothing to fit')


def _write(request: FitRequest, context: FitContext, result: FitResult, target: Output) -> tuple[str, ...]:
    """Write the policy with its new part; return the parts that this made stale."""
    from actcli import __version__
    from actcli.prediction.policy import Record

    names = context.labels
    counts = context.rows.counts(len(names))
    record = Record(
        rows=len(context.rows),
        truth=dict(zip(names, counts, strict=True)),
        loss=result.loss,
        before=result.before,
        after=result.after,
        version=__version__,
        aim=result.objective,
    )
    policy, removed = context.policy.with_step(request.step, result.value, record)
    policy.write(target)
    return removed


def _notes(request: FitRequest, removed: Sequence[str], held: bool) -> list[str]:
    name = visible(request.policy, 200)
    notes = []
    if removed:
        names = {"thresholds": "thresholds", "conformal": "conformal rule"}
        parts = ", ".join(names[part] for part in removed)
        notes.append(f"{name}: removed, because this step changes what they stand on: {parts}")
    if not held:
        notes.append("these numbers are of the very rows that were fitted; --holdout 0.3 keeps rows apart to judge by")
    return notes


def decimal(text: str, option: str) -> str:
    """Return the text of a decimal number above 0 and below 1, as it was given.

    Raises
    ------
    UsageError
        If it is not one.
    """
    from actcli.formats.column_roles import is_number

    if not (is_number(text) and math.isfinite(float(text)) and 0 < float(text) < 1):
        raise UsageError(f"{option}: {visible(text)!r} is not a number above 0 and below 1")
    return text.strip(" \t")


def _show(fitted: FitReport, document: dict[str, Any], output: Output, format: ResultFormat) -> None:
    if format == "json":
        output.write(json_bytes(document))
        return
    from actcli.reports.fits import draw_fit
    from actcli.reports.screen import draw

    draw(output, partial(draw_fit, fitted, Task(document["task"]), document["policy"]))
