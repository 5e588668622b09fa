"""Inputs: files and pipes, read as bytes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import select
import stat
from typing import TYPE_CHECKING, Any

from actcli.errors import DataError, visible
from actcli.streaming import memory, signals
from actcli.streaming.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    Bytes: TypeAlias = bytes | bytearray | memoryview

__all__ = ["STANDARD_INPUT", "Input", "Seekable"]

_HEAD_BYTES = 1 << 16
_PIPE_BYTES = 1 << 20
_FLOW_BYTES = 1 << 16
"""A read of at least so many bytes means that more will follow soon."""

_MOMENT = 2
"""How long to wait for more in that case, in milliseconds."""

STANDARD_INPUT = "<stdin>"
"""The name of standard input in messages."""


class Input:
    """An input, open for reading: a file or a pipe.

    Parameters
    ----------
    path
        The path of the file; ``-`` is standard input.

    Attributes
    ----------
    name
        Its name in messages.
    identity
        The device and the inode of the file.
    size
        The size of a regular file in bytes; None for an input that cannot seek.
    can_reopen
        Whether the path leads to the same bytes again. Only such an input can be pickled.

    Raises
    ------
    DataError
        If it cannot be opened.
    """

    size: int | None = None
    can_reopen = False
    descriptor = -1
    _head = b""
    _position = 0
    _flows = False

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = STANDARD_INPUT if path == "-" else visible(path, 200)
        try:
            self.descriptor = os.dup(0) if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            status = os.fstat(self.descriptor)
        except FileNotFoundError:
            raise DataError(f"{self.name}: no such file") from None
        except OSError as error:
            raise DataError(f"{self.name}: cannot be opened: {error.strerror}") from None
        if stat.S_ISDIR(status.st_mode):
            self.close()
            raise DataError(f"{self.name}: is a directory")
        self.identity = (status.st_dev, status.st_ino)
        # Another program may have read the beginning of standard input: then the rest is read as from a pipe.
        whole = stat.S_ISREG(status.st_mode) and os.lseek(self.descriptor, 0, os.SEEK_CUR) == 0
        self.size = status.st_size if whole else None
        memory.count_input(self.size or 0)
        self.can_reopen = whole and path != "-"
        if stat.S_ISFIFO(status.st_mode) and hasattr(fcntl, "F_SETPIPE_SZ"):
            # A larger buffer lets both sides wait less often.
            with contextlib.suppress(OSError):
                fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def head(self, marks: Iterable[bytes]) -> bytes:
        """Return the next bytes without taking them, or nothing at the end.

        It reads only as much as needed to tell whether they begin with one of `marks`, so that a single short row from
        a pipe does not have to wait for more bytes.
        """
        while any(len(self._head) < len(mark) and mark.startswith(self._head) for mark in marks):
            data = self._read(_HEAD_BYTES)
            if not data:
                break
            self._head += data
        return self._head

    def peek(self, count: int) -> bytes:
        """Return the next `count` bytes without taking them, fewer at the end."""
        while len(self._head) < count:
            data = self._read(max(count - len(self._head), _HEAD_BYTES))
            if not data:
                break
            self._head += data
        return self._head[:count]

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes: those available, but at least one, or none at the end."""
        if self._head:
            data, self._head = self._head[:count], self._head[count:]
            return data
        return self._read(count)

    def ready(self) -> bool:
        """Return whether `read` would return without waiting, or after a moment if much data came at once before."""
        if self.size is not None or self._head:
            return True
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(_MOMENT if self._flows else 0))

    def read_at(self, buffer: memoryview, offset: int) -> None:
        """Fill `buffer` with the bytes from `offset` on: in any process, for inputs with a `size`.

        Raises
        ------
        DataError
            If the file ends before, or is not the same file any more.
        """
        self.resume()
        while buffer:
            try:
                count = os.preadv(self.descriptor, [buffer], offset)
            except OSError as error:
                raise DataError(f"{self.name}: cannot be read: {error.strerror}") from None
            if not count:
                raise DataError(f"{self.name}: has become shorter while it was read")
            buffer = buffer[count:]
            offset += count

    def spool(self, expected: int | None) -> None:
        """Copy the rest of a pipe to a temporary file, so that the input has a `size` and can seek.

        Parameters
        ----------
        expected
            The number of bytes, if it is known.

        Raises
        ------
        DataError
            If there are more bytes.
        OutputError
            If the disk is full.
        """
        with Spool() as spool:
            while data := self.read(1 << 20):
                spool.write(data)
                if expected is not None and spool.size > expected:
                    raise DataError(f"{self.name}: goes on after the {expected} bytes that its header says")
            Input.close(self)
            self.descriptor = os.dup(spool.descriptor)
            self.size = spool.size

    def pause(self) -> None:
        """Close the file until `resume`, because there are too many inputs to keep all of them open."""
        if self.can_reopen and self.descriptor >= 0:
            self._position = os.lseek(self.descriptor, 0, os.SEEK_CUR)
            self.close()

    def resume(self) -> None:
        """Open the file again, at the same position, unless it is open.

        Raises
        ------
        DataError
            If it is not the same file any more.
        """
        if self.descriptor >= 0:
            return
        self.descriptor = self._open_again()

    def _open_again(self) -> int:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            status = os.fstat(descriptor)
            os.lseek(descriptor, self._position, os.SEEK_SET)
        except OSError as error:
            raise DataError(f"{self.name}: cannot be opened again: {error.strerror}") from None
        if (status.st_dev, status.st_ino) != self.identity or status.st_size != self.size:
            os.close(descriptor)
            raise DataError(f"{self.name}: has changed while other files were read")
        return descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to open the file again in another process, once it is needed."""
        if not self.can_reopen:
            raise TypeError(f"{self.name} cannot be opened again, so it cannot be pickled")
        return _reopened, (self.path, self.name, self.identity, self.size)

    def close(self) -> None:
        """Close the file."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _read(self, count: int) -> bytes:
        if self.size is None:
            signals.wait_for(self.descriptor)
        try:
            data = os.read(self.descriptor, count)
        except BlockingIOError:
            select.select([self.descriptor], [], [])
            return self._read(count)
        except OSError as error:
            raise DataError(f"{self.name}: cannot be read: {error.strerror}") from None
        self._flows = len(data) >= _FLOW_BYTES
        if self.size is None:
            memory.count_input(len(data))
        if not data and count and self.size is not None and os.lseek(self.descriptor, 0, os.SEEK_CUR) < self.size:
            raise DataError(f"{self.name}: has become shorter while it was read")
        return data


class _ReopenedInput(Input):
    """The file of an input that was pickled, in another process; `read_at` opens it, and it closes itself."""

    def __init__(self, path: str, name: str, identity: tuple[int, int], size: int) -> None:
        self.path = path
        self.name = name
        self.identity = identity
        self.size = size
        self.can_reopen = True

    def __del__(self) -> None:
        self.close()


@functools.lru_cache(maxsize=64)
def _reopened(path: str, name: str, identity: tuple[int, int], size: int) -> Input:
    """Return the input of a file, the same one for all of its chunks."""
    return _ReopenedInput(path, name, identity, size)


class Seekable:
    """An input with a `size` as a file object that can seek, for libraries."""

    closed = False

    def __init__(self, input: Input) -> None:
        self._input = input
        self._size = input.size or 0
        self._position = 0

    def read(self, count: int | None = None) -> bytes:
        """Return `count` bytes, fewer only at the end."""
        left = max(0, self._size - self._position)
        data = bytearray(left if count is None or count < 0 else min(count, left))
        self._input.read_at(memoryview(data), self._position)
        self._position += len(data)
        return bytes(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to an offset from the start, from here, or from the end."""
        position = offset + (0, self._position, self._size)[whence]
        if position < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._position = position
        return position

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._position

    def size(self) -> int:
        """Return how long the file is."""
        return self._size

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return False."""
        return False

    def close(self) -> None:
        """Leave the file open: its owner closes it."""
