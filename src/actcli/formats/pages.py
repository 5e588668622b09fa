"""The pages of Parquet, looked at before Arrow takes them.

Arrow unpacks a page whole, in as much memory as its header says that it needs: a few kilobytes may stand for any number
of gigabytes. So the headers are read beforehand. They stand between the pages; where a column begins, the metadata at
the end of the file say. These too are read here: pyarrow ends the process where it is asked for some that are wrong.

Source: the format, https://parquet.apache.org/docs/file-format/ and its parquet.thrift; how structs are written,
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from actcli.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from actcli.streaming.input import Input

    Fields: TypeAlias = Mapping[tuple[int, int], Callable[["_Compact"], Any]]

__all__ = ["LARGEST_PAGE", "Chunk", "Page", "check_pages", "chunks_of", "pages_of"]

LARGEST_PAGE = 1 << 29
"""A page of more bytes than this, unpacked, is refused, and so are pages of all columns that grow by more."""

_FIRST_READ = 1 << 9
_LARGEST_HEADER = 1 << 24
_DEEPEST = 32
# By run length, a few bytes stand for any number of values; as Arrow unpacks them, each takes up to so many.
_VALUE_BYTES = 8
# Old writers left the header of the dictionary out of a chunk's length: like Arrow, go on by so many bytes.
_PADDING = 100
_TAIL_BYTES = 8

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_LONG_LIST = 15
_DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_V2 = 0, 2, 3


class Chunk(NamedTuple):
    """Where the pages of a column stand, of one row group."""

    start: int
    length: int
    values: int


class Page(NamedTuple):
    """What the header of a page says."""

    kind: int
    packed: int
    unpacked: int
    values: int

    @property
    def is_data(self) -> bool:
        """Whether its values are values of the column, which those of a dictionary are not."""
        return self.kind in (_DATA_PAGE, _DATA_PAGE_V2)

    @property
    def size(self) -> int:
        """How many bytes of memory it may take."""
        return max(self.unpacked, _VALUE_BYTES * self.values)


def chunks_of(input: Input) -> list[list[Chunk]]:
    """Return the chunks of each row group, one for each column.

    Parameters
    ----------
    input
        A file that Arrow could open.

    Raises
    ------
    DataError
        If a column is encrypted.
    ValueError
        If the metadata make no sense.
    """
    size = input.size or 0
    tail = bytearray(_TAIL_BYTES)
    input.read_at(memoryview(tail), size - _TAIL_BYTES)
    length = int.from_bytes(tail[:4], "little")
    if length > size - _TAIL_BYTES:
        raise ValueError("its metadata are longer than the file")
    data = bytearray(length)
    input.read_at(memoryview(data), size - _TAIL_BYTES - length)
    try:
        groups: list[list[Chunk]] = _Compact(data).struct(_FILE)[4]
    except (IndexError, KeyError):
        raise ValueError("its metadata are not whole") from None
    except _EncryptedError:
        raise DataError(f"{input.name}: is encrypted", hint="decrypt it first, for instance with pyarrow") from None
    return groups


def check_pages(input: Input, groups: Sequence[Sequence[Chunk]]) -> None:
    """Look at the pages of row groups, which Arrow is to read next, all columns side by side.

    Parameters
    ----------
    input
        The file, which has a `size`.
    groups
        The chunks of each row group.

    Raises
    ------
    DataError
        If a page is too large, or the pages that Arrow holds at the same time, one of each column.
    ValueError
        If the headers make no sense.
    """
    growth: dict[int, int] = {}
    for group in groups:
        for number, chunk in enumerate(group):
            dictionary = data = 0
            for page in pages_of(input, chunk):
                if page.size > LARGEST_PAGE:
                    raise _too_large(input, "a page", page.size)
                # What is really in the file may be as much as it is; what only its headers claim may not.
                if page.is_data:
                    data = max(data, page.size - page.packed)
                else:
                    dictionary = max(dictionary, page.size - page.packed)
            growth[number] = max(growth.get(number, 0), dictionary + data)
    if (size := sum(growth.values())) > LARGEST_PAGE:
        raise _too_large(input, "pages side by side", size)


def _too_large(input: Input, what: str, size: int) -> DataError:
    return DataError(
        f"{input.name}: has {what} of {size / (1 << 20):,.0f} MiB; actcli takes up to {LARGEST_PAGE >> 20}",
        hint="write smaller ones, for instance with pyarrow: write_table(table, data_page_size=1 << 20)",
    )


def pages_of(input: Input, chunk: Chunk) -> Iterator[Page]:
    """Yield what the headers of the pages of a chunk say, as far as Arrow reads them.

    Parameters
    ----------
    input
        The file, which has a `size`.
    chunk
        Where they stand.

    Raises
    ------
    ValueError
        If a header makes no sense, or a page goes on after the end of the chunk.
    """
    start, left = chunk.start, chunk.values
    if min(start, chunk.length) < 0:
        raise ValueError("a column says that it stands before the file")
    end = min(start + chunk.length + _PADDING, input.size or 0)
    while left > 0 and start < end:
        page, length = _header(input, start, end)
        start += length + page.packed
        if start > end:
            raise ValueError("a page goes on after the end of its column")
        if page.is_data:
            left -= page.values
        yield page


def _header(input: Input, start: int, end: int) -> tuple[Page, int]:
    """Return what the header of a page says, and how long the header is; where the page may end, `end` says."""
    count = _FIRST_READ
    while True:
        data = bytearray(min(count, end - start))
        input.read_at(memoryview(data), start)
        reader = _Compact(data)
        try:
            fields = reader.struct(_PAGE)
            break
        except IndexError:
            if len(data) < count or count >= _LARGEST_HEADER:
                raise ValueError("the header of a page has no end") from None
            count *= 8
    try:
        kind, unpacked, packed = (fields[number] for number in (1, 2, 3))
        values = fields[_OF_KIND[kind]][1] if kind in _OF_KIND else 0
    except KeyError:
        raise ValueError("the header of a page is not whole") from None
    if min(unpacked, packed, values) < 0:
        raise ValueError("a page says that it has fewer than no bytes")
    return Page(kind, packed, unpacked, values), reader.place


class _EncryptedError(Exception):
    """There is a column without metadata that can be read."""


class _Compact:
    """Reads the compact protocol of Thrift; what ends too early raises IndexError.

    It must find what Arrow finds, or refuse. So a field counts only with the type that it should have, as in Thrift;
    what Thrift would cut to fit, or read over what it has read, raises ValueError.
    """

    def __init__(self, data: bytearray) -> None:
        self.place = 0
        self._data = data
        self._depth = 0

    def struct(self, wanted: Fields) -> dict[int, Any]:
        """Return those fields of a struct that are wanted, by their numbers; others are skipped."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("its metadata are too deep")
        fields: dict[int, Any] = {}
        number = 0
        while type := (head := self._data[self.place]) & 15:
            self.place += 1
            number = number + (head >> 4) if head >> 4 else self.signed(16)
            if number > 0x7FFF:
                raise ValueError("a field of its metadata has too high a number")
            if (read := wanted.get((number, type))) is not None:
                if number in fields:
                    raise ValueError("a field of its metadata is there twice")
                fields[number] = read(self)
            elif type > _FALSE:  # a truth value stands in its type
                self.skip(type)
        self.place += 1
        self._depth -= 1
        return fields

    def items(self, type: int) -> range:
        """Return as many numbers as the list or set that begins here has items, which must be of that type."""
        found, items = self._items()
        if found != type and items:
            raise ValueError("a list of its metadata is of another type")
        return items

    def signed(self, bits: int) -> int:
        """Return a number with a sign, which stands in its last bit."""
        number = self._number()
        if number >> bits:
            raise ValueError("its metadata have a number that is too large")
        return (number >> 1) ^ -(number & 1)

    def skip(self, type: int) -> None:
        """Go on after a value."""
        if type in (_I16, _I32, _I64):
            self._number()
        elif type == _BINARY:
            length = self._number()
            self.place += length
        elif type == _STRUCT:
            self.struct({})
        elif type in (_LIST, _SET):
            found, items = self._items()
            self._skip_all([found], items)
        elif type == _MAP:
            if count := self._number():
                types = self._byte()
                self._skip_all([types >> 4, types & 15], self._range(count))
        elif type in (_TRUE, _FALSE, _BYTE):  # in a list, a truth value takes a byte too
            self._byte()
        elif type == _DOUBLE:
            self.place += 8
        else:
            raise ValueError("its metadata have a value of no type")

    def _skip_all(self, types: Sequence[int], items: range) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("its metadata are too deep")
        for _ in items:
            for type in types:
                self.skip(type)
        self._depth -= 1

    def _items(self) -> tuple[int, range]:
        head = self._byte()
        count = head >> 4
        return head & 15, self._range(self._number() if count == _LONG_LIST else count)

    def _range(self, count: int) -> range:
        # None takes less than a byte.
        if count > len(self._data) - self.place:
            raise IndexError
        return range(count)

    def _byte(self) -> int:
        byte = self._data[self.place]
        self.place += 1
        return byte

    def _number(self) -> int:
        """Return a number that takes as many bytes as it needs, up to ten of seven bits."""
        byte = self._data[self.place]
        self.place += 1
        if byte < 0x80:
            return byte
        number = byte & 0x7F
        for shift in range(7, 70, 7):
            byte = self._data[self.place]
            self.place += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
        raise ValueError("its metadata have a number of more than ten bytes")


# What of the structs of parquet.thrift is wanted: their fields by number and type, and how each is read. Thrift takes
# the items of a list for what they should be, whatever the list says: so all lists that it knows must be here.


def _i32(reader: _Compact) -> int:
    return reader.signed(32)


def _i64(reader: _Compact) -> int:
    return reader.signed(64)


def _list(type: int) -> Callable[[_Compact], None]:
    """Return what skips a list of items of that type."""

    def read(reader: _Compact) -> None:
        for _ in reader.items(type):
            reader.skip(type)

    return read


def _struct(fields: Fields) -> Callable[[_Compact], dict[int, Any]]:
    return lambda reader: reader.struct(fields)


def _chunk(reader: _Compact) -> Chunk:
    column = reader.struct(_COLUMN)[3]
    start, dictionary = column[9], column.get(11, 0)
    return Chunk(dictionary if 0 < dictionary < start else start, column[7], column[5])


def _encrypted(_: _Compact) -> None:
    raise _EncryptedError


_COLUMN_METADATA: Fields = {
    (2, _LIST): _list(_I32),
    (3, _LIST): _list(_BINARY),
    (5, _I64): _i64,
    (7, _I64): _i64,
    (8, _LIST): _list(_STRUCT),
    (9, _I64): _i64,
    (11, _I64): _i64,
    (13, _LIST): _list(_STRUCT),
    (16, _STRUCT): _struct({(2, _LIST): _list(_I64), (3, _LIST): _list(_I64)}),
    (17, _STRUCT): _struct({(2, _LIST): _list(_I32)}),
}
_COLUMN: Fields = {(3, _STRUCT): _struct(_COLUMN_METADATA), (8, _STRUCT): _encrypted}
_GROUP: Fields = {
    (1, _LIST): lambda reader: [_chunk(reader) for _ in reader.items(_STRUCT)],
    (4, _LIST): _list(_STRUCT),
}
_FILE: Fields = {
    (2, _LIST): _list(_STRUCT),
    (4, _LIST): lambda reader: [reader.struct(_GROUP)[1] for _ in reader.items(_STRUCT)],
    (5, _LIST): _list(_STRUCT),
    (7, _LIST): _list(_STRUCT),
}
_OF_KIND = {_DATA_PAGE: 5, _DICTIONARY_PAGE: 7, _DATA_PAGE_V2: 8}
"""The field of the header of a page that is about pages of its kind."""
_PAGE: Fields = {
    (1, _I32): _i32,
    (2, _I32): _i32,
    (3, _I32): _i32,
    **{(number, _STRUCT): _struct({(1, _I32): _i32}) for number in _OF_KIND.values()},
}
