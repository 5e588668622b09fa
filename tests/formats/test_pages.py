"""The pages of Parquet: what their headers say, what is refused, and headers that lie."""

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

from actcli.errors import DataError
from actcli.formats import ReadOptions, pages
from actcli.formats.pages import Chunk, Page, check_pages, chunks_of, pages_of
from actcli.streaming.input import Input
from readers import check
from thrift import BINARY, I32, I64, LIST, STRUCT, header, packed, parquet

if TYPE_CHECKING:
    from pathlib import Path

    from program import Actcli

ROWS = 3000
RANDOM = np.random.default_rng(0)
TABLE = pa.table(
    {
        "number": RANDOM.normal(size=ROWS),
        "zero": np.zeros(ROWS),
        "text": [f"{row % 7}" * (1 + row % 5) for row in range(ROWS)],
        "long": [f"{row % 7}" * 1500 for row in range(ROWS)],
        "list": [[1.0] * (row % 4) for row in range(ROWS)],
        "deep": [[[{"a": row}]] if row % 3 else None for row in range(ROWS)],
        "null": pa.nulls(ROWS),
    }
)
RAW = np.arange(30.0).tobytes()
PACKED = gzip.compress(RAW, mtime=0)
SMALL = parquet(header(len(RAW), len(PACKED), 30) + PACKED, values=30)
RUN = ("softmax", "--columns", "label", "-q")


def opened(path: Path, data: bytes) -> Input:
    """Return bytes as an open file."""
    path.write_bytes(data)
    return Input(str(path))


def walked(path: Path, data: bytes) -> list[list[list[Page]]]:
    """Return the pages of each column of each row group, all of them checked."""
    input = opened(path, data)
    try:
        groups = chunks_of(input)
        for group in groups:
            check_pages(input, [group])
        return [[list(pages_of(input, chunk)) for chunk in group] for group in groups]
    finally:
        input.close()


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [False, True])
def test_pages_add_up(compression: Any, version: Any, tmp_path: Path, *, dictionary: bool) -> None:
    """To what Arrow's own metadata say of each column: where it begins, its bytes, packed or not, and its values."""
    file = io.BytesIO()
    pa.parquet.write_table(
        TABLE, file, compression=compression, data_page_version=version, use_dictionary=dictionary,
        data_page_size=2000, row_group_size=1100, write_batch_size=100,
    )  # fmt: skip
    metadata = pa.parquet.ParquetFile(file).metadata
    input = opened(tmp_path / "x", file.getvalue())
    groups = chunks_of(input)
    assert [len(group) for group in groups] == [metadata.num_columns] * 3
    for number, group in enumerate(groups):
        for place, chunk in enumerate(group):
            expected = metadata.row_group(number).column(place)
            start = expected.dictionary_page_offset or expected.data_page_offset
            assert chunk == Chunk(start, expected.total_compressed_size, expected.num_values)
            found = list(pages_of(input, chunk))
            # The sums of the metadata are with the headers, which are not packed.
            headers = expected.total_compressed_size - sum(page.packed for page in found)
            assert headers == expected.total_uncompressed_size - sum(page.unpacked for page in found)
            assert 10 * len(found) < headers
            assert sum(page.values for page in found if page.is_data) == expected.num_values
            assert [page.is_data for page in found] == [not expected.has_dictionary_page] + [True] * (len(found) - 1)
    input.close()


@pytest.mark.parametrize("compression", ["none", "zstd"])
@pytest.mark.parametrize("dictionary", [False, True])
@pytest.mark.parametrize("piped", [False, True])
def test_a_page_that_is_too_large(
    compression: str, actcli: Actcli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, dictionary: bool, piped: bool
) -> None:
    """Is refused, of data or a dictionary; smaller ones of the same rows are read."""
    table = pa.table({"0": np.arange(20_000.0), "1": np.ones(20_000)})
    monkeypatch.setattr(pages, "LARGEST_PAGE", 100_000)
    path = tmp_path / "table.parquet"
    for size, rows, code in ((1 << 20, 20_000, 1), (10_000, 10_000, 0)):
        pa.parquet.write_table(
            table, path, compression=compression, use_dictionary=dictionary, write_batch_size=100,
            data_page_size=size, dictionary_pagesize_limit=size, row_group_size=rows,
        )  # fmt: skip
        result = actcli(*RUN, stdin=path.read_bytes()) if piped else actcli(*RUN, path)
        assert result.code == code
        assert (": has a page of 0 MiB; actcli takes up to 0\nhint: write smaller" in result.err) is bool(code)
        assert len(result.text.splitlines()) == (0 if code else 20_001)


def test_pages_side_by_side(actcli: Actcli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count by what they grow by in all, since Arrow holds one of each column at the same time."""
    page = header(len(RAW), len(PACKED), 30) + PACKED
    names = [b"%d" % number for number in range(10)]
    growth = 10 * (len(RAW) - len(PACKED))
    data = parquet(page, values=30, names=names)
    monkeypatch.setattr(pages, "LARGEST_PAGE", growth)
    assert actcli(*RUN, stdin=data).code == 0
    monkeypatch.setattr(pages, "LARGEST_PAGE", growth - 1)
    assert "has pages side by side of 0 MiB" in actcli(*RUN, stdin=data).err
    plain = parquet(header(len(RAW), len(RAW), 30) + RAW, values=30, names=names, codec=0)
    assert actcli(*RUN, stdin=plain).code == 0


def test_many_values_by_run_length(tmp_path: Path) -> None:
    """Count as what they unpack to, however short the page is."""
    with pytest.raises(DataError, match="a page of 1,024 MiB"):
        walked(tmp_path / "x", parquet(header(len(RAW), len(PACKED), 1 << 27) + PACKED, values=1 << 27))


@pytest.mark.parametrize("codec", ["snappy", "gzip", "brotli", "zstd", "lz4"])
@pytest.mark.parametrize("lie", [-1, 1, -len(RAW), 1 << 20])
def test_a_size_that_is_not_true(codec: Any, lie: int, actcli: Actcli) -> None:
    """Is all that Arrow makes room for, so the check may trust it: a page that unpacks to another is an error."""
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
    "two sizes": (header(len(RAW), len(PACKED), 30, (2, I32, 9)) + PACKED, "there twice"),
    "a size of fewer than no bytes": (header(-1, len(PACKED), 30) + PACKED, "fewer than no bytes"),
    "fewer than no values": (header(len(RAW), len(PACKED), -30) + PACKED, "fewer than no bytes"),
    "a size in more bits": (PAGE.replace(packed(I32, len(RAW)), packed(I64, 1 << 40), 1) + PACKED, "too large"),
    "a size in many bytes": (PAGE.replace(packed(I32, len(RAW)), b"\xff" * 11, 1) + PACKED, "more than ten bytes"),
    "no size": (packed(STRUCT, [(1, I32, 0), (3, I32, 9)]) + PACKED, "not whole"),
    "a size of another type": (packed(STRUCT, [(1, I32, 0), (2, I64, 240), (3, I32, 9)]) + PACKED, "not whole"),
    "nothing about its data": (packed(STRUCT, [(n, I32, 0) for n in (1, 2, 3)]) + PACKED, "not whole"),
    "structs in structs": (b"\x9c" + TOO_DEEP + PAGE + PACKED, "too deep"),
    "lists in lists": (b"\x99" + b"\x19" * 100 + PAGE + PACKED, "too deep"),
    "a type that is none": (b"\x9e" + PAGE + PACKED, "no type"),
    "a field beyond all": (b"\x95\0\x05\xfe\xff\x03\0\x15\0" + PAGE + PACKED, "too high a number"),
    "a list without end": (b"\x99\xf3\xff\xff\xff\x7f" + PAGE + PACKED, "no end"),
    "a text without end": (b"\x98\xff\xff\xff\xff\x7f" + PAGE + PACKED, "no end"),
    "a page without end": (header(len(RAW), 1 << 20, 30) + PACKED, "goes on after the end"),
}


@pytest.mark.parametrize(("data", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_header_that_makes_no_sense(data: bytes, words: str, actcli: Actcli) -> None:
    """Is refused in one line."""
    result = actcli(*RUN, stdin=parquet(data, values=30))
    assert (result.code, result.text) == (1, "")
    assert result.err.startswith("actcli: error: <stdin>: cannot be read as Parquet: ")
    assert words in result.err
    assert len(result.err.splitlines()) == 1


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


def test_a_chunk_that_is_a_little_longer(tmp_path: Path, actcli: Actcli) -> None:
    """Than its metadata say, as old writers have it, is walked to the end of its last page."""
    data = parquet(PAGE + PACKED, values=30, length=len(PAGE + PACKED) - 20)
    assert walked(tmp_path / "x", data) == [[[Page(0, len(PACKED), len(RAW), 30)]] * 2]
    assert actcli(*RUN, stdin=parquet(PAGE + PACKED, values=30, length=len(PAGE + PACKED) - 120)).code == 1


def test_what_follows_the_last_value(tmp_path: Path) -> None:
    """Is no page that anybody reads."""
    assert walked(tmp_path / "x", parquet(PAGE + PACKED + b"\xff" * 50, values=30))[0][0][0].values == 30
    assert walked(tmp_path / "x", parquet(b"", values=0)) == [[[], []]]


def test_an_encrypted_column(actcli: Actcli) -> None:
    """Is refused: Arrow's own metadata of it would end the process."""
    data = parquet(PAGE + PACKED, values=30)
    # The metadata of a column are its last field but one then: the last says that they are encrypted, with a key.
    column = data.index(packed(I64, 4) + bytes([STRUCT]), len(PAGE + PACKED))
    end = data.index(b"\0\0", column) + 1
    key = bytes([STRUCT]) + packed(I32, 8) + packed(STRUCT, [(2, STRUCT, [(1, LIST, (BINARY, [b"cat"]))])])
    length = int.from_bytes(data[-8:-4], "little") + len(key)
    result = actcli(*RUN, stdin=data[:end] + key + data[end:-8] + length.to_bytes(4, "little") + b"PAR1")
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
def test_metadata_of_two_meanings(name: str, place: str, more: Any, tmp_path: Path) -> None:  # noqa: ARG001  # an id
    """Are refused, since Arrow may take them otherwise."""
    with pytest.raises(ValueError, match=r"twice|another type"):
        walked(tmp_path / "x", parquet(PAGE + PACKED, values=30, **{place: more}))


def test_metadata_that_are_cut(tmp_path: Path) -> None:
    """Wherever, are refused, and so is a length beyond the file."""
    length = int.from_bytes(SMALL[-8:-4], "little")
    for left in range(length):
        data = SMALL[: len(SMALL) - 8 - length + left] + left.to_bytes(4, "little") + b"PAR1"
        with pytest.raises(ValueError, match="not whole"):
            walked(tmp_path / "x", data)
    with pytest.raises(ValueError, match="longer than the file"):
        walked(tmp_path / "x", SMALL[:-8] + b"\xff\xff\xff\x7fPAR1")


def test_row_groups_are_looked_at_one_after_the_other(actcli: Actcli, monkeypatch: pytest.MonkeyPatch) -> None:
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
