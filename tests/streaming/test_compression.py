"""gzip and Zstandard around text, in and out."""

from __future__ import annotations

import gzip
import json
import subprocess
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from program import SAMPLES, Actcli, started

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = SAMPLES / "digits_logits.csv"


def packed(data: bytes, name: str) -> bytes:
    """Compress with Python's gzip module, or Arrow's codec."""
    return gzip.compress(data) if name == "gz" else pa.Codec("zstd").compress(data, asbytes=True)


def unpacked(data: bytes, name: str) -> bytes:
    """Decompress with Python's gzip module, or Arrow's stream."""
    return gzip.decompress(data) if name == "gz" else pa.input_stream(pa.BufferReader(data), compression="zstd").read()


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("name", ["gz", "zst"])
def test_compressed_text_is_text(name: str, tmp_path: Path, actcli: Actcli) -> None:
    """By its suffix, by its first bytes, in one member or in several."""
    expected = actcli("softmax", DIGITS, "-q").out
    data = DIGITS.read_bytes()
    half = data.index(b"\n", len(data) // 2) - 5
    for content in (packed(data, name), packed(data[:half], name) + packed(data[half:], name)):
        path = tmp_path / f"scores.csv.{name.upper()}"
        path.write_bytes(content)
        assert actcli("softmax", path, "-q").out == expected
        assert actcli("softmax", "-q", stdin=content).out == expected


@pytest.mark.parametrize("name", ["gz", "zst"])
@pytest.mark.parametrize("format", ["csv", "tsv", "json", "jsonl"])
def test_the_suffix_compresses_the_output(name: str, format: str, tmp_path: Path, actcli: Actcli) -> None:
    """Whatever the text format (gzip module, Arrow)."""
    path = tmp_path / f"out.{format}.{name}"
    assert actcli("softmax", DIGITS, "-q", "-o", path).code == 0
    assert unpacked(path.read_bytes(), name) == actcli("softmax", DIGITS, "-q", "-f", format).out


@pytest.mark.usefixtures("chunk_bytes")
def test_zstandard_is_a_single_frame(tmp_path: Path, actcli: Actcli) -> None:
    """There are readers that stop after the first one; however many pieces there were, its mark is there once."""
    path = tmp_path / "out.csv.zst"
    actcli("softmax", DIGITS, "-q", "-o", path)
    assert path.read_bytes().count(packed(b"", "zst")[:4]) == 1


def test_a_compressed_input_is_called_by_its_whole_name(tmp_path: Path, actcli: Actcli) -> None:
    """In the column `file`, and in what inspect says."""
    path = tmp_path / "scores.csv.gz"
    path.write_bytes(packed(b"a,b\n1,2\n", "gz"))
    assert actcli("softmax", path, "--columns", "file", "--no-output-header").out.decode() == f"{path}\n"
    assert json.loads(actcli("inspect", path).out)["files"] == [str(path)]


def test_the_gzip_command_reads_it(tmp_path: Path, actcli: Actcli) -> None:
    """It is ordinary gzip."""
    path = tmp_path / "out.csv.gz"
    actcli("softmax", DIGITS, "-q", "-o", path)
    subprocess.run(["gzip", "--test", path], check=True)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("csv.gz", lambda data: data[:-9], "cut off"),
        ("csv.gz", lambda data: data[:1000], "cut off"),
        ("csv.gz", lambda data: data[:-8] + bytes(8), "damaged"),
        ("csv.gz", lambda data: data[:500] + bytes(100) + data[600:], "damaged"),
        ("csv.gz", lambda data: data + b"garbage", "damaged"),
        ("csv.gz", lambda _: b"id,a,b\n", "is not compressed as its suffix .gz says"),
        ("csv.gz", lambda _: b"", "is empty"),
        ("npy.gz", lambda data: data, "actcli unpacks only text"),
    ],
)
def test_what_is_damaged(name: str, damage: object, message: str, tmp_path: Path, actcli: Actcli) -> None:
    """Is an error, and no output appears."""
    path = tmp_path / f"scores.{name}"
    source = (SAMPLES / "digits_logits.npy") if name.startswith("npy") else DIGITS
    path.write_bytes(damage(gzip.compress(source.read_bytes())))  # type: ignore[operator]
    result = actcli("softmax", path, "-q", "-o", tmp_path / "out.csv")
    assert result.code == 1
    assert message in result.err
    assert not (tmp_path / "out.csv").exists()


def test_damaged_zstandard(tmp_path: Path, actcli: Actcli) -> None:
    """Is an error too: where it is cut off, and where what it unpacks to makes no sense."""
    path = tmp_path / "scores.csv.zst"
    data = packed(DIGITS.read_bytes(), "zst")
    path.write_bytes(data[:1000])
    assert "Zstandard data are damaged or cut off" in actcli("softmax", path, "-q").err
    path.write_bytes(data[:500] + bytes(100) + data[600:])
    assert actcli("softmax", path, "-q").code == 1


def test_arrays_are_not_compressed(actcli: Actcli, tmp_path: Path) -> None:
    """A usage error says so before anything is written."""
    assert actcli("softmax", DIGITS, "-o", tmp_path / "out.npy.gz").code == 2


def test_a_bomb_is_read_in_pieces(actcli: Actcli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that unpacks to more than a row may have is refused like any other."""
    monkeypatch.setattr("actcli.formats.blocks.LONGEST_RECORD", 1 << 16)
    result = actcli("softmax", stdin=gzip.compress(b"1" * (1 << 22)))
    assert "MiB without a row that ends" in result.err


def test_a_row_that_arrives_compressed_is_answered_at_once() -> None:
    """When the other side has flushed it."""
    import zlib

    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    with started("softmax", "--columns", "label", "--no-output-header") as running:
        for row, label in ((b"cat,dog\n1,2\n", b"dog\n"), (b"2,1\n", b"cat\n")):
            running.send(packer.compress(row) + packer.flush(zlib.Z_SYNC_FLUSH))
            assert running.line() == label
        running.send(packer.flush())
