"""Blocks of whole rows: text is cut from a file or a pipe without parsing, and decoded later, anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from actcli.errors import DataError, visible
from actcli.formats.text import text_array
from actcli.streaming import batch as batches
from actcli.streaming.batch import MOST_BAD_ROWS, BadRow, Batch, rows_in_chunk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.streaming.batch import Chunk, Layout
    from actcli.streaming.input import Input

__all__ = [
    "BYTE_ORDER_MARK",
    "LONGEST_RECORD",
    "BlockDecoder",
    "BlockSource",
    "LinePlaces",
    "RowByRow",
    "TextBlockChunk",
]

LONGEST_RECORD = 1 << 25
"""The most bytes of a row. Without a limit, an endless line would fill the memory."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class BlockDecoder(Protocol):
    """Decodes the blocks of a source: plain data that can be pickled."""

    def decode(self, data: bytes, line: int, *, last: bool) -> Batch:
        """Return the rows of a block.

        Parameters
        ----------
        data
            Whole rows.
        line
            The number of the line of the file in which they begin, from 1.
        last
            Whether this is the rest of the file, in which no whole row ends.
        """


@dataclass(frozen=True, slots=True)
class TextBlockChunk:
    """A chunk of text: a block of whole rows, and what decodes it."""

    decoder: BlockDecoder
    data: bytes
    line: int
    last: bool

    @property
    def rows(self) -> None:
        """None: the rows are not counted before they are decoded."""

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    def decode(self) -> Batch:
        """Return the rows."""
        return self.decoder.decode(self.data, self.line, last=self.last)


@dataclass(frozen=True, slots=True)
class LinePlaces:
    """Says where a row is in its file by the line on which it begins: "scores.csv:3"."""

    name: str
    lines: tuple[int, ...]

    def __call__(self, row: int) -> str:
        """Return the place of a row, for messages."""
        return f"{self.name}:{self.lines[row]}"


class BlockSource:
    """A source of text, cut into blocks.

    Parameters
    ----------
    input
        The open file.
    file
        Its index among the inputs.

    Attributes
    ----------
    rest
        The bytes that are read and not yet cut.
    ended
        Whether the input has ended.
    line
        The number of the line in which `rest` begins.
    row_bytes
        About how many bytes a row has.
    layout
        Of the table; a subclass settles it.
    decoder
        Of the blocks; a subclass settles it.
    """

    layout: Layout
    decoder: BlockDecoder
    row_ends: tuple[bytes, ...] = (b"\n", b"\r")
    """The last bytes of a row. No row can end in bytes that hold none of them."""

    def __init__(self, input: Input, file: int) -> None:
        self.input = input
        self.size = input.size
        self.file = file
        self.notes: list[str] = []
        self.rest = bytearray()
        self.ended = False
        self.line = 1
        self.row_bytes = 1

    def cut(self, data: bytes) -> int:
        """Return the end of the last whole row of `data`, which begins with a row; 0 if no row ends in it."""
        raise NotImplementedError

    def begin(self) -> None:
        """Read the beginning, drop a byte order mark, and refuse text that is not UTF-8."""
        self.rest += self.input.head([BYTE_ORDER_MARK])
        self.input.read(len(self.rest))
        if self.rest.startswith(BYTE_ORDER_MARK):
            del self.rest[: len(BYTE_ORDER_MARK)]
        if self.rest.startswith((b"\xff\xfe", b"\xfe\xff")) or 0 in self.rest[:4]:
            raise DataError(
                f"{self.input.name}: is not UTF-8 text: it begins with {visible(repr(bytes(self.rest[:8]))[1:])}",
                hint="if it is UTF-16, convert it first: iconv -f UTF-16 -t UTF-8",
            )

    def _fill(self) -> None:
        """Read what is available, waiting for at least one byte unless the input has ended."""
        data = self.input.read(batches.CHUNK_BYTES)
        self.ended = not data
        self.rest += data

    def read_past(self, end: int) -> None:
        """Read until a row may end after `end`; if more is available, read twice as much."""
        while True:
            self._fill()
            if self.ended or len(self.rest) > end + LONGEST_RECORD:
                break
            may_end = any(self.rest.rfind(mark, end) >= 0 for mark in self.row_ends)
            if may_end and (len(self.rest) >= 2 * end or not self.input.ready()):
                break

    def sample(self, size: int) -> bytes:
        """Return the whole rows of the first `size` bytes of `rest`; fewer where more has not arrived yet."""
        while len(self.rest) < size and not self.ended and self.input.ready():
            self._fill()
        data = bytes(self.rest[:size])
        return data if self.ended and len(self.rest) <= size else data[: self.cut(data)]

    def chunks(self, output_bytes: int) -> Iterator[Chunk | None]:
        """Cut the input into blocks of whole rows; yield None before waiting for more of a pipe."""
        wanted = rows_in_chunk(self.row_bytes, output_bytes, len(self.layout.classes)) * self.row_bytes
        while True:
            while len(self.rest) < wanted and not self.ended and self.input.ready():
                self._fill()
            data = self._whole_rows(wanted)
            if data:
                yield self._chunk(data)
            elif self.ended:
                break
            else:
                self.check_length()
                yield None
                self.read_past(len(self.rest))
        if self.rest:
            yield self._chunk(bytes(self.rest), last=True)

    def _whole_rows(self, size: int) -> bytes:
        """Return the first whole rows of `rest`: up to `size` bytes, more if a row is longer, or nothing."""
        while True:
            data = bytes(memoryview(self.rest)[:size])
            end = self.cut(data)
            if end or size >= len(self.rest):
                return data[:end]
            size *= 2

    def _chunk(self, data: bytes, *, last: bool = False) -> TextBlockChunk:
        block = TextBlockChunk(self.decoder, data, self.line, last)
        self.line += self.lines(data)
        del self.rest[: len(data)]
        return block

    def check_length(self, start: int = 0) -> None:
        """Refuse a row that is too long; it begins at `start` in `rest`."""
        record = self.rest[start:]
        if len(record) > LONGEST_RECORD:
            line = self.line + self.lines(self.rest[:start])
            raise DataError(
                f"{self.input.name}:{line}: more than {LONGEST_RECORD >> 20} MiB without a row that ends",
                hint="is a quote not closed?" if b'"' in record else None,
            )

    @staticmethod
    def lines(data: bytes | bytearray) -> int:
        """Return how many line ends there are in `data`: LF, CR LF, or CR."""
        found = int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n")))  # faster than bytes.count
        return found + (data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else 0)


class RowByRow:
    """Gathers the rows of a block that is read row by row, and the errors of its bad rows.

    Parameters
    ----------
    name
        The name of the file in messages.
    layout
        The layout of the table.
    """

    def __init__(self, name: str, layout: Layout) -> None:
        self._name = name
        self._layout = layout
        self._lines: list[int] = []
        self._right: list[int] = []
        self._scores: list[Sequence[float]] = []
        self._texts: list[list[str]] = [[] for _ in layout.carried]
        self._faults: list[BadRow] = []

    def begin(self, line: int) -> str:
        """Begin the row in that line, and return its place for messages."""
        self._lines.append(line)
        return f"{self._name}:{line}"

    def add(self, scores: Sequence[float], texts: Sequence[str]) -> None:
        """Keep the row, given its scores and the texts of its carried columns."""
        self._right.append(len(self._lines) - 1)
        self._scores.append(scores)
        for column, text in zip(self._texts, texts, strict=True):
            column.append(text)

    def leave_out(self, error: DataError) -> None:
        """Leave the row out."""
        if len(self._faults) < MOST_BAD_ROWS:
            self._faults.append(BadRow(len(self._lines) - 1, error))

    def batch(self, file: int, fault: DataError | None = None) -> Batch:
        """Return the rows that were kept; `fault` is the error that ends the table after them."""
        return Batch(
            np.array(self._scores, dtype=np.float64).reshape(len(self._scores), len(self._layout.classes)),
            {column.name: text_array(texts) for column, texts in zip(self._layout.carried, self._texts, strict=True)},
            LinePlaces(self._name, tuple(self._lines)),
            file,
            rows=np.array(self._right, dtype=np.int64),
            faults=tuple(self._faults),
            left_out=len(self._lines) - len(self._right),
            fault=fault,
        )
