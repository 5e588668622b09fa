"""The formats: one is found by its name, its suffix or its first bytes.

To add a format, write its module and add its line to `FORMATS`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields, replace
from importlib import import_module
from typing import TYPE_CHECKING

from actcli.errors import DataError, UsageError, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.streaming.batch import Chunk, Column, Layout, Sink, Source
    from actcli.streaming.input import Input
    from actcli.streaming.output import Output

__all__ = ["FORMATS", "Format", "Inputs", "ReadOptions", "WriteOptions", "named", "open_inputs", "open_sink"]


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

_FOREIGN = (
    (b"\x80\x02", "a Python pickle", "np.save('scores.npy', np.asarray(scores))"),
    (b"\x80\x03", "a Python pickle", "np.save('scores.npy', np.asarray(scores))"),
    (b"\x80\x04", "a Python pickle", "np.save('scores.npy', np.asarray(scores))"),
    (b"\x80\x05", "a Python pickle", "np.save('scores.npy', np.asarray(scores))"),
    (b"\x89HDF", "an HDF5 file", None),
)
_TORCH = re.compile(rb"PK\x03\x04.{26}[^\0]{1,200}/data\.pkl", re.DOTALL)
"""A zip archive whose first member is the pickle that PyTorch puts there."""


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


MOST_OPEN_FILES = 100
"""When there are more inputs than this, only the one that is being read is open."""

_OPTION_NAMES = {
    "delimiter": "--delimiter",
    "header": "--header/--no-header",
    "ids": "--id",
    "key": "--key",
    "truth": "--truth-column",
}


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


def _detect(input: Input, options: ReadOptions) -> Format:
    """Return the format of `input`: as asked, else by its suffix, else by its first bytes."""
    magics = [magic for format in FORMATS.values() for magic in format.magics] + [magic for magic, _, _ in _FOREIGN]
    head = input.head(magics)
    if not head:
        raise DataError(f"{input.name}: is empty")
    asked = options.format or of_path(input.path)
    by_bytes = next((format for format in FORMATS.values() if format.magics and head.startswith(format.magics)), None)
    format = named(asked) if asked else by_bytes or _text_format(head)
    expected = f"is not {format.name.upper()}"
    foreign = next((kind for magic, *kind in _FOREIGN if head.startswith(magic)), None)
    if _TORCH.match(head):
        foreign = ["a PyTorch file", "np.save('scores.npy', scores.numpy())"]
    if foreign is not None:
        what, export = foreign
        raise DataError(
            f"{input.name}: {expected}: it looks like {what}",
            hint=f"export the scores first, in Python: {export}" if export else None,
        )
    if format is by_bytes:
        return format
    if by_bytes is not None:
        raise DataError(
            f"{input.name}: {expected}: it looks like {by_bytes.name.upper()}",
            hint=f"to read it as that: --input-format {by_bytes.name}",
        )
    if format.magics:
        raise DataError(f"{input.name}: {expected}: it begins with {visible(repr(head[:8])[1:])}")
    return format


def _text_format(head: bytes) -> Format:
    """Return what a text seems to be where nothing else says it: a JSON list of rows, a row of JSON a line, or CSV."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        # Either the list of all rows, or the first row, a list of numbers.
        return FORMATS["json" if text[1:].lstrip()[:1] in (b"[", b"{", b"]", b"") else "jsonl"]
    return FORMATS["jsonl" if text.startswith(b"{") else "csv"]


def _unpacked(input: Input, options: ReadOptions) -> Input:
    """Return `input`, or what it holds where it is compressed."""
    from actcli.streaming.compression import MAGICS, Unpacked, split_suffix

    head = input.head(MAGICS.values())
    name = next((name for name, magic in MAGICS.items() if head.startswith(magic)), None)
    suffix = split_suffix(input.path)[1]
    if head and suffix not in (None, name):
        raise DataError(f"{input.name}: is not compressed as its suffix .{suffix} says")
    said = of_path(input.path)
    if name is not None and said is not None and options.format is None:
        what = {"gz": "gzip", "zst": "Zstandard"}[name]
        raise DataError(
            f"{input.name}: is not {said.upper()}: it looks like {what}",
            hint=f"to unpack and read it: --input-format {said}",
        )
    return input if name is None else Unpacked(input, name)


class Inputs:
    """Several inputs, read as one table: a source made of sources.

    Parameters
    ----------
    sources
        At least one, all with the same classes and carried columns.
    inputs
        The open files behind them.
    formats
        The names of their formats.
    notes
        What a user should know about how they were read.
    names
        Their paths as they were given.

    Attributes
    ----------
    stored
        The dtype of the scores as they are stored.
    title
        What messages call the first.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        inputs: Sequence[Input],
        formats: Sequence[str],
        notes: Sequence[str],
        names: Sequence[str],
    ) -> None:
        import numpy as np

        from actcli.activations import computing_dtype

        self._sources = sources
        self._inputs = inputs
        self.formats = tuple(formats)
        self.notes = notes
        self.names = tuple(names)
        self.title = inputs[0].name
        self.identities = [input.identity for input in inputs]
        first = sources[0].layout
        # Each file is computed in the precision that it would have alone, or in a higher one.
        dtypes = [computing_dtype(source.layout.dtype) for source in sources]
        counts = [source.layout.rows for source in sources]
        sizes = [source.size for source in sources]
        rows = None if None in counts else sum(count or 0 for count in counts)
        self.stored = np.result_type(*(source.layout.dtype for source in sources))
        self.layout = replace(first, dtype=np.result_type(*dtypes), rows=rows)
        self.size = None if None in sizes else sum(size or 0 for size in sizes)

    def chunks(self, output_bytes: int) -> Iterator[Chunk | None]:
        """Cut one input after the other."""
        for source, input in zip(self._sources, self._inputs, strict=True):
            input.resume()
            yield from source.chunks(output_bytes)
            if len(self._inputs) > MOST_OPEN_FILES:
                yield None  # nothing that is under way needs the file any more
                input.close()

    def close(self) -> None:
        """Close the files."""
        for input in self._inputs:
            input.close()


def open_inputs(paths: Sequence[str], options: ReadOptions) -> Inputs:
    """Open the files at `paths`, ``-`` for standard input, and settle what they hold.

    Raises
    ------
    DataError
        If one cannot be read, or does not have the columns of the first.
    UsageError
        If an option does not fit the format.
    """
    from actcli.streaming.compression import Unpacked
    from actcli.streaming.input import Input

    if paths.count("-") > 1:
        raise UsageError("standard input can be read only once")
    inputs: list[Input] = []
    sources: list[Source] = []
    formats: list[str] = []
    notes: list[str] = []
    try:
        for number, path in enumerate(paths):
            inputs.append(Input(path))
            inputs[-1] = _unpacked(inputs[-1], options)
            format = _detect(inputs[-1], options)
            if format.binary and isinstance(inputs[-1], Unpacked):
                raise DataError(f"{inputs[-1].name}: is compressed {format.name}; actcli unpacks only text")
            _check_options(format, options, inputs[-1])
            reader = getattr(import_module(format.module), format.source or "")
            source = reader(inputs[-1], options, file=number, like=sources[0] if sources else None)
            if sources:
                _check_alike(source.layout, sources[0].layout, inputs[-1].name, inputs[0].name)
            sources.append(source)
            formats.append(format.name)
            inputs[-1] = source.input
            if len(paths) > MOST_OPEN_FILES:
                inputs[-1].pause()
            notes.extend(note for note in source.notes if note not in notes)
    except BaseException:
        for input in inputs:
            input.close()
        raise
    return Inputs(sources, inputs, formats, notes, paths)


def _check_options(format: Format, options: ReadOptions, input: Input) -> None:
    for field in fields(options):
        given = getattr(options, field.name) not in (None, ())
        if given and field.name in _OPTION_NAMES and field.name not in format.takes:
            raise UsageError(f"{_OPTION_NAMES[field.name]} does not apply to {input.name}, which is {format.name}")


def _check_alike(layout: Layout, first: Layout, name: str, first_name: str) -> None:
    for what, found, expected in (
        ("classes", layout.classes, first.classes),
        ("carried columns", [column.name for column in layout.carried], [column.name for column in first.carried]),
    ):
        if len(found) != len(expected):
            raise DataError(f"{name}: has {len(found)} {what}, but {first_name} has {len(expected)}")
        for number, (one, other) in enumerate(zip(found, expected, strict=True), start=1):
            if one != other:
                raise DataError(
                    f'{name}: {what}: number {number} is "{visible(one)}", but "{visible(other)}" in {first_name}'
                )


def open_sink(format: Format, output: Output, columns: Sequence[Column], options: WriteOptions) -> Sink:
    """Return the sink that writes `columns` to `output` in `format`.

    Raises
    ------
    UsageError
        If the format cannot hold these columns, or would go to a terminal and is binary.
    """
    if format.binary and output.is_terminal:
        raise UsageError(f"{format.name} does not go to a terminal", hint=f"write it to a file: -o FILE.{format.name}")
    sink: Sink = getattr(import_module(format.module), format.sink or "")(output, columns, options)
    return sink
