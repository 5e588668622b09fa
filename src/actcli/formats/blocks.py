"""What the text formats share in reading: blocks of whole rows, cut out of a file or a pipe without parsing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from actcli.errors import DataError, visible
from actcli.streaming import batch as batches
from actcli.streaming.batch import MOST_BAD_ROWS, BadRow, Batch, rows_in_chunk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.streaming.batch import Chunk, Layout
    from actcli.streaming.input import Input

__all__ = ["BYTE_ORDER_MARK", "LONGEST_RECORD", "BlockSource", "RowByRow"]

LONGEST_RECORD = 1 << 25
"""A row of more bytes than this is refused: without a limit, an endless line would fill the memory."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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
        What is read and not yet cut.
    ended
        Whether there is no more to read.
    line
        The number of the line that `rest` begins with.
    row_bytes
        About how long a row is.
    """

    layout: Layout
    row_ends: tuple[bytes, ...] = (b"\n", b"\r")
    """What a row may end with: without one of these among what is read, there is no use in looking for an end."""

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
        """Return where the last whole row of `data`, which begins with one, ends; 0 where none does."""
        raise NotImplementedError

    def decode(self, data: bytes, line: int, *, last: bool) -> Batch:
        """Return the rows in `data`, which begins in that line; `last` is what no cut has ended."""
        raise NotImplementedError

    def begin(self) -> None:
        """Read the beginning, drop a byte order mark, and refuse what is no UTF-8 text."""
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
        """Read on: what is at hand, but at least something unless the input has ended."""
        data = self.input.read(batches.CHUNK_BYTES)
        self.ended = not data
        self.rest += data

    def read_past(self, end: int) -> None:
        """Read on until another row may be complete, and if more is at hand, twice as much."""
        while True:
            self._fill()
            if self.ended or len(self.rest) > end + LONGEST_RECORD:
                break
            may_end = any(self.rest.rfind(mark, end) >= 0 for mark in self.row_ends)
            if may_end and (len(self.rest) >= 2 * end or not self.input.ready()):
                break

    def chunks(self, output_bytes: int) -> Iterator[Chunk | None]:
        """Cut the input into blocks of whole records; None before waiting for more of a pipe."""
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
        """Return the rows that `rest` begins with: up to `size` bytes, more where a row is longer, or nothing."""
        while True:
            data = bytes(memoryview(self.rest)[:size])
            end = self.cut(data)
            if end or size >= len(self.rest):
                return data[:end]
            size *= 2

    def _chunk(self, data: bytes, *, last: bool = False) -> TextBlockChunk:
        block = TextBlockChunk(self, data, self.line, last=last)
        self.line += self.lines(data)
        del self.rest[: len(data)]
        return block

    def check_length(self, start: int = 0) -> None:
        """Refuse a row without end, which begins at `start` in `rest`."""
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


class TextBlockChunk:
    """A chunk: whole rows, not yet parsed."""

    __slots__ = ("data", "last", "line", "size", "source")
    rows = None

    def __init__(self, source: BlockSource, data: bytes, line: int, *, last: bool) -> None:
        self.source = source
        self.data = data
        self.line = line
        self.last = last
        self.size = len(data)

    def decode(self) -> Batch:
        """Return its rows."""
        return self.source.decode(self.data, self.line, last=self.last)


class RowByRow:
    """A block that is read one row after the other, so that those that are wrong can be told.

    Parameters
    ----------
    name
        What messages call the file.
    layout
        Of the table.
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
        """Begin the row that stands in that line, and return its place for messages."""
        self._lines.append(line)
        return f"{self._name}:{line}"

    def add(self, scores: Sequence[float], texts: Sequence[str]) -> None:
        """Keep the row: its scores, and the texts of its carried columns."""
        self._right.append(len(self._lines) - 1)
        self._scores.append(scores)
        for column, text in zip(self._texts, texts, strict=True):
            column.append(text)

    def leave_out(self, error: DataError) -> None:
        """Leave the row out."""
        if len(self._faults) < MOST_BAD_ROWS:
            self._faults.append(BadRow(len(self._lines) - 1, error))

    def batch(self, file: int, fault: DataError | None = None) -> Batch:
        """Return the rows that were kept; `fault` is what ends the table after them."""
        lines = self._lines
        return Batch(
            np.array(self._scores, dtype=np.float64).reshape(len(self._scores), len(self._layout.classes)),
            {
                column.name: pa.array(texts, pa.string())
                for column, texts in zip(self._layout.carried, self._texts, strict=True)
            },
            lambda row: f"{self._name}:{lines[row]}",
            file,
            rows=np.array(self._right, dtype=np.int64),
            faults=tuple(self._faults),
            left_out=len(lines) - len(self._right),
            fault=fault,
        )
