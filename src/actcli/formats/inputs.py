"""Inputs: several files or pipes, opened and read as one table."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from actcli.errors import DataError, UsageError, visible
from actcli.formats.detection import detected, unpacked
from actcli.formats.registry import source_class

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.formats.registry import Format, ReadOptions
    from actcli.streaming.batch import Chunk, Layout, Source
    from actcli.streaming.input import Input

__all__ = ["Inputs", "open_inputs"]

MOST_OPEN_FILES = 100
"""The most inputs that are open at the same time. If there are more, only one is open."""

_OPTION_NAMES = {
    "delimiter": "--delimiter",
    "header": "--header/--no-header",
    "ids": "--id",
    "key": "--key",
    "truth": "--truth-column",
}


class Inputs:
    """Several inputs that are read as one table.

    Parameters
    ----------
    sources
        At least one source; all have the same classes and carried columns.
    inputs
        Their open files.
    formats
        The names of their formats.
    notes
        What a user should know about how they are read.
    names
        Their paths, as given.

    Attributes
    ----------
    stored
        The dtype of the stored scores.
    title
        The name of the first input in messages.
    flat
        Whether the first input is an array of one dimension.
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
        self.flat = bool(getattr(sources[0], "flat", False))
        first = sources[0].layout
        # Each file is computed at least in the precision that it would have alone.
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
                yield None  # afterwards no chunk in flight needs the file
                input.close()

    def close(self) -> None:
        """Close the files."""
        for input in self._inputs:
            input.close()


def open_inputs(paths: Sequence[str], options: ReadOptions) -> Inputs:
    """Open the files at `paths`, ``-`` for standard input, and settle their layouts.

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
            inputs[-1] = unpacked(inputs[-1], options)
            format = detected(inputs[-1], options)
            if format.binary and isinstance(inputs[-1], Unpacked):
                raise DataError(f"{inputs[-1].name}: is compressed {format.name}; actcli unpacks only text")
            _check_options(format, options, inputs[-1])
            source = source_class(format)(inputs[-1], options, file=number, like=sources[0] if sources else None)
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
            option = "--truth-key" if field.name == "key" and options.origin == "truth" else _OPTION_NAMES[field.name]
            raise UsageError(f"{option} does not apply to {input.name}, which is {format.name}")


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
