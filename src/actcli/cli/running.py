"""What the commands that write tables share, above all `softmax`, `multilabel` and `binary`: options to a run."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import typer

from actcli.errors import UsageError, say, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from actcli.formats import Inputs, ReadOptions
    from actcli.prediction.plan import Plan, Rules
    from actcli.prediction.policy import Policy
    from actcli.streaming.batch import Chunk, Sink
    from actcli.streaming.output import Output, Packer
    from actcli.tasks import Dtype, OnBadRow, Origin

__all__ = [
    "TABLE",
    "Reading",
    "Writing",
    "abstaining_rules",
    "check_input",
    "check_writing",
    "checked_share",
    "class_name_rules",
    "output_format",
    "predict",
    "shown_rows",
    "sink_of",
    "temperature_rule",
    "threshold_rules",
    "with_policy",
    "with_policy_names",
    "write",
]

_DELIMITERS = {"comma": ",", "tab": "\t", "\\t": "\t", "semicolon": ";", "pipe": "|", "space": " "}
TABLE = "table"


@dataclass(frozen=True, slots=True)
class Reading:
    """The input options, as they were given."""

    files: Sequence[str] | None
    input_format: str | None
    origin: Origin | None
    delimiter: str | None
    header: bool | None
    key: str | None
    ids: Sequence[str] | None
    classes: str | None
    class_names: str | None
    on_bad_row: OnBadRow
    dtype: Dtype | None

    @property
    def numbers(self) -> str:
        """What the numbers are."""
        return "logits" if self.origin is None else self.origin.value

    @property
    def skip(self) -> bool:
        """Whether wrong rows are left out."""
        return self.on_bad_row.value == "skip"

    def options(self, one_dimensional: str) -> ReadOptions:
        """Return what the formats take."""
        from actcli.formats import ReadOptions, named

        if self.input_format is not None:
            named(self.input_format)
        return ReadOptions(
            format=self.input_format,
            delimiter=None if self.delimiter is None else _delimiter(self.delimiter),
            header=self.header,
            key=self.key,
            classes=self.classes,
            ids=tuple(self.ids or ()),
            origin=self.numbers,
            skip=self.skip,
            one_dimensional=one_dimensional,
        )


@dataclass(frozen=True, slots=True)
class Writing:
    """The output options, as they were given."""

    output: str | None
    format: str | None
    columns: str | None
    precision: int | None
    rows: str | None
    no_output_header: bool
    no_clobber: bool
    jobs: int | None
    quiet: bool
    label_separator: str | None = None


def predict(task: str, reading: Reading, writing: Writing, *, policy: str | None, **rules: Any) -> None:
    """Read the inputs, decide, and write what comes of it.

    Parameters
    ----------
    task
        "softmax", "multilabel" or "binary".
    reading, writing
        The options.
    policy
        A file that says how scores become decisions.
    **rules
        Those fields of `actcli.prediction.plan.Rules` that the other options give.

    Raises
    ------
    ActcliError
        Whatever goes wrong.
    """
    check_input(task, reading.files)
    if policy is not None:
        reading, rules = with_policy(policy, task, reading, rules)
    options = reading.options("column" if task == "binary" else "row")
    format = output_format(writing)
    check_writing(writing, format)
    prepared = _rules(task, reading, writing, format, rules)

    from actcli.formats import open_inputs
    from actcli.prediction import plan as predicting

    inputs = open_inputs(reading.files or ["-"], options)
    try:
        plan = predicting.plan(task, inputs.layout, prepared, inputs.names)
        _run(task, inputs, plan, prepared, writing, format)
    finally:
        inputs.close()


def check_input(command: str, files: Sequence[str] | None, more: str = "", *, truth: str | None = None) -> None:
    """Show short help and exit where there is no input, only a person who does not know that one is waited for.

    Parameters
    ----------
    command
        Which is called.
    files
        Its inputs.
    more
        What else an example of it needs.
    truth
        The file given to ``--truth``.

    Raises
    ------
    UsageError
        If both the input and the truth are standard input.
    """
    from actcli.streaming.terminal import standard_input_is_terminal

    if not files and standard_input_is_terminal():
        more = f" {more}" if more else ""
        say(
            f"Usage: actcli {command} [OPTIONS] [FILE]...\n\n"
            f"There is no file, and standard input is a terminal. For instance:\n"
            f"  actcli {command} logits.npy{more}\n  ... | actcli {command}{more}\n\n"
            f"actcli {command} --help says more.\n"
        )
        raise typer.Exit(2)
    if truth == "-" and "-" in (files or ["-"]):
        raise UsageError("standard input can be read only once, and holds the scores already")


def _run(task: str, inputs: Inputs, plan: Plan, rules: Rules, writing: Writing, format: str) -> None:
    from actcli.streaming.batch import Kind

    if writing.label_separator is not None and not any(column.kind is Kind.SET for column in plan.columns):
        raise UsageError("--label-separator stands between the labels of a set, and no set is written")
    chosen = rules.columns is not None or (rules.top_k is not None and task == "softmax")
    write(inputs, plan, writing, format, lambda output: sink_of(output, plan, writing, format, task, chosen=chosen))


def write(
    inputs: Inputs,
    plan: Plan,
    writing: Writing,
    format: str,
    sink_to: Callable[[Output], Sink],
    *,
    chunks: Callable[[int], Iterable[Chunk | None]] | None = None,
    check: Callable[[int, int], None] | None = None,
) -> None:
    """Take the inputs through the plan into an output, and say what there is to say.

    Parameters
    ----------
    inputs
        Open.
    plan
        What becomes of them.
    writing, format
        Where to, and in which format.
    sink_to
        Makes the sink.
    chunks
        Instead of those of the inputs.
    check
        Called when all rows are through, with how many they are and how many of them were left out.

    Raises
    ------
    ActcliError
        Whatever goes wrong.
    """
    from actcli.cli.progress import Watch
    from actcli.streaming.output import Output
    from actcli.streaming.pipeline import run

    with Output(
        writing.output,
        inputs=inputs.identities,
        clobber=not writing.no_clobber,
        packer=_packer(writing, format),
    ) as output:
        sink = sink_to(output)
        watch = Watch(inputs.size, quiet=writing.quiet or (output.is_terminal and format != TABLE))
        with watch:
            run((chunks or inputs.chunks)(sink.open(plan.layout)), plan.decide, sink, jobs=writing.jobs, watch=watch)
        if check is not None:
            check(watch.rows + watch.left_out, watch.left_out)
        sink.finish()
        output.commit()
    if not writing.quiet:
        for note in (*inputs.notes, *plan.notes):
            say(f"actcli: note: {note}\n")
    for warning in watch.warnings():
        say(f"actcli: warning: {warning}\n")


def sink_of(
    output: Output, plan: Plan, writing: Writing, format: str, task: str, *, chosen: bool, rows: int = 20
) -> Sink:
    """Return the sink for this format.

    Parameters
    ----------
    output
        Where to.
    plan, writing, format
        What is written, and how.
    task, chosen, rows
        What a table shows, see `actcli.reports.table.TableSink`; `rows` where ``--rows`` is not given.
    """
    if format == TABLE:
        from actcli.reports.table import TableSink

        return TableSink(
            output,
            plan.columns,
            task=task,
            chosen=chosen,
            rows=shown_rows(writing.rows, rows),
            precision=writing.precision,
        )
    from actcli.formats import WriteOptions, named, open_sink

    separator = writing.label_separator
    return open_sink(
        named(format, writing=True),
        output,
        plan.columns,
        WriteOptions(header=not writing.no_output_header, label_separator="|" if separator is None else separator),
    )


def _rules(task: str, reading: Reading, writing: Writing, format: str, given: dict[str, Any]) -> Rules:
    from actcli.formats.column_roles import split_list
    from actcli.prediction.plan import Rules

    return Rules(
        origin=reading.numbers,
        skip=reading.skip,
        dtype=None if reading.dtype is None else reading.dtype.value,
        columns=_default_columns(task, format, ranked=given.get("top_k") is not None)
        if writing.columns is None
        else tuple(split_list(writing.columns, "--columns")),
        # The table rounds what it shows by itself, and adds up what is not rounded.
        precision=None if format == TABLE else writing.precision,
        **given | class_name_rules(reading),
    )


def with_policy(path: str, task: str, reading: Reading, rules: dict[str, Any]) -> tuple[Reading, dict[str, Any]]:
    """Return the options together with what the policy in a file holds.

    Parameters
    ----------
    path
        Of the policy.
    task
        "softmax", "multilabel" or "binary".
    reading, rules
        What the other options give.

    Raises
    ------
    DataError
        If the file is no policy.
    UsageError
        If it is for another task, or an option is given for what it holds.
    """
    from actcli.calibration.conformal import Conformal
    from actcli.prediction.policy import read_policy

    policy, name = read_policy(path), visible(path, 200)
    if policy.task != task:
        raise UsageError(f"{name}: is a policy for {policy.task}, not for {task}", hint=f"use actcli {policy.task}")
    if "calibration" in rules and any((policy.calibration, policy.thresholds, policy.conformal)):
        what = "a calibration" if policy.calibration else "what was fitted without it"
        raise UsageError(f"--temperature: {name} holds {what}", hint="leave --temperature or --policy out")
    if "thresholds" in rules and policy.thresholds:
        raise UsageError(f"--threshold: {name} holds the thresholds", hint="leave --threshold or --policy out")
    reading, rules = with_policy_names(policy, path, reading, rules)
    for part, value in (("calibration", policy.calibration), ("thresholds", policy.thresholds)):
        rules |= {} if value is None else {part: value}
    if isinstance(policy.conformal, Conformal):
        rules["conformal"] = policy.conformal
    return reading, rules


def with_policy_names(
    policy: Policy, path: str, reading: Reading, rules: dict[str, Any]
) -> tuple[Reading, dict[str, Any]]:
    """Return the options together with what a policy says about the input: what it holds, and the names of its classes.

    Raises
    ------
    UsageError
        If an option says something else.
    """
    from actcli.tasks import Origin

    name = visible(path, 200)
    known: dict[str, tuple[str | None, str | None]] = {
        "--from": (None if reading.origin is None else reading.origin.value, policy.origin)
    }
    if policy.task == "binary":
        negative = next(label for label in policy.classes if label != policy.positive)
        known |= {"--positive": (rules["positive"], policy.positive), "--negative": (rules["negative"], negative)}
        rules = rules | {"positive": policy.positive}
    for option, (asked, held) in known.items():
        if asked not in (None, held):
            raise UsageError(f"{option}: {visible(asked or '')!r} is not what {name} says: {visible(held or '')!r}")
    if reading.class_names is None:
        rules = rules | {"class_names": policy.classes, "names_file": path}
    elif class_name_rules(reading)["class_names"] != policy.classes:
        raise UsageError(f"--class-names: these are not the classes of {name}", hint="leave --class-names out")
    return replace(reading, origin=Origin(policy.origin)), rules | {"policy": path}


def class_name_rules(reading: Reading) -> dict[str, Any]:
    """Return the rules that ``--class-names`` gives.

    Raises
    ------
    ActcliError
        If the names cannot be read.
    """
    from actcli.prediction.option_files import read_class_names

    if reading.class_names is None:
        return {}
    names, names_file = read_class_names(reading.class_names)
    return {"class_names": names, "names_file": names_file}


def _packer(writing: Writing, format: str) -> Packer | None:
    """Return what compresses the output, if the suffix of its file asks for it."""
    from actcli.formats import named
    from actcli.streaming.compression import packer, split_suffix

    compression = None if writing.output is None else split_suffix(writing.output)[1]
    if compression is None:
        return None
    if format != TABLE and named(format, writing=True).binary:
        raise UsageError(f"{visible(writing.output or '', 200)}: {format} is not compressed; leave .{compression} out")
    return packer(compression)


def _default_columns(task: str, format: str, *, ranked: bool) -> tuple[str, ...] | None:
    """Return what a format writes when nothing else is asked for; None is what the command writes."""
    from actcli.formats import named

    columns = None if format == TABLE else named(format, writing=True).columns
    return ("top_k",) if columns is not None and ranked and task == "softmax" else columns


def output_format(writing: Writing) -> str:
    """Return the name of the output's format: as asked, else by the suffix of the file, else by who is reading.

    Raises
    ------
    UsageError
        If there is no such format.
    """
    from actcli.formats import FORMATS, named, of_path
    from actcli.streaming.compression import split_suffix
    from actcli.streaming.output import is_device
    from actcli.streaming.terminal import is_terminal

    known = ", ".join([TABLE, *(format.name for format in FORMATS.values() if format.sink)])
    if writing.format is not None:
        if writing.format != TABLE and writing.format not in FORMATS:
            raise UsageError(f"--format: {visible(writing.format)!r} is no format", hint=f"there are {known}")
        return writing.format if writing.format == TABLE else named(writing.format, writing=True).name
    if writing.output is not None and not is_device(writing.output):
        found = of_path(split_suffix(writing.output)[0])
        if found is None or FORMATS[found].sink is None:
            raise UsageError(
                f"{visible(writing.output, 200)}: its suffix does not say its format",
                hint=f"say it with --format; there are {known}",
            )
        return found
    to_terminal = writing.output in (None, "-") and is_terminal(sys.stdout)
    return TABLE if to_terminal else "csv"


def check_writing(writing: Writing, format: str) -> None:
    """Refuse what does not apply to the format.

    Raises
    ------
    UsageError
        If there is such an option.
    """
    from actcli.formats import named
    from actcli.formats.column_roles import check_utf8

    if writing.rows is not None and format != TABLE:
        raise UsageError(f"--rows is for the table, and the output is {format}", hint="add --format table")
    takes = frozenset[str]() if format == TABLE else named(format, writing=True).writes
    for option, field, given in (
        ("--no-output-header", "header", writing.no_output_header),
        ("--label-separator", "label_separator", writing.label_separator is not None),
    ):
        if given and field not in takes:
            raise UsageError(f"{option} does not apply to {format}")
    if writing.label_separator is not None:
        if not writing.label_separator:
            raise UsageError("--label-separator: is empty")
        check_utf8(writing.label_separator)
    if writing.no_clobber and writing.output in (None, "-"):
        raise UsageError("--no-clobber is for a file", hint="add -o FILE")
    shown_rows(writing.rows)


def shown_rows(given: str | None, default: int = 20) -> int | None:
    """Return how many rows the table shows; None is all.

    Raises
    ------
    UsageError
        If it is neither a number nor "all".
    """
    if given is None:
        return default
    if given == "all":
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise UsageError(f"--rows: {visible(given)!r} is neither a number nor all")
    return int(given)


def _delimiter(given: str) -> str:
    delimiter = _DELIMITERS.get(given, given)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter.isalnum() or delimiter in '"\r\n\0.+-':
        raise UsageError(
            f"--delimiter: {visible(given)!r} cannot stand between cells",
            hint="a character such as ; or one of comma, tab, semicolon, pipe, space",
        )
    return delimiter


def checked_share(value: float | None, option: str) -> float | None:
    """Return a number from 0 to 1 that was given to `option`.

    Raises
    ------
    UsageError
        If it is not one.
    """
    if value is not None and not 0 <= value <= 1:
        raise UsageError(f"{option}: {value} is not a number from 0 to 1")
    return value


def temperature_rule(value: float | None) -> dict[str, Any]:
    """Return the rule that ``--temperature`` gives.

    Raises
    ------
    UsageError
        If it is not a positive finite number.
    """
    if value is None:
        return {}
    if not 0 < value < math.inf:
        raise UsageError(f"--temperature: {value} is not a positive finite number")
    from actcli.calibration.methods import Temperature

    return {"calibration": Temperature(value)}


def abstaining_rules(below: float | None, margin: float | None, label: str | None) -> dict[str, Any]:
    """Return the rules for withholding a label.

    Raises
    ------
    UsageError
        If a value is out of range, or there is a label for what cannot happen.
    """
    if label is not None and below is None and margin is None:
        raise UsageError("--abstain-label says what to write, but not when", hint="add --abstain-below P")
    rules: dict[str, Any] = {
        "abstain_below": checked_share(below, "--abstain-below"),
        "abstain_margin": checked_share(margin, "--abstain-margin"),
    }
    return rules if label is None else rules | {"abstain_label": label}


def threshold_rules(given: Sequence[str] | None, path: str | None) -> dict[str, Any]:
    """Return the rules that ``--threshold`` and ``--thresholds`` give; the command line wins over the file.

    Raises
    ------
    UsageError
        If a value is not a number from 0 to 1, or there are two for the same class.
    DataError
        If the file cannot be read.
    """
    from actcli.prediction.option_files import read_thresholds, share

    if given is None and path is None:
        return {}
    default: float | None = None
    named: dict[str, float] = {}
    for text in given or ():
        name, equals, value = text.rpartition("=")
        if not equals:
            if default is not None:
                raise UsageError("--threshold: there are two for all classes")
            default = share(text, "--threshold")
        elif name in named:
            raise UsageError(f"--threshold: there are two for {visible(name)!r}")
        else:
            named[name] = share(value, f"--threshold {visible(name)}")
    from_file = {} if path is None else read_thresholds(path)
    return {"threshold": 0.5 if default is None else default, "thresholds": from_file | named}
