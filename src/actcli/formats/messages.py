"""The messages of Arrow IPC, looked at before Arrow takes them.

Arrow unpacks a record batch whole, in as much memory as the batch says that it needs: a few kilobytes may stand for any
number of gigabytes. So the sizes are read beforehand, out of the metadata, which are FlatBuffers.

Source: the format, https://arrow.apache.org/docs/format/Columnar.html; its tables, format/Message.fbs in Arrow.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from actcli.errors import DataError

if TYPE_CHECKING:
    from actcli.streaming.input import Input

__all__ = ["LARGEST_BATCH", "Messages"]

LARGEST_BATCH = 1 << 29
"""A record batch of more bytes than this, packed or not, is refused."""

_LARGEST_METADATA = 1 << 26
_CONTINUATION = b"\xff\xff\xff\xff"
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3


class Messages:
    """What Arrow takes for a file: a stream of messages, none of which is too large.

    Parameters
    ----------
    input
        Where the stream is read from, from here on.
    skip
        How many bytes stand before it.
    """

    closed = False

    def __init__(self, input: Input, skip: int = 0) -> None:
        self._input = input
        self._parts: list[memoryview] = []
        self._position: int | None = None if input.size is None else skip

    def read(self, count: int) -> memoryview:
        """Return `count` bytes, fewer only at the end of a message: Arrow reads one after the other."""
        if not self._parts:
            self._parts = self._message()
        if not self._parts:
            return memoryview(b"")
        data, rest = self._parts[0][:count], self._parts[0][count:]
        self._parts[:1] = [rest] if rest else []
        return data

    def at_end(self) -> bool:
        """Return whether nothing follows what was read."""
        return not self._take(1)

    def close(self) -> None:
        """Leave the file open: it is closed by who opened it."""

    def _message(self) -> list[memoryview]:
        """Return the parts of the next message, which are what Arrow reads of it at once."""
        first = self._take(4)
        size = self._take(4) if first == _CONTINUATION else first
        parts = [first, size] if size is not first else [first]
        if len(size) == 4 and any(size):
            [length] = struct.unpack("<I", size)
            if length > _LARGEST_METADATA:
                raise DataError(f"{self._input.name}: a message says that its metadata are {length} bytes long")
            metadata = self._take(length)
            packed, buffers = _sizes(metadata)
            self._check(packed)
            body = self._take(packed)
            self._check(sum(_unpacked(body, *buffer) for buffer in buffers))
            parts += [metadata, body]
        return [memoryview(part) for part in parts if part]

    def _check(self, size: int) -> None:
        if size > LARGEST_BATCH:
            raise DataError(
                f"{self._input.name}: has a record batch of {size / (1 << 20):,.0f} MiB; "
                f"actcli takes up to {LARGEST_BATCH >> 20}",
                hint="write smaller ones, for instance with pyarrow: write_table(table, max_chunksize=65536)",
            )

    def _take(self, count: int) -> bytearray:
        """Return the next `count` bytes, fewer only at the end."""
        if self._position is not None:
            data = bytearray(min(count, max(0, (self._input.size or 0) - self._position)))
            self._input.read_at(memoryview(data), self._position)
            self._position += len(data)
            return data
        data = bytearray()
        while len(data) < count and (more := self._input.read(min(count - len(data), 1 << 20))):
            data += more
        return data


def _sizes(metadata: bytearray) -> tuple[int, list[tuple[int, int]]]:
    """Return how long the body of a message is, and where in it the buffers are that are packed, with their lengths."""
    try:
        message = _table(metadata, 0)
        [size] = struct.unpack_from("<q", metadata, message[3]) if 3 in message else [0]
        kind = metadata[message[1]] if 1 in message else 0
        if size < 0:
            raise ValueError("a message says that it has fewer than no bytes")
        if kind not in (_DICTIONARY_BATCH, _RECORD_BATCH):
            return size, []
        batch = _table(metadata, message[2])
        if kind == _DICTIONARY_BATCH:
            batch = _table(metadata, batch[1])
        if 3 not in batch:
            return size, []
        start = batch[2] + struct.unpack_from("<I", metadata, batch[2])[0]
        [count] = struct.unpack_from("<I", metadata, start)
        numbers = struct.unpack_from(f"<{2 * count}q", metadata, start + 4)
        return size, list(zip(numbers[::2], numbers[1::2], strict=True))
    except (struct.error, IndexError, KeyError) as error:
        raise ValueError("the metadata of a message make no sense") from error


def _table(data: bytearray, place: int) -> dict[int, int]:
    """Return where the fields of a table stand, by their numbers; where the table stands, `place` says."""
    start = place + struct.unpack_from("<I", data, place)[0]
    fields = start - struct.unpack_from("<i", data, start)[0]
    [size] = struct.unpack_from("<H", data, fields)
    offsets = struct.unpack_from(f"<{size // 2 - 2}H", data, fields + 4)
    return {number: start + offset for number, offset in enumerate(offsets) if offset}


def _unpacked(body: bytearray, start: int, length: int) -> int:
    """Return how many bytes a packed buffer says that it unpacks to."""
    if length < 8 or not 0 <= start <= len(body) - 8:
        return 0
    return max(length, int.from_bytes(body[start : start + 8], "little", signed=True))
