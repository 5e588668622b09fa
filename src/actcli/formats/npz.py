"""NPZ, a zip archive of NPY arrays: one array is read while it is unpacked; an array for each column is written."""

from __future__ import annotations

import contextlib
import itertools
import zipfile
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np
import pyarrow as pa

from actcli.errors import DataError, OutputError, UsageError, listed, visible
from actcli.formats.array_choice import chosen_array
from actcli.formats.arrow_types import numpy_dtype
from actcli.formats.detection import archive_kind
from actcli.formats.npy import NpySource, array_of, array_shape, header
from actcli.formats.text import carried_texts, join_lists, pick
from actcli.streaming import batch as batches
from actcli.streaming.batch import Kind
from actcli.streaming.input import Input, Seekable
from actcli.streaming.output import OutputFile
from actcli.streaming.spool import Spool, Strand

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.formats.registry import ReadOptions, WriteOptions
    from actcli.streaming.batch import Batch, Column, Layout, Source
    from actcli.streaming.output import Output

__all__ = ["NpzSink", "NpzSource"]

_SUFFIX = ".npy"
KEPT_BYTES = 1 << 24
"""The bytes of all columns that are gathered in memory before they are written to the temporary file."""
_LARGEST_DIRECTORY = 1 << 23
"""The most bytes of the list of members, which is read as Python objects."""


class NpzSource(NpySource):
    """One array of an archive.

    Parameters
    ----------
    input
        The open file.
    options
        How to read it; `key` says which array.
    file
        Its index among the inputs.
    like
        The first input, when this is a further one.

    Raises
    ------
    DataError
        If it is no archive of arrays, or it is not clear which of them holds the scores.
    UsageError
        If there is no array of the name that was asked for.
    """

    def __init__(self, input: Input, options: ReadOptions, *, file: int, like: Source | None) -> None:
        if input.size is None:
            input.spool(None)
        with _reading(input.name):
            archive = zipfile.ZipFile(_Archive(input))
        self._member = _chosen(archive, input.name, options)
        super().__init__(_Member(input, archive, self._member), options, file=file, like=like)
        self.size = self.row_bytes * (self.layout.rows or 0)

    def _check_size(self, expected: int) -> None:
        if self.input.size is None and self._member.file_size != expected:
            raise DataError(
                f"{self.input.name}: is {self._member.file_size} bytes long, but its header says {expected}"
            )
        super()._check_size(expected)


def _chosen(archive: zipfile.ZipFile, name: str, options: ReadOptions) -> zipfile.ZipInfo:
    """Return the member that holds the scores."""
    members = [member for member in archive.infolist() if member.filename.endswith(_SUFFIX)]
    arrays = {member.filename.removesuffix(_SUFFIX): member for member in members}
    if not arrays:
        found = [member.filename for member in archive.infolist()]
        kind = archive_kind(found[0]) if found else None
        raise DataError(
            f"{name}: holds no arrays" + (f", but {listed(found, 3)}" if found else ""),
            hint=None if kind is None else f"this is {kind[0]}; {kind[1]}",
        )
    if len(arrays) < len(members):
        [(twice, _)] = Counter(member.filename.removesuffix(_SUFFIX) for member in members).most_common(1)
        raise DataError(f'{name}: holds two arrays called "{visible(twice)}"')
    return arrays[chosen_array(list(arrays), name, options)]


class _Member(Input):
    """A member of an archive, read as what it was before it was packed.

    Its checksum is compared at its end.

    Parameters
    ----------
    archived
        The file that is the archive.
    archive
        That file, opened.
    member
        Which one.

    Raises
    ------
    DataError
        If it cannot be unpacked.
    """

    def __init__(self, archived: Input, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        self.archived = archived
        self.path = archived.path
        self.name = f'{archived.name}: array "{visible(member.filename.removesuffix(_SUFFIX))}"'
        self.identity = archived.identity
        if member.flag_bits & 1:
            raise DataError(f"{self.name}: is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{self.name}: is compressed in a way that NPZ does not use")
        # Newer versions of Python check this themselves.
        starts = [each.header_offset for each in archive.infolist() if each.header_offset > member.header_offset]
        if member.header_offset + member.compress_size > min([*starts, archive.start_dir]):
            raise DataError(f"{self.name}: overlaps with what follows it in the archive")
        with _reading(self.name):
            self._file = archive.open(member)

    def ready(self) -> bool:
        """Return True: the archive is a file."""
        return True

    def pause(self) -> None:
        """Close the archive for a while."""
        self.archived.pause()

    def resume(self) -> None:
        """Open it again."""
        self.archived.resume()

    def close(self) -> None:
        """Close the archive, and the temporary file that the member may have been unpacked to."""
        super().close()
        self.archived.close()

    def _read(self, count: int) -> bytes:
        with _reading(self.name):
            return self._file.read(count)


class _Archive(Seekable):
    """The file that is the archive."""

    def read(self, count: int | None = None) -> bytes:
        """Return `count` bytes, fewer only at the end."""
        if min(self.size() - self.tell(), self.size() if count is None else count) > _LARGEST_DIRECTORY:
            raise zipfile.BadZipFile("its directory is too large")
        return super().read(count)


@contextlib.contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001  a hostile archive can make the unpacker fail in any way
        reason = visible((str(error).splitlines() or [type(error).__name__])[0], 120)
        raise DataError(f"{name}: cannot be unpacked: {reason}") from None


@dataclass(frozen=True, slots=True)
class NpzEncoder:
    """Turns batches into the arrays and texts of an archive.

    Parameters
    ----------
    columns
        The columns to write.
    dtypes
        The dtype of the numbers of each column; None for a column of texts.
    label_separator
        The text between the labels of a set.
    """

    columns: tuple[Column, ...]
    dtypes: tuple[np.dtype[Any] | None, ...]
    label_separator: str

    def encode(self, batch: Batch) -> list[Any]:
        """Return an array or a list of texts for each column."""
        return [self._encoded(column, dtype, batch) for column, dtype in zip(self.columns, self.dtypes, strict=True)]

    def _encoded(self, column: Column, dtype: np.dtype[Any] | None, batch: Batch) -> Any:
        match column.kind:
            case Kind.SET:
                sets = batch.data(column)
                return join_lists(sets.offsets, pick(column.labels, sets.codes), self.label_separator).to_pylist()
            case Kind.VALUE if dtype is not None:
                return _numbers_of(batch.data(column), _key(column))
            case Kind.TEXT | Kind.VALUE | Kind.JSON:
                return carried_texts(column.kind, batch.data(column)).to_pylist()
            case Kind.NUMBER | Kind.CODE | Kind.MATRIX | Kind.RANKING | Kind.ROW:
                return np.ascontiguousarray(array_of(column, batch), dtype=dtype)
            case _:
                assert_never(column.kind)


class NpzSink:
    """One array for each column.

    An archive holds one array after the other, but a row has a value in each of them. The values of all columns are
    kept in a temporary file until all rows are there. Only then the width of an array of texts is known.
    """

    encoder: NpzEncoder

    def __init__(self, output: Output, columns: Sequence[Column], options: WriteOptions) -> None:
        self.output = output
        self.columns = tuple(columns)
        self._separator = options.label_separator
        self._parts: list[_Numbers | _Texts | _Codes] = []
        for column in columns:
            if "\0" in _key(column):
                raise UsageError(f"npz cannot hold a column called {visible(_key(column))!r}")

    def open(self, layout: Layout) -> int:
        """Settle the encoder, and begin a temporary file for all columns."""
        spool, kept = Spool(), max(1024, KEPT_BYTES // max(1, len(self.columns)))
        types = {column.name: column.type for column in layout.carried}
        dtypes = tuple(_dtype_of(column, layout.dtype, types) for column in self.columns)
        self.encoder = NpzEncoder(self.columns, dtypes, self._separator)
        for column, dtype in zip(self.columns, dtypes, strict=True):
            if column.kind is Kind.CODE:
                self._parts.append(_Codes(Strand(spool, kept), column.labels))
            elif dtype is None:
                self._parts.append(_Texts(Strand(spool, kept)))
            else:
                self._parts.append(_Numbers(Strand(spool, kept), dtype, column))
        return sum(layout.dtype.itemsize * len(column.headers) * column.lines for column in self.columns)

    def accept(self, encoded: list[Any], start: int) -> None:
        """Keep the next rows."""
        for column, part, data in zip(self.columns, self._parts, encoded, strict=True):
            part.add(data + start if column.kind is Kind.ROW else data)

    def finish(self) -> None:
        """Write the archive."""
        with zipfile.ZipFile(OutputFile(self.output), "w", allowZip64=True) as archive:
            for column, part in zip(self.columns, self._parts, strict=True):
                # The entry has no time of writing: the same rows give the same bytes.
                member = zipfile.ZipInfo(_key(column) + _SUFFIX)
                with archive.open(member, "w", force_zip64=True) as file:
                    shape, dtype = part.described()
                    file.write(header(shape, dtype))
                    for data in part.pieces():
                        file.write(data)


def _dtype_of(column: Column, dtype: np.dtype[Any], types: dict[str, Any]) -> np.dtype[Any] | None:
    """Return the dtype of the numbers of a column, or None for a column of texts."""
    match column.kind:
        case Kind.CODE | Kind.RANKING:
            return np.dtype(np.int64)
        case Kind.NUMBER | Kind.ROW | Kind.MATRIX:
            return np.dtype(column.dtype or dtype)
        case Kind.VALUE:
            type = types[column.carried or ""]
            return numpy_dtype(type) if _is_number(type) else None
        case Kind.TEXT | Kind.JSON | Kind.SET:
            return None
        case _:
            assert_never(column.kind)


def _key(column: Column) -> str:
    """Return what the array of a column is called."""
    return column.name if column.carried is None else column.headers[0]


def _is_number(type: Any) -> bool:
    return bool(pa.types.is_integer(type) or pa.types.is_floating(type) or pa.types.is_boolean(type))


def _numbers_of(values: Any, name: str) -> np.ndarray[Any, Any]:
    """Return the numbers of an Arrow array, with NaN for null in an array of floats."""
    dtype = numpy_dtype(values.type)
    if values.null_count and dtype.kind != "f":
        raise OutputError(
            f'column "{visible(name)}" has an empty cell, and an array of {dtype} has nothing to say so',
            hint="leave it out with --columns, or write another format",
        )
    return np.array([np.nan if value is None else value for value in values.to_pylist()], dtype=dtype)


class _Numbers:
    """A column of numbers, kept as they will be written."""

    def __init__(self, spool: Strand, dtype: np.dtype[Any], column: Column) -> None:
        self._spool = spool
        self._dtype = dtype
        self._column = column
        self._rows = 0

    def add(self, data: np.ndarray[Any, Any]) -> None:
        """Keep the next rows."""
        self._rows += len(data)
        if data.size:
            self._spool.write(data.data)

    def described(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return the shape and the dtype of the array."""
        # A column of an Arrow type is flat, whatever its kind.
        flat = self._column.kind is Kind.VALUE
        return (self._rows,) if flat else array_shape(self._column, self._rows), self._dtype

    def pieces(self) -> Iterator[Any]:
        """Yield the data of the array."""
        return self._spool.pieces()


class _Codes:
    """A column of labels, kept as codes."""

    def __init__(self, spool: Strand, labels: Sequence[str]) -> None:
        self._spool = spool
        self._labels = np.array(labels, dtype=f"<U{max([1, *map(len, labels)])}")
        self._rows = 0

    def add(self, data: np.ndarray[Any, Any]) -> None:
        """Keep the next rows."""
        self._rows += len(data)
        self._spool.write(data.data)

    def described(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return the shape and the dtype of the array."""
        return (self._rows,), self._labels.dtype

    def pieces(self) -> Iterator[Any]:
        """Yield the data of the array."""
        rows = max(1, batches.CHUNK_BYTES // self._labels.itemsize)
        for data in self._spool.pieces(8 * rows):
            yield self._labels[np.frombuffer(data, dtype=np.int64)].tobytes()


class _Texts:
    """A column of texts, kept until the longest is known: NumPy gives every text as much room as the longest."""

    def __init__(self, spool: Strand) -> None:
        self._spool = spool
        self._rows = 0
        self._longest = 1

    def add(self, data: Sequence[str]) -> None:
        """Keep the next rows."""
        self._rows += len(data)
        self._longest = max([self._longest, *map(len, data)])
        texts = [text.encode() for text in data]
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        self._spool.write(b"".join([len(data).to_bytes(8, "little"), lengths.tobytes(), *texts]))

    def described(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return the shape and the dtype of the array."""
        return (self._rows,), np.dtype(f"<U{self._longest}")

    def pieces(self) -> Iterator[Any]:
        """Yield the data of the array."""
        most = max(1, batches.CHUNK_BYTES // (4 * self._longest))
        self._spool.rewind()
        left = self._rows
        while left:
            count = int.from_bytes(self._spool.read(8), "little")
            left -= count
            ends = [0, *np.cumsum(np.frombuffer(self._spool.read(8 * count), dtype=np.int64)).tolist()]
            data = self._spool.read(ends[-1])
            texts = [data[start:end].decode() for start, end in itertools.pairwise(ends)]
            for first in range(0, count, most):
                yield np.array(texts[first : first + most], dtype=f"<U{self._longest}").tobytes()
