"""Bytes in and bytes out: files, pipes, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import stat
import sys
from typing import TYPE_CHECKING, Any, Self

from actcli import signals
from actcli.errors import DataError, OutputError, ReaderGoneError, UsageError, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeAlias

    from actcli.compression import Packer

    Bytes: TypeAlias = bytes | bytearray | memoryview

__all__ = [
    "STANDARD_INPUT",
    "Input",
    "Output",
    "Seekable",
    "Spool",
    "is_device",
    "is_terminal",
    "standard_input_is_terminal",
]

_STANDARD_OUTPUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
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


class Spool:
    """A temporary file without a name; use it as a context, or let it go.

    Raises
    ------
    OutputError
        If it cannot be made, or there is no room for what is written.
    """

    def __init__(self) -> None:
        import tempfile

        self.size = 0
        self.descriptor = -1
        with _spooling(), tempfile.TemporaryFile(buffering=0) as file:
            self.descriptor = os.dup(file.fileno())

    def write(self, data: Bytes) -> None:
        """Add to its end."""
        view = memoryview(data).cast("B")
        self.size += len(view)
        with _spooling():
            while view:
                view = view[os.write(self.descriptor, view) :]

    def rewind(self) -> None:
        """Go to its start."""
        with _spooling():
            os.lseek(self.descriptor, 0, os.SEEK_SET)

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes, fewer only at the end."""
        parts = bytearray()
        with _spooling():
            while len(parts) < count and (data := os.read(self.descriptor, count - len(parts))):
                parts += data
        return bytes(parts)

    def read_at(self, count: int, offset: int) -> bytes:
        """Return `count` bytes from `offset` on."""
        parts = bytearray()
        with _spooling():
            while len(parts) < count and (data := os.pread(self.descriptor, count - len(parts), offset + len(parts))):
                parts += data
        return bytes(parts)

    def pieces(self, size: int = 1 << 20) -> Iterator[bytes]:
        """Yield all of it from the start, `size` bytes at a time."""
        self.rewind()
        while data := self.read(size):
            yield data

    def close(self) -> None:
        """Give it up."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


@contextlib.contextmanager
def _spooling() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"a temporary file cannot be written: {error.strerror}") from None


class Output:
    """An output, open for writing; use it as a context, and `commit` at the end.

    A regular file is written beside its target and renamed in `commit`: without that it never appears, and what stood
    there before stays. Standard output, devices and pipes are written directly.

    Parameters
    ----------
    path
        Of the file; None or ``-`` is standard output.
    inputs
        The identities of the inputs, none of which may be the output.
    clobber
        Whether a file that exists is replaced.
    packer
        Compresses what is written.
    durable
        Whether it is on the disk before it gets its name: for what is kept, and changed in place. A table that a power
        failure takes can be made again, and waiting for the disk may take longer than making it.

    Raises
    ------
    UsageError
        If the output is one of the inputs.
    OutputError
        If it cannot be opened, or exists and must not be replaced.
    """

    def __init__(
        self,
        path: str | None,
        *,
        inputs: Sequence[tuple[int, int]] = (),
        clobber: bool = True,
        packer: Packer | None = None,
        durable: bool = False,
    ) -> None:
        self.path = None if path == "-" else path
        self.name = "standard output" if self.path is None else visible(self.path, 200)
        self._temporary: str | None = None
        self._target = ""
        self._clobber = clobber
        self._inputs = inputs
        self._packer = packer
        self._durable = durable

    def __enter__(self) -> Self:
        signals.add(self._remove)
        try:
            self.descriptor = self._open()
        except BaseException as error:
            self._remove()
            if isinstance(error, FileNotFoundError):
                raise OutputError(f"{self.name}: no such directory") from None
            if isinstance(error, OSError):
                raise OutputError(f"{self.name}: cannot be written: {error.strerror}") from None
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._remove()
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def _remove(self) -> None:
        """Remove what was not committed."""
        signals.remove(self._remove)
        if self._temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._temporary)
            self._temporary = None

    def _open(self) -> int:
        if self.path is None or self.path in _STANDARD_OUTPUT:
            descriptor = os.dup(1)
            self._refuse_input(os.fstat(descriptor))
            return descriptor
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            status = None
        if status is not None:
            self._refuse_input(status)
            if stat.S_ISDIR(status.st_mode):
                raise OutputError(f"{self.name}: is a directory")
            if not stat.S_ISREG(status.st_mode):
                return os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
            if not self._clobber:
                raise OutputError(f"{self.name}: exists already", hint="leave --no-clobber out to replace it")
            if not os.access(self.path, os.W_OK):
                raise OutputError(f"{self.name}: cannot be written: Permission denied")
        return self._open_beside(status)

    def _open_beside(self, status: os.stat_result | None) -> int:
        assert self.path is not None
        self._target = os.path.realpath(self.path)
        folder = os.path.dirname(self._target)
        # The name is known before the file exists, so that a signal in between leaves nothing.
        self._temporary = os.path.join(folder, f".actcli-{os.urandom(8).hex()}.tmp")
        descriptor = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        if status is None:
            mask = os.umask(0o022)
            os.umask(mask)
            os.fchmod(descriptor, 0o666 & ~mask)
        else:
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
        return descriptor

    def _refuse_input(self, status: os.stat_result) -> None:
        if stat.S_ISREG(status.st_mode) and (status.st_dev, status.st_ino) in self._inputs:
            raise UsageError(f"{self.name}: is one of the inputs", hint="write to another file, then rename it")

    @property
    def is_terminal(self) -> bool:
        """Whether a person is looking at it."""
        return os.isatty(self.descriptor)

    @property
    def seekable(self) -> bool:
        """Whether `write_at` works."""
        return self._temporary is not None

    def write(self, data: Bytes) -> None:
        """Write all of `data` at once: nothing stays in a buffer, unless it is compressed.

        Raises
        ------
        OutputError
            If it cannot be written.
        ReaderGoneError
            If the reader went away.
        """
        self._put(data if self._packer is None else self._packer.compress(data))

    def _put(self, data: Bytes) -> None:
        view = memoryview(data).cast("B")
        while view:
            try:
                view = view[os.write(self.descriptor, view) :]
            except BlockingIOError:
                select.select([], [self.descriptor], [])
            except BrokenPipeError:
                raise ReaderGoneError from None
            except OSError as error:
                raise OutputError(f"{self.name}: cannot be written: {error.strerror}") from None

    def write_at(self, data: Bytes, offset: int) -> None:
        """Write all of `data` at that place of a `seekable` file, in any thread.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        view = memoryview(data).cast("B")
        while view:
            try:
                count = os.pwrite(self.descriptor, view, offset)
            except OSError as error:
                raise OutputError(f"{self.name}: cannot be written: {error.strerror}") from None
            view = view[count:]
            offset += count

    def commit(self) -> None:
        """Make the file appear under its name, complete.

        Raises
        ------
        OutputError
            If it cannot be, or if it must not replace a file that has appeared in the meantime.
        """
        if self._packer is not None:
            self._put(self._packer.flush())
        if self._temporary is None:
            return
        try:
            if self._durable:
                os.fsync(self.descriptor)
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)  # a file system on a network may say only now that it is full
            if self._clobber:
                os.replace(self._temporary, self._target)
            else:
                os.link(self._temporary, self._target)
                os.unlink(self._temporary)
            self._temporary = None
        except FileExistsError:
            raise OutputError(f"{self.name}: exists already", hint="leave --no-clobber out to replace it") from None
        except OSError as error:
            raise OutputError(f"{self.name}: cannot be written: {error.strerror}") from None


def is_terminal(stream: Any) -> bool:
    """Return whether `stream`, one of sys.stdin, sys.stdout and sys.stderr, is open on a terminal."""
    try:
        return bool(stream is not None and stream.isatty())
    except ValueError:
        return False


def is_device(path: str) -> bool:
    """Return whether an output of that name is written directly: standard output, a device, a pipe."""
    try:
        return path in _STANDARD_OUTPUT or not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def standard_input_is_terminal() -> bool:
    """Return whether standard input is a terminal."""
    return is_terminal(sys.stdin)
