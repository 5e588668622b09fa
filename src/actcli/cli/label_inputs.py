"""What `evaluate` and `plot confusion` settle of an input that holds labels and no scores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from actcli.cli.evaluation_requests import PreparedEvaluation, truth_of
from actcli.errors import UsageError, visible
from actcli.tasks import Binning, Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actcli.cli.evaluation_requests import EvaluationRequest
    from actcli.evaluation.class_labels import TruthSpec
    from actcli.evaluation.predicted_labels import PredictedLabels, PredictionColumns
    from actcli.evaluation.truth import Truth
    from actcli.formats import Inputs
    from actcli.prediction.rules import Rules
    from actcli.streaming.batch import Batch, Chunk

__all__ = ["prepare_labels"]


def prepare_labels(request: EvaluationRequest, inputs: Inputs, rules: Rules) -> PreparedEvaluation:
    """Settle everything before the first row.

    Where nothing gives the names of the classes, they are the labels that occur; the rows are then kept in memory.

    Parameters
    ----------
    request
        What to evaluate.
    inputs
        An input of labels.
    rules
        The names of the classes.

    Raises
    ------
    ActcliError
        If an option does not fit the input, or the labels cannot be read.
    """
    from actcli.evaluation.predicted_labels import check_top_k, prediction_columns
    from actcli.metrics.definitions import names_of_probabilities
    from actcli.metrics.settings import MetricSettings

    _refuse_score_options(request)
    task, options = request.task, request.options
    taken = (*(options.input.ids or ()), *([options.truth.input_column] if options.truth.input_column else []))
    sets = task is Task.MULTILABEL
    columns = prediction_columns(inputs.layout, options.input.prediction_column, taken, sets=sets)
    top_k = options.sets.top_k if task is Task.SOFTMAX else None
    check_top_k(columns, top_k, task)
    classes, columns = _classes(task, columns, rules)
    abstain = options.recorded.abstain_label
    chunks = inputs.chunks
    notes: tuple[str, ...] = (f"the input holds labels only: {', '.join(names_of_probabilities(task))} are left out",)
    if classes is None:
        classes, note, batches, truth = _inferred(request, inputs, columns, rules)
        chunks = _Kept(batches)
        notes += (note,)
        spec = request.truth_spec(classes)
        truth = truth.with_classes(spec)
    else:
        spec = request.truth_spec(classes)
        truth = truth_of(request, spec, inputs.layout, columns.names)
    labels = _labels(spec, columns, inputs, abstain, skip=options.input.skip)
    settings = MetricSettings(
        task,
        len(classes),
        top_k=top_k is not None,
        coverage=not sets,
        **request.settings | {"ranking": False, "probabilities": False},
    )
    layout = replace(inputs.layout, classes=classes)
    return PreparedEvaluation(
        layout, settings, replace(labels, top_k=top_k).decide, chunks, truth, (spec, labels.spec), notes
    )


def _refuse_score_options(request: EvaluationRequest) -> None:
    """Refuse the options that mean nothing without scores."""
    if request.probabilities_for is not None:
        raise UsageError(f"{request.probabilities_for} needs probabilities, and the input holds labels only")
    input, binning = request.options.input, request.options.binning
    given = {
        "--classes": input.classes is not None,
        "--from": input.origin is not None,
        "--renormalize": input.renormalize,
        "--bins": binning.bins != type(binning).bins,
        "--binning": binning.binning is not Binning.EQUAL_WIDTH,
    } | dict.fromkeys(request.decisive, True)
    for option, is_given in given.items():
        if is_given:
            raise UsageError(f"{option}: means nothing to labels without scores", hint="evaluate the scores")


def _classes(task: Task, columns: PredictionColumns, rules: Rules) -> tuple[tuple[str, ...] | None, PredictionColumns]:
    """Return the names of the classes, if they are known, and the columns in their order."""
    from actcli.evaluation.predicted_labels import Form
    from actcli.prediction.class_columns import Arrangement, class_columns

    names = columns.names if columns.form is Form.ARRAY and task is Task.MULTILABEL else columns.classes
    if task is Task.BINARY and (names is None or len(names) == 1):
        if rules.class_names is None and rules.negative is None and rules.positive is not None:
            return None, columns  # The negative class is the other label that occurs.
        return class_columns(task, ("",), rules)[0], columns
    if names is None:
        return rules.class_names, columns
    classes, arrangement = class_columns(task, names, rules)
    if arrangement is Arrangement.REVERSED:
        columns = replace(columns, names=columns.names[::-1])
    return classes, columns


def _labels(
    spec: TruthSpec, columns: PredictionColumns, inputs: Inputs, abstain: str | None, *, skip: bool
) -> PredictedLabels:
    """Return the predictions; where they are indices, the classes are called by these."""
    from actcli.evaluation.predicted_labels import Form, PredictedLabels

    withheld: str | None = "abstain" if abstain is None else abstain
    classes = spec.classes
    if columns.form in (Form.INDICES, Form.ARRAY):
        withheld = None if spec.signed else "-1"
        classes = tuple(map(str, range(len(classes))))
    return PredictedLabels(replace(spec, classes=classes, ignored=None), columns, inputs.layout, withheld, skip)


def _inferred(
    request: EvaluationRequest, inputs: Inputs, columns: PredictionColumns, rules: Rules
) -> tuple[tuple[str, ...], str, list[Batch], Truth]:
    """Return the names of the classes, where they are from, all rows, and the truth with provisional codes."""
    from actcli.evaluation.inferred_classes import OpenCodebook, OpenSpec, ordered_names, other_label
    from actcli.prediction.class_columns import class_columns
    from actcli.streaming import memory

    memory.expect(gathering=True)
    memory.count_input(inputs.size or 0)
    given = request.truth_spec(())
    true, predicted = (OpenSpec(given.task, (), given.separator, ignored=given.ignored) for _ in range(2))
    abstain = request.options.recorded.abstain_label
    labels = _labels(predicted, columns, inputs, abstain, skip=request.options.input.skip)
    truth = truth_of(request, true, inputs.layout, columns.names)
    batches = []
    rows = 0
    for chunk in inputs.chunks(0):
        if chunk is None:
            continue
        batch = chunk.decode()
        if not labels.skip:
            batch = batch.until_fault()
        if len(batch):
            labels.decide(batch)
            truth.scan(batch, rows)
        rows += len(batch) + batch.left_out
        batches.append(batch)
        if batch.fault is not None:
            raise batch.fault
    book = labels.spec.book
    assert isinstance(book, OpenCodebook)
    values = (*book.values, *true.book.values)
    if request.task is Task.BINARY:
        pair = class_columns(Task.BINARY, ("",), replace(rules, negative=other_label(rules.positive, values)))[0]
        return pair, f'the negative class is "{visible(pair[0])}"; --negative names another', batches, truth
    if true.book.table is not None:
        return true.book.table, f"the classes are the {len(true.book.table):,} columns of the truth", batches, truth
    names = ordered_names(book.values, true.book.values, inputs.title)
    note = f"the classes are the {len(names):,} labels that occur; --class-names names all there are"
    return names, note, batches, truth


class _Kept:
    """Rows that have been read, as the chunks of an input."""

    def __init__(self, batches: list[Batch]) -> None:
        self._batches = batches

    def __call__(self, output_bytes: int) -> Iterator[Chunk | None]:  # noqa: ARG002  they are cut already
        from actcli.streaming.batch import DecodedChunk

        return map(DecodedChunk, self._batches)
