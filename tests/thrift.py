"""Parquet files put together by hand, so that they may say anything: the structs of Thrift, and a file of one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

I32, I64, BINARY, LIST, STRUCT = 5, 6, 8, 9, 12
GZIP = 2


def varint(number: int) -> bytes:
    """Return a number in as many bytes as it needs."""
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7) if number > 0x7F else bytes([number])


def packed(type: int, value: Any) -> bytes:
    """Return a value: a struct as its fields (number, type, value), a list as the type of its items and those."""
    if type in (I32, I64):
        return varint(value * 2 if value >= 0 else -value * 2 - 1)
    if type == BINARY:
        return varint(len(value)) + bytes(value)
    if type == LIST:
        found, items = value
        return bytes([0xF0 | found]) + varint(len(items)) + b"".join(packed(found, item) for item in items)
    assert type == STRUCT
    return b"".join(bytes([kind]) + packed(I32, number) + packed(kind, part) for number, kind, part in value) + b"\0"


def header(unpacked: int, length: int, values: int, *more: tuple[int, int, Any]) -> bytes:
    """Return the header of a data page of numbers, and further fields of it."""
    about = [(1, I32, values), (2, I32, 0), (3, I32, 3), (4, I32, 3)]
    return packed(STRUCT, [(1, I32, 0), (2, I32, unpacked), (3, I32, length), (5, STRUCT, about), *more])


def parquet(
    pages: bytes,
    *,
    values: int,
    codec: int = GZIP,
    names: Sequence[bytes] = (b"cat", b"dog"),
    length: int | None = None,
    column: Sequence[tuple[int, int, Any]] = (),
    metadata: Sequence[tuple[int, int, Any]] = (),
) -> bytes:
    """Return a file of float64, each column of which has the same pages, headers and all.

    Parameters
    ----------
    pages
        What stands there.
    values
        How many values the metadata say that each column has.
    codec
        How the pages are packed.
    names
        Of the columns.
    length
        How long the metadata say that the pages are; None for the truth.
    column
        Further fields of the metadata of each column.
    metadata
        Further fields of the file's.
    """
    start = 4
    size = len(pages) if length is None else length
    leaves = [[(1, I32, 5), (3, I32, 0), (4, BINARY, name)] for name in names]
    schema = [[(4, BINARY, b"schema"), (5, I32, len(names))], *leaves]
    columns = [
        [
            (2, I64, start),
            (3, STRUCT, [
                (1, I32, 5), (2, LIST, (I32, [0])), (3, LIST, (BINARY, [name])), (4, I32, codec), (5, I64, values),
                (6, I64, size), (7, I64, size), (9, I64, start), *column,
            ]),
        ]
        for name in names
    ]  # fmt: skip
    group = [(1, LIST, (STRUCT, columns)), (2, I64, size), (3, I64, values)]
    fields = [(1, I32, 1), (2, LIST, (STRUCT, schema)), (3, I64, values), (4, LIST, (STRUCT, [group])), *metadata]
    footer = packed(STRUCT, fields)
    return b"PAR1" + pages + footer + len(footer).to_bytes(4, "little") + b"PAR1"
