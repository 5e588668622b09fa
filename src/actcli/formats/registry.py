"""The registry of formats: their names, suffixes, first bytes, modules and options.

To add a format, write its module and add its entry to `FORMATS`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from actcli.errors import UsageError, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actcli.streaming.batch import Column, Sink, Source
    from actcli.streaming.output import Output

__all__ = ["FORMATS", "Format", "ReadOptions", "WriteOptions", "named", "of_path", "open_sink", "source_class"]


class Format(NamedTuple):
    """A format, and where its code is.

    Parameters
    ----------
    name
        Its name in ``--input-format`` and ``--format``.
    module
        The module of its source and sink.
    source, sink
        The names of the classes in the module; None if the format is only written, or only read.
    takes
        The fields of `ReadOptions` that apply to this source but not to all sources.
    writes
        The fields of `WriteOptions` that apply to its sink.
    binary
        Whether it is binary, so that it is not written to a terminal.
    magics
        The possible first bytes of a file.
    suffixes
        The suffixes of its files, besides its name.
    columns
        The columns that are written by default; None means the default of the command.
    pattern
        What the first bytes of a file match, where `magics` cannot say it; a dot is any byte.
    """

    name: str
    module: str
    source: str | None = None
    sink: str | None = None
    takes: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    binary: bool = False
    magics: tuple[bytes, ...] = ()
    suffixes: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    pattern: bytes | None = None


_NAMED = frozenset({"ids", "truth"})
_CELLS_IN = frozenset({"delimiter", "header"}) | _NAMED
_CELLS_OUT = frozenset({"header", "label_separator"})

FORMATS = {
    format.name: format
    for format in (
        Format("csv", "actcli.formats.delimited", "CsvSource", "CsvSink", _CELLS_IN, _CELLS_OUT),
        Format("tsv", "actcli.formats.delimited", "TsvSource", "TsvSink", _CELLS_IN, _CELLS_OUT),
        Format("json", "actcli.formats.json", "JsonSource", "JsonSink", _NAMED),
        Format("jsonl", "actcli.formats.json", "JsonlSource", "JsonlSink", _NAMED),
        Format(
            "npy",
            "actcli.formats.npy",
            "NpySource",
            "NpySink",
            binary=True,
            magics=(b"\x93NUMPY",),
            columns=("probabilities",),
        ),
        Format(
            "npz",
            "actcli.formats.npz",
            "NpzSource",
            "NpzSink",
            frozenset({"key"}),
            frozenset({"label_separator"}),
            binary=True,
            magics=(b"PK\x03\x04", b"PK\x05\x06"),
        ),
        Format(
            "safetensors",
            "actcli.formats.safetensors",
            "SafetensorsSource",
            None,
            frozenset({"key"}),
            binary=True,
            pattern=rb".{5}\0{3}\{",
        ),
        Format(
            "parquet",
            "actcli.formats.parquet",
            "ParquetSource",
            "ParquetSink",
            _NAMED,
            binary=True,
            magics=(b"PAR1",),
            suffixes=("pq",),
        ),
        Format(
            "arrow",
            "actcli.formats.arrow",
            "ArrowSource",
            "ArrowSink",
            _NAMED,
            binary=True,
            magics=(b"ARROW1", b"\xff\xff\xff\xff"),
            suffixes=("arrows", "feather", "ipc"),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read the inputs; None or empty means that an option is not given.

    Parameters
    ----------
    format
        The name of the format of every input.
    delimiter
        One character.
    header
        Whether the first row names the columns.
    key
        The name of the array that holds the scores.
    classes
        Which columns are classes, see `actcli.formats.column_roles.select`.
    ids
        Names of columns to carry along.
    origin
        What the numbers are, as ``--from`` says.
    skip
        Whether bad rows are left out. Then the first good row settles the layout.
    one_dimensional
        Whether an array of one dimension is one "row" of C scores or one "column" of N scores.
    truth
        The name of the carried column that holds the truth.
    recorded
        Whether to recognise tables of probabilities that actcli wrote.
    plain
        Whether the input has no scores, as a file of truths. Then all columns are carried along, a header is the first
        row, and a blank line is an error.
    decisions
        Whether a table that actcli wrote may hold decisions without probabilities; then there are no scores.
    predictions
        Which columns hold predicted labels, see `actcli.formats.column_roles.select`. Then there are no scores, and
        all columns are carried along.
    describing
        Whether to read a table whatever its columns are: those that cannot be classes are carried along.
    """

    format: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    key: str | None = None
    classes: str | None = None
    ids: tuple[str, ...] = ()
    origin: str = "logits"
    skip: bool = False
    one_dimensional: str = "row"
    truth: str | None = None
    recorded: bool = False
    plain: bool = False
    describing: bool = False
    decisions: bool = False
    predictions: str | None = None


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How to write the output.

    Parameters
    ----------
    header
        Whether CSV and TSV begin with the names of the columns.
    label_separator
        The text between the labels of a set.
    """

    header: bool = True
    label_separator: str = "|"


def named(name: str, *, writing: bool = False) -> Format:
    """Return the format called `name`.

    Raises
    ------
    UsageError
        If there is none that can be read, or written.
    """
    usable = [format.name for format in FORMATS.values() if (format.sink if writing else format.source)]
    if name not in usable:
        raise UsageError(
            f"{visible(name)!r} is no format that actcli {'writes' if writing else 'reads'}",
            hint=f"it {'writes' if writing else 'reads'} {', '.join(usable)}",
        )
    return FORMATS[name]


def of_path(path: str) -> str | None:
    """Return the name of the format that has the suffix of `path`, or None."""
    suffix = os.path.splitext(path)[1][1:].lower()
    return next((name for name, format in FORMATS.items() if suffix in (name, *format.suffixes)), None)


def source_class(format: Format) -> Callable[..., Source]:
    """Return the class that reads `format`."""
    found: Callable[..., Source] = getattr(_load(format), format.source or "")
    return found


def open_sink(format: Format, output: Output, columns: Sequence[Column], options: WriteOptions) -> Sink:
    """Return the sink that writes `columns` to `output` in `format`.

    Raises
    ------
    UsageError
        If the format cannot hold these columns, or would go to a terminal and is binary; or if the name of a label
        holds the text between the labels of a set.
    """
    if format.binary and output.is_terminal:
        raise UsageError(f"{format.name} does not go to a terminal", hint=f"write it to a file: -o FILE.{format.name}")
    if "label_separator" in format.writes:
        _check_label_separator(columns, options.label_separator)
    sink: Sink = getattr(_load(format), format.sink or "")(output, columns, options)
    return sink


def _check_label_separator(columns: Sequence[Column], separator: str) -> None:
    """Refuse sets whose text could not be split into their labels again."""
    from actcli.streaming.batch import Kind

    for column in columns:
        for label in column.labels if column.kind is Kind.SET else ():
            if separator in label:
                raise UsageError(
                    f'column "{visible(column.name)}": the class name "{visible(label)}" contains '
                    f'"{visible(separator)}", which separates the labels of a set',
                    hint="choose another text between the labels: --label-separator TEXT",
                )


def _load(format: Format) -> Any:
    """Import the module of a format, and settle how this process uses Arrow if the module does."""
    module = import_module(format.module)
    if "pyarrow" in sys.modules:
        from actcli.streaming.arrow_calls import settle

        settle()
    return module
