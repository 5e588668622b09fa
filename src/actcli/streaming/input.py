"""Inputs: files and pipes, read as bytes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import stat
from typing import TYPE_CHECKING

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
"""Who writes so much at once has more to come."""

_MOMENT = 2
"""In milliseconds: so long it is waited for."""

STANDARD_INPUT = "<stdin>"
"""What a message calls standard input."""


class Input:
    """An input, open for reading: a file or a pipe.

    Parameters
    ----------
    path
        Of the file; ``-`` is standard input.

    Attributes
    ----------
    name
        What messages call it.
    size
        Of a regular file, in bytes; None for what cannot seek.

    Raises
    ------
    DataError
        If it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = STANDARD_INPUT if path == "-" else visible(path, 200)
        self._head = b""
        self._position = 0
        self._flows = False
        self.descriptor = -1
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
        # Standard input may be a file that something before us has read a part of: then it is read on as a pipe is.
        whole = stat.S_ISREG(status.st_mode) and os.lseek(self.descriptor, 0, os.SEEK_CUR) == 0
        self.size = status.st_size if whole else None
        memory.count_input(self.size or 0)
        if stat.S_ISFIFO(status.st_mode) and hasattr(fcntl, "F_SETPIPE_SZ"):
            # Who writes need not wait for us so often, nor we for them.
            with contextlib.suppress(OSError):
                fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def head(self, marks: Iterable[bytes]) -> bytes:
        """Return the beginning of what is unread, without taking it, or nothing at the end.

        It is as long as it happens to be, but no shorter than is needed to tell whether it begins with one of `marks`:
        the one short row that a pipe may have delivered is not kept waiting for bytes that nothing needs.
        """
        while any(len(self._head) < len(mark) and mark.startswith(self._head) for mark in marks):
            data = self._read(_HEAD_BYTES)
            if not data:
                break
            self._head += data
        return self._head

    def peek(self, count: int) -> bytes:
        """Return the first `count` bytes that are unread, fewer at the end, without taking them."""
        while len(self._head) < count:
            data = self._read(max(count - len(self._head), _HEAD_BYTES))
            if not data:
                break
            self._head += data
        return self._head[:count]

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes, as many as are at hand but at least one; none at the end."""
        if self._head:
            data, self._head = self._head[:count], self._head[count:]
            return data
        return self._read(count)

    def ready(self) -> bool:
        """Return whether `read` would not have to wait; where much came at once, for more than a moment."""
        if self.size is not None or self._head:
            return True
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(_MOMENT if self._flows else 0))

    def read_at(self, buffer: memoryview, offset: int) -> None:
        """Fill `buffer` with the bytes of the file from `offset` on: for files with a `size`, in any thread.

        Raises
        ------
        DataError
            If the file ends before.
        """
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
        """Copy what is left of a pipe, `expected` bytes if that is known, to a file, which has a `size` and can seek.

        Raises
        ------
        DataError
            If it goes on after that.
        OutputError
            If there is no room for it.
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
        """Close a regular file for a while, when so many are to be read that not all can be open at once."""
        if self.size is not None and self.path != "-" and self.descriptor >= 0:
            self._position = os.lseek(self.descriptor, 0, os.SEEK_CUR)
            self.close()

    def resume(self) -> None:
        """Open it again, where it was.

        Raises
        ------
        DataError
            If it is not the same file any more.
        """
        if self.descriptor >= 0:
            return
        try:
            self.descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            status = os.fstat(self.descriptor)
            os.lseek(self.descriptor, self._position, os.SEEK_SET)
        except OSError as error:
            raise DataError(f"{self.name}: cannot be opened again: {error.strerror}") from None
        if (status.st_dev, status.st_ino) != self.identity or status.st_size != self.size:
            raise DataError(f"{self.name}: has changed while other files were read")

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


class Seekable:
    """What libraries take for a file that can seek: an input that has a `size`, read from any place."""

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
        """Leave the file open: it is closed by who opened it."""
