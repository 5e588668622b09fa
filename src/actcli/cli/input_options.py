"""The options that say what is read: the inputs and the truth. Each is declared once.

The values stay as they are on the command line; the methods of a group turn them into what the library takes. Nothing
heavy is imported at the top, so that ``--help`` is quick. Annotations are evaluated when the module is imported.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from actcli.cli import option_values
from actcli.cli.declaration import INPUT, TRUTH, options
from actcli.cli.option_values import named
from actcli.errors import UsageError
from actcli.formats import FORMATS
from actcli.tasks import Dtype, Join, OnBadRow, Origin, Task

if TYPE_CHECKING:
    from actcli.formats import ReadOptions
    from actcli.streaming.batch import Layout

_READ = ", ".join(format.name for format in FORMATS.values() if format.source)

From = Annotated[
    Origin | None,
    typer.Option(
        "--from",
        help="What the numbers are; never guessed. [default: logits, or what the policy says]",
        rich_help_panel=INPUT,
    ),
]


FromWithoutPolicy = Annotated[From, "What the numbers are; never guessed. [default: logits]"]


@options
class InputOptions:
    """What is read, and how."""

    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="Tables of scores, read as one table. Standard input if there is none, or -.",
            callback=named,
        ),
    ] = None
    input_format: Annotated[
        str | None,
        typer.Option(
            "--input-format",
            metavar="NAME",
            help=f"{_READ} [default: by the suffix, else by the first bytes]",
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
            help="The separator of cells: a character, or comma, tab, semicolon, pipe, space.",
            rich_help_panel=INPUT,
        ),
    ] = None
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="Whether the first row holds the column names. [default: the first two rows decide]",
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
            help="The columns that are classes: names, a:b, prefix_*, !name, separated by commas.",
            rich_help_panel=INPUT,
        ),
    ] = None
    class_names: Annotated[
        str | None,
        typer.Option(
            "--class-names",
            metavar="FILE|a,b,c",
            help="The names of the classes, or a file of them: one name a line, JSON, or a Hugging Face config.json.",
            callback=named,
            rich_help_panel=INPUT,
        ),
    ] = None
    on_bad_row: Annotated[
        OnBadRow,
        typer.Option("--on-bad-row", help="Stop at a bad row, or leave it out and count it.", rich_help_panel=INPUT),
    ] = OnBadRow.ERROR
    dtype: Annotated[
        Dtype | None,
        typer.Option(
            "--dtype", help="The precision of the computation. [default: that of the input]", rich_help_panel=INPUT
        ),
    ] = None
    renormalize: Annotated[
        bool,
        typer.Option(
            "--renormalize", help="With --from probabilities: divide each row by its sum.", rich_help_panel=INPUT
        ),
    ] = False
    memory_limit: Annotated[
        str | None,
        typer.Option(
            "--memory-limit",
            metavar="SIZE",
            help="The most memory to use: bytes, 500MiB, 2GiB, or none. [default: 1GiB, more for threads and, where "
            "rows are kept, for the input]",
            is_eager=True,
            callback=option_values.limit_memory,
            rich_help_panel=INPUT,
        ),
    ] = None

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

    def rules_of(self, layout: "Layout") -> dict[str, Any]:
        """Return the rules for an input: a table that actcli wrote says what its numbers and its classes are.

        Raises
        ------
        ActcliError
            If the class names cannot be read.
        """
        from actcli.formats.column_roles import RECORDED_LOGARITHMS

        rules = self.rules()
        if layout.recorded is not None and self.origin is None:
            logarithms = layout.recorded == RECORDED_LOGARITHMS
            rules["origin"] = Origin.LOG_PROBABILITIES if logarithms else Origin.PROBABILITIES
        if layout.recorded and "class_names" not in rules:
            rules["class_names"] = tuple(name.removeprefix(layout.recorded) for name in layout.classes)
            rules["names_file"] = None
        return rules


@options
class TruthOptions:
    """What is right."""

    truth: Annotated[
        str | None,
        typer.Option(
            "--truth",
            metavar="FILE",
            help="The true classes: names, indices, label sets or a 0/1 table; joined by id, else by position.",
            callback=named,
            rich_help_panel=TRUTH,
        ),
    ] = None
    truth_column: Annotated[
        str | None,
        typer.Option(
            "--truth-column",
            metavar="NAME",
            help="The column that holds the truth, in the truth file or in the input.",
            rich_help_panel=TRUTH,
        ),
    ] = None

    truth_key: Annotated[
        str | None,
        typer.Option(
            "--truth-key",
            metavar="NAME",
            help="The array or tensor of a file that holds the truth. [default: the only one, or truth]",
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

    def settings(self) -> dict[str, Any]:
        """Return the arguments of `actcli.evaluation.truth.settle` that these options give."""
        return {"file": self.truth, "column": self.truth_column, "key": self.truth_key}


@options
class MatchedTruthOptions(TruthOptions):
    """What is right, and which rows have a truth."""

    join: Annotated[
        Join,
        typer.Option(
            "--join",
            help="exact: rows and truths must have each other; left: further truths are ignored; inner: rows without "
            "a truth are left out too.",
            rich_help_panel=TRUTH,
        ),
    ] = Join.EXACT
    ignore_index: Annotated[
        int | None,
        typer.Option(
            "--ignore-index",
            metavar="I",
            help="Leave out the rows with this whole number as their truth; one class a row.",
            rich_help_panel=TRUTH,
        ),
    ] = None

    def settings(self) -> dict[str, Any]:
        """Return the arguments of `actcli.evaluation.truth.settle` that these options give."""
        return super().settings() | {"join": self.join}

    def refuse_without_truth(self) -> None:
        """Refuse the options that say how the truth is read, where there is none.

        Raises
        ------
        UsageError
            If there is such an option.
        """
        given = {
            "--truth-key": self.truth_key is not None,
            "--join": self.join is not Join.EXACT,
            "--ignore-index": self.ignore_index is not None,
        }
        for option in (option for option, is_given in given.items() if is_given):
            raise UsageError(f"{option} says how the truth is read, and there is none", hint="add --truth FILE")

    def spec_settings(self, task: Task, *, positive: bool) -> dict[str, Any]:
        """Return the fields of `actcli.evaluation.class_labels.TruthSpec` that these options give.

        Parameters
        ----------
        task
            What is decided of a row.
        positive
            Whether the user names the positive class.

        Raises
        ------
        UsageError
            If a row may have several labels, and ``--ignore-index`` is given.
        """
        if task is Task.MULTILABEL and self.ignore_index is not None:
            raise UsageError(
                "--ignore-index is for one class a row", hint="leave the rows out of the truth, and use --join inner"
            )
        return {"ignored": self.ignore_index, "signed": positive and task is Task.BINARY}
