"""NPY: read by row ranges, without mapping the file; written as a header and rows."""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

import numpy as np
from numpy.lib import format as npy_format

from actcli.errors import DataError, UsageError, visible
from actcli.formats.column_roles import MOST_COLUMNS
from actcli.formats.row_ranges import RowDecoder, RowRangeChunk, StoredArray
from actcli.streaming.batch import Kind, Layout, rows_in_chunk
from actcli.streaming.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.formats.registry import ReadOptions, WriteOptions
    from actcli.streaming.batch import Batch, Chunk, Column, Source, TopK
    from actcli.streaming.input import Input
    from actcli.streaming.output import Output

__all__ = ["NpySink", "NpySource", "array_of", "array_shape", "header"]

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

    bfloat16 = False
    """Whether each number is the upper half of a float32."""

    def __init__(self, input: Input, options: ReadOptions, *, file: int, like: Source | None) -> None:  # noqa: ARG002
        self.input = input
        self.file = file
        self.notes: list[str] = []
        self._plain = options.plain
        self._offset, self.dtype, shape, self._by_columns = self._read_header()
        self.flat = len(shape) == 1
        rows, width = self._as_table(shape, options.one_dimensional)
        self._rows, self._width = rows, width
        self.row_bytes = width * self.dtype.itemsize
        self._check_size(self._offset + rows * self.row_bytes)
        self._by_columns = self._by_columns and min(rows, width) > 1
        if self._by_columns and input.size is None:
            # In Fortran order a row is spread over the whole file, so a pipe is read to its end first.
            input.read(self._offset)
            input.spool(rows * self.row_bytes)
            self._offset = 0
            self._check_size(rows * self.row_bytes)
        chosen = self._choose(options, width)
        names = tuple(str(number) for number in (range(width) if chosen is None else chosen))
        dtype = np.dtype(np.float32) if self.bfloat16 else self.dtype.newbyteorder("=")
        self.layout = Layout(names, (), dtype, rows)
        self.size = None if input.size is None else rows * self.row_bytes
        self._decoder = RowDecoder(input.name, file, self.dtype, width, chosen, self.bfloat16)

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

    def _reshape_hint(self, shape: tuple[int, ...]) -> str:
        """Return how to make a table of an array; which axis holds the classes, its shape does not say."""
        if self._plain or not shape:
            return f"reshape it in Python: np.save(FILE, a.reshape({-1 if shape else '1, 1'}))"
        first = f"np.save(FILE, np.moveaxis(a, 1, -1).reshape(-1, {shape[1]}))"
        last = f"np.save(FILE, a.reshape(-1, {shape[-1]}))"
        return f"you must know which axis holds the classes; in Python, for axis 1: {first}; for the last: {last}"

    def _as_table(self, shape: tuple[int, ...], one_dimensional: str) -> tuple[int, int]:
        if len(shape) == 1:
            shape = (1, shape[0]) if one_dimensional == "row" else (shape[0], 1)
        if len(shape) != 2:
            what = "truths have one or two" if self._plain else "scores have two: rows and classes"
            raise DataError(
                f"{self.input.name}: has {len(shape)} dimensions, {shape}; {what}", hint=self._reshape_hint(shape)
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

    def _choose(self, options: ReadOptions, width: int) -> tuple[int, ...] | None:
        if options.classes is None:
            return None
        from actcli.formats.column_roles import select

        chosen, _ = select(options.classes, [str(position) for position in range(width)], range(width))
        if not chosen:
            raise UsageError(f"--classes: {visible(options.classes)!r} leaves no class")
        return tuple(chosen)

    def chunks(self, output_bytes: int) -> Iterator[Chunk | None]:
        """Cut the array into ranges of rows; yield None before waiting for more of a pipe."""
        count = rows_in_chunk(self.row_bytes, output_bytes, self._width)
        if self.input.size is not None:
            array = StoredArray(self.input, self._offset, self.dtype, self._rows, self._width, self._by_columns)
            for start in range(0, self._rows, count):
                yield RowRangeChunk(self._decoder, start, min(count, self._rows - start), array)
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
            yield RowRangeChunk(self._decoder, row, rows, bytes(rest[:end]))
            del rest[:end]
            row += rows
        yield None
        if self.input.read(1):
            raise DataError(f"{self.input.name}: goes on after the {self._rows} rows that its header says")


class NpyEncoder(NamedTuple):
    """Turns a column of a batch into the rows of an array."""

    column: Column
    dtype: np.dtype[Any]

    def encode(self, batch: Batch) -> np.ndarray[Any, Any]:
        """Return the rows as they are stored; the numbers of rows count from the start of the chunk."""
        return np.ascontiguousarray(array_of(self.column, batch), dtype=self.dtype)


def array_of(column: Column, batch: Batch) -> np.ndarray[Any, Any]:
    """Return the numbers of a column as an array format stores them: for a ranking, the codes of its classes.

    Raises
    ------
    ValueError
        If it is a column of texts.
    """
    match column.kind:
        case Kind.ROW:
            return batch.row_numbers()
        case Kind.RANKING:
            ranking: TopK = batch.data(column)
            return ranking.codes
        case Kind.NUMBER | Kind.MATRIX | Kind.CODE:
            numbers: np.ndarray[Any, Any] = batch.data(column)
            return numbers
        case Kind.TEXT | Kind.VALUE | Kind.JSON | Kind.SET:
            raise ValueError(f"a column of kind {column.kind.value} holds no array of numbers")
        case _:
            assert_never(column.kind)


def array_shape(column: Column, rows: int) -> tuple[int, ...]:
    """Return the shape of the array that holds `rows` lines of a column of numbers.

    Raises
    ------
    ValueError
        If it is a column of texts.
    """
    width, lines = len(column.headers), column.lines
    match column.kind:
        case Kind.RANKING:
            return rows, width // 2
        case Kind.MATRIX:
            return (rows, width) if lines == 1 else (rows // lines, lines, width)
        case Kind.NUMBER | Kind.ROW:
            return (rows,) if lines == 1 else (rows // lines, lines)
        case Kind.CODE:
            return (rows,)
        case Kind.TEXT | Kind.VALUE | Kind.JSON | Kind.SET:
            raise ValueError(f"a column of kind {column.kind.value} holds no array of numbers")
        case _:
            assert_never(column.kind)


class NpySink:
    """One numeric column as one array.

    The header holds the number of rows. If the layout tells it, the rows of a file go to their places from any thread,
    while they are still in the cache of its processor. If it does not, a file gets its final header after all rows, and
    a pipe, which cannot seek, gets everything at the end.
    """

    encoder: NpyEncoder

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
        """Settle the encoder; write the header if the number of rows is known or can be filled in later."""
        self.encoder = NpyEncoder(self.column, np.dtype(self.column.dtype or layout.dtype))
        self._expected = layout.rows
        self._row_bytes = math.prod(array_shape(self.column, self.column.lines)) * self.encoder.dtype.itemsize
        if layout.rows is None and not self.output.seekable:
            self._spool = Spool()
        else:
            begin = self._header(layout.rows or 0)
            self._first = len(begin)
            self.output.write(begin)
        return self._row_bytes

    @property
    def any_order(self) -> bool:
        """Whether each row has a known place in the file."""
        return self._expected is not None and self.output.seekable

    def accept(self, encoded: np.ndarray[Any, Any], start: int) -> None:
        """Write the rows to their place, or after the rows before them."""
        rows = encoded + start if self.column.kind is Kind.ROW else encoded
        data = memoryview(rows.reshape(-1).view(np.uint8).data)
        if self.any_order:
            self.output.write_at(data, self._first + start * self._row_bytes)
        else:
            self._rows += len(rows)
            (self._spool or self.output).write(data)

    def finish(self) -> None:
        """Write the number of rows if it was not known before."""
        if self._spool is not None:
            with self._spool as spool:
                self.output.write(self._header(self._rows))
                for data in spool.pieces():
                    self.output.write(data)
        elif self._expected is None:
            self.output.write_at(self._header(self._rows), 0)

    def _header(self, rows: int) -> bytes:
        return header(array_shape(self.column, rows), self.encoder.dtype)


def header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """Return the header of an NPY file for an array in C order.

    Its length does not depend on the number of rows: NumPy leaves room for more digits.
    """
    file = io.BytesIO()
    description = npy_format.dtype_to_descr(dtype)
    npy_format.write_array_header_1_0(file, {"descr": description, "fortran_order": False, "shape": shape})
    return file.getvalue()
