"""Detection: which format an input has, and whether it is compressed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from actcli.errors import DataError, visible
from actcli.formats.registry import FORMATS, named, of_path

if TYPE_CHECKING:
    from actcli.formats.registry import Format, ReadOptions
    from actcli.streaming.input import Input

__all__ = ["archive_kind", "detected", "unpacked"]

_EXPORT = "export the scores first, in Python: "
_TO_CSV = ".to_csv('scores.csv', index=False)"
_UNPACK = "unpack it first: "

_FOREIGN = tuple(
    (re.compile(start, re.DOTALL), what, hint)
    for start, what, hint in (
        (rb"\x80[\x02-\x05]", "a Python pickle", f"{_EXPORT}np.save('scores.npy', np.asarray(scores))"),
        (rb"\x89HDF", "an HDF5 file", f"{_EXPORT}np.save('scores.npy', h5py.File(FILE)[NAME][:])"),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel file", f"{_EXPORT}pandas.read_excel(FILE){_TO_CSV}"),
        (
            rb"Obj\x01",
            "an Avro file",
            f"{_EXPORT}pandas.DataFrame(fastavro.reader(open(FILE, 'rb'))){_TO_CSV}",
        ),
        # ORC and the like could begin a CSV header; no text has a NUL.
        (
            rb"ORC[^,;\t].*\0",
            "an ORC file",
            f"{_EXPORT}pyarrow.parquet.write_table(pyarrow.orc.read_table(FILE), 'scores.parquet')",
        ),
        (rb"MATLAB [0-9.]+ MAT-file", "a MATLAB file", f"{_EXPORT}np.save('scores.npy', scipy.io.loadmat(FILE)[NAME])"),
        (rb"BZh[1-9](?:1AY&SY|\x17rE8P)", "a bzip2 file", f"{_UNPACK}bzip2 -dc FILE | actcli ..."),
        (rb"\xfd7zXZ\0", "an xz file", f"{_UNPACK}xz -dc FILE | actcli ..."),
        (
            rb"SQLite format 3\0",
            "an SQLite database",
            "export the scores first: sqlite3 -header -csv FILE 'SELECT * FROM NAME' > scores.csv",
        ),
        (
            rb".{8}DUCK.*\0",
            "a DuckDB database",
            "export the scores first: duckdb -csv FILE 'SELECT * FROM NAME' > scores.csv",
        ),
        (rb"<stata_dta>|[\x71-\x73][\x01\x02]\x01\0", "a Stata file", f"{_EXPORT}pandas.read_stata(FILE){_TO_CSV}"),
        (
            rb"FEA1\0",
            "a Feather file of version 1",
            f"{_EXPORT}pyarrow.feather.write_feather(pyarrow.feather.read_table(FILE), 'scores.arrow')",
        ),
        (
            rb"PK\x03\x04.{26}[^\0]{1,200}/data\.pkl",
            "a PyTorch file",
            f"{_EXPORT}np.save('scores.npy', scores.detach().float().cpu().numpy())",
        ),
    )
)
"""The first bytes of formats that actcli does not read, what they are, and how to export the scores from them."""


_ARCHIVED = (
    (
        re.compile(r"\[Content_Types\]\.xml|(?:_rels|xl|docProps)/"),
        "an Excel file",
        f"{_EXPORT}pandas.read_excel(FILE){_TO_CSV}",
    ),
    (
        re.compile(r".*\.(?:csv|tsv|txt|jsonl?|parquet)", re.DOTALL),
        "a zip archive of other files",
        f"{_UNPACK}unzip -p FILE | actcli ...",
    ),
)
"""The name of the first member of other archives than NPZ, what they are, and what to do."""


def archive_kind(first: str) -> tuple[str, str] | None:
    """Return what an archive is and what to do about it, given the name of its first member; None if it may be NPZ."""
    return next(((what, hint) for name, what, hint in _ARCHIVED if name.match(first)), None)


def _archive(head: bytes) -> tuple[str, str] | None:
    """Return what an archive is that is not NPZ, and what to do about it, by the first bytes of the file."""
    if not head.startswith(b"PK\x03\x04"):
        return None
    return archive_kind(head[30 : 30 + int.from_bytes(head[26:28], "little")].decode("utf-8", "replace"))


def detected(input: Input, options: ReadOptions) -> Format:
    """Return the format of `input`: the given one, else that of its suffix, else that of its first bytes.

    Raises
    ------
    DataError
        If the first bytes do not fit the format.
    """
    head = input.head([magic for format in FORMATS.values() for magic in format.magics])
    if not head:
        raise DataError(f"{input.name}: is empty")
    asked = options.format or of_path(input.path)
    by_bytes = next((format for format in FORMATS.values() if _begins(head, format)), None)
    format = named(asked) if asked else by_bytes or _text_format(head)
    expected = f"is not {format.name.upper()}"
    for start, what, hint in _FOREIGN:
        if start.match(head):
            raise DataError(f"{input.name}: {expected}: it looks like {what}", hint=hint)
    if format is by_bytes:
        return format
    kind = _archive(head)
    if kind is not None:
        raise DataError(f"{input.name}: {expected}: it looks like {kind[0]}", hint=kind[1])
    if by_bytes is not None:
        raise DataError(
            f"{input.name}: {expected}: it looks like {by_bytes.name.upper()}",
            hint=f"to read it as that: --input-format {by_bytes.name}",
        )
    if format.magics or format.pattern:
        raise DataError(f"{input.name}: {expected}: it begins with {visible(repr(head[:8])[1:])}")
    return format


def _begins(head: bytes, format: Format) -> bool:
    """Return whether a file that begins with `head` may be of that format, which has first bytes of its own."""
    if format.pattern is not None:
        return re.match(format.pattern, head, re.DOTALL) is not None
    return bool(format.magics) and head.startswith(format.magics)


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
