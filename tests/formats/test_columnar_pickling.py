"""What works on a chunk of Parquet or Arrow is plain data: a fresh process makes the same of it."""

from __future__ import annotations

import contextlib
import io
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest

from actcli.formats import ReadOptions, WriteOptions, named, open_inputs, open_sink
from actcli.prediction import plan as predicting
from actcli.prediction.rules import Rules
from actcli.tasks import Task
from program import environment
from readers import Memory

if TYPE_CHECKING:
    from pathlib import Path

TABLE = pa.table({
    "id": pa.array(["a", "b", "a"]).dictionary_encode(),
    "view": pa.array(["x" * 20, None, "y"], pa.string_view()),
    "when": pa.array([[1000], None, []], pa.list_(pa.timestamp("ns", "UTC"))),
    "a": [1.0, 2.0, 0.5],
    "b": [2.0, 1.0, None],
})  # fmt: skip

COLUMNS = ("row", "carried", "label", "top_k", "probabilities")

_DECODE = """
import pickle, sys
decoder, data, start = pickle.load(sys.stdin.buffer)
batch = decoder.decode(data, start)
found = [batch.scores.tobytes(), {name: values.to_pylist() for name, values in batch.carried.items()},
         batch.place(0), [(bad.row, bad.error.message) for bad in batch.faults]]
sys.stdout.buffer.write(pickle.dumps(found))
"""

_ENCODE = """
import pickle, sys
encoder, batch = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(pickle.dumps(encoder.encode(batch).to_pydict()))
"""


def elsewhere(program: str, what: Any) -> Any:
    """Return what a program in a fresh process makes of an object."""
    done = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(what), capture_output=True, check=False, env=environment()
    )
    assert done.returncode == 0, done.stderr.decode()
    return pickle.loads(done.stdout)


@pytest.fixture(params=["parquet", "arrow"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a file of the table."""
    found = tmp_path / f"table.{request.param}"
    if request.param == "arrow":
        with pa.ipc.new_file(found, TABLE.schema) as writer:
            writer.write_table(TABLE)
    else:
        pa.parquet.write_table(TABLE, found)
    return found


OPTIONS = ReadOptions(ids=("id", "view", "when"), skip=True)


def test_a_chunk_is_decoded_elsewhere(path: Path) -> None:
    """To the same scores, carried columns, places and errors."""
    with contextlib.closing(open_inputs([str(path)], OPTIONS)) as inputs:
        chunk: Any
        [chunk] = [chunk for chunk in inputs.chunks(0) if chunk is not None]
        copy = pickle.loads(pickle.dumps(chunk))
        batch = chunk.decode()
    assert (copy.rows, copy.size) == (chunk.rows, chunk.size)
    scores, carried, place, errors = elsewhere(_DECODE, (chunk.decoder, chunk.data, chunk.start))
    assert scores == batch.scores.tobytes()
    assert carried == {name: values.to_pylist() for name, values in batch.carried.items()}
    assert carried["id"] == ["a", "b"]
    assert place == batch.place(0) == f"{path}: row 1"
    assert errors == [(2, f'{path}: row 3: column "b": is null')]


@pytest.mark.parametrize("format", ["parquet", "arrow"])
def test_an_encoder_encodes_elsewhere(format: str, path: Path) -> None:
    """To the same record batch."""
    with contextlib.closing(open_inputs([str(path)], OPTIONS)) as inputs:
        plan = predicting.plan(Task.SOFTMAX, inputs.layout, Rules(skip=True, top_k=1, columns=COLUMNS), [])
        output: Any = Memory()
        sink: Any = open_sink(named(format, writing=True), output, plan.columns, WriteOptions())
        sink.open(plan.layout)
        chunk: Any
        [chunk] = [chunk for chunk in inputs.chunks(0) if chunk is not None]
        batch = plan.decide(chunk.decode())
    expected = sink.encoder.encode(batch).to_pydict()
    assert expected["label"] == ["b", "a"]
    assert elsewhere(_ENCODE, (sink.encoder, batch)) == expected


def test_pandas_is_not_imported(tmp_path: Path) -> None:
    """Where it is installed beside actcli, it would double the time of a start; here it cannot be imported."""
    whole = tmp_path / "whole.arrow"
    with pa.ipc.new_file(whole, TABLE.schema) as writer:
        writer.write_table(TABLE.slice(0, 2))
    packages = tmp_path / "packages"
    (packages / "pandas").mkdir(parents=True)
    (packages / "pandas" / "__init__.py").write_text("raise RuntimeError('pandas is imported')\n")
    for format in ("parquet", "arrow"):
        done = subprocess.run(
            [sys.executable, "-m", "actcli", "softmax", whole, "--id", "id", "--id", "view", "--id", "when", "--top-k",
             "2", "-q", "-f", format, "--columns", "row,carried,label,top_k,probabilities"],
            capture_output=True, check=False, env=environment(PYTHONPATH=str(packages)),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        file = io.BytesIO(done.stdout)
        found = pa.parquet.read_table(file) if format == "parquet" else pa.ipc.open_stream(file).read_all()
        assert found["label"].to_pylist() == ["b", "a"]
