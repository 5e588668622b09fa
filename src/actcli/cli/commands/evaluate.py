"""`actcli evaluate`."""

from __future__ import annotations

import math
import os
import re
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from actcli.cli import options as given
from actcli.cli.results import json_bytes, open_result, result_format
from actcli.cli.running import (
    Reading,
    check_input,
    class_name_rules,
    shown_rows,
    temperature_rule,
    threshold_rules,
    with_policy,
)
from actcli.errors import CheckError, DataError, UsageError, say, visible
from actcli.tasks import Binning, ChartFormat, Dtype, OnBadRow, Origin, ResultFormat, ThresholdOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from actcli.evaluation.evaluator import Evaluation, Evaluator
    from actcli.evaluation.truth import RecordedPredictions, Truth, TruthSpec
    from actcli.evaluation.worst_predictions import WorstPredictions
    from actcli.metrics.definitions import Settings
    from actcli.prediction.plan import Plan, Rules
    from actcli.streaming.batch import Batch, Layout
    from actcli.streaming.output import Output

_OF_CLASS = re.compile(r"(\w+)\[(.*)\]", re.DOTALL)


def evaluate(
    context: typer.Context,
    files: given.Files = None,
    *,
    truth: given.Truth = None,
    truth_column: given.TruthColumn = None,
    input_format: given.InputFormat = None,
    origin: given.FromOrRecorded = None,
    delimiter: given.Delimiter = None,
    header: given.Header = None,
    key: given.Key = None,
    ids: given.Id = None,
    classes: given.Classes = None,
    class_names: given.ClassNames = None,
    on_bad_row: given.OnBadRowOption = OnBadRow.ERROR,
    memory_limit: given.MemoryLimit = None,  # noqa: ARG001
    renormalize: given.Renormalize = False,
    task: given.MeasuredTask = None,
    policy: given.PolicyFile = None,
    temperature: given.Temperature = None,
    threshold: given.Threshold = None,
    thresholds: given.Thresholds = None,
    threshold_op: given.ThresholdOp = ThresholdOperator.GE,
    top_k: Annotated[
        int | None,
        typer.Option(
            "-k",
            "--top-k",
            metavar="K",
            min=1,
            help="softmax: how often the truth is among the K best; multilabel: at most K labels.",
            rich_help_panel=given.DECISION,
        ),
    ] = None,
    at_least_one: given.AtLeastOne = False,
    positive: given.Positive = None,
    negative: given.Negative = None,
    abstain_label: Annotated[
        str | None,
        typer.Option(
            "--abstain-label",
            metavar="TEXT",
            help="What stands for a withheld label in what actcli wrote. [default: abstain]",
            rich_help_panel=given.DECISION,
        ),
    ] = None,
    label_separator: given.LabelSeparator = None,
    bins: given.Bins = 15,
    binning: given.BinningOption = Binning.EQUAL_WIDTH,
    bootstrap: given.Bootstrap = 0,
    seed: given.BootstrapSeed = None,
    no_ranking: given.NoRanking = False,
    fail_under: given.FailUnder = None,
    fail_over: given.FailOver = None,
    report: given.ReportFile = None,
    output: given.ResultFile = None,
    format: given.ResultFormatOption = None,
    rows: given.Rows = None,
    no_clobber: given.NoClobber = False,
    jobs: given.Jobs = None,
    quiet: given.Quiet = False,
) -> None:
    """How good the predictions are: metrics, per class and overall, the confusion matrix, the calibration.

    FILE holds logits, probabilities (--from), or what actcli itself wrote: then the labels are those that stand there.

    \b
      actcli evaluate logits.csv --truth truth.csv
      actcli evaluate logits.npy --truth truth.npy --task multilabel --threshold 0.3 --bootstrap 1000
      actcli softmax logits.csv | actcli evaluate --truth truth.csv --fail-under accuracy=0.9
      actcli evaluate logits.csv --truth truth.csv --report report.html
    """
    check_input("evaluate", files, "--truth truth.csv", truth=truth)
    if seed is not None and not bootstrap:
        raise UsageError("--seed is for the random numbers of --bootstrap", hint="add --bootstrap 1000")
    shown = result_format(output, format)
    check_report(report, output)
    if rows is not None and shown is not ResultFormat.TABLE:
        raise UsageError(f"--rows is for the table, and the output is {shown.value}", hint="add --format table")
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
        dtype=Dtype.FLOAT64,
    )
    request, reading = ask(
        reading,
        None if task is None else task.value,
        truth=truth,
        truth_column=truth_column,
        policy=policy,
        abstain_label=abstain_label,
        label_separator=label_separator,
        temperature=temperature,
        threshold=threshold,
        thresholds=thresholds,
        rules={
            "renormalize": renormalize,
            "top_k": top_k,
            "strict": threshold_op is ThresholdOperator.GT,
            "at_least_one": at_least_one,
            "positive": positive,
            "negative": negative,
        },
        measures={
            "bins": bins,
            "equal_mass": binning is Binning.EQUAL_MASS,
            "ranking": not no_ranking,
            "bootstrap": bootstrap,
            "seed": seed or 0,
        },
        checks=_checks(fail_under, fail_over),
    )
    showing = Showing(output, shown, shown_rows(rows), clobber=not no_clobber, jobs=jobs, quiet=quiet, report=report)
    _run(request, reading, showing, context.find_root().obj or [])


def ask(
    reading: Reading,
    task: str | None,
    *,
    truth: str | None,
    truth_column: str | None,
    policy: str | None,
    temperature: float | None,
    threshold: Sequence[str] | None,
    thresholds: str | None,
    rules: dict[str, Any],
    measures: dict[str, Any],
    abstain_label: str | None = None,
    label_separator: str | None = None,
    checks: tuple[_Check, ...] = (),
    truth_is_needed: bool = True,
) -> tuple[EvaluationRequest, Reading]:
    """Return what is request for, checked as far as it can be before the input is open, and how the input is read.

    Parameters
    ----------
    reading, task, truth, truth_column, policy, temperature, threshold, thresholds, abstain_label, label_separator
        The options.
    rules
        Fields of the rules: "strict", "at_least_one", "top_k", "positive" and others.
    measures
        Fields of the settings.
    checks
        Bounds on metrics.
    truth_is_needed
        Whether there is nothing to measure without a truth.

    Raises
    ------
    ActcliError
        If an option means nothing to the task, has a bad value, or the policy cannot be read.
    """
    rules = rules | temperature_rule(temperature) | threshold_rules(threshold, thresholds)
    decided_by = _policy_task(policy) if policy is not None and task is None else "softmax"
    name = decided_by if task is None else task
    decisive = {
        "--policy": policy is not None,
        "--temperature": temperature is not None,
        "--threshold": threshold is not None,
        "--thresholds": thresholds is not None,
        "--threshold-op": rules["strict"],
        "--at-least-one": rules.get("at_least_one", False),
        "--top-k": rules.get("top_k") is not None,
    }
    others = {
        "--positive": rules["positive"] is not None,
        "--negative": rules["negative"] is not None,
        "--label-separator": label_separator is not None,
    }
    _check_task(name, decisive | others)
    if label_separator == "":
        raise UsageError("--label-separator: is empty")
    if policy is not None:
        reading, rules = with_policy(policy, name, reading, rules)
    request = EvaluationRequest(
        task=name,
        truth=truth,
        truth_column=truth_column,
        abstain_label=abstain_label,
        separator="|" if label_separator is None else label_separator,
        decisive=tuple(
            option
            for option, is_given in decisive.items()
            if is_given and not (option == "--top-k" and name == "softmax")
        ),
        rules=rules,
        measures=measures,
        checks=checks,
        truth_is_needed=truth_is_needed,
    )
    return request, reading


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What was request for, besides how the input is to be read.

    `decisive` are the options that decide what a label is, `rules` fields of the rules, `measures` of the settings.
    """

    task: str
    truth: str | None
    truth_column: str | None
    abstain_label: str | None
    separator: str
    decisive: tuple[str, ...]
    rules: dict[str, Any]
    measures: dict[str, Any]
    checks: tuple[_Check, ...]
    truth_is_needed: bool = True

    @property
    def truth_is_given(self) -> bool:
        """Whether the truth is known."""
        return self.truth is not None or self.truth_column is not None


@dataclass(frozen=True, slots=True)
class Showing:
    """Where the result goes, and how."""

    output: str | None
    format: ResultFormat | ChartFormat
    rows: int | None
    clobber: bool
    jobs: int | None
    quiet: bool
    report: str | None = None
    """Where the page goes, if there is to be one."""


def _run(request: EvaluationRequest, reading: Reading, showing: Showing, arguments: Sequence[str]) -> None:
    from actcli.evaluation.worst_predictions import WorstPredictions

    mistakes: list[WorstPredictions] = []

    def watch_rows(planned: Plan) -> WorstPredictions:
        mistakes.append(WorstPredictions(request.task, planned.layout, request.truth_column))
        return mistakes[0]

    def write(measured: Measured, output: Output) -> None:
        if measured.page is not None:
            write_page(measured.page, measured.result, mistakes[0], arguments)
        if showing.format is ResultFormat.TABLE:
            from actcli.reports.evaluation import draw

            draw(measured.result, output, rows=showing.rows)
        else:
            output.write(json_bytes(measured.result.as_json()))

    result = measure(request, reading, showing, write, watch_rows=None if showing.report is None else watch_rows)
    failed = [message for check in request.checks if (message := check.failure(result)) is not None]
    if failed:
        raise CheckError("; ".join(failed))


def check_report(report: str | None, output: str | None) -> None:
    """Refuse a report that is no page, or would be the same file as the result.

    Raises
    ------
    UsageError
        If it is so.
    """
    if report is None:
        return
    if not report.lower().endswith((".html", ".htm")):
        raise UsageError(f"--report: {visible(report, 200)} is no page", hint="call it FILE.html")
    if output is not None and os.path.realpath(report) == os.path.realpath(output):
        raise UsageError("--report and --output are the same file")


def write_page(page: Output, result: Evaluation, mistakes: WorstPredictions, arguments: Sequence[str]) -> None:
    """Write the page of an evaluation.

    Parameters
    ----------
    page
        Where to.
    result, mistakes
        What it shows.
    arguments
        Of the command that makes it.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from actcli.reports.html_page import page as page_of

    page.write(page_of(result, mistakes.worst, arguments).encode("utf-8", "backslashreplace"))
    page.commit()


class Measured(NamedTuple):
    """What was measured: the result, and the sink that has what it is made of."""

    result: Evaluation
    evaluator: Evaluator
    page: Output | None = None
    """Where the page goes, if there is to be one."""


def measure(
    request: EvaluationRequest,
    reading: Reading,
    showing: Showing,
    write: Callable[[Measured, Output], None],
    *,
    watch_rows: Callable[[Plan], Callable[[Batch, int, Any, Any], None]] | None = None,
) -> Evaluation:
    """Read the inputs and their truth, measure, write the result, and say what there is to say.

    Parameters
    ----------
    request
        What to measure.
    reading, showing
        The options of the input and of the output.
    write
        Writes the result.
    watch_rows
        Makes what sees the rows with their truth, see `actcli.evaluation.evaluator.Evaluator`.

    Raises
    ------
    ActcliError
        Whatever goes wrong.
    """
    from actcli.cli.progress import Watch
    from actcli.evaluation.evaluator import Evaluator, properties
    from actcli.evaluation.truth import NoTruth, TruthSpec, settle
    from actcli.formats import open_inputs
    from actcli.metrics.definitions import Settings
    from actcli.prediction.plan import plan
    from actcli.streaming.pipeline import run
    from actcli.streaming.score_store import SpooledScoreStore

    options = replace(
        reading.options("column" if request.task == "binary" else "row"),
        truth=request.truth_column if request.truth is None else None,
        recorded=reading.origin in (None, Origin.PROBABILITIES),
    )
    inputs = open_inputs(reading.files or ["-"], options)
    try:
        rules = _rules(request, reading, inputs.layout)
        count = 2 if request.task == "binary" else len(inputs.layout.classes)
        settings = Settings(
            request.task,
            count,
            top_k=rules.top_k is not None and request.task == "softmax",
            coverage=_label_column(request, inputs.layout) is not None and request.task != "multilabel",
            **request.measures,
        )
        planned = plan(request.task, inputs.layout, rules, properties=properties(settings))
        classes = planned.layout.classes
        question = TruthSpec(request.task, classes, request.separator)
        recorded = _recorded(request, inputs.layout, question)
        for check in request.checks:
            check.refuse_unknown(settings, classes)
        if request.truth_is_needed or request.truth_is_given:
            truth: Truth = settle(
                question,
                inputs.layout,
                file=request.truth,
                column=request.truth_column,
                taken=() if inputs.layout.recorded is None else ("label", "labels", "probability", "index", "reason"),
            )
        else:
            truth = NoTruth(question)
        watcher = None if watch_rows is None else watch_rows(planned)
        evaluator = Evaluator(settings, truth, recorded, SpooledScoreStore(), watcher)
        identities = [*inputs.identities, *truth.identities]
        # Where the page is the only file, --no-clobber is for the page.
        clobber = showing.clobber or (showing.report is not None and showing.output in (None, "-"))
        with (
            open_result(showing.output, inputs=identities, clobber=clobber) as output,
            _open_page(showing, identities) as page,
        ):
            watch = Watch(inputs.size, quiet=showing.quiet)
            with watch:
                chunks = inputs.chunks(evaluator.open(planned.layout))
                run(chunks, planned.decide, evaluator, jobs=showing.jobs, watch=watch)
            truth.finish(watch.rows + watch.left_out, watch.left_out)
            if not watch.rows:
                raise DataError(f"{inputs.title}: has no rows, so there is nothing to evaluate")
            result = evaluator.result(classes)
            write(Measured(result, evaluator, page), output)
            output.commit()
    finally:
        inputs.close()
    if not showing.quiet:
        for note in (*inputs.notes, *planned.notes, *truth.notes):
            say(f"actcli: note: {note}\n")
    for warning in (*watch.warnings(), *(_warnings(result) if request.truth_is_given else ())):
        say(f"actcli: warning: {warning}\n")
    return result


def _open_page(showing: Showing, inputs: Sequence[tuple[int, int]]) -> AbstractContextManager[Output | None]:
    """Return where the page goes, if there is to be one: open before the work, as every output is."""
    from actcli.streaming.output import Output

    if showing.report is None:
        return nullcontext()
    return Output(showing.report, inputs=inputs, clobber=showing.clobber)


def _policy_task(path: str) -> str:
    from actcli.prediction.policy import read_policy

    return read_policy(path).task


def _check_task(task: str, options: dict[str, bool]) -> None:
    """Refuse options that mean nothing to the task."""
    meaningless = {
        "softmax": (
            "--threshold",
            "--thresholds",
            "--threshold-op",
            "--at-least-one",
            "--positive",
            "--negative",
            "--label-separator",
        ),
        "multilabel": ("--positive", "--negative"),
        "binary": ("--at-least-one", "--top-k", "--label-separator"),
    }[task]
    for option in meaningless:
        if options[option]:
            raise UsageError(f"{option} means nothing to {task}", hint="say which task it is: --task NAME")


def _label_column(request: EvaluationRequest, layout: Layout) -> str | None:
    """Return the column of the labels that actcli decided when it wrote the input, if there is one."""
    if layout.recorded is None:
        return None
    name = "labels" if request.task == "multilabel" else "label"
    is_truth = request.truth is None and request.truth_column == name
    return name if not is_truth and any(carried.name == name for carried in layout.carried) else None


def _rules(request: EvaluationRequest, reading: Reading, layout: Layout) -> Rules:
    from actcli.prediction.plan import Rules

    names = class_name_rules(reading)
    if layout.recorded and not names:
        recorded = tuple(name.removeprefix(layout.recorded) for name in layout.classes)
        names = {"class_names": recorded, "names_file": None}
    origin = "probabilities" if reading.origin is None and layout.recorded is not None else reading.numbers
    return Rules(origin=origin, skip=reading.skip, dtype="float64", **request.rules | names)


def _recorded(request: EvaluationRequest, layout: Layout, question: TruthSpec) -> RecordedPredictions | None:
    """Return what gives the labels that the input records, if it does."""
    column = _label_column(request, layout)
    if column is None:
        if request.abstain_label is not None:
            raise UsageError("--abstain-label is for labels that actcli wrote, and the input holds none")
        return None
    if request.decisive:
        raise UsageError(
            f'{request.decisive[0]}: the input holds the labels that were decided, in the column "{column}"',
            hint="to decide anew, evaluate the scores that they are from",
        )
    from actcli.evaluation.truth import RecordedPredictions

    kind = next(carried.kind for carried in layout.carried if carried.name == column)
    return RecordedPredictions(
        question, column, kind, "abstain" if request.abstain_label is None else request.abstain_label
    )


def _warnings(result: Evaluation) -> list[str]:
    present = [name for name, found in result.per_class.items() if found["support"]]
    if result.task == "multilabel" or len(present) != 1 or result.rows == 1:
        return []
    return [f'the truth is "{visible(present[0])}" in every row, so what compares classes is undefined']


@dataclass(frozen=True, slots=True)
class _Check:
    """A bound that a metric must not pass."""

    option: str
    text: str
    name: str
    label: str | None
    bound: float

    @property
    def _under(self) -> bool:
        return self.option == "--fail-under"

    def refuse_unknown(self, settings: Settings, classes: Sequence[str]) -> None:
        """Refuse a metric, or a class, that there will not be, or a bound on the wrong side."""
        from actcli.errors import listed
        from actcli.metrics.definitions import RANKING, smaller_is_better

        if self.label is not None and self.label not in classes:
            raise UsageError(f"{self.option}: {visible(self.label)!r} is no class", hint=f"there is {listed(classes)}")
        names = settings.names() if self.label is None else settings.class_names()
        if self.name not in names:
            hint = "leave --no-ranking out" if self.name in RANKING and not settings.ranking else None
            what = f"metric of {settings.task}" if self.label is None else "metric of a class"
            raise UsageError(
                f"{self.option}: {visible(self.name)!r} is no {what}", hint=hint or f"there are {', '.join(names)}"
            )
        if smaller_is_better(self.name) is self._under:
            better, other = ("small", "--fail-over") if self._under else ("large", "--fail-under")
            raise UsageError(f"{self.option}: {self.name} is better {better}", hint=f"{other} {visible(self.text)}")

    def failure(self, result: Evaluation) -> str | None:
        """Return what to say if the bound is passed, or there is nothing to compare with it."""
        value = result.value(self.name, self.label)
        name = self.name if self.label is None else f"{self.name}[{visible(self.label)}]"
        if value is None:
            return f"{name} is undefined, and {self.option} asks for {self.bound:g}"
        if value < self.bound if self._under else value > self.bound:
            return f"{name} is {value:.6g}, {'under' if self._under else 'over'} the bound of {self.bound:g}"
        return None


def _checks(under: Sequence[str] | None, over: Sequence[str] | None) -> tuple[_Check, ...]:
    from actcli.formats.column_roles import is_number

    checks = []
    for option, texts in (("--fail-under", under), ("--fail-over", over)):
        for text in texts or ():
            name, equals, value = text.rpartition("=")
            if not equals or not name or not is_number(value) or not math.isfinite(float(value)):
                example = "accuracy=0.9" if option == "--fail-under" else "log_loss=0.5"
                raise UsageError(
                    f"{option}: {visible(text)!r} is not NAME=VALUE", hint=f"for instance {option} {example}"
                )
            of_class = _OF_CLASS.fullmatch(name)
            metric, label = (of_class[1], of_class[2]) if of_class else (name, None)
            checks.append(_Check(option, text, metric, label, float(value)))
    return tuple(checks)
