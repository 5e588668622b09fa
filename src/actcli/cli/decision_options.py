"""The options that say how scores become decisions. Each is declared once."""

import math
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from actcli.cli.declaration import DECISION, options
from actcli.cli.option_values import named, share
from actcli.cli.score_options import AllowOptions, PriorOptions
from actcli.errors import UsageError, visible
from actcli.tasks import Task, ThresholdOperator

if TYPE_CHECKING:
    from actcli.prediction.taxonomy import Taxonomy


class DecisionOptions(Protocol):
    """A group of options that say how scores become decisions."""

    def rules(self) -> dict[str, Any]:
        """Return the fields of `actcli.prediction.rules.Rules` that the options give.

        Raises
        ------
        ActcliError
            If an option has a bad value, or a file that it names cannot be read.
        """


@options
class TemperatureOptions:
    """How scores are calibrated by hand."""

    temperature: Annotated[
        float | None,
        typer.Option("--temperature", metavar="T", help="Divide the logits by T > 0.", rich_help_panel=DECISION),
    ] = None

    def rules(self) -> dict[str, Any]:
        """Return the rule that ``--temperature`` gives.

        Raises
        ------
        UsageError
            If it is not a positive finite number.
        """
        if self.temperature is None:
            return {}
        if not 0 < self.temperature < math.inf:
            raise UsageError(f"--temperature: {self.temperature} is not a positive finite number")
        from actcli.calibration.methods import Temperature

        return {"calibration": Temperature(self.temperature)}


@options
class PolicyOptions(TemperatureOptions):
    """How scores are calibrated and adapted, and decided on where a policy says it."""

    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="FILE",
            help="A policy file, which calibrate, tune and conformal write: how scores become decisions.",
            callback=named,
            rich_help_panel=DECISION,
        ),
    ] = None
    allowed: AllowOptions
    shares: PriorOptions

    def rules(self) -> dict[str, Any]:
        """Return the rules that the options beside ``--policy`` give.

        Raises
        ------
        ActcliError
            If an option has a bad value, or a file that it names cannot be read.
        """
        rules = {"allow": self.allowed.choice(), "prior": self.shares.choice(recorded=self.policy is not None)}
        return super().rules() | {name: value for name, value in rules.items() if value is not None}


@options
class BinaryClassOptions:
    """What the two classes of a binary task are."""

    positive: Annotated[
        str | None,
        typer.Option(
            "--positive",
            metavar="NAME",
            help="The positive class: one of two columns, or the name of the only column.",
            rich_help_panel=DECISION,
        ),
    ] = None
    negative: Annotated[
        str | None,
        typer.Option(
            "--negative", metavar="NAME", help="The name of the class that has no column.", rich_help_panel=DECISION
        ),
    ] = None

    def rules(self) -> dict[str, Any]:
        """Return the rules that these options give."""
        return {"positive": self.positive, "negative": self.negative}


@options
class ThresholdOptions:
    """From which probability on a class is a label."""

    threshold: Annotated[
        list[str] | None,
        typer.Option(
            "--threshold",
            metavar="P|NAME=P",
            help="The smallest probability that counts as yes, for all classes or for one; repeatable. [default: 0.5]",
            rich_help_panel=DECISION,
        ),
    ] = None
    thresholds: Annotated[
        str | None,
        typer.Option(
            "--thresholds",
            metavar="FILE",
            help="A file with a threshold for each class: JSON, or CSV with name,threshold.",
            callback=named,
            rich_help_panel=DECISION,
        ),
    ] = None
    threshold_op: Annotated[
        ThresholdOperator,
        typer.Option(
            "--threshold-op",
            help="A probability reaches a threshold if it is >= (ge) or > (gt).",
            rich_help_panel=DECISION,
        ),
    ] = ThresholdOperator.GE

    @property
    def strict(self) -> bool:
        """Whether a threshold is reached only above it."""
        return self.threshold_op is ThresholdOperator.GT

    def rules(self) -> dict[str, Any]:
        """Return the rules that these options give; the command line wins over the file.

        Raises
        ------
        UsageError
            If a value is not a number from 0 to 1, or there are two for the same class.
        DataError
            If the file cannot be read.
        """
        from actcli.prediction.option_files import read_thresholds
        from actcli.prediction.option_files import share as threshold_share

        if self.threshold is None and self.thresholds is None:
            return {"strict": self.strict}
        default: float | None = None
        of_class: dict[str, float] = {}
        for text in self.threshold or ():
            name, equals, value = text.rpartition("=")
            if not equals:
                if default is not None:
                    raise UsageError("--threshold: there are two for all classes")
                default = threshold_share(text, "--threshold")
            elif name in of_class:
                raise UsageError(f"--threshold: there are two for {visible(name)!r}")
            else:
                of_class[name] = threshold_share(value, f"--threshold {visible(name)}")
        from_file = {} if self.thresholds is None else read_thresholds(self.thresholds)
        return {
            "strict": self.strict,
            "threshold": 0.5 if default is None else default,
            "thresholds": from_file | of_class,
            "thresholds_file": self.thresholds,
        }


@options
class CostOptions:
    """What each decision costs."""

    costs: Annotated[
        str | None,
        typer.Option(
            "--costs",
            metavar="FILE",
            help="What each decision costs for each true class, CSV or JSON: decide for the smallest expected cost.",
            callback=named,
            rich_help_panel=DECISION,
        ),
    ] = None

    def rules(self) -> dict[str, Any]:
        """Return the rule that ``--costs`` gives.

        Raises
        ------
        DataError
            If the file cannot be read, or is wrong.
        """
        if self.costs is None:
            return {}
        from actcli.prediction.costs import read_costs

        return {"costs": read_costs(self.costs)}


@options
class TaxonomyOptions:
    """Which node of a taxonomy the label is."""

    taxonomy: Annotated[
        str | None,
        typer.Option(
            "--taxonomy",
            metavar="FILE",
            help="A tree whose leaves are the classes, CSV with name,parent: improbable labels go up to a parent.",
            callback=named,
            rich_help_panel=DECISION,
        ),
    ] = None
    rollup_at: Annotated[
        float | None,
        typer.Option(
            "--rollup-at",
            metavar="P",
            help="The label is the lowest node of --taxonomy whose probability is at least P.",
            rich_help_panel=DECISION,
        ),
    ] = None

    def rules(self) -> dict[str, Any]:
        """Return the rule that ``--taxonomy`` gives.

        Raises
        ------
        UsageError
            If one of the options is there without the other, or a value is out of range.
        DataError
            If the file cannot be read, or is wrong.
        """
        found = self.changed(None)
        return {} if found is None else {"taxonomy": found}

    def changed(self, held: "Taxonomy | None") -> "Taxonomy | None":
        """Return the taxonomy that these options give, None if they give none; what they do not say is as in `held`.

        Raises
        ------
        UsageError, DataError
            As for `rules`.
        """
        at = share(self.rollup_at, "--rollup-at")
        if at is None and self.taxonomy is None:
            return None
        if self.taxonomy is None:
            if held is None or at is None:
                raise UsageError("--rollup-at says when a label goes up, but not where to", hint="add --taxonomy FILE")
            return held._replace(at=at)
        if at is None:
            if held is None:
                raise UsageError("--taxonomy does not say when a label goes up", hint="add --rollup-at P")
            at = held.at
        from actcli.prediction.taxonomy import read_taxonomy

        return read_taxonomy(self.taxonomy, at)


TopK = Annotated[
    int | None,
    typer.Option("-k", "--top-k", metavar="K", min=1, help="List the K best classes.", rich_help_panel=DECISION),
]


@options
class LabelSetOptions:
    """Which labels a set of them holds."""

    top_k: Annotated[TopK, "Keep at most the K best of the classes that reach the threshold."] = None
    at_least_one: Annotated[
        bool,
        typer.Option(
            "--at-least-one",
            help="If no class reaches its threshold, choose the one with the highest score.",
            rich_help_panel=DECISION,
        ),
    ] = False

    def rules(self) -> dict[str, Any]:
        """Return the rules that these options give."""
        return {"top_k": self.top_k, "at_least_one": self.at_least_one}


AbstainLabel = Annotated[
    str | None,
    typer.Option(
        "--abstain-label",
        metavar="TEXT",
        help="The text in place of a withheld label. [default: abstain]",
        rich_help_panel=DECISION,
    ),
]


@options
class AbstainOptions:
    """When a label is withheld."""

    abstain_below: Annotated[
        float | None,
        typer.Option(
            "--abstain-below",
            metavar="P",
            help="Withhold a label whose probability is below P.",
            rich_help_panel=DECISION,
        ),
    ] = None
    abstain_margin: Annotated[
        float | None,
        typer.Option(
            "--abstain-margin",
            metavar="D",
            help="Withhold a label when the two largest probabilities are closer than D.",
            rich_help_panel=DECISION,
        ),
    ] = None
    abstain_label: AbstainLabel = None

    def rules(self) -> dict[str, Any]:
        """Return the rules that these options give.

        Raises
        ------
        UsageError
            If a value is out of range.
        """
        rules: dict[str, Any] = {
            "abstain_below": share(self.abstain_below, "--abstain-below"),
            "abstain_margin": share(self.abstain_margin, "--abstain-margin"),
        }
        return rules if self.abstain_label is None else rules | {"abstain_label": self.abstain_label}


TaskOption = Annotated[
    Task | None,
    typer.Option(
        "--task",
        help="What to decide for a row. [default: softmax, or what the policy says]",
        rich_help_panel=DECISION,
    ),
]
