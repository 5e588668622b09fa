"""Arrow IPC: a file, or a stream through a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.ipc

from actcli.errors import DataError
from actcli.formats.columnar import ColumnarSource, SeekableViews
from actcli.formats.columnar_sink import ColumnarSink

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.streaming.input import Input

__all__ = ["ArrowSink", "ArrowSource"]

_FILE_MAGIC = b"ARROW1"


class ArrowSource(ColumnarSource):
    """Arrow IPC, a stream or a file."""

    what = "Arrow"
    _seen: Sequence[Any] = ()

    def _open(self) -> Any:
        if self.input.size is None and self.input.head([_FILE_MAGIC]).startswith(_FILE_MAGIC):
            self.input.spool(None)
        self._file: Any = None
        if self.input.size is not None and SeekableViews(self.input).read(len(_FILE_MAGIC)) == _FILE_MAGIC:
            self._file = pa.ipc.open_file(pa.PythonFile(SeekableViews(self.input), "r"))
            return self._file.schema
        self._bytes = _Pipe(self.input) if self.input.size is None else SeekableViews(self.input)
        self._stream = pa.ipc.open_stream(pa.PythonFile(self._bytes, "r"))
        return self._stream.schema

    def _check_end(self) -> None:
        """Refuse what follows the last batch, such as a second stream."""
        if self._file is None and self._bytes.read(1):
            raise DataError(f"{self.input.name}: goes on after the end of its stream")

    def _again(self, seen: Sequence[Any]) -> None:
        """Begin again, after these batches were read: those of a pipe cannot be read twice."""
        if self.input.size is None:
            self._seen = seen
        else:
            self._open()

    def batches(self, rows: int) -> Iterator[Any]:  # noqa: ARG002
        """Yield the record batches as they are in the file."""
        yield from self._seen
        if self._file is None:
            yield from self._stream
        else:
            yield from map(self._file.get_batch, range(self._file.num_record_batches))


class ArrowSink(ColumnarSink):
    """Arrow IPC: a file, or where it goes to a pipe, a stream."""

    what = "Arrow"

    def begin(self, file: Any) -> Any:
        """Return what writes record batches to `file`."""
        return (pa.ipc.new_file if self.output.seekable else pa.ipc.new_stream)(file, self.schema)

    def put(self, batch: Any) -> None:
        """Write a record batch at once."""
        self.writer.write_batch(batch)


class _Pipe:
    """A pipe as a file for Arrow, which expects all the bytes that it asks for."""

    closed = False

    def __init__(self, input: Input) -> None:
        self._input = input

    def read(self, count: int) -> bytearray:
        """Return `count` bytes, fewer only at the end."""
        data = bytearray()
        while len(data) < count and (more := self._input.read(min(count - len(data), 1 << 20))):
            data += more
        return data

    def close(self) -> None:
        """Leave the pipe open: its owner closes it."""
