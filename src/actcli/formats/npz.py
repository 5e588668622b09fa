"""NPZ, a zip archive of NPY arrays: one of them is read as it is unpacked; one for each column is written."""

from __future__ import annotations

import contextlib
import itertools
import zipfile
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from actcli.errors import DataError, OutputError, UsageError, listed, visible
from actcli.formats.npy import NpySource, header
from actcli.formats.text import join_lists, pick, plain, texts_of
from actcli.streaming import batch as batches
from actcli.streaming.batch import Batch, Kind, TopK
from actcli.streaming.input import Input, Seekable
from actcli.streaming.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.formats import ReadOptions, WriteOptions
    from actcli.streaming.batch import Column, Layout, Source
    from actcli.streaming.output import Output

__all__ = ["NpzSink", "NpzSource"]

_SUFFIX = ".npy"
_LARGEST_DIRECTORY = 1 << 23
"""A list of members that is longer than this is refused: it would be held as Python objects."""


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
        found = listed([member.filename for member in archive.infolist()], 3)
        raise DataError(f"{name}: holds no arrays" + (f", but {found}" if found else ""))
    if len(arrays) < len(members):
        [(twice, _)] = Counter(member.filename.removesuffix(_SUFFIX) for member in members).most_common(1)
        raise DataError(f'{name}: holds two arrays called "{visible(twice)}"')
    key = options.key
    if key is None:
        # Archives that actcli writes may hold several forms of the same scores.
        usual = options.origin.replace("-", "_")
        key = next(iter(arrays)) if len(arrays) == 1 else usual if usual in arrays else "logits"
        if key not in arrays:
            raise DataError(
                f'{name}: holds {len(arrays)} arrays and none is called "{usual}": {listed(list(arrays))}',
                hint="say which one holds the scores: --key NAME",
            )
    elif key not in arrays:
        raise UsageError(f"--key: {name} holds no array {visible(key)!r}", hint=f"it holds {listed(list(arrays))}")
    return arrays[key]


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
        self.size = None
        self.descriptor = -1
        self._head = b""
        if member.flag_bits & 1:
            raise DataError(f"{self.name}: is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{self.name}: is compressed in a way that NPZ does not use")
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


class NpzSink:
    """An array for each column.

    In an archive one array stands after the other, while rows have a value of each: the values are kept in a temporary
    file for each column until all are there. So is what makes the width of an array of texts.
    """

    def __init__(self, output: Output, columns: Sequence[Column], options: WriteOptions) -> None:
        self.output = output
        self.columns = columns
        self.separator = options.label_separator
        self._parts: list[_Numbers | _Texts | _Codes] = []
        for column in columns:
            if "\0" in _key(column):
                raise UsageError(f"npz cannot hold a column called {visible(_key(column))!r}")

    def open(self, layout: Layout) -> int:
        """Begin a temporary file for each column."""
        types = {column.name: column.type for column in layout.carried}
        for column in self.columns:
            self._parts.append(self._part(column, layout.dtype, types))
        return sum(layout.dtype.itemsize * len(column.headers) * column.lines for column in self.columns)

    def _part(self, column: Column, dtype: np.dtype[Any], types: dict[str, Any]) -> _Numbers | _Texts | _Codes:
        match column.kind:
            case Kind.CODE:
                return _Codes(column.labels)
            case Kind.NUMBER | Kind.ROW | Kind.MATRIX:
                width = (len(column.headers),) if column.kind is Kind.MATRIX else ()
                return _Numbers(np.dtype(column.dtype or dtype), width, column.lines)
            case Kind.RANKING:
                return _Numbers(np.dtype(np.int64), (len(column.headers) // 2,))
            case Kind.VALUE if _is_number(types[column.carried or ""]):
                return _Numbers(np.dtype(types[column.carried or ""].to_pandas_dtype()), ())
            case _:
                return _Texts()

    def encode(self, batch: Batch) -> list[Any]:
        """Return the data of each column as its temporary file takes them."""
        return [self._encoded(column, part, batch) for column, part in zip(self.columns, self._parts, strict=True)]

    def _encoded(self, column: Column, part: _Numbers | _Texts | _Codes, batch: Batch) -> Any:
        if column.kind is Kind.ROW:
            return batch.row_numbers()
        data = batch.data(column)
        match column.kind:
            case Kind.SET:
                return join_lists(data.offsets, pick(column.labels, data.codes), self.separator).to_pylist()
            case Kind.JSON:
                return plain(data).to_pylist()
            case Kind.TEXT:
                return data.to_pylist()
            case Kind.VALUE if isinstance(part, _Texts):
                return texts_of(data).to_pylist()
            case Kind.VALUE:
                return _numbers_of(data, _key(column))
            case _:
                values = data.codes if isinstance(data, TopK) else data
                return np.ascontiguousarray(values, dtype=part.dtype if isinstance(part, _Numbers) else np.int64)

    def accept(self, piece: list[Any], start: int) -> None:
        """Keep the next rows."""
        for column, part, data in zip(self.columns, self._parts, piece, strict=True):
            part.add(data + start if column.kind is Kind.ROW else data)

    def finish(self) -> None:
        """Write the archive."""
        with zipfile.ZipFile(_Stream(self.output), "w", allowZip64=True) as archive:
            for column, part in zip(self.columns, self._parts, strict=True):
                # The same rows give the same bytes: the time of writing is not among them.
                member = zipfile.ZipInfo(_key(column) + _SUFFIX)
                with archive.open(member, "w", force_zip64=True) as file, part.spool:
                    shape, dtype = part.described()
                    file.write(header(shape, dtype))
                    for data in part.pieces():
                        file.write(data)


def _key(column: Column) -> str:
    """Return what the array of a column is called."""
    return column.name if column.carried is None else column.headers[0]


def _is_number(type: Any) -> bool:
    return bool(pa.types.is_integer(type) or pa.types.is_floating(type) or pa.types.is_boolean(type))


def _numbers_of(values: Any, name: str) -> np.ndarray[Any, Any]:
    """Return the numbers of an Arrow array; an array of floats has NaN for null, others nothing."""
    dtype = np.dtype(values.type.to_pandas_dtype())
    if values.null_count and dtype.kind != "f":
        raise OutputError(
            f'column "{visible(name)}" has an empty cell, and an array of {dtype} has nothing to say so',
            hint="leave it out with --columns, or write another format",
        )
    return np.array([np.nan if value is None else value for value in values.to_pylist()], dtype=dtype)


class _Numbers:
    """A column of numbers, kept as they will be written."""

    def __init__(self, dtype: np.dtype[Any], width: tuple[int, ...], lines: int = 1) -> None:
        self.spool = Spool()
        self.dtype = dtype
        self._width = width
        self._lines = lines
        self._rows = 0

    def add(self, data: np.ndarray[Any, Any]) -> None:
        """Keep the next rows."""
        self._rows += len(data)
        if data.size:
            self.spool.write(data.data)

    def described(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return the shape and the dtype of the array."""
        rows = (self._rows,) if self._lines == 1 else (self._rows // self._lines, self._lines)
        return (*rows, *self._width), self.dtype

    def pieces(self) -> Iterator[Any]:
        """Yield the data of the array."""
        return self.spool.pieces()


class _Codes:
    """A column of few different texts, kept as which of them each is."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.spool = Spool()
        self._labels = np.array(labels, dtype=f"<U{max([1, *map(len, labels)])}")
        self._rows = 0

    def add(self, data: np.ndarray[Any, Any]) -> None:
        """Keep the next rows."""
        self._rows += len(data)
        self.spool.write(data.data)

    def described(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return the shape and the dtype of the array."""
        return (self._rows,), self._labels.dtype

    def pieces(self) -> Iterator[Any]:
        """Yield the data of the array."""
        rows = max(1, batches.CHUNK_BYTES // self._labels.itemsize)
        for data in self.spool.pieces(8 * rows):
            yield self._labels[np.frombuffer(data, dtype=np.int64)].tobytes()


class _Texts:
    """A column of texts, kept until the longest of them is known: NumPy gives all of them the room of that one."""

    def __init__(self) -> None:
        self.spool = Spool()
        self._rows = 0
        self._longest = 1

    def add(self, data: Sequence[str]) -> None:
        """Keep the next rows."""
        self._rows += len(data)
        self._longest = max([self._longest, *map(len, data)])
        texts = [text.encode() for text in data]
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        self.spool.write(b"".join([len(data).to_bytes(8, "little"), lengths.tobytes(), *texts]))

    def described(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return the shape and the dtype of the array."""
        return (self._rows,), np.dtype(f"<U{self._longest}")

    def pieces(self) -> Iterator[Any]:
        """Yield the data of the array."""
        most = max(1, batches.CHUNK_BYTES // (4 * self._longest))
        self.spool.rewind()
        left = self._rows
        while left:
            count = int.from_bytes(self.spool.read(8), "little")
            left -= count
            ends = [0, *np.cumsum(np.frombuffer(self.spool.read(8 * count), dtype=np.int64)).tolist()]
            data = self.spool.read(ends[-1])
            texts = [data[start:end].decode() for start, end in itertools.pairwise(ends)]
            for first in range(0, count, most):
                yield np.array(texts[first : first + most], dtype=f"<U{self._longest}").tobytes()


class _Stream:
    """What the zip writer takes for a file that cannot seek."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, data: bytes, /) -> int:
        """Write all of `data`."""
        self._output.write(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""

    def close(self) -> None:
        """Leave the output open: it is closed by who opened it."""
