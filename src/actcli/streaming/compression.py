"""gzip and Zstandard compression of text, in a stream."""

from __future__ import annotations

import io
import os
import zlib
from typing import TYPE_CHECKING, Any

from actcli.errors import DataError
from actcli.streaming.input import Input

if TYPE_CHECKING:
    from collections.abc import Callable

    from actcli.streaming.output import Packer

__all__ = ["MAGICS", "Unpacked", "packer", "split_suffix"]

_GZIP = 16 + zlib.MAX_WBITS
MAGICS = {"gz": b"\x1f\x8b", "zst": b"\x28\xb5\x2f\xfd"}
"""The first bytes of a compressed file, by its suffix."""


def split_suffix(path: str) -> tuple[str, str | None]:
    """Return `path` without the suffix of a compression, and the suffix in lower case or None."""
    stem, suffix = os.path.splitext(path)
    name = suffix[1:].lower()
    return (stem, name) if name in MAGICS else (path, None)


def packer(name: str) -> Packer:
    """Return a packer for a suffix, "gz" or "zst"."""
    return zlib.compressobj(6, zlib.DEFLATED, _GZIP) if name == "gz" else _Frame()


class _Frame:
    """Zstandard in a single frame, because some readers stop after the first frame."""

    def __init__(self) -> None:
        import pyarrow as pa

        self._packed = _Packed()
        self._stream = pa.CompressedOutputStream(pa.PythonFile(self._packed, "w"), "zstd")

    def compress(self, data: Any, /) -> bytes:
        """Add bytes, and return the compressed bytes that are ready."""
        self._stream.write(data)
        return self._packed.taken()

    def flush(self) -> bytes:
        """Return the remaining bytes and the end of the frame."""
        self._stream.close()
        return self._packed.taken()


class _Packed(io.BytesIO):
    """The file that Arrow writes to. It stays open when Arrow closes it, so that the rest can be taken."""

    def close(self) -> None:
        """Do nothing."""

    def taken(self) -> bytes:
        """Return the bytes written since the last call."""
        data = self.getvalue()
        self.seek(0)
        self.truncate()
        return data


class Unpacked(Input):
    """A compressed input, read as the bytes before compression.

    All members of a gzip file and all frames of a Zstandard file are read.

    Parameters
    ----------
    packed
        The open file.
    name
        The compression, "gz" or "zst".
    """

    def __init__(self, packed: Input, name: str) -> None:
        self.packed = packed
        self.path = split_suffix(packed.path)[0]
        self.name = packed.name
        self.identity = packed.identity
        self._unpack: Callable[[int], bytes] = self._gunzip if name == "gz" else self._unzstd
        self._member: Any = zlib.decompressobj(_GZIP)
        self._stream: Any = None

    def ready(self) -> bool:
        """Return whether `read` would not have to wait."""
        return bool(self._head) or bool(self._member.unconsumed_tail) or self.packed.ready()

    def pause(self) -> None:
        """Close the file for a while."""
        self.packed.pause()

    def resume(self) -> None:
        """Open it again."""
        self.packed.resume()

    def close(self) -> None:
        """Close the file."""
        self.packed.close()

    def _read(self, count: int) -> bytes:
        return self._unpack(count)

    def _gunzip(self, count: int) -> bytes:
        while True:
            data = self._member.unconsumed_tail
            if self._member.eof:
                # Zeros after the last member are padding.
                data = self._member.unused_data.lstrip(b"\0")
                while not data and (more := self.packed.read(1 << 16)):
                    data = more.lstrip(b"\0")
                if not data:
                    return b""
                self._member = zlib.decompressobj(_GZIP)
            elif not data:
                data = self.packed.read(1 << 16)
                if not data:
                    raise DataError(f"{self.name}: the gzip data are cut off")
            try:
                unpacked = bytes(self._member.decompress(data, count))
            except zlib.error as error:
                raise DataError(f"{self.name}: the gzip data are damaged: {error}") from None
            if unpacked:
                return unpacked

    def _unzstd(self, count: int) -> bytes:
        import pyarrow as pa

        if self._stream is None:
            self._stream = pa.CompressedInputStream(pa.PythonFile(_Readable(self.packed), "r"), "zstd")
        try:
            return bytes(self._stream.read(count))
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"{self.name}: the Zstandard data are damaged or cut off: {reason}") from None


class _Readable:
    """An input as a file object, for Arrow."""

    closed = False

    def __init__(self, input: Input) -> None:
        self._input = input

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes."""
        return self._input.read(count)

    def close(self) -> None:
        """Leave the file open: its owner closes it."""
