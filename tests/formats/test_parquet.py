"""Parquet files whose headers and metadata lie: an error in one line, or the rows that Arrow finds."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actcli.formats import ReadOptions
from program import process
from readers import check
from thrift import BINARY, I32, I64, LIST, STRUCT, header, packed, parquet

if TYPE_CHECKING:
    from program import Actcli

RAW = np.arange(30.0).tobytes()
PACKED = gzip.compress(RAW, mtime=0)
SMALL = parquet(header(len(RAW), len(PACKED), 30) + PACKED, values=30)
RUN = ("softmax", "--columns", "label", "-q")


@pytest.mark.parametrize("codec", ["snappy", "gzip", "brotli", "zstd", "lz4"])
@pytest.mark.parametrize("lie", [-1, 1, -len(RAW), 1 << 20])
def test_a_size_that_is_not_true(codec: Any, lie: int, actcli: Actcli) -> None:
    """A page that unpacks to another size than its header says is an error."""
    number = {"snappy": 1, "gzip": 2, "brotli": 4, "zstd": 6, "lz4": 7}[codec]
    body = pa.Codec("lz4_raw" if codec == "lz4" else codec).compress(RAW, asbytes=True)
    for size, code in ((len(RAW), 0), (len(RAW) + lie, 1)):
        data = parquet(header(size, len(body), 30) + body, values=30, codec=number)
        result = actcli(*RUN, stdin=data)
        assert result.code == code, result.err
        assert len(result.text.splitlines()) == (0 if code else 31)


TOO_DEEP = packed(STRUCT, [])
for _ in range(40):
    TOO_DEEP = bytes([0x1C]) + TOO_DEEP + b"\0"
PAGE = header(len(RAW), len(PACKED), 30)
WRONG = {
    "two sizes": header(len(RAW), len(PACKED), 30, (2, I32, 9)) + PACKED,
    "a size of fewer than no bytes": header(-1, len(PACKED), 30) + PACKED,
    "fewer than no values": header(len(RAW), len(PACKED), -30) + PACKED,
    "a size in more bits": PAGE.replace(packed(I32, len(RAW)), packed(I64, 1 << 40), 1) + PACKED,
    "a size in many bytes": PAGE.replace(packed(I32, len(RAW)), b"\xff" * 11, 1) + PACKED,
    "no size": packed(STRUCT, [(1, I32, 0), (3, I32, 9)]) + PACKED,
    "a size of another type": packed(STRUCT, [(1, I32, 0), (2, I64, 240), (3, I32, 9)]) + PACKED,
    "nothing about its data": packed(STRUCT, [(n, I32, 0) for n in (1, 2, 3)]) + PACKED,
    "structs in structs": b"\x9c" + TOO_DEEP + PAGE + PACKED,
    "lists in lists": b"\x99" + b"\x19" * 100 + PAGE + PACKED,
    "a type that is none": b"\x9e" + PAGE + PACKED,
    "a field beyond all": b"\x95\0\x05\xfe\xff\x03\0\x15\0" + PAGE + PACKED,
    "a list without end": b"\x99\xf3\xff\xff\xff\x7f" + PAGE + PACKED,
    "a text without end": b"\x98\xff\xff\xff\xff\x7f" + PAGE + PACKED,
    "a page without end": header(len(RAW), 1 << 20, 30) + PACKED,
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG.keys())
def test_a_header_that_makes_no_sense(data: bytes) -> None:
    """One line, or the rows if Arrow does not mind; never a crash."""
    result = process(*RUN, stdin=parquet(data, values=30))
    if result.code == 0:
        assert len(result.text.splitlines()) == 31
    else:
        assert (result.code, result.text) == (1, "")
        assert result.err.startswith("actcli: error: <stdin>: ")
        assert len(result.err.splitlines()) <= 2


def test_fields_that_nobody_knows(actcli: Actcli) -> None:
    """Are skipped, whatever they are and however long."""
    more = [
        (20, STRUCT, [(1, BINARY, bytes(100_000)), (2, LIST, (STRUCT, [[(1, I32, -5)], []]))]),
        (21, LIST, (I64, [1] * 20)),
        (-3, LIST, (LIST, [(I32, [1, 2]), (BINARY, [b"x"])])),
    ]  # fmt: skip
    assert actcli(*RUN, stdin=parquet(header(len(RAW), len(PACKED), 30, *more) + PACKED, values=30)).code == 0
    odd = (
        b"\x97" + bytes(8) + b"\x1b\x02\x58\x01\x01a\x05\x02bc" + b"\x1b\0" + b"\x19\x31\1\2\1" + b"\x11\x12\x13\x07\0"
    )
    data = PAGE[:-1] + odd
    assert actcli(*RUN, stdin=parquet(data + PACKED, values=30)).code == 0


def test_a_chunk_that_is_a_little_longer(actcli: Actcli) -> None:
    """A column whose last page goes on after its end is refused."""
    whole = PAGE + PACKED
    for missing in (20, 120):
        result = actcli(*RUN, stdin=parquet(whole, values=30, length=len(whole) - missing))
        assert (result.code, result.text, len(result.err.splitlines())) == (1, "", 1)


def test_what_follows_the_last_value(actcli: Actcli) -> None:
    """Nothing reads it."""
    result = actcli(*RUN, stdin=parquet(PAGE + PACKED + b"\xff" * 50, values=30))
    assert (result.code, len(result.text.splitlines())) == (0, 31)
    assert actcli(*RUN, stdin=parquet(b"", values=0)).code == 0


def test_an_encrypted_column() -> None:
    """One line: pyarrow ends the process where it is asked for the metadata of such a column."""
    data = parquet(PAGE + PACKED, values=30)
    # The metadata of a column are its last field but one then: the last says that they are encrypted, with a key.
    column = data.index(packed(I64, 4) + bytes([STRUCT]), len(PAGE + PACKED))
    end = data.index(b"\0\0", column) + 1
    key = bytes([STRUCT]) + packed(I32, 8) + packed(STRUCT, [(2, STRUCT, [(1, LIST, (BINARY, [b"cat"]))])])
    length = int.from_bytes(data[-8:-4], "little") + len(key)
    result = process(*RUN, stdin=data[:end] + key + data[end:-8] + length.to_bytes(4, "little") + b"PAR1")
    assert result.err.splitlines()[0] == "actcli: error: <stdin>: is encrypted"


@pytest.mark.parametrize(
    ("name", "place", "more"),
    [
        ("a list of other things", "column", [(16, STRUCT, [(2, LIST, (BINARY, [b"x"]))])]),
        ("a second list of row groups", "metadata", [(4, LIST, (STRUCT, []))]),
        ("a second place", "column", [(9, I64, 4)]),
        ("metadata that are twice too long", "metadata", [(9, BINARY, b"x"), (2, LIST, (STRUCT, []))]),
    ],
)
def test_metadata_of_two_meanings(name: str, place: str, more: Any) -> None:  # noqa: ARG001  # an id
    """One line, or the rows as Arrow takes it."""
    result = process(*RUN, stdin=parquet(PAGE + PACKED, values=30, **{place: more}))
    assert (result.code, len(result.text.splitlines())) in ((0, 31), (0, 1), (1, 0))
    assert len(result.err.splitlines()) <= result.code


def test_metadata_that_are_cut(actcli: Actcli) -> None:
    """Wherever the cut is, the file is refused, and so is a length beyond the file."""
    length = int.from_bytes(SMALL[-8:-4], "little")
    for left in range(length):
        data = SMALL[: len(SMALL) - 8 - length + left] + left.to_bytes(4, "little") + b"PAR1"
        assert actcli(*RUN, stdin=data).code == 1
    assert actcli(*RUN, stdin=SMALL[:-8] + b"\xff\xff\xff\x7fPAR1").code == 1


def test_row_groups_are_read_one_after_the_other(actcli: Actcli, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the rows before a wrong one come out."""
    monkeypatch.setattr("actcli.streaming.batch.CHUNK_BYTES", 1)
    file = io.BytesIO()
    pa.parquet.write_table(pa.table({"0": np.arange(40.0), "1": np.ones(40)}), file, row_group_size=10)
    data = bytearray(file.getvalue())
    group = pa.parquet.ParquetFile(file).metadata.row_group(2)
    data[group.column(1).data_page_offset] = 0xFF
    result = actcli(*RUN, stdin=bytes(data))
    assert result.code == 1
    assert len(result.text.splitlines()) == 21


@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(PAGE) - 1), st.integers(0, 255)), max_size=3),
    more=st.binary(max_size=6),
    place=st.integers(0, len(PAGE)),
)
def test_damaged_headers(changes: list[tuple[int, int]], more: bytes, place: int) -> None:
    """Are an error of ours, or the rows that Arrow finds."""
    page = bytearray(PAGE)
    for at, byte in changes:
        page[at] = byte
    page[place:place] = more
    data = parquet(bytes(page) + PACKED, values=30)
    found = check(data, ReadOptions(format="parquet"))
    if found.error is None:
        assert found.rows.count(b"\n") == pa.parquet.read_table(io.BytesIO(data)).num_rows


@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(4 + len(PAGE + PACKED), len(SMALL) - 9), st.integers(0, 255)), max_size=3)
)
@example(changes=[(243, 0)])  # a column without values, which Arrow's batches leave out
def test_damaged_metadata(changes: list[tuple[int, int]]) -> None:
    """Are an error of ours, or the rows that Arrow finds."""
    data = bytearray(SMALL)
    for at, byte in changes:
        data[at] = byte
    found = check(bytes(data), ReadOptions(format="parquet"))
    if found.error is None:
        assert found.rows.count(b"\n") == pa.parquet.read_table(io.BytesIO(data)).num_rows
