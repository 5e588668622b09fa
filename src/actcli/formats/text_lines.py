"""Tables as lines of text: what the sinks of all text formats share.

The columns of a batch become Arrow arrays of texts, which Arrow joins to lines. The data buffer of the joined array is
the block to write.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from actcli.formats.text import join, numbers, offsets_of, pick, text_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from actcli.formats.registry import WriteOptions
    from actcli.streaming.batch import Batch, Column, Layout
    from actcli.streaming.output import Output

__all__ = ["LinesSink", "RowNumbers", "TextEncoder", "TextSink"]

_NUMBER_BYTES = 24
"""About how many bytes a number takes as text, with its separator."""


class RowNumbers(NamedTuple):
    """The part of each line that is the number of its row, which only the sink knows.

    Parameters
    ----------
    lead
        The one character before each number.
    rows
        The number of each row within its chunk, shape (N,).
    """

    lead: str
    rows: np.ndarray[Any, np.dtype[np.int64]]


class _UnnumberedLines(NamedTuple):
    """Lines of text in parts, because the numbers of their rows are among the parts and are not known yet."""

    parts: list[Any]

    def numbered(self, start: int) -> Any:
        """Return the lines as a buffer; row 0 of the chunk is row `start` of the table."""
        return _joined(
            [numbers(part.lead, start + part.rows) if isinstance(part, RowNumbers) else part for part in self.parts]
        )


@dataclass(frozen=True)
class TextEncoder:
    """Turns batches into lines of text.

    Parameters
    ----------
    columns
        The columns to write.
    label_separator
        The text between the labels of a set.
    before_row
        The text before each line. Joining it costs less than joining something after each line.
    """

    columns: tuple[Column, ...]
    label_separator: str
    before_row: str
    _labels: dict[str, Any] = field(init=False, default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        """Prepare the labels once for all batches."""
        for column in self.columns:
            if column.labels:
                self._labels[column.name] = text_array(self.label_texts(column))

    def extra_bytes(self, column: Column) -> int:  # noqa: ARG002
        """Return how many bytes a column takes in each row, besides its numbers."""
        return 0

    def label_texts(self, column: Column) -> Sequence[str]:
        """Return the labels of a column as they are written."""
        raise NotImplementedError

    def cells(self, batch: Batch) -> list[Any]:
        """Return the parts of a line, `before_row` first: arrays of texts, single strings, or `RowNumbers`."""
        raise NotImplementedError

    def picked(self, column: Column, codes: np.ndarray[Any, Any]) -> Any:
        """Return the labels that the codes of a column stand for, as an Arrow array."""
        return pick(self._labels[column.name], codes)

    def encode(self, batch: Batch) -> Any:
        """Return the lines of `batch`, each with `before_row` before it: a buffer, or parts that wait for numbers."""
        parts = self.cells(batch) if len(batch) else []
        if any(isinstance(part, RowNumbers) for part in parts):
            return _UnnumberedLines(parts)
        return _joined(parts)


def _joined(parts: list[Any]) -> Any:
    """Return the parts of lines as one Arrow buffer."""
    if not parts:
        return pa.py_buffer(b"")
    lines = join(parts, "")
    offsets = offsets_of(lines)
    return lines.buffers()[2].slice(offsets[0], offsets[-1] - offsets[0])


class TextSink:
    """A table as lines of text.

    Parameters
    ----------
    output
        Where to write.
    columns
        The columns to write.
    options
        How to write them.
    """

    before_row = "\n"
    passes_on = True
    encoder: TextEncoder

    def __init__(self, output: Output, columns: Sequence[Column], options: WriteOptions) -> None:
        self.output = output
        self.columns = tuple(columns)
        self.options = options
        self._begun = False

    def make_encoder(self) -> TextEncoder:
        """Return the encoder of the format."""
        raise NotImplementedError

    def open(self, layout: Layout) -> int:  # noqa: ARG002
        """Settle the encoder. Nothing is written yet, so that an error in the first rows leaves no header."""
        self.encoder = self.make_encoder()
        return sum(
            (_NUMBER_BYTES * len(column.headers) + self.encoder.extra_bytes(column)) * column.lines
            for column in self.columns
        )

    def accept(self, encoded: Any, start: int) -> None:
        """Write the next lines."""
        self._begin()
        text = encoded.numbered(start) if isinstance(encoded, _UnnumberedLines) else encoded
        if len(text):
            self.put(memoryview(text))

    def finish(self) -> None:
        """Write what comes after the last row."""
        self._begin()
        self.output.write(self.end().encode())

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self.output.write(self.begin().encode())

    def put(self, text: memoryview) -> None:
        """Write lines, each with `before_row` before it."""
        self.output.write(text[1:])
        self.output.write(b"\n")

    def begin(self) -> str:
        """Return what comes before the first row."""
        return ""

    def end(self) -> str:
        """Return what comes after the last row."""
        return ""


class LinesSink(TextSink):
    """Lines of text that are all written in the same way, so that a process can write them to their place."""

    def reserve(self, encoded: Any) -> int | None:
        """Return where the next lines go; None if they must be accepted in order."""
        if isinstance(encoded, _UnnumberedLines):
            return None
        self._begin()
        return self.output.reserve(len(encoded))

    def write_at(self, encoded: Any, place: int) -> None:
        """Write lines to a place that was reserved."""
        if len(encoded):
            self.output.write_at(memoryview(encoded)[1:], place)
            self.output.write_at(b"\n", place + len(encoded) - 1)
