"""The options that `evaluate` and `plot` share: what is evaluated, against which truth, and how."""

from typing import Annotated, Any

import typer

from actcli.cli.decision_options import (
    AbstainLabel,
    BinaryClassOptions,
    LabelSetOptions,
    PolicyOptions,
    TaskOption,
    ThresholdOptions,
    TopK,
)
from actcli.cli.declaration import INPUT, MEASURE, options
from actcli.cli.input_options import From, InputOptions, MatchedTruthOptions
from actcli.cli.output_options import LabelSeparator
from actcli.tasks import Binning, Dtype


@options
class ScoreInputOptions(InputOptions):
    """What is read: scores, or a table that actcli wrote; metrics are computed in float64."""

    origin: Annotated[
        From, "What the numbers are; never guessed. [default: logits, or what a policy or actcli's own output says]"
    ] = None
    dtype: Dtype | None = Dtype.FLOAT64
    prediction_column: Annotated[
        str | None,
        typer.Option(
            "--prediction-column",
            metavar="NAME",
            help="The column of predicted labels, of an input without scores; for 0/1 columns a SELECT as for "
            "--classes. [default: label, labels and others that actcli writes]",
            rich_help_panel=INPUT,
        ),
    ] = None


@options
class EvaluatedLabelSetOptions(LabelSetOptions):
    """Which classes count as predicted."""

    top_k: Annotated[TopK, "softmax: how often the truth is among the K best; multilabel: at most K labels."] = None


@options
class RecordedLabelOptions:
    """How the labels are written in a table that actcli wrote."""

    abstain_label: Annotated[
        AbstainLabel, "The text of a withheld label in a table that actcli wrote. [default: abstain]"
    ] = None
    label_separator: LabelSeparator = None


@options
class BinOptions:
    """The bins of the calibration error."""

    bins: Annotated[
        int,
        typer.Option(
            "--bins",
            metavar="N",
            min=1,
            max=10_000,
            help="The number of bins of the calibration error.",
            rich_help_panel=MEASURE,
        ),
    ] = 15
    binning: Annotated[
        Binning,
        typer.Option(
            "--binning", help="Bins of equal width, or with equally many values each.", rich_help_panel=MEASURE
        ),
    ] = Binning.EQUAL_WIDTH

    def settings(self) -> dict[str, Any]:
        """Return the fields of `actcli.metrics.settings.MetricSettings` that these options give."""
        return {"bins": self.bins, "equal_mass": self.binning is Binning.EQUAL_MASS}


@options
class EvaluationOptions:
    """What is evaluated, against which truth, and how."""

    truth: MatchedTruthOptions
    input: ScoreInputOptions
    task: TaskOption = None
    policy: PolicyOptions
    thresholds: ThresholdOptions
    sets: EvaluatedLabelSetOptions
    classes: BinaryClassOptions
    recorded: RecordedLabelOptions
    binning: BinOptions
