"""`actcli multilabel`."""

from actcli.cli.decision_options import LabelSetOptions, PolicyOptions, ThresholdOptions
from actcli.cli.declaration import options
from actcli.cli.input_options import InputOptions
from actcli.cli.predicting import predict
from actcli.cli.tables import TableOptions
from actcli.tasks import Task


@options
class LabelInputOptions(InputOptions):
    """What is read: the probabilities of a row have no sum that they could be divided by."""

    renormalize: bool = False


def multilabel(
    input: LabelInputOptions,
    policy: PolicyOptions,
    thresholds: ThresholdOptions,
    sets: LabelSetOptions,
    output: TableOptions,
) -> None:
    """Multi-label: any number of classes is right, including none.

    The probability of a class is the sigmoid of its score, independent of the other classes. The labels of a row are
    the classes whose probability reaches the threshold.

    \b
      actcli multilabel logits.npy --threshold 0.3
      actcli multilabel logits.csv --threshold cat=0.7 -o tags.jsonl
      ... | actcli multilabel --at-least-one
    """
    predict(Task.MULTILABEL, input, output, policy, thresholds, sets)
