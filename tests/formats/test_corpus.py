"""Every hostile input of the corpus: what its manifest says must happen happens, and nothing else."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest

from actcli.streaming import batch
from corpus import CANARY, CASES, Case
from readers import READ, valid

if TYPE_CHECKING:
    from pathlib import Path

    from program import Actcli, Result


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working directory."""
    found = tmp_path / "work"
    found.mkdir()
    monkeypatch.chdir(found)
    return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_must_happen(case: Case, folder: Path, actcli: Actcli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The labels of an accepted input; one or two lines and no output for a rejected one; in chunks of any size."""
    (folder / case.name).write_bytes(case.make())
    found = []
    for size in (batch.CHUNK_BYTES,) if case.slow else (batch.CHUNK_BYTES, 1):
        monkeypatch.setattr(batch, "CHUNK_BYTES", size)
        result = actcli(case.task, case.name, *case.options, "--columns", "carried,label", "-q", "-o", "out.csv")
        check(case, result, folder / "out.csv")
        assert sorted(path.name for path in folder.iterdir()) == [case.name]
        found.append(result)
    assert found[0] == found[-1]


def check(case: Case, result: Result, target: Path) -> None:
    """See that what happened is what must happen; an output is read, and removed."""
    assert result.code == case.code, result.err
    assert result.out == b""
    lines = result.err.splitlines()
    if case.labels is None:
        assert lines[0].startswith("actcli: error: ")
        assert len(lines) == 1 or (len(lines) == 2 and lines[1].startswith("hint: "))
        assert result.err.replace("\n", "").isprintable()
        assert max(map(len, lines)) < 600
        for word in case.words:
            assert word in result.err
        assert not target.exists()
    else:
        assert lines == [] or (len(lines) == 1 and lines[0].startswith("actcli: warning: the logits look like"))
        with io.StringIO(target.read_bytes().decode(), newline="") as file:
            rows = list(csv.reader(file))
        assert [row[-1] for row in rows] == ["label", *case.labels]
        target.unlink()


def test_nothing_of_the_corpus_is_executed(folder: Path) -> None:
    """The canary would have been found in the folder of its test; here it is seen that it can fire."""
    import pickle

    pickle.loads(CASES["pickle-2.pkl"].make()).close()
    assert [path.name for path in folder.iterdir()] == [CANARY]


@pytest.mark.parametrize(
    "name", ["folder", "loop", "gone", "nothing", "socket.csv", "x" * 300, "dangling/x.csv", "work.csv/x"]
)
def test_what_is_no_file(name: str, folder: Path, actcli: Actcli) -> None:
    """A directory, a link to itself or to nothing, a socket, a name that cannot be: one line, no output."""
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    (folder / "gone").symlink_to("nowhere")
    (folder / "work.csv").write_text("cat,dog\n1,2\n")
    (folder / "dangling").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.csv")
        result = actcli("softmax", name, "-o", "out.csv")
    assert (result.code, result.out) == (1, b"")
    assert result.err.startswith("actcli: error: ")
    assert len(result.err.splitlines()) == 1
    assert not (folder / "out.csv").exists()


@pytest.mark.parametrize(
    "path", ["/dev/null", "/dev/zero", "/dev/full", "/proc/self/mem", "/proc/self/cmdline", "/proc/self/status"]
)
@pytest.mark.parametrize("name", READ)
def test_what_has_no_size(path: str, name: str, actcli: Actcli, folder: Path) -> None:
    """Devices and files of the system are no scores, whatever they are said to be."""
    if not os.path.exists(path):
        pytest.skip("this system has none")
    result = actcli("softmax", path, "--input-format", name, "-o", "out.csv")
    assert (result.code, result.out) == (1, b"")
    assert len(result.err.splitlines()) <= 2
    assert not list(folder.iterdir())


@pytest.mark.parametrize("name", READ)
def test_a_named_pipe(name: str, folder: Path, actcli: Actcli) -> None:
    """Is read like a file, in any format; one that is closed without a byte is empty."""
    for content in (*valid(name), b""):
        os.mkfifo("pipe")
        (folder / "file").write_bytes(content)
        writer = threading.Thread(target=(folder / "pipe").write_bytes, args=[content])
        writer.start()
        options = ("softmax", "--input-format", name, "--columns", "carried,label", "-q")
        piped = actcli(*options, "pipe")
        writer.join()
        plain = actcli(*options, "file")
        assert (piped.code, piped.out) == (plain.code, plain.out)
        (folder / "pipe").unlink()


def shrinking() -> dict[str, bytes]:
    """Return a file of each format that is too long to be read at once."""
    scores = np.arange(800_000, dtype=np.float64).reshape(-1, 2)
    rows = scores[:90_000].tolist()
    text = "".join(f"{first},{second}\n" for first, second in rows)
    arrow = io.BytesIO()
    table = pa.table({"0": scores[:, 0], "1": scores[:, 1]})
    with pa.ipc.new_file(arrow, table.schema) as writer:
        writer.write_table(table, max_chunksize=10_000)
    parquet, array, archive = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pa.parquet.write_table(table, parquet, row_group_size=10_000)
    np.save(array, scores)
    np.savez(archive, scores)
    header = json.dumps({"x": {"dtype": "F64", "shape": scores.shape, "data_offsets": [0, scores.nbytes]}}).encode()
    return {
        "csv": b"0,1\n" + text.encode(),
        "tsv": b"0\t1\n" + text.replace(",", "\t").encode(),
        "json": json.dumps(rows).encode(),
        "jsonl": b"".join(json.dumps(row).encode() + b"\n" for row in rows),
        "npy": array.getvalue(),
        "npz": archive.getvalue(),
        "safetensors": len(header).to_bytes(8, "little") + header + scores.tobytes(),
        "parquet": parquet.getvalue(),
        "arrow": arrow.getvalue(),
    }


@pytest.mark.parametrize("name", READ)
def test_a_file_that_shrinks_while_it_is_read(name: str, folder: Path, actcli: Actcli) -> None:
    """Is an error, and not a table of fewer rows.

    The first input is a pipe, which is held back until the second one, open already, has been cut.
    """
    target = folder / f"table.{name}"
    content = shrinking()[name]
    target.write_bytes(content)
    os.mkfifo("pipe")

    def cut() -> None:
        with open("pipe", "wb", buffering=0) as pipe:
            pipe.write(b"0,1\n1.5,2\n")
            while not any(path.name.startswith(".actcli-") for path in folder.iterdir()):
                time.sleep(0.001)
            size = len(content) * 2 // 3
            os.truncate(target, size if name not in ("csv", "tsv", "jsonl") else content.rindex(b"\n", 0, size) + 1)

    thread = threading.Thread(target=cut)
    thread.start()
    result = actcli("softmax", "pipe", target, "-q", "-o", "out.csv")
    thread.join()
    assert result.code == 1
    assert "table." in result.err
    assert len(result.err.splitlines()) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["pipe", target.name]
