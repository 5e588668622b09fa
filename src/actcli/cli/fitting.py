"""What `calibrate`, `tune` and `conformal` share: from the options to rows, and back to a policy and a report."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from actcli.cli.declaration import files_read
from actcli.cli.evaluating import refuse_single_class
from actcli.cli.inputs import check_input
from actcli.cli.option_values import decimal_share
from actcli.cli.policies import with_policy_names
from actcli.cli.results import json_bytes, open_result, result_format
from actcli.errors import DataError, ReaderGoneError, UsageError, say, visible
from actcli.tasks import ResultFormat, Step, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actcli.cli.fit_options import FitOptions, FittedRowOptions
    from actcli.cli.results import ResultOptions
    from actcli.evaluation.truth import Truth
    from actcli.fitting.fit_reports import FitReport
    from actcli.fitting.labeled_rows import LabeledRows
    from actcli.fitting.steps import FitContext, FitResult
    from actcli.formats import Inputs
    from actcli.prediction.plan import Plan
    from actcli.prediction.policy import Policy
    from actcli.prediction.rules import Rules
    from actcli.streaming.output import Output

__all__ = ["FitStep", "fit"]


@dataclass(frozen=True, slots=True)
class FitStep:
    """A step of a policy, and the command that fits it.

    Parameters
    ----------
    part
        The part of the policy.
    command
        The name of the command.
    default_task
        The task of several classes, if nothing says it.
    work
        Fits the step.
    """

    part: Step
    command: str
    default_task: Task
    work: Callable[[FitContext], FitResult]


@dataclass(frozen=True, slots=True)
class FitRequest:
    """What to fit, checked as far as it can be before the input is open.

    Parameters
    ----------
    step, target, rows, output
        The step and the options.
    before
        The content of the policy file; None if there is no file.
    held
        The policy in it.
    format
        How the report is written.
    share
        The share of rows to keep out of the fit.
    """

    step: FitStep
    target: FitOptions
    rows: FittedRowOptions
    output: ResultOptions
    before: bytes | None
    held: Policy | None
    format: ResultFormat
    share: str | None


def fit(step: FitStep, target: FitOptions, rows: FittedRowOptions, output: ResultOptions) -> None:
    """Read the rows and their truth, fit a step, write the policy, and report.

    Parameters
    ----------
    step
        The step.
    target, rows, output
        The options of the command.

    Raises
    ------
    ActcliError
        If an option does not fit, the rows cannot be read or fitted, or the policy cannot be written. The policy file
        is then unchanged.
    """
    input, truth = rows.input, rows.truth
    check_input(step.command, input.files, "--truth labels.csv --policy policy.json", truth=truth.truth)
    format = result_format(output)
    _check_policy_path(target.policy, output.output)
    share = None if rows.holdout is None else decimal_share(rows.holdout, "--holdout")
    if share is None and rows.seed is not None:
        raise UsageError("--seed says which rows --holdout draws", hint="add --holdout 0.3")

    from actcli.formats import open_inputs
    from actcli.prediction.option_files import read_bytes
    from actcli.prediction.policy_reader import policy_in

    before = read_bytes(target.policy, "") if os.path.exists(target.policy) else None
    held = None if before is None else policy_in(before, target.policy)
    read_options = replace(input.read_options("column"), truth=truth.input_column)
    if held is not None and input.origin is None:
        read_options = replace(read_options, origin=held.origin)
    request = FitRequest(step, target, rows, output, before, held, format, share)
    inputs = open_inputs(input.paths, read_options)
    try:
        _fit(request, inputs)
    finally:
        inputs.close()


def _fit(request: FitRequest, inputs: Inputs) -> None:
    from actcli.evaluation.truth import TruthSpec, settle
    from actcli.fitting.labeled_rows import hold_out
    from actcli.fitting.steps import FitContext
    from actcli.prediction.plan import plan
    from actcli.streaming.output import UpdatedFile

    options, output = request.rows, request.output
    task = _task(request, len(inputs.layout.classes))
    refuse_single_class(task, inputs.layout)
    rules = _rules(request)
    planned = plan(task, inputs.layout, rules, properties=("given",))
    policy = request.held or _new_policy(task, rules, inputs, planned)
    names = planned.rules.class_names
    if request.held is not None and names is not None and names != rules.class_names:
        policy = request.held.with_names(names)
    classes = planned.layout.classes
    positive = options.classes.positive is not None or request.held is not None
    spec = TruthSpec(task, classes, **options.truth.spec_settings(task, positive=positive))
    truth = settle(spec, inputs.layout, **options.truth.settings())
    identities = [*inputs.identities, *truth.identities, *files_read(options)]
    with (
        UpdatedFile(request.target.policy, request.before, inputs=identities) as target,
        open_result(output, inputs=identities) as report,
    ):
        rows, warnings = _gathered(request, inputs, planned, truth)
        if request.step.part is not Step.CONFORMAL:
            _check_truth(task, rows, classes)
        fitted, held_out = hold_out(rows, request.share, options.seed or 0)
        context = FitContext(policy, planned.scoring, classes, fitted, held_out)
        result = request.step.work(context)
        warnings = [*warnings, *result.warnings]
        policy, removed = _with_step(request, context, result)
        document = {
            "command": request.step.command,
            "task": task,
            "policy": request.target.policy,
            **result.report.as_json(),
            "removed": list(removed),
            "warnings": warnings,
        }
        target.write(policy.text().encode())
        # A report that cannot be written leaves the old policy. One that is not read to its end was still written.
        try:
            _show(result.report, document, report, request)
            report.commit()
        except ReaderGoneError:
            target.commit()
            raise
        target.commit()
    if not output.quiet:
        for note in (*inputs.notes, *truth.notes, *planned.notes, *_notes(request, removed)):
            say(f"actcli: note: {note}\n")
    for warning in warnings:
        say(f"actcli: warning: {warning}\n")


def _gathered(request: FitRequest, inputs: Inputs, planned: Plan, truth: Truth) -> tuple[LabeledRows, list[str]]:
    """Return all rows, and the warnings about how they were read."""
    from actcli.cli.progress import Watch
    from actcli.fitting.labeled_rows import LabeledRowsSink
    from actcli.streaming.pipeline import run

    sink = LabeledRowsSink(truth)
    output = request.output
    with Watch(inputs.size, quiet=output.quiet) as watch:
        run(inputs.chunks(sink.open(planned.layout)), planned.decide, sink, jobs=output.jobs, watch=watch)
    truth.finish(watch.rows + watch.left_out, watch.left_out)
    if not watch.rows:
        raise DataError(f"{inputs.title}: has no rows, so there is nothing to fit")
    if not len(rows := sink.rows()):
        raise DataError(f"{inputs.title}: none of its {watch.rows:,} rows has a truth that counts")
    return rows, watch.warnings()


def _check_policy_path(policy: str, output: str | None) -> None:
    from actcli.streaming.output import is_device, is_same_path

    if policy == "-" or (os.path.exists(policy) and is_device(policy)):
        raise UsageError(f"--policy: {visible(policy, 200)} is no file that can be read again")
    if output is not None and is_same_path(output, policy):
        raise UsageError("--output and --policy are the same file")


def _task(request: FitRequest, classes: int) -> Task:
    """Return the task: as asked, else as the policy says, else by the number of classes."""
    given, held = request.target.task, request.held
    if held is not None:
        if given not in (None, held.task):
            name = visible(request.target.policy, 200)
            raise UsageError(f"--task {given}: {name} is a policy for {held.task}", hint="write to another file")
        given = Task(held.task)
    task = given or (Task.BINARY if classes == 1 else request.step.default_task)
    if request.step.part is Step.THRESHOLDS and task is Task.SOFTMAX:
        raise UsageError("softmax has no threshold: the largest score wins", hint="--task multilabel or --task binary")
    named = request.rows.classes
    if task is not Task.BINARY and (named.positive or named.negative) is not None:
        raise UsageError(f"--positive and --negative are for --task binary, and this is {task}")
    return task


def _rules(request: FitRequest) -> Rules:
    """Return the rules of the steps before this one."""
    from actcli.prediction.rules import Rules

    input, rules = request.rows.input, request.rows.classes.rules()
    if request.held is not None:
        input, rules = with_policy_names(request.held, request.target.policy, input, rules)
        if request.step.part is not Step.CALIBRATION:
            rules["calibration"] = request.held.calibration
    return Rules(**rules | input.rules())


def _new_policy(task: Task, rules: Rules, inputs: Inputs, planned: Plan) -> Policy:
    from actcli.prediction.policy import Policy

    classes: tuple[str, ...] = planned.layout.classes
    positive = None
    if task is Task.BINARY:
        positive = classes[1]
        if len(inputs.layout.classes) == 2:
            classes = rules.class_names or inputs.layout.classes  # in the order of the columns
    return Policy(task, rules.origin, classes, positive)


def _check_truth(task: Task, rows: LabeledRows, labels: Sequence[str]) -> None:
    """Refuse a truth that leaves nothing to choose between."""
    counts = rows.counts(len(labels))
    only = [label for label, count in zip(labels, counts, strict=True) if count]
    if task is Task.MULTILABEL:
        if not only or all(count == len(rows) for count in counts):
            what = "every label is true of every row" if only else "no label is true of any row"
            raise DataError(f"{what}: there is nothing to fit")
    elif len(only) == 1:
        raise DataError(f'"{visible(only[0])}" is the true class of every row: there is nothing to fit')


def _with_step(request: FitRequest, context: FitContext, result: FitResult) -> tuple[Policy, tuple[Step, ...]]:
    """Return the policy with its new part, and the parts that this made stale."""
    from actcli import __version__
    from actcli.prediction.policy import Record

    names = context.labels
    record = Record(
        rows=len(context.rows),
        truth=dict(zip(names, context.rows.counts(len(names)), strict=True)),
        loss=result.loss,
        before=result.before if math.isfinite(result.before) else None,
        after=result.after if math.isfinite(result.after) else None,
        version=__version__,
        aim=result.objective,
    )
    return context.policy.with_step(request.step.part, result.value, record)


def _notes(request: FitRequest, removed: Sequence[str]) -> list[str]:
    notes = []
    if removed:
        names = {"thresholds": "thresholds", "conformal": "conformal rule"}
        parts = ", ".join(names[part] for part in removed)
        name = visible(request.target.policy, 200)
        notes.append(f"{name}: removed, because this step changes what they depend on: {parts}")
    if request.share is None:
        notes.append("these numbers are of the very rows that were fitted; --holdout 0.3 keeps rows apart to judge by")
    return notes


def _show(fitted: FitReport, document: dict[str, Any], output: Output, request: FitRequest) -> None:
    """Write the report; with --quiet in a pipe, where nobody asked for it, the policy is the whole result."""
    asked = request.output
    if request.format is ResultFormat.JSON:
        if asked.quiet and asked.output is None and asked.format is None:
            return
        output.write(json_bytes(document))
        return
    from actcli.reports.fits import draw_fit
    from actcli.reports.screen import draw

    draw(output, partial(draw_fit, fitted, Task(document["task"]), document["policy"]))
