"""What `calibrate`, `tune` and `conformal` share: from option values to rows, and back to a file and a report.

A command gives `fit` the one function that is its own: from the rows to what was fitted.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from actcli.cli.prediction import check_input, class_name_rules, with_policy_names
from actcli.cli.results import json_bytes, open_result, result_format
from actcli.errors import DataError, UsageError, say, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from actcli.cli.options import ResultFormat, Task
    from actcli.cli.prediction import Reading
    from actcli.files import Output
    from actcli.fitting import Rows
    from actcli.formats import Inputs
    from actcli.policy import Policy
    from actcli.predict import Plan
    from actcli.steps import Ground, Outcome

    Work: TypeAlias = Callable[[Ground], Outcome]

__all__ = ["Asked", "decimal", "fit"]


@dataclass(frozen=True, slots=True)
class Asked:
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


def fit(asked: Asked, work: Work) -> None:
    """Read the rows and their truth, fit, write the policy, and report.

    Parameters
    ----------
    asked
        The options.
    work
        The fit itself.

    Raises
    ------
    ActcliError
        Whatever goes wrong. The policy file is then what it was.
    """
    check_input(asked.command, asked.reading.files, "--truth labels.csv --policy policy.json", truth=asked.truth)
    format = result_format(asked.output, asked.format)
    _check_policy_path(asked)
    share = None if asked.holdout is None else decimal(asked.holdout, "--holdout")
    if share is None and asked.seed is not None:
        raise UsageError("--seed says which rows --holdout draws", hint="add --holdout 0.3")

    from actcli.formats import open_inputs
    from actcli.policy import read_policy

    found = read_policy(asked.policy) if os.path.exists(asked.policy) else None
    options = replace(asked.reading.options("column"), truth=None if asked.truth is not None else asked.truth_column)
    if found is not None and asked.reading.origin is None:
        options = replace(options, origin=found.origin)
    inputs = open_inputs(asked.reading.files or ["-"], options)
    try:
        _fit(asked, work, inputs, found, format, share)
    finally:
        inputs.close()


def _fit(
    asked: Asked, work: Work, inputs: Inputs, found: Policy | None, format: ResultFormat, share: str | None
) -> None:
    from actcli.files import Output
    from actcli.fitting import apart
    from actcli.predict import plan
    from actcli.steps import Ground
    from actcli.truth import Question, settle

    task = _task(asked, found, len(inputs.layout.classes))
    rules = _rules(asked, found)
    settled = plan(task, inputs.layout, rules, properties=("given",))
    policy = found or _new_policy(task, rules, inputs, settled)
    truth = settle(Question(task, settled.layout.classes), inputs.layout, file=asked.truth, column=asked.truth_column)
    identities = [*inputs.identities, *truth.identities]
    with (
        Output(asked.policy, inputs=identities, durable=True) as target,
        open_result(asked.output, inputs=identities, clobber=asked.clobber) as report,
    ):
        rows, warnings = _gathered(asked, inputs, settled, truth)
        _check_truth(asked, task, rows, settled.layout.classes)
        fitted, held = apart(rows, share, asked.seed or 0)
        ground = Ground(policy, settled.scoring, settled.layout.classes, fitted, held)
        outcome = work(ground)
        warnings = [*warnings, *outcome.warnings]
        removed = _write(asked, ground, outcome, target)
        document = {
            "command": asked.command,
            "task": task,
            "policy": asked.policy,
            **outcome.document,
            "removed": list(removed),
            "warnings": warnings,
        }
        _show(document, asked.command, report, format)
        report.commit()
    if not asked.quiet:
        for note in (*inputs.notes, *truth.notes, *settled.notes, *_notes(asked, removed, held is not None)):
            say(f"actcli: note: {note}\n")
    for warning in warnings:
        say(f"actcli: warning: {warning}\n")


def _gathered(asked: Asked, inputs: Inputs, settled: Plan, truth: Any) -> tuple[Rows, list[str]]:
    """Return all rows, and what there is to say about how they were read."""
    from actcli.cli.progress import Watch
    from actcli.fitting import Gathering
    from actcli.pipeline import run

    sink = Gathering(truth)
    with Watch(inputs.size, quiet=asked.quiet) as watch:
        run(inputs.chunks(sink.open(settled.layout)), settled.decide, sink, jobs=asked.jobs, watch=watch)
    truth.finish(watch.rows + watch.left_out, watch.left_out)
    if not watch.rows:
        raise DataError(f"{inputs.title}: has no rows, so there is nothing to fit")
    return sink.rows(), watch.warnings()


def _check_policy_path(asked: Asked) -> None:
    from actcli.files import is_device

    if asked.policy == "-" or (os.path.exists(asked.policy) and is_device(asked.policy)):
        raise UsageError(f"--policy: {visible(asked.policy, 200)} is no file that can be read again")
    if asked.output is not None and os.path.realpath(asked.output) == os.path.realpath(asked.policy):
        raise UsageError("--output and --policy are the same file")


def _task(asked: Asked, found: Policy | None, classes: int) -> str:
    """Return what is decided of a row: as asked, else as the policy says, else by the number of classes."""
    given = None if asked.task is None else asked.task.value
    if found is not None:
        if given not in (None, found.task):
            name = visible(asked.policy, 200)
            raise UsageError(f"--task {given}: {name} is a policy for {found.task}", hint="write to another file")
        given = found.task
    task = given or ("binary" if classes == 1 else asked.default_task)
    if asked.step == "thresholds" and task == "softmax":
        raise UsageError("softmax has no threshold: the largest score wins", hint="--task multilabel or --task binary")
    if task != "binary" and (asked.positive or asked.negative) is not None:
        raise UsageError(f"--positive and --negative are for --task binary, and this is {task}")
    return task


def _rules(asked: Asked, found: Policy | None) -> Any:
    """Return the rules of the steps before this one."""
    from actcli.predict import Rules

    reading, given = asked.reading, dict[str, Any](positive=asked.positive, negative=asked.negative)
    if found is not None:
        reading, given = with_policy_names(found, asked.policy, reading, given)
        if asked.step != "calibration":
            given["calibration"] = found.calibration
    return Rules(
        origin=reading.numbers,
        skip=reading.skip,
        dtype="float64",
        renormalize=asked.renormalize,
        **given | class_name_rules(reading),
    )


def _new_policy(task: str, rules: Any, inputs: Inputs, settled: Plan) -> Policy:
    from actcli.policy import Policy

    classes: tuple[str, ...] = settled.layout.classes
    positive = None
    if task == "binary":
        positive = classes[1]
        if len(inputs.layout.classes) == 2:
            classes = rules.class_names or inputs.layout.classes  # in the order of the columns
    return Policy(task, rules.origin, classes, positive)


def _check_truth(asked: Asked, task: str, rows: Rows, labels: Sequence[str]) -> None:
    """Refuse truth that leaves nothing to choose between."""
    if asked.step == "conformal":
        return
    counts = rows.counts(len(labels))
    only = [label for label, count in zip(labels, counts, strict=True) if count]
    if task == "multilabel":
        if not only or all(count == len(rows) for count in counts):
            raise DataError(f"no label is right of any row{' alone' if only else ''}: there is nothing to fit")
    elif len(only) == 1:
        raise DataError(f'"{visible(only[0])}" is right of every row: there is nothing to fit')


def _write(asked: Asked, ground: Ground, outcome: Outcome, target: Output) -> tuple[str, ...]:
    """Write the policy with its new part; return the parts that this made stale."""
    from actcli import __version__
    from actcli.policy import Record

    names = ground.labels
    counts = ground.rows.counts(len(names))
    record = Record(
        rows=len(ground.rows),
        truth=dict(zip(names, counts, strict=True)),
        loss=outcome.loss,
        before=outcome.before,
        after=outcome.after,
        version=__version__,
        aim=outcome.aim,
    )
    policy, removed = ground.policy.with_step(asked.step, outcome.value, record)
    policy.write(target)
    return removed


def _notes(asked: Asked, removed: Sequence[str], held: bool) -> list[str]:
    name = visible(asked.policy, 200)
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
    from actcli.columns import is_number

    if not (is_number(text) and math.isfinite(float(text)) and 0 < float(text) < 1):
        raise UsageError(f"{option}: {visible(text)!r} is not a number above 0 and below 1")
    return text.strip(" \t")


def _show(document: dict[str, Any], command: str, output: Output, format: ResultFormat) -> None:
    if format == "json":
        output.write(json_bytes(document))
        return
    from actcli.reports import fits
    from actcli.reports.screen import draw

    draw(output, partial(getattr(fits, command), document))
