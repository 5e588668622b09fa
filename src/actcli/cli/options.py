"""The options that commands share: each is declared once, as an alias that a command's signature uses.

Values stay what they are on the command line here; `actcli.cli.running` turns them into what the library takes.
Nothing heavy is imported: `--help` must be quick.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from actcli.errors import UsageError
from actcli.formats import FORMATS
from actcli.streaming import memory
from actcli.tasks import (
    Binning,
    ChartFormat,
    ConformalScore,
    Dtype,
    Function,
    Method,
    Metric,
    OnBadRow,
    Origin,
    ResultFormat,
    Scope,
    Task,
    ThresholdOperator,
)

_READ = ", ".join(format.name for format in FORMATS.values() if format.source)
_WRITTEN = ", ".join(format.name for format in FORMATS.values() if format.sink)

INPUT = "Input"
TRUTH = "Truth"
FIT = "Fit"
DECISION = "Decision"
MEASURE = "Measures"
OUTPUT = "Output"


def _named(parameter: typer.CallbackParam, value: Any) -> Any:
    """Refuse a file without a name, which is what a shell makes of a variable that it does not know."""
    if value is not None and "" in ([value] if isinstance(value, str) else value):
        option = parameter.opts[-1] if parameter.param_type_name == "option" else "FILE"
        raise UsageError(f"{option}: is empty, and no name of a file", hint="is a variable of the shell not set?")
    return value


Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILE]...", help="Tables of scores, read as one; - or none is standard input.", callback=_named
    ),
]

# Input

InputFormat = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        metavar="NAME",
        help=f"{_READ}; else the suffix, else the first bytes decide.",
        rich_help_panel=INPUT,
    ),
]
From = Annotated[
    Origin | None,
    typer.Option("--from", help="What the numbers are; never guessed. [default: logits]", rich_help_panel=INPUT),
]
FromOrPolicy = Annotated[
    Origin | None,
    typer.Option(
        "--from",
        help="What the numbers are; never guessed. [default: logits, or what the policy says]",
        rich_help_panel=INPUT,
    ),
]
FromOrRecorded = Annotated[
    Origin | None,
    typer.Option(
        "--from",
        help="What the numbers are; never guessed. [default: logits, or what a policy or actcli's own output says]",
        rich_help_panel=INPUT,
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "-d",
        "--delimiter",
        metavar="CHAR",
        help="Between cells: a character, or comma, tab, semicolon, pipe, space.",
        rich_help_panel=INPUT,
    ),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the first row names the columns; else the first two rows decide.",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="NAME",
        help="The array of an npz that holds the scores. [default: the only one, or logits]",
        rich_help_panel=INPUT,
    ),
]
Id = Annotated[
    list[str] | None,
    typer.Option("--id", metavar="NAME", help="A column to carry along; repeatable.", rich_help_panel=INPUT),
]
Classes = Annotated[
    str | None,
    typer.Option(
        "--classes",
        metavar="SELECT",
        help="Which columns are classes: names, a:b, prefix_*, !name, with commas.",
        rich_help_panel=INPUT,
    ),
]
ClassNames = Annotated[
    str | None,
    typer.Option(
        "--class-names",
        metavar="FILE|a,b,c",
        help="What the classes are called: one name a line, JSON, a Hugging Face config.json, or the names.",
        callback=_named,
        rich_help_panel=INPUT,
    ),
]
OnBadRowOption = Annotated[
    OnBadRow,
    typer.Option(
        "--on-bad-row", help="Whether a wrong row is an error, or is left out and counted.", rich_help_panel=INPUT
    ),
]
DtypeOption = Annotated[
    Dtype | None,
    typer.Option("--dtype", help="Compute in this precision; else the input decides.", rich_help_panel=INPUT),
]
Renormalize = Annotated[
    bool,
    typer.Option("--renormalize", help="With --from probabilities: divide each row by its sum.", rich_help_panel=INPUT),
]


def _limit_memory(value: str | None) -> None:
    if value is not None:
        memory.set_limit(memory.parse_size(value))


MemoryLimit = Annotated[
    str | None,
    typer.Option(
        "--memory-limit",
        metavar="SIZE",
        help="Fail when more memory than this is needed: bytes, 500MiB, 2GiB, or none. [default: 1GiB, more for the "
        "threads and, where rows are kept, for the size of the input]",
        is_eager=True,
        callback=_limit_memory,
        show_default=False,
        rich_help_panel=INPUT,
    ),
]

# Truth

Truth = Annotated[
    str | None,
    typer.Option(
        "--truth",
        metavar="FILE",
        help="What is right: class names, indices, label sets or a 0/1 table; joined by id, else by position.",
        callback=_named,
        rich_help_panel=TRUTH,
    ),
]
TruthColumn = Annotated[
    str | None,
    typer.Option(
        "--truth-column",
        metavar="NAME",
        help="The column that holds the truth: of the input, or of the file of truths.",
        rich_help_panel=TRUTH,
    ),
]

# Decision

PolicyFile = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="What calibrate, tune and conformal have written: how scores become decisions.",
        callback=_named,
        rich_help_panel=DECISION,
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option("--temperature", metavar="T", help="Divide the logits by T > 0.", rich_help_panel=DECISION),
]
TopK = Annotated[
    int | None,
    typer.Option("-k", "--top-k", metavar="K", min=1, help="List the K best classes.", rich_help_panel=DECISION),
]
AtMostK = Annotated[
    int | None,
    typer.Option(
        "-k",
        "--top-k",
        metavar="K",
        min=1,
        help="Keep at most the K best of the classes that reach the threshold.",
        rich_help_panel=DECISION,
    ),
]
Threshold = Annotated[
    list[str] | None,
    typer.Option(
        "--threshold",
        metavar="P|NAME=P",
        help="The smallest probability that counts as yes, for all or for one class; repeatable. [default: 0.5]",
        rich_help_panel=DECISION,
    ),
]
Thresholds = Annotated[
    str | None,
    typer.Option(
        "--thresholds",
        metavar="FILE",
        help="A threshold for each class: JSON, or CSV name,threshold.",
        callback=_named,
        rich_help_panel=DECISION,
    ),
]
ThresholdOp = Annotated[
    ThresholdOperator,
    typer.Option("--threshold-op", help="Whether reached means >= or >.", rich_help_panel=DECISION),
]
AtLeastOne = Annotated[
    bool,
    typer.Option(
        "--at-least-one",
        help="Give a row in which nothing reaches the threshold its best class.",
        rich_help_panel=DECISION,
    ),
]
AbstainBelow = Annotated[
    float | None,
    typer.Option(
        "--abstain-below", metavar="P", help="Withhold a label whose probability is below P.", rich_help_panel=DECISION
    ),
]
AbstainMargin = Annotated[
    float | None,
    typer.Option(
        "--abstain-margin",
        metavar="D",
        help="Withhold a label when the two largest probabilities are closer than D.",
        rich_help_panel=DECISION,
    ),
]
AbstainLabel = Annotated[
    str | None,
    typer.Option(
        "--abstain-label",
        metavar="TEXT",
        help="What stands in place of a withheld label. [default: abstain]",
        rich_help_panel=DECISION,
    ),
]
Positive = Annotated[
    str | None,
    typer.Option(
        "--positive",
        metavar="NAME",
        help="The positive class: which of two columns, or the name for one.",
        rich_help_panel=DECISION,
    ),
]
Negative = Annotated[
    str | None,
    typer.Option(
        "--negative", metavar="NAME", help="The name of the class that has no column.", rich_help_panel=DECISION
    ),
]

# Fit

TaskOption = Annotated[
    Task | None,
    typer.Option(
        "--task",
        help="What is decided of a row; else what the policy says, else binary for one class, softmax for several "
        "(tune: multilabel).",
        rich_help_panel=FIT,
    ),
]
PolicyToWrite = Annotated[
    str,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="Write the result into this JSON file; what else it holds stays.",
        callback=_named,
        rich_help_panel=FIT,
    ),
]
Holdout = Annotated[
    str | None,
    typer.Option(
        "--holdout",
        metavar="SHARE",
        help="Keep this share of the rows out of the fit, and report on them too.",
        rich_help_panel=FIT,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", min=0, help="Which rows --holdout draws. [default: 0]", rich_help_panel=FIT),
]
MethodOption = Annotated[
    Method,
    typer.Option(
        "--method",
        help="One temperature for all classes; a scale and a bias, a sigmoid, or a rising step function for each.",
        rich_help_panel=FIT,
    ),
]
MetricOption = Annotated[
    Metric | None,
    typer.Option("--metric", help="Make this as large as possible. [default: f1]", rich_help_panel=FIT),
]
Beta = Annotated[
    float | None,
    typer.Option(
        "--beta",
        metavar="B",
        help="With fbeta: how many times as much recall counts as precision. [default: 2]",
        rich_help_panel=FIT,
    ),
]
AtPrecision = Annotated[
    float | None,
    typer.Option(
        "--at-precision", metavar="P", help="The largest recall at a precision of at least P.", rich_help_panel=FIT
    ),
]
AtRecall = Annotated[
    float | None,
    typer.Option(
        "--at-recall", metavar="R", help="The largest precision at a recall of at least R.", rich_help_panel=FIT
    ),
]
AtFpr = Annotated[
    float | None,
    typer.Option(
        "--at-fpr",
        metavar="F",
        help="The largest recall at a false positive rate of at most F.",
        rich_help_panel=FIT,
    ),
]
ScopeOption = Annotated[
    Scope,
    typer.Option(
        "--scope", help="A threshold for each class, or one for all, judged by all cells together.", rich_help_panel=FIT
    ),
]
Alpha = Annotated[
    str,
    typer.Option(
        "--alpha",
        metavar="A",
        help="The share of rows whose set may miss the true class; of a row's labels for multilabel.",
        rich_help_panel=FIT,
    ),
]
Score = Annotated[
    ConformalScore | None,
    typer.Option(
        "--score",
        help="lac: small sets; aps: sets whose size says how hard a row is; raps: the same, smaller. [default: lac]",
        rich_help_panel=FIT,
    ),
]
RapsLambda = Annotated[
    float | None,
    typer.Option(
        "--raps-lambda",
        metavar="L",
        min=0,
        help="What each rank after the first K adds to a score. [default: 0.01]",
        rich_help_panel=FIT,
    ),
]
RapsK = Annotated[
    int | None,
    typer.Option("--raps-k", metavar="K", min=0, help="How many ranks add nothing. [default: 5]", rich_help_panel=FIT),
]

Of = Annotated[Function, typer.Option("--of", help="What to take the derivative of.", rich_help_panel=DECISION)]
Row = Annotated[
    int | None,
    typer.Option("--row", metavar="I", min=0, help="Only this row, counted from 0.", rich_help_panel=DECISION),
]

# Measures

MeasuredTask = Annotated[
    Task | None,
    typer.Option(
        "--task",
        help="What is decided of a row. [default: softmax, or what the policy says]",
        rich_help_panel=DECISION,
    ),
]
Bins = Annotated[
    int,
    typer.Option("--bins", metavar="N", min=1, max=10_000, help="Of the calibration error.", rich_help_panel=MEASURE),
]
BinningOption = Annotated[
    Binning,
    typer.Option("--binning", help="Whether bins are equally wide or equally full.", rich_help_panel=MEASURE),
]
Bootstrap = Annotated[
    int,
    typer.Option(
        "--bootstrap",
        metavar="N",
        min=0,
        max=100_000,
        help="Give every number a 95 % interval, out of N replicates.",
        show_default=False,
        rich_help_panel=MEASURE,
    ),
]
BootstrapSeed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="S",
        min=0,
        max=2**64 - 1,
        help="Of the random numbers of --bootstrap. [default: 0]",
        rich_help_panel=MEASURE,
    ),
]
NoRanking = Annotated[
    bool,
    typer.Option(
        "--no-ranking",
        help="Leave out ROC AUC and average precision, for which 8 bytes a cell are kept.",
        rich_help_panel=MEASURE,
    ),
]
FailUnder = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-under",
        metavar="NAME=VALUE",
        help="Exit with code 3 if the metric is smaller, or undefined; f1[cat]=0.8 for one class; repeatable.",
        rich_help_panel=MEASURE,
    ),
]
FailOver = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-over",
        metavar="NAME=VALUE",
        help="The same if it is larger: for losses and calibration errors.",
        rich_help_panel=MEASURE,
    ),
]

# Output

DrawnClass = Annotated[
    list[str] | None,
    typer.Option("--class", metavar="NAME", help="Draw the curve of this class; repeatable.", rich_help_panel=OUTPUT),
]
ChartFile = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write FILE.png, .svg, .pdf or .json.",
        callback=_named,
        rich_help_panel=OUTPUT,
    ),
]
ChartFormatOption = Annotated[
    ChartFormat | None,
    typer.Option(
        "-f",
        "--format",
        help="A drawing in text (table), the numbers, or a figure. [default: table on a terminal, else json]",
        rich_help_panel=OUTPUT,
    ),
]
ReportFile = Annotated[
    str | None,
    typer.Option(
        "--report",
        metavar="FILE.html",
        help="Also write a page with charts, tables and the worst mistakes, complete in one file.",
        callback=_named,
        rich_help_panel=OUTPUT,
    ),
]
ResultFile = Annotated[
    str | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help="Write the result to FILE.json.", callback=_named, rich_help_panel=OUTPUT
    ),
]
ResultFormatOption = Annotated[
    ResultFormat | None,
    typer.Option(
        "-f",
        "--format",
        help="How the result is written. [default: table on a terminal, else json]",
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
        callback=_named,
        rich_help_panel=OUTPUT,
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "-f",
        "--format",
        metavar="NAME",
        help=f"table, {_WRITTEN}. [default: table on a terminal, else csv]",
        rich_help_panel=OUTPUT,
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="LIST",
        help="What to write, in this order, with commas between; a wrong name lists them.",
        rich_help_panel=OUTPUT,
    ),
]
Precision = Annotated[
    int | None,
    typer.Option(
        "--precision",
        metavar="N",
        min=1,
        max=17,
        help="Round what is written to N significant digits.",
        rich_help_panel=OUTPUT,
    ),
]
Rows = Annotated[
    str | None,
    typer.Option(
        "--rows", metavar="N|all", help="How many rows the table shows. [default: 20]", rich_help_panel=OUTPUT
    ),
]
NoOutputHeader = Annotated[
    bool, typer.Option("--no-output-header", help="Leave out the line of column names.", rich_help_panel=OUTPUT)
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
