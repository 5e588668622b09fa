"""Detection: which format an input has, and whether it is compressed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from actcli.errors import DataError, visible
from actcli.formats.registry import FORMATS, named, of_path

if TYPE_CHECKING:
    from actcli.formats.registry import Format, ReadOptions
    from actcli.streaming.input import Input

__all__ = ["detected", "unpacked"]

_FOREIGN = (
    (b"\x80\x02", "a Python pickle", "np.save('scores.npy', np.asarray(scores))"),
    (b"\x80\x03", "a Python pickle", "np.save('scores.npy', np.asarray(scores))"),
    (b"\x80\x04", "a Python pickle", "np.save('scores.npy', np.asarray(scores))"),
    (b"\x80\x05", "a Python pickle", "np.save('scores.npy', np.asarray(scores))"),
    (b"\x89HDF", "an HDF5 file", None),
)
_TORCH = re.compile(rb"PK\x03\x04.{26}[^\0]{1,200}/data\.pkl", re.DOTALL)
"""The start of a PyTorch file: a zip archive with a pickle as its first member."""


def detected(input: Input, options: ReadOptions) -> Format:
    """Return the format of `input`: the given one, else that of its suffix, else that of its first bytes.

    Raises
    ------
    DataError
        If the first bytes do not fit the format.
    """
    magics = [magic for format in FORMATS.values() for magic in format.magics] + [magic for magic, _, _ in _FOREIGN]
    head = input.head(magics)
    if not head:
        raise DataError(f"{input.name}: is empty")
    asked = options.format or of_path(input.path)
    by_bytes = next((format for format in FORMATS.values() if format.magics and head.startswith(format.magics)), None)
    format = named(asked) if asked else by_bytes or _text_format(head)
    expected = f"is not {format.name.upper()}"
    foreign = next((kind for magic, *kind in _FOREIGN if head.startswith(magic)), None)
    if _TORCH.match(head):
        foreign = ["a PyTorch file", "np.save('scores.npy', scores.numpy())"]
    if foreign is not None:
        what, export = foreign
        raise DataError(
            f"{input.name}: {expected}: it looks like {what}",
            hint=f"export the scores first, in Python: {export}" if export else None,
        )
    if format is by_bytes:
        return format
    if by_bytes is not None:
        raise DataError(
            f"{input.name}: {expected}: it looks like {by_bytes.name.upper()}",
            hint=f"to read it as that: --input-format {by_bytes.name}",
        )
    if format.magics:
        raise DataError(f"{input.name}: {expected}: it begins with {visible(repr(head[:8])[1:])}")
    return format


def _text_format(head: bytes) -> Format:
    """Return the format of a text by its first bytes: a JSON list of rows, JSON Lines, or CSV."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        # This is either the list of all rows, or the first row as a list of numbers.
        return FORMATS["json" if text[1:].lstrip()[:1] in (b"[", b"{", b"]", b"") else "jsonl"]
    return FORMATS["jsonl" if text.startswith(b"{") else "csv"]


def unpacked(input: Input, options: ReadOptions) -> Input:
    """Return `input`, or its content if it is compressed.

    Raises
    ------
    DataError
        If its suffix says something else.
    """
    from actcli.streaming.compression import MAGICS, Unpacked, split_suffix

    head = input.head(MAGICS.values())
    name = next((name for name, magic in MAGICS.items() if head.startswith(magic)), None)
    suffix = split_suffix(input.path)[1]
    if head and suffix not in (None, name):
        raise DataError(f"{input.name}: is not compressed as its suffix .{suffix} says")
    said = of_path(input.path)
    if name is not None and said is not None and options.format is None:
        what = {"gz": "gzip", "zst": "Zstandard"}[name]
        raise DataError(
            f"{input.name}: is not {said.upper()}: it looks like {what}",
            hint=f"to unpack and read it: --input-format {said}",
        )
    return input if name is None else Unpacked(input, name)
