"""What Parquet and Arrow share on the way out: a record batch for each chunk, with real lists and the input's types."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np
import pyarrow as pa

from actcli.errors import OutputError
from actcli.formats.arrow_types import values_of, with_nulls
from actcli.formats.columnar import reason
from actcli.formats.text import call_function, from_numpy, pick, plain, text_array
from actcli.streaming import memory
from actcli.streaming.batch import Kind
from actcli.streaming.output import OutputFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from actcli.formats import WriteOptions
    from actcli.streaming.batch import Batch, Column, Layout
    from actcli.streaming.output import Bytes, Output

__all__ = ["ColumnarEncoder", "ColumnarSink"]

_BUFFER_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class ColumnarEncoder:
    """How a decided batch becomes a record batch.

    Parameters
    ----------
    columns
        What to write of each row.
    schema
        Of the record batches.
    labels
        By the name of a column, the texts that its codes stand for, as an Arrow array.
    """

    columns: tuple[Column, ...]
    schema: Any
    labels: Mapping[str, Any]

    def encode(self, batch: Batch) -> Any:
        """Return the rows as a record batch, None if nothing is written of them."""
        arrays = [array for column in self.columns for array in self._arrays(column, batch)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema) if arrays else None

    def _arrays(self, column: Column, batch: Batch) -> list[Any]:
        if column.kind is Kind.ROW:
            return [from_numpy(batch.row_numbers())]
        data = batch.data(column)
        match column.kind:
            case Kind.TEXT | Kind.VALUE:
                return [data]
            case Kind.JSON:
                return [plain(data)]
            case Kind.NUMBER:
                return [from_numpy(data)]
            case Kind.MATRIX:
                return _slices(from_numpy(data.T.reshape(-1)), *data.shape)
            case Kind.CODE:
                return [pick(self.labels[column.name], data)]
            case Kind.SET:
                values = from_numpy(data.codes) if column.dtype else pick(self.labels[column.name], data.codes)
                return [pa.ListArray.from_arrays(from_numpy(data.offsets.astype(np.int32)), values)]
            case Kind.RANKING:
                ranks = zip(data.codes.T, data.probabilities.T, strict=True)
                return [array for rank in ranks for array in _rank(self.labels[column.name], *rank)]
            case _:
                assert_never(column.kind)


def _rank(labels: Any, codes: np.ndarray[Any, Any], probabilities: np.ndarray[Any, Any]) -> list[Any]:
    """Return the labels and probabilities of a rank, null where there is none."""
    none = codes < 0
    if not none.any():
        return [pick(labels, codes), from_numpy(probabilities)]
    return [call_function("take", [labels, with_nulls(codes, none)]), with_nulls(probabilities, none)]


def _fields(column: Column, layout: Layout) -> list[Any]:
    """Return the fields of the schema that hold a column."""
    number = pa.from_numpy_dtype(np.dtype(column.dtype or layout.dtype))
    match column.kind:
        case Kind.TEXT | Kind.JSON | Kind.CODE:
            types = [pa.string()]
        case Kind.VALUE:
            types = [carried.type for carried in layout.carried if carried.name == column.carried]
        case Kind.NUMBER | Kind.MATRIX | Kind.ROW:
            types = [number] * len(column.headers)
        case Kind.SET:
            types = [pa.list_(number if column.dtype else pa.string())]
        case Kind.RANKING:
            types = [pa.string(), pa.from_numpy_dtype(layout.dtype)] * (len(column.headers) // 2)
        case _:
            assert_never(column.kind)
    return [pa.field(name, type) for name, type in zip(column.headers, types, strict=True)]


def _slices(flat: Any, rows: int, columns: int) -> list[Any]:
    """Return the columns of an Arrow array that holds them one after the other."""
    return [flat.slice(number * rows, rows) for number in range(columns)]


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
    column_bytes = 1500
    """The memory that the library takes at least for each column."""

    def __init__(self, output: Output, columns: Sequence[Column], options: WriteOptions) -> None:  # noqa: ARG002
        self.output = output
        self.columns = columns
        self._writer: Any = None
        self._file = _BufferedFile(output)

    def open(self, layout: Layout) -> int:
        """Settle the schema; nothing is written before the first rows."""
        memory.check_room(sum(len(column.headers) for column in self.columns) * self.column_bytes, self.output.name)
        coded = (Kind.CODE, Kind.SET, Kind.RANKING)
        labels = {column.name: text_array(column.labels) for column in self.columns if column.kind in coded}
        self.schema = pa.schema([field for column in self.columns for field in _fields(column, layout)])
        self.encoder = ColumnarEncoder(tuple(self.columns), self.schema, labels)
        return sum(layout.dtype.itemsize * len(column.headers) * column.lines for column in self.columns)

    def encode(self, batch: Batch) -> Any:
        """Return the rows as a record batch."""
        return self.encoder.encode(batch)

    def accept(self, piece: Any, start: int) -> None:
        """Write the next rows."""
        if piece is None:
            return
        for number, column in enumerate(self.columns):
            if column.kind is Kind.ROW:
                place = sum(len(other.headers) for other in self.columns[:number])
                rows = from_numpy(values_of(piece.column(place)) + start)
                piece = piece.set_column(place, self.schema.field(place), rows)
        with self._writing():
            self.put(piece)
            self._file.flush()

    def finish(self) -> None:
        """End the file."""
        with self._writing():
            self.end()
            self._file.flush()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (MemoryError, pa.ArrowException, OSError, ValueError) as error:
            if memory.is_exhausted(error):
                raise memory.exceeded(self.output.name) from None
            if isinstance(error, OSError) and error.errno is not None:
                raise  # of the file; Arrow's own have no number
            raise OutputError(
                f"{self.output.name}: cannot be written as {self.what}: {reason(error)}",
                hint="--columns chooses what is written; text formats take everything",
            ) from None

    @property
    def writer(self) -> Any:
        """What writes the file, which begins with the first use of it."""
        if self._writer is None:
            self._writer = self.begin(pa.PythonFile(self._file, "w"))
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


class _BufferedFile(OutputFile):
    """An output as a file object for Arrow, which writes every few bytes of a column on their own."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._buffer = bytearray()

    def write(self, data: Bytes, /) -> int:
        """Keep `data`, and write it once there is enough."""
        view = memoryview(data).cast("B")
        self._position += len(view)
        if len(self._buffer) + len(view) > _BUFFER_BYTES:
            self.flush()
        if len(view) > _BUFFER_BYTES:
            self._output.write(view)
        else:
            self._buffer += view
        return len(view)

    def flush(self) -> None:
        """Write what is kept."""
        if self._buffer:
            self._output.write(self._buffer)
            self._buffer = bytearray()
