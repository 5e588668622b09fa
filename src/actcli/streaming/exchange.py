"""Objects that processes hand to each other in shared memory.

An object is pickled into memory that both processes see. Its large parts, such as the block of a chunk, are copied once
on each way. The memory has no name, so that nothing is left of it when the processes end, whatever ends them.
"""

from __future__ import annotations

import mmap
import os
import pickle
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from actcli.streaming import memory
from actcli.streaming.batch import is_common_to_chunks

if TYPE_CHECKING:
    from typing import TypeAlias

    Bytes: TypeAlias = bytes | bytearray | memoryview

__all__ = ["Parcel", "Slot", "begin"]

_loads = pickle.loads  # of what other processes of the same program have pickled
_PROTOCOL = 5  # the first in which large buffers are not copied into the pickle
_LEAST_BYTES = 1 << 22
_KEPT_BYTES = 1 << 24
"""The most memory that a slot keeps after its use."""

_ALIGNMENT = 64
_MOST_KNOWN = 64

_inherited: dict[int, Any] = {}
"""By number, the objects that many chunks have in common and that a forked process inherits from its parent."""

_known: dict[int, Any] = {}
"""By number, such objects that this process has made from their pickles."""

_sent: dict[int, tuple[int, Any, bytes | None]] = {}
"""By `id`, the number of such an object, the object, and its pickle; None for an object that every worker inherited."""

_numbers = iter(range(1 << 62))


class Parcel(NamedTuple):
    """Where an object is in a slot: from where to where its table of contents goes."""

    start: int
    end: int


class Slot:
    """A piece of memory that processes share, with room for one object on its way there and one on its way back.

    It grows with what is put into it. A process that is forked inherits it; for another one, it is made again from its
    descriptor.

    Parameters
    ----------
    descriptor
        The open file that is the memory; None makes one.

    Raises
    ------
    OSError
        If the system has no such memory.
    DataError
        If there is not enough of it, here and in all methods.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = _unnamed_memory() if descriptor is None else descriptor
        self._map: Any = None
        self._mapped = 0
        self._position = 0
        self._reserve(_LEAST_BYTES)

    def put(self, value: Any, start: int = 0) -> Parcel:
        """Store an object from position `start` on."""
        buffers: list[pickle.PickleBuffer] = []
        self._position = start
        self._reserve(start)
        _Pickler(self, buffers).dump(value)
        parts = [(start, self._position)]
        for buffer in buffers:
            self._position += -self._position % _ALIGNMENT
            first = self._position
            self.write(buffer.raw())
            parts.append((first, self._position))
        first = self._position
        self.write(pickle.dumps(parts))
        return Parcel(first, self._position)

    def get(self, parcel: Parcel, *, copy: bool) -> Any:
        """Return the object of a parcel.

        Parameters
        ----------
        parcel
            Where it is.
        copy
            Whether to copy its large buffers. Otherwise it can be used only until something is put into this slot.
        """
        self._reserve(parcel.end)
        view = memoryview(self._map)
        pickled, *places = (view[first:last] for first, last in _loads(view[parcel.start : parcel.end]))
        return _loads(pickled, buffers=map(bytearray, places) if copy else places)

    def write(self, data: Bytes | pickle.PickleBuffer) -> int:
        """Append bytes: what a pickler expects of a file."""
        count = memoryview(data).nbytes
        end = self._position + count
        if end > self._mapped:
            self._reserve(end)
        self._map[self._position : end] = data
        self._position = end
        return count

    def trim(self) -> None:
        """Give memory back if there is much of it; nothing in the slot can be used any more."""
        if os.fstat(self.descriptor).st_size > _KEPT_BYTES:
            self._map = None
            self._mapped = 0
            os.ftruncate(self.descriptor, _LEAST_BYTES)

    def close(self) -> None:
        """Give the memory back."""
        self._map = None
        os.close(self.descriptor)

    def _reserve(self, size: int) -> None:
        """Have at least so much memory. The other process may have given back or added some."""
        there = os.fstat(self.descriptor).st_size
        try:
            if there < size:
                there = max(_LEAST_BYTES, 2 * size)
                os.ftruncate(self.descriptor, there)
            if self._mapped < size or self._mapped > there:
                self._map = mmap.mmap(self.descriptor, there)
                self._mapped = there
        except OSError:
            raise memory.exceeded() from None


def begin(first: Any = None) -> None:
    """Forget what processes that have ended knew.

    Parameters
    ----------
    first
        The first object for processes that will be forked: they inherit what it has in common with further ones.
    """
    for known in (_inherited, _known, _sent):
        known.clear()
    _Pickler(_Nothing(), [], inherited=True).dump(first)


class _Nothing:
    """A file that keeps nothing."""

    def write(self, data: Any) -> int:
        """Drop `data`."""
        return memoryview(data).nbytes


class _Pickler(pickle.Pickler):
    """Pickles, and leaves out what the other process has already: what is `common_to_chunks`."""

    def __init__(self, file: Any, buffers: list[pickle.PickleBuffer], *, inherited: bool = False) -> None:
        super().__init__(file, _PROTOCOL, buffer_callback=buffers.append)
        self._inherited = inherited
        self._arrow: Any = sys.modules.get("pyarrow")

    def reducer_override(self, value: Any) -> Any:
        """Return how the other process gets the object."""
        kind = type(value)
        if is_common_to_chunks(kind):
            number, _, pickled = _sent.get(id(value)) or _noted(value, inherited=self._inherited)
            return _recalled, (number, pickled)
        if self._arrow is not None:
            if kind is self._arrow.RecordBatch:
                return _batch, (_stream(value),)
            if isinstance(value, self._arrow.Array) and value.nbytes < value.get_total_buffer_size():
                return _array, (_stream(self._arrow.RecordBatch.from_arrays([value], names=[""])),)
        return NotImplemented


def _noted(value: Any, *, inherited: bool) -> tuple[int, Any, bytes | None]:
    if len(_sent) >= _MOST_KNOWN:
        _sent.clear()
    number = next(_numbers)
    entry = number, value, None if inherited else pickle.dumps(value, _PROTOCOL)
    if inherited:
        _inherited[number] = value
    _sent[id(value)] = entry
    return entry


def _recalled(number: int, pickled: bytes | None) -> Any:
    """Return the object of a number, made from its pickle unless this process has it already."""
    if pickled is None:
        return _inherited[number]
    if number not in _known:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[number] = _loads(pickled)
    return _known[number]


def _stream(batch: Any) -> pickle.PickleBuffer:
    """Return an Arrow record batch as bytes. A pickle of a slice would hold all that it is a slice of."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return pickle.PickleBuffer(sink.getvalue())


def _batch(data: Any) -> Any:
    """Return the record batch that `_stream` made bytes of."""
    import pyarrow as pa

    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return reader.read_next_batch()


def _array(data: Any) -> Any:
    """Return the one array of such a record batch."""
    return _batch(data).column(0)


def _unnamed_memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("actcli")
    from actcli.streaming.spool import unnamed_file  # elsewhere, a file that is removed already

    return unnamed_file()
