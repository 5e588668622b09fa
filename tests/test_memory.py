"""What an input claims does not fill the memory: each runs as a process, whose memory is measured."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest

from actcli.errors import UsageError
from actcli.streaming.memory import parse_size
from program import command, environment
from readers import READ, valid
from thrift import header, parquet

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1 << 30
"""Bytes of memory that no input may fill."""

LIMITED = MOST + (200 << 20)
"""The limit of the operating system: 1 GiB above the start, which takes some 90 MiB, and what chunks take."""

BOMB = 5 << 28
"""How many bytes what is compressed unpacks to."""

UNIT = 1 if os.uname().sysname == "Darwin" else 1024
"""Of what the system reports about memory."""


class Measured(NamedTuple):
    """What a run left."""

    code: int
    err: str
    peak: int


_MEASURE = """
import os, resource, subprocess, sys
code = subprocess.call(["bash", "-c", sys.argv[1]])
os.write(int(sys.argv[2]), b"%d %d" % (code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""
"""Run by a process of its own: until it runs its program, a process counts for as large as who started it."""


def measured(line: str, name: str = "softmax") -> Measured:
    """Run a command by a line of the shell, which calls it $ACTCLI, and return how much memory it took."""
    # The time is limited only so that a hang ends; the size of a file, for what is endless.
    line = "ulimit -t 100 -f 131072; " + line.replace("$ACTCLI", " ".join(command(name, "-q")))
    reading, writing = os.pipe()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, line, str(writing)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(),
        pass_fds=[writing],
        check=True,
    )
    os.close(writing)
    with open(reading, "rb") as file:
        code, peak = map(int, file.read().split())
    return Measured(code, done.stderr.decode(), peak * UNIT)


@pytest.mark.skipif(UNIT == 1, reason="this system does not tell the memory of several processes")
@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_all_processes_together(jobs: int, tmp_path: Path) -> None:
    """Take little, and no more for more rows; memory that they share counts once, see proc_pid_smaps(5)."""
    peaks = []
    for rows in (150_000, 600_000):
        path = tmp_path / "scores.csv"
        path.write_text("id,a,b,c\n" + "row,-1.079005,3.611025,4.190604\n" * rows, encoding="utf-8")
        columns = "id,probabilities"
        options: list[str | Path] = ["--jobs", str(jobs), "--columns", columns, "-q", "-o", tmp_path / "out.csv"]
        run = subprocess.Popen(command("softmax", path, *options), env=environment())
        peaks.append(0)
        while run.poll() is None:
            peaks[-1] = max(peaks[-1], together(run.pid))
            time.sleep(0.005)
        assert run.returncode == 0
    assert peaks[0] < (90 + 40 * jobs) << 20
    assert peaks[1] < 1.15 * peaks[0]


def together(process: int) -> int:
    """Return the proportional set sizes of a process and of those that it has forked, in bytes."""
    total = 0
    with contextlib.suppress(OSError):
        forked = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        for number in (process, *forked):
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total


@functools.cache
def zeros() -> tuple[bytes, int]:
    """Return `BOMB` zeros as raw deflate, made of one piece again and again, and their checksum."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = bytes(1 << 20)
    first = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(BOMB >> 20):
        checksum = zlib.crc32(piece, checksum)
    return first * (BOMB >> 20) + packer.flush(), checksum


def gzip_bomb() -> bytes:
    """Return a line without end."""
    data, checksum = zeros()
    return b"\x1f\x8b\x08" + bytes(7) + data + struct.pack("<II", checksum, BOMB)


def zip_bomb(*, by_columns: bool) -> bytes:
    """Return an archive of a large array, the first of whose numbers is NaN and the others 0."""
    columns = 1 << 10
    first = np.zeros(columns)
    first[0] = np.nan
    file = io.BytesIO()
    shape = (1 + BOMB // first.nbytes, columns)
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": by_columns, "shape": shape})
    file.write(first.tobytes())
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(file.getvalue()) + packer.flush(zlib.Z_FULL_FLUSH)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("x.npy", head + zeros()[0])
    # What is stored there is packed already; now the directory says so.
    content = bytearray(archive.getvalue())
    directory = content.index(b"PK\x01\x02", len(content) - 200)
    struct.pack_into("<H", content, 8, zipfile.ZIP_DEFLATED)
    struct.pack_into("<H", content, directory + 10, zipfile.ZIP_DEFLATED)
    struct.pack_into("<I", content, directory + 24, len(file.getvalue()) + BOMB)
    return bytes(content)


def claims() -> bytes:
    """Return a stream whose record batch says that it is a tebibyte long."""
    file = io.BytesIO()
    table = pa.table({"cat": [1.0, 2.0], "dog": [2.0, 1.0]})
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    content = file.getvalue()
    # Two columns of 16 bytes each are the body.
    assert content.count(struct.pack("<q", 32)) == 1
    return content.replace(struct.pack("<q", 32), struct.pack("<q", 1 << 40))


def page_bomb() -> bytes:
    """Return a page of zeros, which two columns share."""
    page = gzip_bomb()
    return parquet(header(BOMB, len(page), BOMB // 8) + page, values=BOMB // 8)


ROWS = 1_500
LONG = b"x" * 900_000
ZEROS = np.zeros(5_000_000)


def repeated() -> Any:
    """Return a long text that is there once, for each of `ROWS` rows."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(ROWS, np.int32)), pa.array([LONG.decode()]))


def scores(ids: Any) -> Any:
    """Return a table that carries `ids`."""
    return pa.table({"id": ids, "a": np.full(len(ids), 3.0), "b": np.zeros(len(ids))})


def arrow(ids: Any) -> bytes:
    """Return a table that carries `ids` as a compressed Arrow file."""
    file = io.BytesIO()
    with pa.ipc.new_file(file, scores(ids).schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(scores(ids))
    return file.getvalue()


def packed(*parts: Any) -> bytes:
    """Return tables, one after the other, as a Parquet file of one row group."""
    file = io.BytesIO()
    with pa.parquet.ParquetWriter(file, parts[0].schema, compression="zstd") as writer:
        for part in parts:
            for batch in part.to_batches():
                writer.write_batch(batch, row_group_size=1 << 27)
    return file.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "line.csv.gz": gzip_bomb,
    "line.jsonl.gz": gzip_bomb,
    "list.json.gz": gzip_bomb,
    "array.npz": lambda: zip_bomb(by_columns=False),
    "by-columns.npz": lambda: zip_bomb(by_columns=True),
    "page.parquet": page_bomb,
    "claims.arrow": claims,
    "dictionary-in-struct.arrow": lambda: arrow(pa.StructArray.from_arrays([repeated()], ["x"])),
    "dictionary-in-list.arrow": lambda: arrow(
        pa.ListArray.from_arrays(pa.array(range(ROWS + 1), pa.int32()), repeated())
    ),
    "text-in-struct.parquet": lambda: packed(
        *[scores(pa.StructArray.from_arrays([pa.array([LONG.decode()] * (ROWS // 15))], ["x"]))] * 15
    ),
    "bytes-of-one-size.parquet": lambda: packed(*[scores(pa.array([LONG] * (ROWS // 15), pa.binary(len(LONG))))] * 15),
    "long-page.parquet": lambda: packed(*[pa.table({"a": ZEROS, "b": ZEROS})] * 14),
    "long-batch.arrow": lambda: arrow(pa.nulls(70_000_000)),
    "claims.npy": lambda: (
        b"\x93NUMPY\x01\0\x46\0" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3)}\n"
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_claims_much(name: str, tmp_path: Path) -> None:
    """A bomb, or a header that promises a tebibyte."""
    path = tmp_path / name
    path.write_bytes(FILES[name]())
    result = measured(f"$ACTCLI {path} -o {tmp_path}/out.csv")
    assert (result.code, len(result.err.splitlines())) in ((1, 1), (1, 2)), result.err
    assert result.peak < LIMITED
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_many_columns(tmp_path: Path) -> None:
    """Of CSV fit in the memory: 500,000 classes."""
    path = tmp_path / "wide.csv"
    names = ",".join(f"c{number}" for number in range(500_000))
    path.write_bytes(names.encode() + b"\n" + b"1," * 499_999 + b"2\n")
    result = measured(f"$ACTCLI {path} --columns label -o {tmp_path}/out.csv")
    assert (result.code, result.err) == (0, "")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "label\nc499999\n"
    assert result.peak < LIMITED


@pytest.mark.parametrize("columns", ["label", "id,label"])
@pytest.mark.parametrize("name", ["parquet", "typed.parquet", "arrow"])
def test_one_long_text_in_many_rows(name: str, columns: str, tmp_path: Path) -> None:
    """Which a dictionary holds once: a file of a few kilobytes that unfolds to more than the memory."""
    path = tmp_path / f"texts.{name}"
    rows = MOST >> 19
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x" * (3 << 18)]))
    table = pa.table({"id": texts, "a": np.full(rows, 3.0), "b": np.zeros(rows)})
    if name == "arrow":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    else:
        pyarrow.parquet.write_table(table, path, compression="zstd", store_schema=name == "typed.parquet")
    result = measured(f"$ACTCLI {path} --columns {columns}")
    assert (result.code, result.err) == (0, "")
    assert result.peak < MOST


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("start", ["", "valid"])
def test_a_pipe_without_end(name: str, start: str, tmp_path: Path) -> None:
    """Of zeros, at once or behind a valid file: what must be kept whole goes to the disk, until that is full."""
    head = tmp_path / "head"
    head.write_bytes(valid(name)[0] if start else b"")
    result = measured(f"cat {head} /dev/zero | TMPDIR={tmp_path} $ACTCLI --input-format {name}")
    assert (result.code, len(result.err.splitlines())) in ((1, 1), (1, 2)), result.err
    assert result.peak < MOST
    assert [entry.name for entry in tmp_path.iterdir()] == ["head"]


FITS = {
    "calibrate": ["", "--method isotonic"],
    "tune": ["", "--scope global"],
    "conformal": ["--score aps --holdout 0.3", "--task multilabel"],
}
"""The options of each fit."""

FIT_ROWS, FIT_CLASSES = 160_000, 100
"""61 MiB of float32, and 122 MiB in float64."""


@pytest.fixture(scope="module")
def rows_to_fit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the scores of many rows, their classes, and their labels."""
    folder = tmp_path_factory.mktemp("fits")
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(FIT_ROWS // 8, FIT_CLASSES)).astype(np.float32)
    truth = (scores + generator.gumbel(size=scores.shape)).argmax(axis=1)
    labels = scores + generator.logistic(size=scores.shape) > 2
    for name, values in (("scores", scores), ("classes", truth), ("labels", labels)):
        np.save(folder / f"{name}.npy", np.concatenate([values] * 8))
    return folder


@pytest.mark.parametrize(("name", "options"), [(name, options) for name in FITS for options in FITS[name]])
def test_a_fit_keeps_its_scores_once(name: str, options: str, rows_to_fit: Path, tmp_path: Path) -> None:
    """Beside the program, some 90 MiB, and what is worked on; `conformal` keeps about half of them in a file."""
    labels = "labels" if name == "tune" or "multilabel" in options else "classes"
    files = f"{rows_to_fit}/scores.npy --truth {rows_to_fit}/{labels}.npy --policy {tmp_path}/policy.json"
    result = measured(f"$ACTCLI {files} {options} --jobs 2 -o {tmp_path}/report.json", name)
    assert (result.code, result.err) == (0, "")
    assert result.peak < (200 << 20 if name == "conformal" else 400 << 20)


@pytest.mark.parametrize(
    ("text", "size"),
    [("none", None), ("1073741824", 1 << 30), ("1GiB", 1 << 30), ("1.5g", 3 << 29), ("500 MB", 500 << 20)],
)
def test_sizes(text: str, size: int | None) -> None:
    """Units are powers of 1,024, in any case, with or without iB."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1", "1e9", "0", "1MiB", "1" * 5000, "nan", "1GiB2"])
def test_what_is_no_size(text: str) -> None:
    """A usage error; so is less than the program itself needs."""
    with pytest.raises(UsageError, match=r"^--memory-limit: "):
        parse_size(text)


def test_the_limit_can_be_moved(tmp_path: Path) -> None:
    """A file that needs some 500 MiB is read under a limit above that, or none, and refused under one below."""
    path = tmp_path / "batch.arrow"
    path.write_bytes(arrow(pa.nulls(25_000_000)))
    line = f"$ACTCLI {path} --columns label --memory-limit "
    for limit, code in (("300MiB", 1), ("1GiB", 0), ("none", 0), ("10MiB", 2)):
        result = measured(line + limit)
        assert result.code == code, result.err
        if code == 1:
            assert result.err.splitlines() == [
                f"actcli: error: {path}: needs more than 300.0 MiB of memory",
                "hint: --memory-limit SIZE raises the limit",
            ]


@pytest.mark.parametrize("limit", range(130, 190, 12))
def test_a_failed_allocation_anywhere(limit: int, tmp_path: Path) -> None:
    """One line and no file, also where orjson writes to a null pointer or a C++ exception ends in an abort."""
    columns = tmp_path / "columns.parquet"
    columns.write_bytes(packed(pa.table({f"c{number}": [1.0] for number in range(8_000)})))
    rows = tmp_path / "rows.parquet"
    rows.write_bytes(packed(pa.table({name: np.random.default_rng(0).normal(size=100_000) for name in "abcdefgh"})))
    for path in (columns, rows):
        result = measured(f"$ACTCLI {path} -o {tmp_path}/out.csv --memory-limit {limit}MiB")
        assert (result.code, len(result.err.splitlines())) in ((0, 0), (1, 2)), result.err
        assert (tmp_path / "out.csv").exists() is (result.code == 0)
        (tmp_path / "out.csv").unlink(missing_ok=True)
        assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("truth", ["rows", "ids"])
def test_a_truth_without_end(truth: str, tmp_path: Path) -> None:
    """By position, no more of it is read than an error counts; by id, no more than until one comes twice."""
    scores, packed = tmp_path / "scores.csv", tmp_path / "truth.csv.gz"
    scores.write_text("id,a,b\nx,1.5,2\ny,1,3\n")
    lines = b"0\n" * 250_000 if truth == "rows" else b"x,0\n" * 125_000
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    with packed.open("wb") as file:
        file.write(compressor.compress(b"label\n" if truth == "rows" else b"id,label\n"))
        for _ in range(400):
            file.write(compressor.compress(lines))
        file.write(compressor.flush())
    result = measured(f"cat {scores} | {' '.join(command('evaluate', '-q', '--truth', str(packed)))}")
    assert result.code == 1
    message = "has more than 1,000,002 rows, but the input has 2" if truth == "rows" else "twice, in rows 1 and 2"
    assert message in result.err
    assert result.peak < MOST >> 2
