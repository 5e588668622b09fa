"""`actcli binary`."""

from actcli.cli.decision_options import AbstainOptions, BinaryClassOptions, CostOptions, PolicyOptions, ThresholdOptions
from actcli.cli.input_options import InputOptions
from actcli.cli.predicting import predict
from actcli.cli.tables import TableOptions
from actcli.tasks import Task


def binary(
    input: InputOptions,
    policy: PolicyOptions,
    classes: BinaryClassOptions,
    thresholds: ThresholdOptions,
    costs: CostOptions,
    abstaining: AbstainOptions,
    output: TableOptions,
) -> None:
    """Two classes: yes or no.

    One column holds the logit of the positive class (sigmoid), or two hold the logits of the negative and the positive
    class (softmax). Both give the same answer. The label is the positive class if its probability reaches the
    threshold.

    \b
      actcli binary logit.npy --positive spam --negative ham
      actcli binary scores.csv --positive malignant --threshold 0.2
      ... | actcli binary --abstain-below 0.9
    """
    predict(Task.BINARY, input, output, policy, classes, thresholds, costs, abstaining)
