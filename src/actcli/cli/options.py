"""The options that several commands share, in groups; each option is declared once.

The values stay as they are on the command line; the methods of a group turn them into what the library takes. Nothing
heavy is imported at the top, so that ``--help`` is quick. Annotations are evaluated when the module is imported.
"""

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from actcli.cli import option_values
from actcli.cli.declaration import options
from actcli.errors import UsageError, visible
from actcli.formats import FORMATS
from actcli.tasks import Dtype, OnBadRow, Origin, ResultFormat, Task, ThresholdOperator

if TYPE_CHECKING:
    from actcli.formats import ReadOptions

_READ = ", ".join(format.name for format in FORMATS.values() if format.source)
_WRITTEN = ", ".join(format.name for format in FORMATS.values() if format.sink)

INPUT = "Input"
TRUTH = "Truth"
FIT = "Fit"
DECISION = "Decision"
MEASURE = "Measures"
OUTPUT = "Output"


def named(parameter: typer.CallbackParam, value: Any) -> Any:
    """Refuse a file without a name, which is what a shell makes of a variable that it does not know."""
    if value is not None and "" in ([value] if isinstance(value, str) else value):
        option = parameter.opts[-1] if parameter.param_type_name == "option" else "FILE"
        raise UsageError(f"{option}: is empty, and no name of a file", hint="is a variable of the shell not set?")
    return value


class DecisionOptions(Protocol):
    """A group of options that say how scores become decisions."""

    def rules(self) -> dict[str, Any]:
        """Return the fields of `actcli.prediction.plan.Rules` that the options give.

        Raises
        ------
        ActcliError
            If an option has a bad value, or a file that it names cannot be read.
        """


# Input

From = Annotated[
    Origin | None,
    typer.Option("--from", help="What the numbers are; never guessed. [default: logits]", rich_help_panel=INPUT),
]


@options
class InputOptions:
    """What is read, and how."""

    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...", help="Tables of scores, read as one; - or none is standard input.", callback=named
        ),
    ] = None
    input_format: Annotated[
        str | None,
        typer.Option(
            "--input-format",
            metavar="NAME",
            help=f"{_READ}; else the suffix, else the first bytes decide.",
            rich_help_panel=INPUT,
        ),
    ] = None
    origin: From = None
    delimiter: Annotated[
        str | None,
        typer.Option(
            "-d",
            "--delimiter",
            metavar="CHAR",
            help="Between cells: a character, or comma, tab, semicolon, pipe, space.",
            rich_help_panel=INPUT,
        ),
    ] = None
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="Whether the first row names the columns; else the first two rows decide.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ] = None
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="NAME",
            help="The array of an npz that holds the scores. [default: the only one, or logits]",
            rich_help_panel=INPUT,
        ),
    ] = None
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="NAME", help="A column to carry along; repeatable.", rich_help_panel=INPUT),
    ] = None
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes",
            metavar="SELECT",
            help="Which columns are classes: names, a:b, prefix_*, !name, with commas.",
            rich_help_panel=INPUT,
        ),
    ] = None
    class_names: Annotated[
        str | None,
        typer.Option(
            "--class-names",
            metavar="FILE|a,b,c",
            help="What the classes are called: one name a line, JSON, a Hugging Face config.json, or the names.",
            callback=named,
            rich_help_panel=INPUT,
        ),
    ] = None
    on_bad_row: Annotated[
        OnBadRow,
        typer.Option(
            "--on-bad-row", help="Whether a wrong row is an error, or is left out and counted.", rich_help_panel=INPUT
        ),
    ] = OnBadRow.ERROR
    dtype: Annotated[
        Dtype | None,
        typer.Option("--dtype", help="Compute in this precision; else the input decides.", rich_help_panel=INPUT),
    ] = None
    renormalize: Annotated[
        bool,
        typer.Option(
            "--renormalize", help="With --from probabilities: divide each row by its sum.", rich_help_panel=INPUT
        ),
    ] = False

    @property
    def paths(self) -> list[str]:
        """The inputs as they are named; "-" is standard input."""
        return self.files or ["-"]

    @property
    def numbers(self) -> Origin:
        """What the numbers are."""
        return self.origin or Origin.LOGITS

    @property
    def skip(self) -> bool:
        """Whether bad rows are left out."""
        return self.on_bad_row is OnBadRow.SKIP

    def read_options(self, one_dimensional: str) -> "ReadOptions":
        """Return the options of the formats.

        Parameters
        ----------
        one_dimensional
            What an array of one dimension is: a "row" or a "column".

        Raises
        ------
        UsageError
            If there is no such format or delimiter.
        """
        from actcli.formats import ReadOptions, named

        if self.input_format is not None:
            named(self.input_format)
        return ReadOptions(
            format=self.input_format,
            delimiter=None if self.delimiter is None else option_values.delimiter(self.delimiter),
            header=self.header,
            key=self.key,
            classes=self.classes,
            ids=tuple(self.ids or ()),
            origin=self.numbers,
            skip=self.skip,
            one_dimensional=one_dimensional,
        )

    def class_name_rules(self) -> dict[str, Any]:
        """Return the rules that ``--class-names`` gives.

        Raises
        ------
        ActcliError
            If the names cannot be read.
        """
        from actcli.prediction.option_files import read_class_names

        if self.class_names is None:
            return {}
        names, names_file = read_class_names(self.class_names)
        return {"class_names": names, "names_file": names_file}

    def rules(self) -> dict[str, Any]:
        """Return the rules that these options give.

        Raises
        ------
        ActcliError
            If the class names cannot be read.
        """
        return {
            "origin": self.numbers,
            "skip": self.skip,
            "dtype": self.dtype,
            "renormalize": self.renormalize,
        } | self.class_name_rules()


@options
class PolicyInputOptions(InputOptions):
    """What is read, where a policy may say what the numbers are."""

    origin: Annotated[From, "What the numbers are; never guessed. [default: logits, or what the policy says]"] = None


# Truth


@options
class TruthOptions:
    """What is right."""

    truth: Annotated[
        str | None,
        typer.Option(
            "--truth",
            metavar="FILE",
            help="What is right: class names, indices, label sets or a 0/1 table; joined by id, else by position.",
            callback=named,
            rich_help_panel=TRUTH,
        ),
    ] = None
    truth_column: Annotated[
        str | None,
        typer.Option(
            "--truth-column",
            metavar="NAME",
            help="The column that holds the truth: of the input, or of the file of truths.",
            rich_help_panel=TRUTH,
        ),
    ] = None

    @property
    def given(self) -> bool:
        """Whether the truth is known."""
        return self.truth is not None or self.truth_column is not None

    @property
    def input_column(self) -> str | None:
        """The column of the input that holds the truth, if it does."""
        return self.truth_column if self.truth is None else None


# Decision


@options
class PolicyOptions:
    """How scores are calibrated, and decided on where a policy says it."""

    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="FILE",
            help="What calibrate, tune and conformal have written: how scores become decisions.",
            callback=named,
            rich_help_panel=DECISION,
        ),
    ] = None
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
class TemperatureOptions(PolicyOptions):
    """How scores are calibrated, without a policy."""

    policy: None = None


@options
class BinaryClassOptions:
    """What the two classes of a binary task are."""

    positive: Annotated[
        str | None,
        typer.Option(
            "--positive",
            metavar="NAME",
            help="The positive class: which of two columns, or the name for one.",
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
            help="The smallest probability that counts as yes, for all or for one class; repeatable. [default: 0.5]",
            rich_help_panel=DECISION,
        ),
    ] = None
    thresholds: Annotated[
        str | None,
        typer.Option(
            "--thresholds",
            metavar="FILE",
            help="A threshold for each class: JSON, or CSV name,threshold.",
            callback=named,
            rich_help_panel=DECISION,
        ),
    ] = None
    threshold_op: Annotated[
        ThresholdOperator,
        typer.Option("--threshold-op", help="Whether reached means >= or >.", rich_help_panel=DECISION),
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
        from actcli.prediction.option_files import read_thresholds, share

        if self.threshold is None and self.thresholds is None:
            return {"strict": self.strict}
        default: float | None = None
        of_class: dict[str, float] = {}
        for text in self.threshold or ():
            name, equals, value = text.rpartition("=")
            if not equals:
                if default is not None:
                    raise UsageError("--threshold: there are two for all classes")
                default = share(text, "--threshold")
            elif name in of_class:
                raise UsageError(f"--threshold: there are two for {visible(name)!r}")
            else:
                of_class[name] = share(value, f"--threshold {visible(name)}")
        from_file = {} if self.thresholds is None else read_thresholds(self.thresholds)
        return {
            "strict": self.strict,
            "threshold": 0.5 if default is None else default,
            "thresholds": from_file | of_class,
        }


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
            help="Give a row in which nothing reaches the threshold its best class.",
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
        help="What stands in place of a withheld label. [default: abstain]",
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
            If a value is out of range, or there is a label for what cannot happen.
        """
        if self.abstain_label is not None and self.abstain_below is None and self.abstain_margin is None:
            raise UsageError("--abstain-label says what to write, but not when", hint="add --abstain-below P")
        rules: dict[str, Any] = {
            "abstain_below": option_values.share(self.abstain_below, "--abstain-below"),
            "abstain_margin": option_values.share(self.abstain_margin, "--abstain-margin"),
        }
        return rules if self.abstain_label is None else rules | {"abstain_label": self.abstain_label}


TaskOption = Annotated[
    Task | None,
    typer.Option(
        "--task",
        help="What is decided of a row. [default: softmax, or what the policy says]",
        rich_help_panel=DECISION,
    ),
]

# Output

Rows = Annotated[
    str | None,
    typer.Option(
        "--rows", metavar="N|all", help="How many rows the table shows. [default: 20]", rich_help_panel=OUTPUT
    ),
]
LabelSeparator = Annotated[
    str | None,
    typer.Option(
        "--label-separator",
        metavar="TEXT",
        help="Between the labels of a set in text. [default: |]",
        rich_help_panel=OUTPUT,
    ),
]
OutputFile = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write a file; its suffix is its format.",
        callback=named,
        rich_help_panel=OUTPUT,
    ),
]
NoClobber = Annotated[
    bool, typer.Option("--no-clobber", help="Refuse to replace a file that exists.", rich_help_panel=OUTPUT)
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        min=1,
        max=1024,
        help="Work on so many chunks at once. [default: as many as there are processors]",
        rich_help_panel=OUTPUT,
    ),
]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help="No notes and no progress on standard error.", rich_help_panel=OUTPUT)
]


@options
class TableOptions:
    """Where a table of rows is written, and how."""

    output: OutputFile = None
    format: Annotated[
        str | None,
        typer.Option(
            "-f",
            "--format",
            metavar="NAME",
            help=f"table, {_WRITTEN}. [default: table on a terminal, else csv]",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="LIST",
            help="What to write, in this order, with commas between; a wrong name lists them.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    precision: Annotated[
        int | None,
        typer.Option(
            "--precision",
            metavar="N",
            min=1,
            max=17,
            help="Round what is written to N significant digits.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    rows: Rows = None
    no_output_header: Annotated[
        bool, typer.Option("--no-output-header", help="Leave out the line of column names.", rich_help_panel=OUTPUT)
    ] = False
    label_separator: LabelSeparator = None
    no_clobber: NoClobber = False
    jobs: Jobs = None
    quiet: Quiet = False


@options
class FixedTableOptions(TableOptions):
    """Where a table is written whose columns the command settles."""

    columns: None = None
    label_separator: None = None


@options
class ResultFileOptions:
    """Where a result that is no table of rows is written; a subclass declares the formats."""

    output: OutputFile = None
    format: StrEnum | None = None
    rows: str | None = None
    no_clobber: NoClobber = False
    jobs: Jobs = None
    quiet: Quiet = False


@options
class ResultOptions(ResultFileOptions):
    """Where a result that is no table of rows is written, as a table for people or as JSON."""

    output: Annotated[OutputFile, "Write the result to FILE.json."] = None
    format: Annotated[
        ResultFormat | None,
        typer.Option(
            "-f",
            "--format",
            help="How the result is written. [default: table on a terminal, else json]",
            rich_help_panel=OUTPUT,
        ),
    ] = None
