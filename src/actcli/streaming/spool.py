"""Temporary files without a name, and several sequences of bytes in one of them."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Self

from actcli.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Bytes: TypeAlias = bytes | bytearray | memoryview

__all__ = ["Spool", "Strand", "unnamed_file"]


class Spool:
    """A temporary file without a name; use it as a context, or drop it.

    Raises
    ------
    OutputError
        If it cannot be made, or the disk is full.
    """

    def __init__(self) -> None:
        self.size = 0
        self.descriptor = -1
        with _spooling():
            self.descriptor = unnamed_file()

    def write(self, data: Bytes) -> None:
        """Append `data`."""
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
        """Yield its content from the start, `size` bytes at a time."""
        self.rewind()
        while data := self.read(size):
            yield data

    def close(self) -> None:
        """Close it, which removes it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


class Strand:
    """One of several sequences of bytes that share a spool: it is written, then rewound and read.

    There may be more of them than a process may have open files.

    Parameters
    ----------
    spool
        The spool. Its owner closes it.
    kept
        The bytes that are gathered in memory before they are written.
    """

    def __init__(self, spool: Spool, kept: int) -> None:
        self._spool = spool
        self._most = kept
        self._kept = bytearray()
        self._places: list[tuple[int, int]] = []
        self._part = self._offset = 0

    def write(self, data: Bytes) -> None:
        """Append `data`."""
        view = memoryview(data).cast("B")
        if len(self._kept) + len(view) < self._most:
            self._kept += view
            return
        self._flush()
        self._place(view)

    def _flush(self) -> None:
        if self._kept:
            self._place(self._kept)
            self._kept = bytearray()

    def _place(self, data: Bytes) -> None:
        self._places.append((self._spool.size, len(data)))
        self._spool.write(data)

    def rewind(self) -> None:
        """Go to its start; nothing can be appended from here on."""
        self._flush()
        self._part = self._offset = 0

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes, fewer only at the end."""
        parts = []
        while count and self._part < len(self._places):
            start, length = self._places[self._part]
            size = min(count, length - self._offset)
            parts.append(self._spool.read_at(size, start + self._offset))
            count -= size
            self._offset += size
            if self._offset == length:
                self._part, self._offset = self._part + 1, 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def pieces(self, size: int = 1 << 20) -> Iterator[bytes]:
        """Yield its content from the start, `size` bytes at a time."""
        self.rewind()
        while data := self.read(size):
            yield data


def unnamed_file() -> int:
    """Open a temporary file without a name, in the folder that the environment names, or a usual one.

    Linux makes such a file at once. `tempfile` first tries a folder with a file that has a name, and a signal at that
    moment leaves this file there.
    """
    if hasattr(os, "O_TMPFILE"):
        named = [os.environ[name] for name in ("TMPDIR", "TEMP", "TMP") if os.environ.get(name)]
        for folder in (*named, "/tmp", "/var/tmp", "/usr/tmp"):  # noqa: S108  no name in these can be guessed
            with contextlib.suppress(OSError):
                return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    import tempfile

    with tempfile.TemporaryFile(buffering=0) as file:
        return os.dup(file.fileno())


@contextlib.contextmanager
def _spooling() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"a temporary file cannot be written: {error.strerror}") from None
