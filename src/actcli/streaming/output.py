"""Outputs: standard output, devices, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import time
from typing import TYPE_CHECKING, Any, Protocol, Self

from actcli.errors import OutputError, ReaderGoneError, UsageError, visible
from actcli.streaming import signals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Bytes: TypeAlias = bytes | bytearray | memoryview

__all__ = ["Output", "OutputFile", "Packer", "UpdatedFile", "is_device", "is_same_path"]

ABANDONED = 3600
"""The seconds after which a temporary file that nobody holds is removed."""

_STANDARD_OUTPUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


class Packer(Protocol):
    """Compresses bytes piece by piece."""

    def compress(self, data: Any, /) -> bytes:
        """Add bytes, and return the compressed bytes that are ready."""

    def flush(self) -> bytes:
        """Return the remaining compressed bytes."""


class Output:
    """An output, open for writing; use it as a context, and call `commit` at the end.

    A regular file is written under a temporary name in the same folder, and `commit` renames it. Without `commit` no
    file appears, and an older file of that name stays. Standard output, devices and pipes are written directly.

    Parameters
    ----------
    path
        The path of the file; None or ``-`` is standard output.
    inputs
        The identities of the files that are read. The output must be none of them.
    clobber
        Whether to replace an existing file.
    packer
        Compresses what is written.

    Raises
    ------
    UsageError
        If the output is one of the files that are read.
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
    ) -> None:
        self.path = None if path == "-" else path
        self.name = "standard output" if self.path is None else visible(self.path, 200)
        self._temporary: str | None = None
        self._target = ""
        self._clobber = clobber
        self._inputs = inputs
        self._packer = packer

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
        """Remove the temporary file unless it was committed."""
        signals.remove(self._remove)
        if self._temporary is not None:
            # The folder may have become read-only. A later run removes the file.
            with contextlib.suppress(OSError):
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
            self._check_sticky(status)
        return self._open_beside(status)

    def _open_beside(self, status: os.stat_result | None) -> int:
        assert self.path is not None
        self._target = os.path.realpath(self.path)
        folder = os.path.dirname(self._target)
        # The name is known before the file exists, so that a signal in between leaves no file.
        self._temporary = os.path.join(folder, f".actcli-{os.urandom(8).hex()}.tmp")
        _remove_abandoned(folder or ".")
        descriptor = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        _is_held(descriptor)
        if status is None:
            mask = os.umask(0o022)
            os.umask(mask)
            os.fchmod(descriptor, 0o666 & ~mask)
        else:
            os.fchmod(descriptor, _own_as(descriptor, status))
        return descriptor

    def _check_sticky(self, status: os.stat_result) -> None:
        """Refuse a file that cannot be renamed over: that of another user in a folder such as /tmp."""
        folder = os.stat(os.path.dirname(os.path.realpath(self.path or "")))
        if folder.st_mode & stat.S_ISVTX and os.geteuid() not in (0, status.st_uid, folder.st_uid):
            raise OutputError(
                f"{self.name}: belongs to another user, and only the owner can replace a file in its folder",
                hint="write to another file",
            )

    def _refuse_input(self, status: os.stat_result) -> None:
        if stat.S_ISREG(status.st_mode) and (status.st_dev, status.st_ino) in self._inputs:
            raise UsageError(f"{self.name}: is one of the inputs", hint="write to another file, then rename it")

    @property
    def is_terminal(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self.descriptor)

    @property
    def seekable(self) -> bool:
        """Whether `write_at` works."""
        return self._temporary is not None

    def write(self, data: Bytes) -> None:
        """Write all of `data` without a buffer, except for that of a compression.

        Raises
        ------
        OutputError
            If it cannot be written.
        ReaderGoneError
            If the reader has closed the pipe.
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

    def reserve(self, count: int) -> int | None:
        """Leave room for the next `count` bytes, which `write_at` fills; return where it begins.

        None means that this output cannot be written in another order.
        """
        if not self.seekable or self._packer is not None:
            return None
        return os.lseek(self.descriptor, count, os.SEEK_CUR) - count

    def write_at(self, data: Bytes, offset: int) -> None:
        """Write all of `data` at an offset of a `seekable` file, in any process.

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
        """Give the complete file its name.

        Raises
        ------
        OutputError
            If that fails, or a file of that name has appeared and must not be replaced.
        """
        if self._packer is not None:
            self._put(self._packer.flush())
        if self._temporary is None:
            return
        try:
            self._finish_writing()
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)  # a network file system may report only now that it is full
            self._place(self._temporary, self._target)
            self._temporary = None
        except FileExistsError:
            raise OutputError(f"{self.name}: exists already", hint="leave --no-clobber out to replace it") from None
        except OSError as error:
            raise OutputError(f"{self.name}: cannot be written: {error.strerror}") from None

    def _finish_writing(self) -> None:
        """Do what must be done before the file is closed."""

    def _place(self, temporary: str, target: str) -> None:
        """Give the temporary file its name."""
        if self._clobber:
            os.replace(temporary, target)
        else:
            os.link(temporary, target)
            os.unlink(temporary)


class UpdatedFile(Output):
    """A file that was read and is replaced: `commit` fails if it has changed since.

    The disk has the new content before the old one goes. (A table can be made again after a power failure, and waiting
    for the disk may take longer than making it.)

    Parameters
    ----------
    path
        The path of the file.
    before
        What it held when it was read; None if it did not exist.
    inputs
        The identities of the other files that are read.
    """

    def __init__(self, path: str, before: bytes | None, *, inputs: Sequence[tuple[int, int]] = ()) -> None:
        super().__init__(path, inputs=inputs)
        self._before = before

    def _finish_writing(self) -> None:
        os.fsync(self.descriptor)

    def _place(self, temporary: str, target: str) -> None:
        try:
            if self._before is None:
                self._place_new(temporary, target)
                return
            with open(target, "r+b") as file:
                _lock(file.fileno())
                # Another process may have replaced it while this one waited for the lock.
                if file.read() != self._before or not os.path.samestat(os.fstat(file.fileno()), os.stat(target)):
                    raise self._changed()
                os.replace(temporary, target)
        except (FileExistsError, FileNotFoundError):
            raise self._changed() from None

    def _place_new(self, temporary: str, target: str) -> None:
        try:
            os.link(temporary, target)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if os.path.lexists(target):
                raise self._changed() from None
            os.replace(temporary, target)
        else:
            os.unlink(temporary)

    def _changed(self) -> OutputError:
        return OutputError(
            f"{self.name}: has changed since it was read, and was left as it is", hint="run the command again"
        )


def _lock(descriptor: int) -> None:
    """Wait until no other process replaces the same file. Where the file system has no locks, go on without one."""
    import fcntl

    with contextlib.suppress(OSError):
        fcntl.lockf(descriptor, fcntl.LOCK_EX)


class OutputFile:
    """An output as a file object that cannot seek, for libraries."""

    closed = False

    def __init__(self, output: Output) -> None:
        self._output = output
        self._position = 0

    def write(self, data: Bytes, /) -> int:
        """Write all of `data`."""
        count = memoryview(data).nbytes
        self._output.write(data)
        self._position += count
        return count

    def tell(self) -> int:
        """Return how many bytes have been written."""
        return self._position

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

    def close(self) -> None:
        """Leave the output open: its owner closes it."""


def _own_as(descriptor: int, status: os.stat_result) -> int:
    """Give a new file the owner and the group of the one that it replaces, if that is allowed; return its permissions.

    The right to run with the rights of the owner is not among them: the content is another.
    """
    mode = status.st_mode & 0o777
    for owner in (status.st_uid, -1):
        with contextlib.suppress(OSError):
            os.fchown(descriptor, owner, status.st_gid)
            return mode
    return mode & ~0o070  # another group is given nothing


def _remove_abandoned(folder: str) -> None:
    """Remove the temporary files of runs that were killed: those that are old and that no process holds."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not (entry.name.startswith(".actcli-") and entry.name.endswith(".tmp")):
                continue
            with contextlib.suppress(OSError):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime < ABANDONED:
                    continue
                descriptor = os.open(entry.path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
                try:
                    if not _is_held(descriptor):
                        os.unlink(entry.path)
                finally:
                    os.close(descriptor)


def _is_held(descriptor: int) -> bool:
    """Return whether another process holds a temporary file; if not, hold it."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def is_same_path(one: str, other: str) -> bool:
    """Return whether two paths, of files that may not exist, are the same after links are followed."""
    try:
        return os.path.realpath(one) == os.path.realpath(other)
    except FileNotFoundError:  # the working directory has been removed
        return one == other


def is_device(path: str) -> bool:
    """Return whether an output is written directly: standard output, a device or a pipe."""
    try:
        return path in _STANDARD_OUTPUT or not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False
