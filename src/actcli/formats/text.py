"""What the text formats share: columns become Arrow arrays of texts, which Arrow joins to lines.

The data of the joined array is the block to write. Numbers are what costs most: orjson writes each as the shortest
text that reads back to it, several times faster than Arrow does. It holds the lock of Python meanwhile, which is still
a gain up to many processors.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa

from actcli.formats.arrow_values import python_values
from actcli.streaming import memory
from actcli.streaming.batch import Batch, Kind

try:
    # pyarrow.compute makes a Python function for each of Arrow's on import, which takes longer than the work on a small
    # file; this is what all of them call.
    from pyarrow._compute import CastOptions, call_function
except ImportError:  # pragma: no cover
    from pyarrow.compute import CastOptions, call_function

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.formats import WriteOptions
    from actcli.streaming.batch import Column, Layout
    from actcli.streaming.output import Output

__all__ = [
    "TextSink",
    "call_function",
    "from_numpy",
    "has_any",
    "join",
    "join_lists",
    "join_rows",
    "numbers",
    "offsets_of",
    "pick",
    "plain",
    "quoted",
    "quoted_all",
    "repeated",
    "texts_of",
    "where",
]

# Arrow would take signals for itself while it parses, and lose one that comes just when it is done.
pa.enable_signal_handlers(False)
# Its own allocator is no faster for chunks of one size, and keeps a fifth more memory.
pa.set_memory_pool(pa.system_memory_pool())
memory.catch_crashes()

_NUMBER_BYTES = 24
"""About as many as the text of a number has, and its place among others."""


class TextSink:
    """A table as lines of text.

    Parameters
    ----------
    output
        Where to.
    columns
        What to write of each row.
    options
        How.
    """

    before_row = "\n"

    def __init__(self, output: Output, columns: Sequence[Column], options: WriteOptions) -> None:
        self.output = output
        self.columns = columns
        self.options = options
        self._begun = False
        self._numbered = any(column.kind is Kind.ROW for column in columns)

    def open(self, layout: Layout) -> int:  # noqa: ARG002
        """Write nothing yet: when the first rows turn out to be wrong, no header goes before the error."""
        self._labels = {
            column.name: pa.array(self.label_texts(column), pa.string()) for column in self.columns if column.labels
        }
        return sum(
            (_NUMBER_BYTES * len(column.headers) + self.extra_bytes(column)) * column.lines for column in self.columns
        )

    def extra_bytes(self, column: Column) -> int:  # noqa: ARG002
        """Return how many bytes besides its numbers a column takes in each row."""
        return 0

    def label_texts(self, column: Column) -> Sequence[str]:
        """Return the labels of a column as they are written."""
        raise NotImplementedError

    def picked(self, column: Column, codes: np.ndarray[Any, Any]) -> Any:
        """Return the labels that the codes of a column stand for."""
        return pick(self._labels[column.name], codes)

    def encode(self, batch: Batch) -> Any:
        """Return the text of `batch`, or the batch itself when the number of its first row is needed and not known."""
        return batch if self._numbered and batch.start is None else self._render(batch, batch.start or 0)

    def accept(self, piece: Any, start: int) -> None:
        """Write the next text."""
        self._begin()
        if isinstance(piece, Batch):
            piece = self._render(piece, start)
        if len(piece):
            self.put(piece)

    def finish(self) -> None:
        """Write what stands after the last row."""
        self._begin()
        self.output.write(self.end().encode())

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self.output.write(self.begin().encode())

    def put(self, text: memoryview) -> None:
        """Write rows, each with `before_row` before it, which costs less to join than something after it."""
        self.output.write(text[1:])
        self.output.write(b"\n")

    def begin(self) -> str:
        """Return what stands before the first row."""
        return ""

    def end(self) -> str:
        """Return what stands after the last row."""
        return ""

    def cells(self, batch: Batch, start: int) -> list[Any]:
        """Return the parts of a row, from `before_row` on, one after the other: arrays of texts, or single strings."""
        raise NotImplementedError

    def _render(self, batch: Batch, start: int) -> memoryview:
        """Return the rows of `batch`, each with `before_row` before it."""
        if not len(batch.scores) or not (cells := self.cells(batch, start)):
            return memoryview(b"")
        lines = join(cells, "")
        offsets = offsets_of(lines)
        return memoryview(lines.buffers()[2])[offsets[0] : offsets[-1]]


def numbers(lead: str, *columns: np.ndarray[Any, Any], separator: str = ",", null: bool = False) -> Any:
    """Return the texts of numbers as an Arrow array, one for each row.

    Parameters
    ----------
    lead
        The one character that each text begins with.
    columns
        What stands beside one another in a row: shape (N,), or (N, C) for C numbers; all of one dtype.
    separator
        The one character between the numbers of a text.
    null
        Whether what is not finite is null, as in JSON, instead of nan, inf and -inf.
    """
    rows = len(columns[0])
    tables = [column.reshape(rows, column.size // max(1, rows)) for column in columns]
    width = sum(table.shape[1] for table in tables)
    if not rows * width:
        return pa.array([lead] * rows, pa.string())
    # The 0 in front is left out again, but gives the first number a comma to begin with, as all others have.
    flat = np.zeros(1 + rows * width, dtype=tables[0].dtype)
    np.concatenate(tables, axis=1, out=flat[1:].reshape(rows, width))
    data = _with_names(orjson.dumps(flat, option=orjson.OPT_SERIALIZE_NUMPY), flat, null=null)
    del flat
    characters = np.frombuffer(data, np.uint8)
    commas = np.flatnonzero(characters == ord(","))
    starts = np.empty(rows + 1, dtype=np.int32)
    starts[:-1] = commas[::width]
    starts[-1] = len(data) - 1
    if (lead, separator) != (",", ","):
        characters = characters.copy()
        characters[commas] = ord(separator)
        characters[starts[:-1]] = ord(lead)
    return pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(starts), pa.py_buffer(characters)])


def _with_names(data: bytes, values: np.ndarray[Any, Any], *, null: bool) -> bytes:
    """Return a JSON list with the names of what is not finite, for which JSON has nothing but null."""
    if null or np.isfinite(values).all():
        return data
    texts = data[1:-1].split(b",")
    for position in np.flatnonzero(~np.isfinite(values)):
        texts[position] = str(values[position]).encode()
    return b"[" + b",".join(texts) + b"]"


def from_numpy(values: np.ndarray[Any, Any]) -> Any:
    """Return a flat array as an Arrow array over the same memory; Arrow's own conversion would import pandas."""
    data = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(data.dtype), len(data), [None, pa.py_buffer(data)])


def join(cells: Sequence[Any], separator: str) -> Any:
    """Join texts row by row; a single string stands for the same text in every row."""
    if len(cells) == 1:
        return cells[0]
    parts = [pa.scalar(cell) if isinstance(cell, str) else cell for cell in cells]
    return call_function("binary_join_element_wise", [*parts, pa.scalar(separator)])


def join_lists(offsets: np.ndarray[Any, Any], texts: Any, separator: str) -> Any:
    """Join the texts of each row, which are those between two offsets."""
    lists = pa.ListArray.from_arrays(from_numpy(offsets.astype(np.int32)), texts)
    return call_function("binary_join", [lists, pa.scalar(separator)])


def join_rows(width: int, texts: Any, separator: str) -> Any:
    """Join every `width` texts to one."""
    return join_lists(np.arange(0, len(texts) + 1, width), texts, separator)


def pick(labels: Any, codes: np.ndarray[Any, Any]) -> Any:
    """Return the label of each code as an Arrow array; -1 is the last label."""
    texts = labels if isinstance(labels, pa.Array) else pa.array(labels, pa.string())
    positions = codes.astype(np.int32)
    positions[positions < 0] = len(texts) - 1
    return call_function("take", [texts, from_numpy(positions)])


def repeated(values: Any, times: int) -> Any:
    """Return an Arrow array with each of its values that many times in a row."""
    return call_function("take", [values, from_numpy(np.repeat(np.arange(len(values)), times))])


def where(condition: np.ndarray[Any, Any], texts: Any, otherwise: str) -> Any:
    """Return `texts` with another text where the condition is false."""
    if condition.all():
        return texts
    bits = pa.array(condition.tolist(), pa.bool_())
    return call_function("if_else", [bits, texts, pa.scalar(otherwise)])


def offsets_of(texts: Any) -> np.ndarray[Any, Any]:
    """Return where in its data each text of an Arrow array begins, and the last ends."""
    if not len(texts):
        return np.zeros(1, dtype=np.int32)
    # A buffer out of a file may be longer than it need be, by any number of bytes.
    return np.frombuffer(texts.buffers()[1], np.int32, len(texts) + 1, 4 * texts.offset)


def has_any(texts: Any, marks: bytes) -> bool:
    """Return whether one of `marks` occurs anywhere in an array of texts."""
    if texts.buffers()[2] is None:
        return False
    offsets = offsets_of(texts)
    data = memoryview(texts.buffers()[2])[offsets[0] : offsets[-1]].tobytes()
    return any(mark in data for mark in marks)


def plain(texts: Any) -> Any:
    """Return JSON values as other formats write them: texts without quotes, null as nothing, the rest as JSON."""
    return pa.array([_plain(text) for text in texts.to_pylist()], pa.string())


def texts_of(values: Any) -> Any:
    """Return an Arrow array of any type as texts, nothing for null; what Arrow has no text for is written as JSON."""
    try:
        texts = call_function("cast", [values], CastOptions.safe(pa.string()))
    except (pa.ArrowException, NotImplementedError):
        texts = pa.array(
            [None if x is None else json.dumps(x, default=str) for x in python_values(values)], pa.string()
        )
    return call_function("coalesce", [texts, pa.scalar("")]) if texts.null_count else texts


def _plain(text: str) -> str:
    if text == "null":
        return ""
    return str(json.loads(text)) if text.startswith('"') else text


def quoted(text: str, delimiter: str) -> str:
    """Return `text` as a cell of a line: in quotes only where it needs them."""
    needs = any(mark in text for mark in (delimiter, '"', "\n", "\r"))
    return '"' + text.replace('"', '""') + '"' if needs else text


def quoted_all(texts: Any, delimiter: str) -> Any:
    """Return an Arrow array of texts with those in quotes that need them."""
    if not has_any(texts, delimiter.encode() + b'"\n\r'):
        return texts
    return pa.array([quoted(text, delimiter) for text in texts.to_pylist()], pa.string())
