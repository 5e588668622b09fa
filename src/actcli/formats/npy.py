"""NPY: read by row ranges, without mapping the file; written as a header and rows."""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy_format

from actcli.errors import DataError, UsageError, visible
from actcli.formats.column_roles import MOST_COLUMNS
from actcli.streaming.batch import Batch, Kind, Layout, TopK, rows_in_chunk
from actcli.streaming.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.formats import ReadOptions, WriteOptions
    from actcli.streaming.batch import Chunk, Column, Source
    from actcli.streaming.input import Input
    from actcli.streaming.output import Output

__all__ = ["NpySink", "NpySource", "header"]

MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000
_NAMES_OF_KINDS = {
    "b": "booleans",
    "c": "complex numbers",
    "O": "Python objects",
    "S": "bytes",
    "U": "text",
    "T": "text",
    "M": "dates",
    "m": "time spans",
    "V": "records",
}


class NpySource:
    """One array, its rows the rows of the table.

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
        If the header is wrong, or the array is not one of scores.
    """

    def __init__(self, input: Input, options: ReadOptions, *, file: int, like: Source | None) -> None:  # noqa: ARG002
        self.input = input
        self.file = file
        self.notes: list[str] = []
        self._plain = options.plain
        self._offset, self.dtype, shape, self._by_columns = self._read_header()
        rows, width = self._as_table(shape, options.one_dimensional)
        self._rows, self._width = rows, width
        self.row_bytes = width * self.dtype.itemsize
        self._check_size(self._offset + rows * self.row_bytes)
        self._by_columns = self._by_columns and min(rows, width) > 1
        if self._by_columns and input.size is None:
            # A file in Fortran order has the start of every row first: the rows of a pipe come when all is there.
            input.read(self._offset)
            input.spool(rows * self.row_bytes)
            self._offset = 0
            self._check_size(rows * self.row_bytes)
        self._chosen = self._choose(options, width)
        names = tuple(str(number) for number in (range(width) if self._chosen is None else self._chosen))
        self.layout = Layout(names, (), self.dtype.newbyteorder("="), rows)
        self.size = None if input.size is None else rows * self.row_bytes

    def _read_header(self) -> tuple[int, np.dtype[Any], tuple[int, ...], bool]:
        head = self.input.peek(12)
        if not head.startswith(MAGIC):
            raise DataError(f"{self.input.name}: is not NPY: it begins with {visible(repr(head[:8])[1:])}")
        version = tuple(head[6:8])
        size = 2 if version == (1, 0) else 4
        if version not in ((1, 0), (2, 0), (3, 0)) or len(head) < 8 + size:
            found = ".".join(map(str, version)) if len(head) >= 8 else "nothing"
            raise DataError(f"{self.input.name}: the NPY header is not of format 1.0 to 3.0, but of {found}")
        length = int.from_bytes(head[8 : 8 + size], "little")
        if length > _LONGEST_HEADER:
            raise DataError(f"{self.input.name}: the NPY header says it is {length} bytes long; that is no header")
        offset = 8 + size + length
        file = io.BytesIO(self.input.peek(offset))
        file.seek(8)
        read = npy_format.read_array_header_1_0 if size == 2 else npy_format.read_array_header_2_0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                shape, by_columns, dtype = read(file, max_header_size=_LONGEST_HEADER)
        except Exception as error:  # noqa: BLE001  a hostile header can make the parser fail in any way
            what = str(error).partition("\n")[0].partition(": <")[0]  # what follows is an object with its address
            reason = visible(what or type(error).__name__, 120)
            raise DataError(f"{self.input.name}: the NPY header cannot be read: {reason}") from None
        if any(isinstance(length, bool) or length < 0 for length in shape):
            raise DataError(f"{self.input.name}: the NPY header has an impossible shape: {visible(str(shape))}")
        self._check_dtype(dtype)
        return offset, dtype, shape, by_columns

    def _check_dtype(self, dtype: np.dtype[Any]) -> None:
        if dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize <= 8) or (dtype.kind == "b" and self._plain):
            return
        kind = "long doubles" if dtype.kind == "f" else _NAMES_OF_KINDS.get(dtype.kind, str(dtype))
        pickled = ", and pickles are never loaded" if dtype.hasobject else ""
        raise DataError(
            f"{self.input.name}: holds {kind}, not scores{pickled}",
            hint="save them as numbers: np.save(FILE, np.asarray(scores, dtype=np.float64))",
        )

    def _as_table(self, shape: tuple[int, ...], one_dimensional: str) -> tuple[int, int]:
        if len(shape) == 1:
            shape = (1, shape[0]) if one_dimensional == "row" else (shape[0], 1)
        if len(shape) != 2:
            last = "-1, a.shape[-1]" if shape else "1, 1"
            raise DataError(
                f"{self.input.name}: has {len(shape)} dimensions, {shape}; scores have two: rows and classes",
                hint=f"reshape it in Python: np.save(FILE, a.reshape({last}))",
            )
        if not shape[1]:
            raise DataError(f"{self.input.name}: has no classes: its shape is {shape}")
        if shape[1] > MOST_COLUMNS:
            raise DataError(f"{self.input.name}: has {shape[1]:,} classes; actcli takes up to {MOST_COLUMNS:,}")
        return shape[0], shape[1]

    def _check_size(self, expected: int) -> None:
        if self.input.size is not None and self.input.size != expected:
            more = "longer" if self.input.size > expected else "shorter"
            raise DataError(
                f"{self.input.name}: the file is {more} than its header says: {self.input.size} bytes, not {expected}",
                hint="was it cut off, or written twice?",
            )

    def _choose(self, options: ReadOptions, width: int) -> list[int] | None:
        if options.classes is None:
            return None
        from actcli.formats.column_roles import select

        chosen, _ = select(options.classes, [str(position) for position in range(width)], range(width))
        if not chosen:
            raise UsageError(f"--classes: {visible(options.classes)!r} leaves no class")
        return list(chosen)

    def chunks(self, output_bytes: int) -> Iterator[Chunk | None]:
        """Cut the array into ranges of rows; None before waiting for more of a pipe."""
        count = rows_in_chunk(self.row_bytes, output_bytes, self._width)
        if self.input.size is not None:
            for start in range(0, self._rows, count):
                yield RowRangeChunk(self, start, min(count, self._rows - start))
        else:
            yield from self._pipe_chunks(count)

    def _pipe_chunks(self, count: int) -> Iterator[Chunk | None]:
        self.input.read(self._offset)
        row, rest, ended = 0, bytearray(), False
        while row < self._rows:
            while len(rest) < min(count, self._rows - row) * self.row_bytes and not ended:
                if not self.input.ready():
                    if len(rest) >= self.row_bytes:
                        break
                    yield None
                data = self.input.read(min(count, self._rows - row) * self.row_bytes - len(rest))
                ended = not data
                rest += data
            rows = len(rest) // self.row_bytes
            if not rows:
                raise DataError(f"{self.input.name}: ends after row {row}, but its header says {self._rows} rows")
            end = rows * self.row_bytes
            yield RowRangeChunk(self, row, rows, bytes(rest[:end]))
            del rest[:end]
            row += rows
        yield None
        if self.input.read(1):
            raise DataError(f"{self.input.name}: goes on after the {self._rows} rows that its header says")

    def decode(self, start: int, rows: int, data: bytes | None) -> Batch:
        """Return `rows` rows from row `start` on, out of `data` where that has come through a pipe."""
        if data is not None:
            scores = np.frombuffer(data, dtype=self.dtype).reshape(rows, self._width)
        elif self._by_columns:
            scores = np.empty((self._width, rows), dtype=self.dtype).T
            for position in range(self._width):
                self._read_at(scores[:, position], position * self._rows + start)
        else:
            scores = np.empty((rows, self._width), dtype=self.dtype)
            self._read_at(scores.reshape(-1), start * self._width)
        if self._chosen is not None:
            scores = scores[:, self._chosen]
        name = self.input.name
        return Batch(scores, {}, lambda row: f"{name}: row {start + row + 1}", self.file)

    def _read_at(self, target: np.ndarray[Any, Any], first: int) -> None:
        if target.size:
            self.input.read_at(memoryview(target.view(np.uint8).data), self._offset + first * self.dtype.itemsize)


class RowRangeChunk:
    """A chunk: a range of rows, still in the file unless it came through a pipe."""

    __slots__ = ("data", "rows", "size", "source", "start")

    def __init__(self, source: NpySource, start: int, rows: int, data: bytes | None = None) -> None:
        self.source = source
        self.start = start
        self.rows = rows
        self.data = data
        self.size = rows * source.row_bytes

    def decode(self) -> Batch:
        """Return its rows."""
        return self.source.decode(self.start, self.rows, self.data)


class NpySink:
    """One numeric column as one array.

    The header says the number of rows. Where the input tells it beforehand, the rows of a file go to their places from
    any thread, while they are still in its processor's cache. Where it does not, a file gets its final header when all
    rows are there, and a pipe, which has no way back, gets everything then.
    """

    def __init__(self, output: Output, columns: Sequence[Column], options: WriteOptions) -> None:  # noqa: ARG002
        if len(columns) != 1 or columns[0].kind not in (Kind.NUMBER, Kind.MATRIX, Kind.RANKING, Kind.ROW):
            raise UsageError(
                "npy holds one numeric column, not " + (", ".join(column.name for column in columns) or "none"),
                hint="choose one, for instance --columns probabilities",
            )
        self.output = output
        self.column = columns[0]
        self._rows = 0
        self._expected: int | None = None
        self._first = 0
        self._spool: Spool | None = None

    def open(self, layout: Layout) -> int:
        """Write the header, if the number of rows is known or can be put in later."""
        self._dtype = np.dtype(self.column.dtype or layout.dtype)
        self._expected = layout.rows
        self._row_bytes = math.prod(self._shape(self.column.lines)) * self._dtype.itemsize
        if layout.rows is None and not self.output.seekable:
            self._spool = Spool()
        else:
            begin = header(self._shape(layout.rows or 0), self._dtype)
            self._first = len(begin)
            self.output.write(begin)
        return self._row_bytes

    def encode(self, batch: Batch) -> Any:
        """Return the rows as they are stored, or put them there if their place is known, and return nothing."""
        data = batch.row_numbers() if self.column.kind is Kind.ROW else batch.data(self.column)
        values = np.ascontiguousarray(data.codes if isinstance(data, TopK) else data, dtype=self._dtype)
        if batch.start is None or not self._has_places:
            return values
        self._write(values, batch.start)
        return None

    def accept(self, piece: np.ndarray[Any, Any] | None, start: int) -> None:
        """Write the next rows, unless they are there already."""
        if piece is not None:
            self._write(piece, start)

    @property
    def _has_places(self) -> bool:
        return self._expected is not None and self.output.seekable

    def _write(self, rows: np.ndarray[Any, Any], start: int) -> None:
        if self.column.kind is Kind.ROW:
            rows = rows + start
        if self._has_places:
            self.output.write_at(_bytes_of(rows), self._first + start * self._row_bytes)
        else:
            self._rows += len(rows)
            (self._spool or self.output).write(_bytes_of(rows))

    def finish(self) -> None:
        """Say how many rows there are, where that was not known before."""
        if self._spool is not None:
            with self._spool as spool:
                self.output.write(header(self._shape(self._rows), self._dtype))
                for data in spool.pieces():
                    self.output.write(data)
        elif self._expected is None:
            self.output.write_at(header(self._shape(self._rows), self._dtype), 0)

    def _shape(self, rows: int) -> tuple[int, ...]:
        """Return the shape of an array of so many lines."""
        width, lines = len(self.column.headers), self.column.lines
        match self.column.kind:
            case Kind.RANKING:
                return rows, width // 2
            case Kind.MATRIX:
                return (rows, width) if lines == 1 else (rows // lines, lines, width)
            case _:
                return (rows,)


def _bytes_of(values: np.ndarray[Any, Any]) -> memoryview:
    return memoryview(values.reshape(-1).view(np.uint8).data)


def header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """Return what an NPY file of an array in C order begins with.

    Its length does not depend on the number of rows: NumPy leaves room for that to grow.
    """
    file = io.BytesIO()
    description = npy_format.dtype_to_descr(dtype)
    npy_format.write_array_header_1_0(file, {"descr": description, "fortran_order": False, "shape": shape})
    return file.getvalue()
