"""What `evaluate` and `plot` share: from the options to an evaluation."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

from actcli.cli.declaration import files_read
from actcli.cli.evaluation_requests import EvaluationRequest, PreparedEvaluation, truth_of
from actcli.cli.label_inputs import prepare_labels
from actcli.cli.policies import with_policy
from actcli.cli.results import open_result
from actcli.errors import DataError, UsageError, listed, say, visible
from actcli.tasks import Origin, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from actcli.cli.evaluation_options import EvaluationOptions
    from actcli.cli.metric_bounds import MetricBound
    from actcli.cli.results import ResultFileOptions
    from actcli.evaluation.evaluator import Evaluator
    from actcli.evaluation.recorded_predictions import RecordedPredictions
    from actcli.evaluation.result import Evaluation
    from actcli.evaluation.truth import TruthSpec
    from actcli.evaluation.worst_predictions import WorstPredictions
    from actcli.formats import Inputs
    from actcli.metrics.settings import MetricSettings
    from actcli.prediction.rules import Rules
    from actcli.streaming.batch import Layout
    from actcli.streaming.output import Output

__all__ = [
    "Measured",
    "evaluation_request",
    "measure",
    "refuse_single_class",
]


class Measured(NamedTuple):
    """An evaluation, the sink that made it, and the page to write with what only the page shows."""

    result: Evaluation
    evaluator: Evaluator
    page: Output | None = None
    worst: WorstPredictions | None = None


def evaluation_request(
    options: EvaluationOptions,
    settings: dict[str, Any],
    *,
    bounds: tuple[MetricBound, ...] = (),
    truth_is_needed: bool = True,
    probabilities_for: str | None = None,
) -> EvaluationRequest:
    """Return what to evaluate, from the options.

    Parameters
    ----------
    options
        The options.
    settings
        Fields of the settings, besides those of the bins.
    bounds, truth_is_needed, probabilities_for
        See `EvaluationRequest`.

    Raises
    ------
    ActcliError
        If an option means nothing to the task, has a bad value, or the policy cannot be read.
    """
    policy = options.policy
    rules = options.sets.rules() | options.classes.rules() | policy.rules() | options.thresholds.rules()
    task = options.task or (Task.SOFTMAX if policy.policy is None else _policy_task(policy.policy))
    decisive, others = _given_options(options)
    _check_task(task, [*decisive, *others])
    if options.recorded.label_separator == "":
        raise UsageError("--label-separator: is empty")
    if policy.policy is not None:
        input, rules = with_policy(policy.policy, task, options.input, rules)
        options = replace(options, input=input)
    return EvaluationRequest(
        task=task,
        options=options,
        decisive=tuple(option for option in decisive if not (option == "--top-k" and task is Task.SOFTMAX)),
        rules=rules,
        settings=options.binning.settings() | settings,
        bounds=bounds,
        truth_is_needed=truth_is_needed,
        probabilities_for=probabilities_for,
    )


def _given_options(options: EvaluationOptions) -> tuple[list[str], list[str]]:
    """Return the options that are given: those that decide what a label is, and those that only some tasks have."""
    policy, thresholds, sets, classes = options.policy, options.thresholds, options.sets, options.classes
    decisive = {
        "--policy": policy.policy is not None,
        "--temperature": policy.temperature is not None,
        "--threshold": thresholds.threshold is not None,
        "--thresholds": thresholds.thresholds is not None,
        "--threshold-op": thresholds.strict,
        "--at-least-one": sets.at_least_one,
        "--top-k": sets.top_k is not None,
    }
    others = {
        "--positive": classes.positive is not None,
        "--negative": classes.negative is not None,
        "--label-separator": options.recorded.label_separator is not None,
    }
    return [name for name, given in decisive.items() if given], [name for name, given in others.items() if given]


def _policy_task(path: str) -> Task:
    from actcli.prediction.policy_reader import read_policy

    return Task(read_policy(path).task)


def _check_task(task: Task, given: Sequence[str]) -> None:
    """Refuse the options that mean nothing to the task."""
    match task:
        case Task.SOFTMAX:
            meaningless = {
                "--threshold",
                "--thresholds",
                "--threshold-op",
                "--at-least-one",
                "--positive",
                "--negative",
                "--label-separator",
            }
        case Task.MULTILABEL:
            meaningless = {"--positive", "--negative"}
        case Task.BINARY:
            meaningless = {"--at-least-one", "--top-k", "--label-separator"}
        case _:
            assert_never(task)
    for option in given:
        if option in meaningless:
            raise UsageError(f"{option} means nothing to {task}", hint="say which task it is: --task NAME")


def measure(
    request: EvaluationRequest,
    output: ResultFileOptions,
    write: Callable[[Measured, Output], None],
    *,
    report: str | None = None,
) -> Evaluation:
    """Read the inputs and their truth, evaluate, write the result, and print the notes and warnings.

    Parameters
    ----------
    request
        What to evaluate.
    output
        Where the result goes.
    write
        Writes the evaluation to the open output.
    report
        The file of the page, if there is to be one. It is opened before the work, as every output is.

    Raises
    ------
    ActcliError
        If an option does not fit, the input or the truth cannot be read, or the output cannot be written.
    """
    from actcli.cli.progress import Watch
    from actcli.evaluation.evaluator import Evaluator
    from actcli.evaluation.worst_predictions import WorstPredictions
    from actcli.formats import open_inputs
    from actcli.streaming.pipeline import run
    from actcli.streaming.spooled_scores import SpooledScoreStore

    task, options = request.task, request.options
    read_options = replace(
        options.input.read_options(
            "row" if task is not Task.BINARY and options.input.prediction_column is None else "column"
        ),
        truth=options.truth.input_column,
        recorded=options.input.origin in (None, Origin.PROBABILITIES),
        decisions=options.input.origin is None,
        predictions=options.input.prediction_column,
    )
    inputs = open_inputs(options.input.paths, read_options)
    try:
        prepared = prepare(request, inputs)
        settings, classes, truth = prepared.settings, prepared.layout.classes, prepared.truth
        for bound in request.bounds:
            bound.refuse_unknown(settings, classes)
        worst = None
        if report is not None and settings.probabilities:
            worst = WorstPredictions(task, prepared.layout, options.truth.truth_column)
        evaluator = Evaluator(settings, truth, prepared.recorded, SpooledScoreStore(), worst)
        identities = [*inputs.identities, *truth.identities, *files_read(options)]
        with (
            open_result(_result_output(output, report), inputs=identities) as target,
            _open_page(report, output, identities) as page,
        ):
            watch = Watch(inputs.size, quiet=output.quiet)
            with watch:
                chunks = prepared.chunks(evaluator.open(prepared.layout))
                run(chunks, prepared.decide, evaluator, jobs=output.jobs, watch=watch)
            truth.finish(watch.rows + watch.left_out, watch.left_out)
            if not watch.rows:
                raise DataError(f"{inputs.title}: has no rows, so there is nothing to evaluate")
            if options.recorded.label_separator is not None and not prepared.has_split():
                raise UsageError("--label-separator: no label is written as a text", hint="leave it out")
            result = evaluator.result(classes)
            if not result.rows:
                raise DataError(f"{inputs.title}: none of its {watch.rows:,} rows has a truth that counts")
            write(Measured(result, evaluator, page, worst), target)
            target.commit()
    finally:
        inputs.close()
    if not output.quiet:
        for note in (*inputs.notes, *prepared.notes, *truth.notes):
            say(f"actcli: note: {note}\n")
    for warning in (*watch.warnings(), *(_warnings(result) if options.truth.given else ())):
        say(f"actcli: warning: {warning}\n")
    return result


def prepare(request: EvaluationRequest, inputs: Inputs) -> PreparedEvaluation:
    """Settle everything before the first row.

    Raises
    ------
    ActcliError
        If an option does not fit the input, or the truth cannot be read.
    """
    if not inputs.layout.classes or request.options.input.prediction_column is not None:
        return prepare_labels(request, inputs, rules_of(request, inputs.layout))
    from actcli.evaluation.evaluator import properties
    from actcli.prediction.plan import plan

    layout = inputs.layout
    refuse_single_class(request.task, layout)
    rules = rules_of(request, layout)
    settings = _settings(request, rules, layout)
    planned = plan(request.task, layout, rules, properties=properties(settings))
    spec = request.truth_spec(planned.layout.classes)
    recorded = _recorded_predictions(request, layout, spec)
    truth = truth_of(request, spec, layout)
    return PreparedEvaluation(
        planned.layout, settings, planned.decide, inputs.chunks, truth, (spec,), planned.notes, recorded
    )


def refuse_single_class(task: Task, layout: Layout) -> None:
    """Refuse softmax of one class, for a command that has ``--task``.

    Raises
    ------
    DataError
        If the task is softmax and the input has one class.
    """
    if task is Task.SOFTMAX and len(layout.classes) == 1:
        raise DataError(
            f"softmax of a single class, {listed(layout.classes)}, is always 1",
            hint="a single class takes the sigmoid: --task binary for a yes-or-no logit, or --task multilabel",
        )


def _result_output(output: ResultFileOptions, report: str | None) -> ResultFileOptions:
    """Return where the result goes: beside a page, ``--no-clobber`` is not for standard output."""
    return replace(output, no_clobber=False) if report is not None and output.output in (None, "-") else output


def _open_page(
    report: str | None, output: ResultFileOptions, inputs: Sequence[tuple[int, int]]
) -> AbstractContextManager[Output | None]:
    from actcli.streaming.output import Output

    return nullcontext() if report is None else Output(report, inputs=inputs, clobber=not output.no_clobber)


def rules_of(request: EvaluationRequest, layout: Layout) -> Rules:
    """Return the rules: a table that actcli wrote says what its numbers are and what its classes are called."""
    from actcli.prediction.rules import Rules

    return Rules(**request.rules | request.options.input.rules_of(layout))


def _settings(request: EvaluationRequest, rules: Rules, layout: Layout) -> MetricSettings:
    from actcli.metrics.settings import MetricSettings

    return MetricSettings(
        request.task,
        2 if request.task is Task.BINARY else len(layout.classes),
        top_k=rules.top_k is not None and request.task is Task.SOFTMAX,
        coverage=request.label_column(layout) is not None and request.task is not Task.MULTILABEL,
        **request.settings,
    )


def _recorded_predictions(request: EvaluationRequest, layout: Layout, spec: TruthSpec) -> RecordedPredictions | None:
    """Return the predictions that the input records, if it records any."""
    column = request.label_column(layout)
    abstain_label = request.options.recorded.abstain_label
    if column is None:
        if abstain_label is not None:
            raise UsageError("--abstain-label is for labels that actcli wrote, and the input holds none")
        return None
    if request.decisive:
        raise UsageError(
            f'{request.decisive[0]}: the input holds the labels that were decided, in the column "{column}"',
            hint="to decide anew, evaluate the scores that they are from",
        )
    from actcli.evaluation.recorded_predictions import RecordedPredictions

    kind = next(carried.kind for carried in layout.carried if carried.name == column)
    return RecordedPredictions(spec, column, kind, "abstain" if abstain_label is None else abstain_label)


def _warnings(result: Evaluation) -> list[str]:
    present = [name for name, found in result.per_class.items() if found["support"]]
    if result.task == Task.MULTILABEL or len(present) != 1 or result.rows == 1:
        return []
    return [f'the truth is "{visible(present[0])}" in every row, so metrics that compare classes are undefined']
