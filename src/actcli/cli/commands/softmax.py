"""`actcli softmax`."""

from typing import Annotated, Any

import typer

from actcli.cli.decision_options import AbstainOptions, CostOptions, PolicyOptions, TaxonomyOptions, TopK
from actcli.cli.declaration import options
from actcli.cli.input_options import InputOptions
from actcli.cli.predicting import predict
from actcli.cli.tables import TableOptions
from actcli.errors import UsageError
from actcli.tasks import Task


def _refuse_threshold(value: str | None) -> None:
    if value is not None:
        raise UsageError(
            "softmax has no threshold: the largest score wins", hint="to withhold weak labels: --abstain-below P"
        )


@options
class RankingOptions:
    """How many classes are listed. A threshold is refused with a hint."""

    top_k: TopK = None
    threshold: Annotated[
        str | None, typer.Option("--threshold", "--thresholds", hidden=True, callback=_refuse_threshold)
    ] = None

    def rules(self) -> dict[str, Any]:
        """Return the rule that ``--top-k`` gives."""
        return {"top_k": self.top_k}


def softmax(
    input: InputOptions,
    policy: PolicyOptions,
    costs: CostOptions,
    taxonomy: TaxonomyOptions,
    ranking: RankingOptions,
    abstaining: AbstainOptions,
    output: TableOptions,
) -> None:
    """Exclusive classes: exactly one is right.

    The probabilities of a row are the softmax of its scores and sum to 1; the label is the class with the largest.

    \b
      actcli softmax logits.npy
      actcli softmax logits.csv --top-k 3 -o best.csv
      ... | actcli softmax --columns label --no-output-header | sort | uniq -c
    """
    predict(Task.SOFTMAX, input, output, policy, costs, taxonomy, ranking, abstaining)
