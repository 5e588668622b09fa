"""Parquet and Arrow IPC: read and written batch by batch, with real lists and the types of the input."""

from __future__ import annotations

import contextlib
import itertools
import shlex
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from actcli.activations import computing_dtype
from actcli.errors import DataError, OutputError, listed, visible
from actcli.formats.column_roles import MOST_COLUMNS, RECORDED, assign_roles, check_unique, is_index
from actcli.formats.messages import Messages
from actcli.formats.pages import check_pages, chunks_of
from actcli.formats.repeats import decoded, decoded_type, is_text, longest, longest_repeated
from actcli.formats.text import call_function, from_numpy, pick, plain
from actcli.streaming.batch import Batch, Carried, Kind, Layout, rows_in_chunk
from actcli.streaming.input import Seekable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.formats.registry import ReadOptions, WriteOptions
    from actcli.streaming.batch import Chunk, Column, Source
    from actcli.streaming.input import Input
    from actcli.streaming.output import Output

__all__ = ["ArrowSink", "ArrowSource", "ParquetSink", "ParquetSource"]

_REPEATED_BYTES = 1 << 24
"""How much the values of a chunk may take that the file has only once."""

_ROW_GROUP_BYTES = 3 << 23
"""How much a row group of Parquet gathers before it is written."""


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
    row_bytes = 0
    """About how much a row takes with its carried columns, where the file says it."""

    def __init__(self, input: Input, options: ReadOptions, *, file: int, like: Source | None) -> None:
        self.input = input
        self.size = None
        self.file = file
        self.notes: list[str] = []
        with self._reading():
            schema = self._open()
            self._fields = {field.name: decoded_type(field.type) for field in schema}
        if len(self._fields) < len(schema):
            raise DataError(f"{input.name}: two columns have the same name")
        self._classes: list[str] = []
        self._recorded: str | None = None
        self._list = None if options.plain else self._list_of_scores(options)
        if options.plain:
            carried, unasked = list(self._fields), []
        elif self._list is not None:
            self._classes = [self._list]
            carried = [name for name in self._fields if name != self._list]
            unasked = [name for name in carried if name not in (*options.ids, options.truth)]
        else:
            carried, unasked = self._settle(options)
        if unasked and like is None:
            self.notes.append(f"carried along: {listed(unasked)}")
        self.layout = self._layout(carried)

    def _open(self) -> Any:
        """Open the table, and return its schema."""
        raise NotImplementedError

    def batches(self, rows: int) -> Iterator[Any]:
        """Yield record batches of about so many rows, with the columns that are needed."""
        raise NotImplementedError

    def _check_end(self) -> None:
        """Refuse what goes on after the last batch."""

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
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(f"{self.input.name}: cannot be read as {self.what}: {_reason(error)}") from None

    # The layout

    def _lists(self) -> list[str]:
        """Return the columns that hold lists of numbers."""
        return [name for name, type in self._fields.items() if _is_list(type) and _is_numeric(type.value_type)]

    def _list_of_scores(self, options: ReadOptions) -> str | None:
        """Return the column that holds all scores of a row as a list, if there is one and it is meant."""
        lists = self._lists()
        if options.classes in lists:
            return options.classes
        along = (*options.ids, options.truth, *filter(is_index, list(self._fields)[:1]))
        numbers = [name for name, type in self._fields.items() if _is_numeric(type) and name not in along]
        return lists[0] if len(lists) == 1 and not numbers and options.classes is None else None

    def _settle(self, options: ReadOptions) -> tuple[list[str], list[str]]:
        """Decide which columns are classes; return the carried ones, and those of them that nobody asked for."""
        names = list(self._fields)
        # What a column is, its type says: a number stands for a numeric one, the type for any other.
        row = ["0" if _is_numeric(type) else f"<{type}>" for type in self._fields.values()]
        try:
            roles = assign_roles(
                names,
                row,
                classes=options.classes,
                ids=options.ids,
                truth=options.truth,
                recorded=options.recorded,
            )
        except DataError as error:
            hint = error.hint
            if options.classes is None and (lists := self._lists()):
                hint = _list_hint(lists[0])
            raise DataError(f"{self.input.name}: {error.message}", hint=hint) from None
        # Beside a list of numbers a single number is hardly what was meant: it is not passed over unasked.
        unasked = [name for name in self._lists() if names.index(name) in roles.unasked]
        if unasked and options.classes is None and not roles.recorded:
            raise DataError(
                f'{self.input.name}: column "{visible(unasked[0])}" is {self._fields[unasked[0]]}, not a number',
                hint=f"{_list_hint(unasked[0])}; to carry it along: --id {shlex.quote(visible(unasked[0]))}",
            )
        self._classes = [names[position] for position in roles.classes]
        self._recorded = RECORDED if roles.recorded else None
        check_unique(self._classes, self.input.name)
        for name in self._classes:
            if not _is_numeric(self._fields[name]):
                raise DataError(f'{self.input.name}: column "{visible(name)}" is {self._fields[name]}, not a number')
        return [names[position] for position in roles.carried], [names[position] for position in roles.unasked]

    def _layout(self, carried: Sequence[str]) -> Layout:
        along = tuple(Carried(name, Kind.VALUE, self._fields[name]) for name in carried)
        if self._list is None:
            dtypes = [computing_dtype(_dtype(self._fields[name])) for name in self._classes]
            dtype = np.result_type(*dtypes) if dtypes else np.dtype(np.float64)
            return Layout(tuple(self._classes), along, dtype, recorded=self._recorded)
        type = self._fields[self._list]
        self._width: int = type.list_size if pa.types.is_fixed_size_list(type) else self._first_length()
        if self._width < 1:
            raise DataError(f'{self.input.name}: column "{visible(self._list)}" holds no numbers')
        if self._width > MOST_COLUMNS:
            raise DataError(f"{self.input.name}: has {self._width:,} classes; actcli takes up to {MOST_COLUMNS:,}")
        names = tuple(str(number) for number in range(self._width))
        return Layout(names, along, _dtype(type.value_type))

    def _first_length(self) -> int:
        """Return how many scores the first row has, where the type of the list does not say it."""
        assert self._list is not None
        seen = []
        with self._reading():
            for batch in self._valid_batches(1):
                seen.append(batch)
                if len(batch):
                    first = batch.column(self._list)[0]
                    self._again(seen)
                    return len(first) if first.is_valid else 0
        raise DataError(f"{self.input.name}: has no rows, so nothing says how many classes there are")

    # Reading

    def chunks(self, output_bytes: int) -> Iterator[Chunk | None]:
        """Cut the table into batches."""
        classes = len(self.layout.classes)
        rows = rows_in_chunk(max(8 * classes, self.row_bytes), output_bytes, classes)
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
            longest_row = sum(map(longest_repeated, batch.columns))
            at_once = max(1, min(rows, _REPEATED_BYTES // max(1, longest_row)))
            for first in range(0, len(batch), at_once):
                piece = batch.slice(first, at_once)
                yield RecordBatchChunk(self, piece, start + first)
            start += len(batch)

    def decode(self, data: Any, start: int) -> Batch:
        """Return the rows of a record batch, the first of which is number `start` of the file, from 0."""
        name = self.input.name
        scores, wrong = self._scores(data)
        carried = {column.name: decoded(data.column(column.name)) for column in self.layout.carried}
        batch = Batch(scores, carried, lambda row: f"{name}: row {start + row + 1}", self.file)
        return batch.without(wrong, lambda row, place: self._what_is_wrong(data, row, place)) if wrong.any() else batch

    def _scores(self, data: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return the scores, shape (N, C), and which rows have not all of them, shape (N,)."""
        if self._list is not None:
            return self._listed_scores(decoded(data.column(self._list)))
        scores = np.empty((len(self._classes), len(data)), dtype=self.layout.dtype)
        wrong = np.zeros(len(data), dtype=np.bool_)
        for target, name in zip(scores, self._classes, strict=True):
            column = decoded(data.column(name))
            wrong |= _nulls(column)
            target[:] = values_of(column)
        return scores.T, wrong

    def _listed_scores(self, column: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        lengths = values_of(call_function("list_value_length", [column]))
        wrong = _nulls(column) | (lengths != self._width)
        right = np.flatnonzero(~wrong)
        values = (column.take(from_numpy(right)) if wrong.any() else column).flatten()
        scores = np.zeros((len(column), self._width), dtype=self.layout.dtype)
        scores[right] = values_of(values).reshape(len(right), self._width)
        wrong[right] = _nulls(values).reshape(len(right), self._width).any(axis=1)
        return scores, wrong

    def _what_is_wrong(self, data: Any, row: int, place: str) -> DataError:
        """Return what is missing in a row of a record batch."""
        if self._list is None:
            name = next(name for name in self._classes if data.column(name)[row].as_py() is None)
            return DataError(f'{place}: column "{visible(name)}": is null')
        found = data.column(self._list)[row].as_py()
        if found is not None and len(found) == self._width:
            return DataError(f'{place}: column "{found.index(None)}": is null')
        what = "is null" if found is None else f"{len(found)} numbers, but the first row has {self._width}"
        return DataError(f'{place}: column "{visible(self._list)}": {what}')


class RecordBatchChunk:
    """A chunk: a record batch."""

    __slots__ = ("data", "rows", "size", "source", "start")

    def __init__(self, source: ColumnarSource, data: Any, start: int) -> None:
        self.source = source
        self.data = data
        self.start = start
        self.size = data.nbytes
        self.rows = data.num_rows

    def decode(self) -> Batch:
        """Return its rows."""
        return self.source.decode(self.data, self.start)


class ParquetSource(ColumnarSource):
    """Parquet, by row groups."""

    what = "Parquet"

    def _open(self) -> Any:
        import pyarrow.parquet

        if self.input.size is None:
            self.input.spool(None)

        def opened(**options: Any) -> Any:
            return pyarrow.parquet.ParquetFile(Seekable(self.input), pre_buffer=False, buffer_size=1 << 16, **options)

        self._file = opened()
        self._texts = [field.name for field in self._file.schema_arrow if is_text(field.type)]
        self._dictionaries: Any = opened(read_dictionary=self._texts) if self._texts else None
        self._chunks = chunks_of(self.input)
        if len(self._chunks) != self._file.num_row_groups:
            raise ValueError("its metadata say two things")
        groups = map(self._file.metadata.row_group, range(len(self._chunks)))
        self.row_bytes = max((group.total_byte_size // group.num_rows for group in groups if group.num_rows), default=0)
        return self._file.schema_arrow

    def batches(self, rows: int) -> Iterator[Any]:
        """Yield record batches, each out of one row group or, where those are small, several."""
        needed = [*self._classes, *(name for name in self._fields if name not in self._classes)]
        for numbers in self._runs(rows):
            most = max(1, min(rows, _REPEATED_BYTES // max(1, self._longest_texts(numbers))))
            missing = sum(self._file.metadata.row_group(number).num_rows for number in numbers)
            for batch in self._file.iter_batches(most, row_groups=numbers, columns=needed, use_threads=False):
                missing -= len(batch)
                yield batch
            if missing:
                raise ValueError(f"{missing} rows are missing")

    def _longest_texts(self, numbers: Sequence[int]) -> int:
        """Return how many bytes the longest texts in the dictionaries of row groups take, one of each column."""
        total = 0
        for name in self._texts:
            found = [0]
            for number in numbers:
                # With the first row comes the dictionary of all.
                batches = self._dictionaries.iter_batches(1, row_groups=[number], columns=[name], use_threads=False)
                found += [longest(batch.column(0).dictionary) for batch in itertools.islice(batches, 1)]
            total += max(found)
        return total

    def _runs(self, rows: int) -> Iterator[list[int]]:
        """Yield the numbers of row groups that together have so many rows, or are the last; their pages are checked."""
        numbers: list[int] = []
        count = 0
        for number in range(len(self._chunks)):
            numbers.append(number)
            count += self._file.metadata.row_group(number).num_rows
            if count >= rows or number == len(self._chunks) - 1:
                check_pages(self.input, [self._chunks[number] for number in numbers])
                yield numbers
                numbers, count = [], 0


class ArrowSource(ColumnarSource):
    """Arrow IPC, a stream or a file."""

    what = "Arrow"
    _seen: Sequence[Any] = ()

    def _open(self) -> Any:
        if self.input.size is None and self.input.head([_ARROW_FILE]).startswith(_ARROW_FILE):
            self.input.spool(None)
        is_file = self.input.size is not None and Seekable(self.input).read(len(_ARROW_FILE)) == _ARROW_FILE
        self._batches: int | None = None
        if is_file:
            # A file is a stream with something before it and, behind it, an index that must be there.
            with pa.ipc.open_file(pa.PythonFile(Seekable(self.input), "r")) as indexed:
                self._batches = indexed.num_record_batches
        self._messages = Messages(self.input, len(_ARROW_FILE) + 2 if is_file else 0)
        self._reader = pa.ipc.open_stream(pa.PythonFile(self._messages, "r"))
        return self._reader.schema

    def _check_end(self) -> None:
        """Refuse what goes on after the last batch, such as a second stream."""
        if self._batches is None and not self._messages.at_end():
            raise DataError(f"{self.input.name}: goes on after the end of its stream")

    def _again(self, seen: Sequence[Any]) -> None:
        """Begin again, after these batches were read: those of a pipe cannot be read twice."""
        if self.input.size is None:
            self._seen = seen
        else:
            self._open()

    def batches(self, rows: int) -> Iterator[Any]:  # noqa: ARG002
        """Yield the record batches as they stand there."""
        yield from self._seen
        if self._batches is None:
            yield from self._reader
        else:
            for number in range(self._batches):
                batch = next(self._reader, None)
                if batch is None:
                    raise ValueError(f"ends after {number} record batches, but its index says {self._batches}")
                yield batch


_ARROW_FILE = b"ARROW1"


def _list_hint(name: str) -> str:
    return f"if a list holds all scores of a row: --classes {shlex.quote(visible(name))}"


def _reason(error: Exception) -> str:
    """Return the first line of what Arrow says."""
    return visible((str(error).splitlines() or [type(error).__name__])[0], 160)


def _is_numeric(type: Any) -> bool:
    return bool(pa.types.is_integer(type) or pa.types.is_floating(type) or pa.types.is_decimal(type))


def _is_list(type: Any) -> bool:
    return bool(pa.types.is_list(type) or pa.types.is_large_list(type) or pa.types.is_fixed_size_list(type))


def _dtype(type: Any) -> np.dtype[Any]:
    return np.dtype(np.float64 if pa.types.is_decimal(type) else type.to_pandas_dtype())


def values_of(array: Any) -> np.ndarray[Any, Any]:
    """Return the numbers of an Arrow array, 0 for null; Arrow's own conversion would import pandas."""
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    if array.null_count:
        array = call_function("coalesce", [array, pa.scalar(0, array.type)])
    if not len(array):
        return np.empty(0, dtype=_dtype(array.type))
    dtype = _dtype(array.type)
    return np.frombuffer(array.buffers()[-1], dtype, len(array), array.offset * dtype.itemsize)


def _nulls(array: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return where an Arrow array is null."""
    if not array.null_count:
        return np.zeros(len(array), dtype=np.bool_)
    return ~np.array(array.is_valid().to_pylist(), dtype=np.bool_)


class ColumnarSink:
    """A table of typed columns, a record batch for each chunk.

    Parameters
    ----------
    output
        Where to.
    columns
        What to write of each row.
    options
        Of text; nothing of it matters here.
    """

    what = ""

    def __init__(self, output: Output, columns: Sequence[Column], options: WriteOptions) -> None:  # noqa: ARG002
        self.output = output
        self.columns = columns
        self._writer: Any = None

    def open(self, layout: Layout) -> int:
        """Settle the schema; nothing is written before the first rows."""
        self._dtype = layout.dtype
        self._carried = {column.name: column.type for column in layout.carried}
        coded = (Kind.CODE, Kind.SET, Kind.RANKING)
        self._labels = {
            column.name: pa.array(column.labels, pa.string()) for column in self.columns if column.kind in coded
        }
        self._schema = pa.schema([field for column in self.columns for field in self._fields_of(column)])
        return sum(layout.dtype.itemsize * len(column.headers) * column.lines for column in self.columns)

    def _fields_of(self, column: Column) -> list[Any]:
        number = pa.from_numpy_dtype(np.dtype(column.dtype or self._dtype))
        match column.kind:
            case Kind.TEXT | Kind.JSON | Kind.CODE:
                types = [pa.string()]
            case Kind.VALUE:
                types = [self._carried[column.carried or ""]]
            case Kind.NUMBER | Kind.MATRIX | Kind.ROW:
                types = [number] * len(column.headers)
            case Kind.SET:
                types = [pa.list_(number if column.dtype else pa.string())]
            case Kind.RANKING:
                types = [pa.string(), pa.from_numpy_dtype(self._dtype)] * (len(column.headers) // 2)
        return [pa.field(name, type) for name, type in zip(column.headers, types, strict=True)]

    def encode(self, batch: Batch) -> Any:
        """Return the rows as a record batch."""
        arrays = [array for column in self.columns for array in self._arrays_of(column, batch)]
        if not arrays:
            return None
        return pa.record_batch(arrays, schema=self._schema)

    def _arrays_of(self, column: Column, batch: Batch) -> list[Any]:
        if column.kind is Kind.ROW:
            return [from_numpy(batch.row_numbers())]
        data = batch.data(column)
        match column.kind:
            case Kind.JSON:
                return [plain(data)]
            case Kind.NUMBER:
                return [from_numpy(data)]
            case Kind.MATRIX:
                return [from_numpy(values) for values in data.T]
            case Kind.CODE:
                return [pick(self._labels[column.name], data)]
            case Kind.SET:
                values = from_numpy(data.codes) if column.dtype else pick(self._labels[column.name], data.codes)
                return [pa.ListArray.from_arrays(from_numpy(data.offsets.astype(np.int32)), values)]
            case Kind.RANKING:
                return [
                    array
                    for ranks in zip(data.codes.T, data.probabilities.T, strict=True)
                    for array in _rank(self._labels[column.name], *ranks)
                ]
            case _:
                return [data]

    def accept(self, piece: Any, start: int) -> None:
        """Write the next rows."""
        if piece is None:
            return
        for number, column in enumerate(self.columns):
            if column.kind is Kind.ROW:
                place = sum(len(other.headers) for other in self.columns[:number])
                rows = from_numpy(values_of(piece.column(place)) + start)
                piece = piece.set_column(place, self._schema.field(place), rows)
        with self._writing():
            self.put(piece)

    def finish(self) -> None:
        """End the file."""
        with self._writing():
            self.end()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except pa.ArrowException as error:
            raise OutputError(
                f"{self.output.name}: cannot be written as {self.what}: {_reason(error)}",
                hint="--columns chooses what is written; text formats take everything",
            ) from None

    @property
    def writer(self) -> Any:
        """What writes the file, which begins with the first use of it."""
        if self._writer is None:
            self._writer = self.begin(pa.PythonFile(_Writable(self.output), "w"))
        return self._writer

    def begin(self, file: Any) -> Any:
        """Return what writes record batches to `file`."""
        raise NotImplementedError

    def put(self, batch: Any) -> None:
        """Write a record batch."""
        raise NotImplementedError

    def end(self) -> None:
        """Write what is left, and the end of the file."""
        self.writer.close()


def _rank(labels: Any, codes: np.ndarray[Any, Any], probabilities: np.ndarray[Any, Any]) -> list[Any]:
    """Return the labels and probabilities of a rank, null where there is none."""
    found = codes >= 0
    names, numbers = pick(labels, codes), from_numpy(probabilities)
    if not found.all():
        mask = (~found).tolist()
        names = pa.array(
            [None if gone else name for name, gone in zip(names.to_pylist(), mask, strict=True)], names.type
        )
        numbers = pa.array(
            [None if gone else x for x, gone in zip(numbers.to_pylist(), mask, strict=True)], numbers.type
        )
    return [names, numbers]


class ArrowSink(ColumnarSink):
    """Arrow IPC: a file, or where it goes to a pipe, a stream."""

    what = "Arrow"

    def begin(self, file: Any) -> Any:
        """Return what writes record batches to `file`."""
        return (pa.ipc.new_file if self.output.seekable else pa.ipc.new_stream)(file, self._schema)

    def put(self, batch: Any) -> None:
        """Write a record batch at once."""
        self.writer.write_batch(batch)


class ParquetSink(ColumnarSink):
    """Parquet; small batches are gathered to a row group."""

    what = "Parquet"

    def open(self, layout: Layout) -> int:
        """Settle the schema."""
        self._gathered: list[Any] = []
        self._gathered_bytes = 0
        return super().open(layout)

    def begin(self, file: Any) -> Any:
        """Return what writes tables to `file`."""
        import pyarrow.parquet

        # Texts repeat, numbers hardly ever: to look for the same one again takes most of the time.
        texts = [field.name for field in self._schema if not _is_numeric(field.type)]
        return pyarrow.parquet.ParquetWriter(file, self._schema, use_dictionary=texts)

    def put(self, batch: Any) -> None:
        """Keep a record batch until there are enough of them."""
        self._gathered.append(batch)
        self._gathered_bytes += batch.nbytes
        if self._gathered_bytes >= _ROW_GROUP_BYTES:
            self._write()

    def end(self) -> None:
        """Write what is left, and the end of the file."""
        self._write()
        super().end()

    def _write(self) -> None:
        if self._gathered:
            self.writer.write_table(pa.Table.from_batches(self._gathered, self._schema))
            self._gathered.clear()
            self._gathered_bytes = 0


class _Writable:
    """What Arrow takes for a file to write to."""

    closed = False

    def __init__(self, output: Output) -> None:
        self._output = output
        self._position = 0

    def write(self, data: Any) -> int:
        """Write all of `data`."""
        count = memoryview(data).nbytes
        self._output.write(data)
        self._position += count
        return count

    def tell(self) -> int:
        """Return how much has been written."""
        return self._position

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""

    def close(self) -> None:
        """Leave the output open: it is closed by who opened it."""
