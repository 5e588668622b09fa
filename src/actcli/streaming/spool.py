"""Temporary files without a name."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Self

from actcli.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Bytes: TypeAlias = bytes | bytearray | memoryview

__all__ = ["Spool"]


class Spool:
    """A temporary file without a name; use it as a context, or drop it.

    Raises
    ------
    OutputError
        If it cannot be made, or the disk is full.
    """

    def __init__(self) -> None:
        import tempfile

        self.size = 0
        self.descriptor = -1
        with _spooling(), tempfile.TemporaryFile(buffering=0) as file:
            self.descriptor = os.dup(file.fileno())

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


@contextlib.contextmanager
def _spooling() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"a temporary file cannot be written: {error.strerror}") from None
