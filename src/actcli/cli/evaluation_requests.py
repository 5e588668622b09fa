"""What is asked of an evaluation, and what is settled of it before the first row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from actcli.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from actcli.cli.evaluation_options import EvaluationOptions
    from actcli.cli.metric_bounds import MetricBound
    from actcli.evaluation.recorded_predictions import RecordedPredictions
    from actcli.evaluation.truth import Truth, TruthSpec
    from actcli.metrics.settings import MetricSettings
    from actcli.streaming.batch import Chunk, Layout, Stage

__all__ = ["EvaluationRequest", "PreparedEvaluation", "truth_of"]


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to evaluate, checked as far as it can be before the input is open.

    Parameters
    ----------
    task
        The task.
    options
        The options; those of the input are completed by the policy.
    decisive
        The options that decide what a label is.
    rules
        Fields of `actcli.prediction.rules.Rules`, besides those of the input.
    settings
        Fields of `actcli.metrics.settings.MetricSettings`.
    bounds
        What metrics must not pass.
    truth_is_needed
        Whether nothing can be measured without a truth.
    probabilities_for
        What cannot be without probabilities, for a message; None if labels are enough.
    """

    task: Task
    options: EvaluationOptions
    decisive: tuple[str, ...]
    rules: dict[str, Any]
    settings: dict[str, Any]
    bounds: tuple[MetricBound, ...] = ()
    truth_is_needed: bool = True
    probabilities_for: str | None = None

    @property
    def separator(self) -> str:
        """The separator of the labels of a set in a text."""
        given = self.options.recorded.label_separator
        return "|" if given is None else given

    def truth_spec(self, classes: tuple[str, ...]) -> TruthSpec:
        """Return which labels the truth may hold."""
        from actcli.evaluation.truth import TruthSpec

        options = self.options
        positive = options.classes.positive is not None or options.policy.policy is not None
        more = options.truth.spec_settings(self.task, positive=positive)
        return TruthSpec(self.task, classes, self.separator, **more)

    def label_column(self, layout: Layout) -> str | None:
        """Return the column of the labels that actcli decided when it wrote the input, if there is one."""
        if layout.recorded is None:
            return None
        name = "labels" if self.task is Task.MULTILABEL else "label"
        is_truth = self.options.truth.input_column == name
        return name if not is_truth and any(carried.name == name for carried in layout.carried) else None


class PreparedEvaluation(NamedTuple):
    """What is settled of an evaluation before the first row.

    Parameters
    ----------
    layout
        Of the decided table.
    settings
        What is measured.
    decide
        Decides a batch; plain data.
    chunks
        Cuts the input.
    truth
        The true labels.
    specs
        Which labels the truth and the predictions may hold.
    notes
        What a user should know.
    recorded
        The decisions that the input holds beside its probabilities.
    """

    layout: Layout
    settings: MetricSettings
    decide: Stage
    chunks: Callable[[int], Iterator[Chunk | None]]
    truth: Truth
    specs: tuple[TruthSpec, ...]
    notes: Sequence[str]
    recorded: RecordedPredictions | None = None

    def has_split(self) -> bool:
        """Return whether the separator of label sets was looked for in a text."""
        return any(spec.book.has_split for spec in self.specs)


def truth_of(request: EvaluationRequest, spec: TruthSpec, layout: Layout, taken: Sequence[str] = ()) -> Truth:
    """Return the truth; it is not joined on the columns `taken`, which hold predictions.

    Raises
    ------
    ActcliError
        If it cannot be read, or an option does not fit.
    """
    from actcli.evaluation.recorded_predictions import DECIDED_COLUMNS
    from actcli.evaluation.truth import NoTruth, settle

    options = request.options.truth
    if not (request.truth_is_needed or options.given):
        options.refuse_without_truth()
        return NoTruth(spec)
    if layout.recorded is not None:
        taken = DECIDED_COLUMNS
    return settle(spec, layout, taken=taken, **options.settings())
