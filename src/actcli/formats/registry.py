"""The registry of formats: their names, suffixes, first bytes, modules and options.

To add a format, write its module and add its entry to `FORMATS`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from actcli.errors import UsageError, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actcli.streaming.batch import Column, Sink, Source
    from actcli.streaming.output import Output

__all__ = ["FORMATS", "Format", "ReadOptions", "WriteOptions", "named", "of_path", "open_sink", "source_class"]


@dataclass(frozen=True, slots=True)
class Format:
    """A format, and where its code is.

    Parameters
    ----------
    name
        What ``--input-format`` and ``--format`` call it.
    module
        Which holds its source and sink.
    source, sink
        The names of the classes there; None where the format is only written, or only read.
    takes
        The fields of `ReadOptions` that only mean something to some sources, this one among them.
    writes
        The fields of `WriteOptions` that mean something to its sink.
    binary
        Whether it has no business on a terminal.
    magics
        The bytes that a file of it begins with, where there are such.
    suffixes
        Which say the format, besides its name.
    columns
        What is written of a row when nothing else is asked for; None is what the command writes by default.
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
            "parquet",
            "actcli.formats.columnar",
            "ParquetSource",
            "ParquetSink",
            _NAMED,
            binary=True,
            magics=(b"PAR1",),
            suffixes=("pq",),
        ),
        Format(
            "arrow",
            "actcli.formats.columnar",
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
    """How the inputs are to be read; None or empty is what was not asked for.

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
        Whether a row that is wrong is left out, so that the layout is settled by the first that is not.
    one_dimensional
        What an array of one dimension is: one "row" of C scores, or one "column" of N.
    truth
        The name of a column to carry along because it holds the truth.
    recorded
        Whether a table of probabilities that actcli wrote is taken for what it is.
    plain
        Whether no column of the input holds scores, as in a file of truths: all are carried along, a header is the
        first row, and a blank line is an error.
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


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How the output is to be written.

    Parameters
    ----------
    header
        Whether text formats begin with the names of their columns.
    label_separator
        What stands between the labels of a set in text.
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
    """Return the name of the format that the suffix of `path` says, if it says one."""
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
        If the format cannot hold these columns, or would go to a terminal and is binary.
    """
    if format.binary and output.is_terminal:
        raise UsageError(f"{format.name} does not go to a terminal", hint=f"write it to a file: -o FILE.{format.name}")
    sink: Sink = getattr(_load(format), format.sink or "")(output, columns, options)
    return sink


def _load(format: Format) -> Any:
    """Import the module of a format, and settle how this process uses Arrow if the module does."""
    module = import_module(format.module)
    if "pyarrow" in sys.modules:
        from actcli.streaming.arrow import settle

        settle()
    return module
