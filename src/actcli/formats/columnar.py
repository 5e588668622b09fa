"""What Parquet and Arrow share on the way in: a table of typed columns, cut into record batches."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from actcli.activations import computing_dtype
from actcli.errors import DataError, listed, visible
from actcli.formats.arrow_types import (
    decoded,
    decoded_type,
    is_list,
    is_numeric,
    longest_repeated,
    null_mask,
    numpy_dtype,
    type_text,
    values_of,
)
from actcli.formats.column_roles import MOST_COLUMNS, assign_roles, check_unique, is_index
from actcli.formats.label_columns import FEWEST_ROWS
from actcli.formats.text import call_function, from_numpy
from actcli.streaming import memory
from actcli.streaming.batch import Batch, Carried, Kind, Layout, RowPlaces, common_to_chunks, rows_in_chunk
from actcli.streaming.input import Seekable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.formats import ReadOptions
    from actcli.streaming.batch import Chunk, Source
    from actcli.streaming.input import Input

__all__ = ["REPEATED_BYTES", "ColumnarDecoder", "ColumnarSource", "RecordBatchChunk", "SeekableViews", "reason"]

REPEATED_BYTES = 1 << 24
"""How much the values of a chunk may take that the file has only once."""

_ROWS_OF_WIDE_TABLE = 16
_BYTES_OF_WIDE_TABLE = 1 << 24
"""How many rows, and how many bytes of them, a chunk holds even if there are many columns.

Each column of a chunk takes some microseconds, however few rows the chunk has.
"""


def reason(error: Exception) -> str:
    """Return the first line of what Arrow says."""
    return visible((str(error).splitlines() or [type(error).__name__])[0], 160)


class SeekableViews(Seekable):
    """A file for Arrow, which takes bytes in any object: a large record batch is not copied."""

    def read(self, count: int | None = None) -> Any:
        """Return `count` bytes, fewer only at the end."""
        left = max(0, self._size - self._position)
        data = memoryview(bytearray(left if count is None or count < 0 else min(count, left)))
        self._input.read_at(data, self._position)
        self._position += len(data)
        return data


@common_to_chunks
@dataclass(frozen=True, slots=True)
class ColumnarDecoder:
    """How a record batch becomes a `Batch`.

    Parameters
    ----------
    name
        What messages call the file.
    file
        Its index among the inputs.
    types
        The type of every column once it is decoded.
    carried
        The names of the columns that are carried along.
    classes
        The names of the columns of scores, or of the one column of lists.
    dtype
        Of the scores.
    width
        How many scores each list holds; None where each class has a column.
    """

    name: str
    file: int
    types: dict[str, Any]
    carried: tuple[str, ...]
    classes: tuple[str, ...]
    dtype: np.dtype[Any]
    width: int | None

    def decode(self, data: Any, start: int) -> Batch:
        """Return the rows of a record batch, the first of which is number `start` of the file, from 0.

        Raises
        ------
        DataError
            If the values cannot be decoded.
        """
        try:
            scores, wrong = self._column_scores(data) if self.width is None else self._list_scores(data, self.width)
            carried = {name: self._column(data, name) for name in self.carried}
        except MemoryError:
            raise memory.exceeded(self.name) from None
        except pa.ArrowException as error:
            raise DataError(f"{self.name}: row {start + 1} and following: cannot be read: {reason(error)}") from None
        batch = Batch(scores, carried, RowPlaces(self.name, start).place, self.file)
        return batch.without(wrong, lambda row, place: self._what_is_wrong(data, row, place)) if wrong.any() else batch

    def _column(self, data: Any, name: str) -> Any:
        return decoded(data.column(name), self.types[name])

    def _column_scores(self, data: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return the scores, shape (N, C), and which rows have a null among them, shape (N,)."""
        scores = np.empty((len(self.classes), len(data)), dtype=self.dtype)
        wrong = np.zeros(len(data), dtype=np.bool_)
        for target, name in zip(scores, self.classes, strict=True):
            column = self._column(data, name)
            wrong |= null_mask(column)
            target[:] = values_of(column)
        return scores.T, wrong

    def _list_scores(self, data: Any, width: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return the scores out of lists, shape (N, C), and which rows have not all of them, shape (N,)."""
        column = self._column(data, self.classes[0])
        lengths = values_of(call_function("list_value_length", [column]))
        wrong = null_mask(column) | (lengths != width)
        right = np.flatnonzero(~wrong)
        values = (column.take(from_numpy(right)) if wrong.any() else column).flatten()
        scores = np.zeros((len(column), width), dtype=self.dtype)
        scores[right] = values_of(values).reshape(len(right), width)
        wrong[right] = null_mask(values).reshape(len(right), width).any(axis=1)
        return scores, wrong

    def _what_is_wrong(self, data: Any, row: int, place: str) -> DataError:
        """Return what is missing in a row of a record batch."""
        if self.width is None:
            name = next(name for name in self.classes if data.column(name)[row].as_py() is None)
            return DataError(f'{place}: column "{visible(name)}": is null')
        name = self.classes[0]
        found = data.column(name)[row].as_py()
        if found is not None and len(found) == self.width:
            return DataError(f'{place}: column "{found.index(None)}": is null')
        what = "is null" if found is None else f"{len(found)} numbers, but the first row has {self.width}"
        return DataError(f'{place}: column "{visible(name)}": {what}')


@dataclass(frozen=True, slots=True)
class RecordBatchChunk:
    """A chunk: a record batch, and how it becomes a `Batch`.

    Parameters
    ----------
    decoder
        Of its source.
    data
        The record batch.
    start
        The number of its first row in the file, from 0.
    size
        How many bytes it stands for.
    """

    decoder: ColumnarDecoder
    data: Any
    start: int
    size: int

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return int(self.data.num_rows)

    def decode(self) -> Batch:
        """Return its rows."""
        return self.decoder.decode(self.data, self.start)


class ColumnarSource:
    """A table of typed columns.

    Parameters
    ----------
    input
        The open file.
    options
        How to read it.
    file
        Its index among the inputs.
    like
        The first input, when this is a further one.

    Raises
    ------
    DataError
        If the file cannot be read, or its columns hold no scores.
    """

    what = ""
    column_bytes = 1500
    """The memory that the library takes at least for each column."""
    _advised: tuple[tuple[str, str], ...] = ()
    row_bytes = 0
    """About how much a row takes with its carried columns, where the file says it."""

    def __init__(self, input: Input, options: ReadOptions, *, file: int, like: Source | None) -> None:
        self.input = input
        self.size = None
        self.notes: list[str] = []
        with self._reading():
            schema = self._open()
            memory.check_room(len(schema) * self.column_bytes, input.name)
            names = set(schema.names)
        if len(names) < len(schema):
            raise DataError(f"{input.name}: two columns have the same name")
        self._types = {field.name: self._decoded_type(field) for field in schema}
        classes: list[str] = []
        width = recorded = None
        if options.plain:
            carried, unasked = list(self._types), []
        elif (scores := self._list_of_scores(options)) is not None:
            classes, width = [scores], self._width(scores)
            carried = [name for name in self._types if name != scores]
            asked = {*options.ids, options.truth, options.weight}
            unasked = [name for name in carried if name not in asked]
        else:
            classes, carried, unasked, recorded = self._settle(options)
        if unasked and like is None:
            self.notes.append(f"carried along: {listed(unasked)}")
        self.layout = self._layout(classes, carried, width, recorded)
        self.columns = [*classes, *carried]
        self._decoder = ColumnarDecoder(
            input.name, file, self._types, tuple(carried), tuple(classes), self.layout.dtype, width
        )

    # What a format provides

    def _open(self) -> Any:
        """Open the table, and return its schema."""
        raise NotImplementedError

    def batches(self, rows: int) -> Iterator[Any]:
        """Yield record batches of about so many rows, with at least `columns`."""
        raise NotImplementedError

    def _check_end(self) -> None:
        """Refuse what follows the last batch."""

    def _again(self, seen: Sequence[Any]) -> None:  # noqa: ARG002
        """Begin again, after these batches were read."""
        self._open()

    def _valid_batches(self, rows: int) -> Iterator[Any]:
        """Yield what `batches` yields, checked: Arrow trusts offsets, indices and texts; bad ones would crash it."""
        for batch in self.batches(rows):
            batch.validate(full=True)
            yield batch

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (MemoryError, pa.ArrowException, OSError, ValueError, OverflowError) as error:
            if memory.is_exhausted(error):
                raise memory.exceeded(self.input.name) from None
            raise DataError(f"{self.input.name}: cannot be read as {self.what}: {reason(error)}") from None

    def _decoded_type(self, field: Any) -> Any:
        try:
            return decoded_type(field.type)
        except TypeError as error:
            raise DataError(
                f'{self.input.name}: column "{visible(field.name)}" is {error}',
                hint="leave the column out when the file is written, or write it as another type",
            ) from None

    # The layout

    def _lists(self) -> list[str]:
        """Return the columns that hold lists of numbers."""
        return [name for name, type in self._types.items() if is_list(type) and is_numeric(type.value_type)]

    def _list_of_scores(self, options: ReadOptions) -> str | None:
        """Return the column that holds all scores of a row as a list, if there is one and it is meant."""
        lists = self._lists()
        if options.predictions is not None or (options.decisions and options.classes is None and "indices" in lists):
            return None
        if options.classes in lists:
            return options.classes
        along = {*options.ids, options.truth, options.weight, *filter(is_index, list(self._types)[:1])}
        numbers = [name for name, type in self._types.items() if is_numeric(type) and name not in along]
        return lists[0] if len(lists) == 1 and not numbers and options.classes is None else None

    def _settle(self, options: ReadOptions) -> tuple[list[str], list[str], list[str], str | None]:
        """Return the classes, the carried columns, those of them that nobody asked for, and `Layout.recorded`."""
        names = list(self._types)
        # The type says what a column is: a number stands for a numeric one, the type for any other.
        row = ["0" if is_numeric(type) else f"<{type}>" for type in self._types.values()]
        try:
            roles = assign_roles(
                names,
                row,
                classes=options.classes,
                ids=options.ids,
                truth=options.truth,
                weight=options.weight,
                recorded=options.recorded,
                decisions=options.decisions,
                predictions=options.predictions,
                describing=options.describing,
                found=lambda position: f" is {type_text(self._types[names[position]])}, not a number",
                labels=self._column_of_labels,
            )
        except DataError as error:
            hint = error.hint
            if options.classes is None and (lists := self._lists()):
                hint = _list_hint(lists[0])
            raise DataError(f"{self.input.name}: {error.message}", hint=hint) from None
        # A single number beside a list of numbers is hardly what is meant: the list is not carried along unasked.
        along = {names[position] for position in roles.unasked}
        unasked = [name for name in self._lists() if name in along]
        if unasked and roles.classes and options.classes is None and not roles.recorded and not options.describing:
            raise self._not_a_number(
                unasked[0], f"{_list_hint(unasked[0])}; to carry it along: --id {shlex.quote(visible(unasked[0]))}"
            )
        classes = [names[position] for position in roles.classes]
        check_unique(classes, self.input.name)
        for name in classes:
            if not is_numeric(self._types[name]):
                raise self._not_a_number(name)
        carried, unasked = ([names[position] for position in found] for found in (roles.carried, roles.unasked))
        self._advised = () if roles.advised is None else (("--classes", roles.advised),)
        return classes, carried, unasked, roles.prefix

    def _not_a_number(self, name: str, hint: str | None = None) -> DataError:
        found = type_text(self._types[name])
        return DataError(f'{self.input.name}: column "{visible(name)}" is {found}, not a number', hint=hint)

    def _layout(
        self, classes: Sequence[str], carried: Sequence[str], width: int | None, recorded: str | None
    ) -> Layout:
        along = tuple(Carried(name, Kind.VALUE, self._types[name]) for name in carried)
        if width is not None:
            names = tuple(str(number) for number in range(width))
            return Layout(names, along, numpy_dtype(self._types[classes[0]].value_type))
        dtypes = [computing_dtype(numpy_dtype(self._types[name])) for name in classes]
        dtype = np.result_type(*dtypes) if dtypes else np.dtype(np.float64)
        return Layout(tuple(classes), along, dtype, recorded=recorded, advised=self._advised)

    def _width(self, name: str) -> int:
        """Return how many scores each list of a column holds."""
        type = self._types[name]
        width = type.list_size if pa.types.is_fixed_size_list(type) else self._first_length(name)
        if width < 1:
            raise DataError(f'{self.input.name}: column "{visible(name)}" holds no numbers')
        if width > MOST_COLUMNS:
            raise DataError(f"{self.input.name}: has {width:,} classes; actcli takes up to {MOST_COLUMNS:,}")
        return int(width)

    def _column_of_labels(self, positions: Sequence[int]) -> int | None:
        """Return the only column of integers beside columns of floats, if its first rows are 0 and 1; else None.

        The first rows are the first record batch of an Arrow file, or up to 1,024 rows of a Parquet file.
        """
        names = [list(self._types)[position] for position in positions]
        whole = [name for name in names if pa.types.is_integer(self._types[name])]
        if len(whole) != 1 or len(names) < 2 or not all(_is_float(self._types[name]) for name in {*names} - {*whole}):
            return None
        values = [value for value in self._first_values(whole[0]) if value is not None]
        is_labels = len(values) >= FEWEST_ROWS and set(values) == {0, 1}
        return positions[names.index(whole[0])] if is_labels else None

    def _first_values(self, name: str) -> list[Any]:
        """Return the values of a column in the first record batch that has rows."""
        seen: list[Any] = []
        self.columns = list(self._types)
        with self._reading():
            for batch in self._valid_batches(1024):
                seen.append(batch)
                if len(batch):
                    break
            self._again(seen)
        return seen[-1].column(name).to_pylist() if seen else []

    def _first_length(self, name: str) -> int:
        """Return how many scores the first row has."""
        seen = []
        self.columns = list(self._types)
        with self._reading():
            for batch in self._valid_batches(1):
                seen.append(batch)
                if len(batch):
                    first = batch.column(name)[0]
                    self._again(seen)
                    return len(first) if first.is_valid else 0
        raise DataError(f"{self.input.name}: has no rows, so nothing says how many classes there are")

    # Reading

    def chunks(self, output_bytes: int) -> Iterator[Chunk | None]:
        """Cut the table into batches."""
        classes = len(self.layout.classes)
        row_bytes = max(8 * classes, self.row_bytes, output_bytes)
        rows = max(
            rows_in_chunk(max(8 * classes, self.row_bytes), output_bytes, classes),
            min(_ROWS_OF_WIDE_TABLE, _BYTES_OF_WIDE_TABLE // row_bytes) if row_bytes else 1,
        )
        start = 0
        iterator = self._valid_batches(rows)
        while True:
            if not self.input.ready():
                yield None
            with self._reading():
                batch = next(iterator, None)
            if batch is None:
                yield None
                self._check_end()
                return
            size_of_row = batch.get_total_buffer_size() / max(1, len(batch))
            longest_row = sum(map(longest_repeated, batch.columns))
            at_once = max(1, min(rows, REPEATED_BYTES // max(1, longest_row)))
            for first in range(0, len(batch), at_once):
                piece = batch.slice(first, at_once)
                yield RecordBatchChunk(self._decoder, piece, start + first, int(size_of_row * len(piece)))
            start += len(batch)


def _is_float(type: Any) -> bool:
    return bool(pa.types.is_floating(type) or pa.types.is_decimal(type))


def _list_hint(name: str) -> str:
    return f"if a list holds all scores of a row: --classes {shlex.quote(visible(name))}"
