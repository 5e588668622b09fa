"""What the readers make of any bytes: rows or an error of ours, and nothing else; and valid files of every format."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import tempfile
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from actcli.errors import ActcliError
from actcli.formats import FORMATS, ReadOptions, WriteOptions, named, open_inputs, open_sink
from actcli.prediction import plan as predicting
from actcli.prediction.rules import Rules
from actcli.streaming import batch as batches
from actcli.streaming.compression import MAGICS
from actcli.streaming.pipeline import run
from actcli.tasks import Origin, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

READ = [format.name for format in FORMATS.values() if format.source]
WRITTEN = [format.name for format in FORMATS.values() if format.sink]
BOTH = [name for name in READ if name in WRITTEN]

_TEXT = ("csv", "tsv", "json", "jsonl")
_PIPE_BYTES = 60_000
"""So many go into a pipe before anybody reads it."""


class Outcome(NamedTuple):
    """What came of reading."""

    rows: bytes
    """What was written of them."""
    error: str | None
    """The message that ended it."""


class Memory:
    """An output that stays here; what a sink takes for a pipe."""

    name = "memory"
    seekable = False
    is_terminal = False

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: Any) -> None:
        """Add to it."""
        self.data += memoryview(data).cast("B")


def outcome(
    data: bytes,
    options: ReadOptions,
    *,
    chunk_bytes: int = batches.CHUNK_BYTES,
    piped: bool = False,
    sink: str = "jsonl",
    task: str = "softmax",
) -> Outcome:
    """Read `data`, decide and write, chunk after chunk; anything raised but an error of ours goes through."""
    output = Memory()
    kept, batches.CHUNK_BYTES = batches.CHUNK_BYTES, chunk_bytes
    try:
        with opened(data, piped=piped and len(data) <= _PIPE_BYTES) as path:
            error = _run(path, options, output, sink, task)
    finally:
        batches.CHUNK_BYTES = kept
    if error is None:
        return Outcome(bytes(output.data), None)
    assert (error.message + (error.hint or "")).isprintable()
    return Outcome(bytes(output.data), error.message.replace(path, "FILE"))


def check(
    data: bytes, options: ReadOptions, *, piped: bool = False, sink: str = "jsonl", task: str = "softmax"
) -> Outcome:
    """Return what came of reading `data`, which must be the same in chunks of any size."""
    large, small = (
        outcome(data, options, chunk_bytes=size, piped=piped, sink=sink, task=task) for size in (batches.CHUNK_BYTES, 1)
    )
    assert (large.error is None) is (small.error is None), (large, small)
    # How far a damaged file is read before that is noticed may depend on what is read at once, and what is gathered in
    # an output of columns does; but not what lines of text are read, or written.
    by_lines = options.format in _TEXT and not data.startswith(tuple(MAGICS.values()))
    if sink in _TEXT and (large.error is None or by_lines):
        assert large == small
    return large


def _run(path: str, options: ReadOptions, output: Memory, sink: str, task: str) -> ActcliError | None:
    try:
        _convert(path, options, output, sink, task, _columns(task, sink))
    except ActcliError as error:
        return error
    return None


def _convert(path: str, options: ReadOptions, output: Any, sink: str, task: str, columns: Sequence[str]) -> None:
    inputs = open_inputs([path], options)
    try:
        rules = Rules(origin=Origin(options.origin), skip=options.skip, columns=tuple(columns))
        plan = predicting.plan(Task(task), inputs.layout, rules, ["input"])
        writer = open_sink(named(sink, writing=True), output, plan.columns, WriteOptions())
        run(inputs.chunks(writer.open(plan.layout)), plan.decide, writer, jobs=1)
        writer.finish()
    finally:
        inputs.close()


def converted(
    data: bytes, options: ReadOptions, sink: str, columns: Sequence[str], chunk_bytes: int = batches.CHUNK_BYTES
) -> bytes:
    """Return the table in `data`, decided by softmax, in the format `sink`."""
    output = Memory()
    kept, batches.CHUNK_BYTES = batches.CHUNK_BYTES, chunk_bytes
    try:
        with opened(data, piped=False) as path:
            _convert(path, options, output, sink, "softmax", columns)
    finally:
        batches.CHUNK_BYTES = kept
    return bytes(output.data)


def _columns(task: str, sink: str) -> tuple[str, ...]:
    decision = "labels" if task == "multilabel" else "label"
    return named(sink, writing=True).columns or ("row", "carried", decision, "probabilities", "logits")


@contextlib.contextmanager
def opened(data: bytes, *, piped: bool) -> Iterator[str]:
    """Give `data` a path: that of a file, or ``-`` for a pipe."""
    if piped:
        reading, writing = os.pipe()
        os.write(writing, data)
        os.close(writing)
        kept = os.dup(0)
        os.dup2(reading, 0)
        os.close(reading)
        try:
            yield "-"
        finally:
            os.dup2(kept, 0)
            os.close(kept)
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        yield file.name


def valid(name: str) -> list[bytes]:
    """Return small valid files of the format `name`: what actcli itself writes, and what only others do."""
    return [*([_written(name)] if name in WRITTEN else []), *_BY_OTHERS.get(name, list)()]


def _written(name: str) -> bytes:
    """Return two rows of scores as actcli writes them."""
    columns = ("logits",) if named(name, writing=True).columns is not None else ("carried", "logits")
    return converted(b'id,cat,dog\na,1,2.5\n"b,",-inf,1e-3\n', ReadOptions(format="csv"), name, columns)


SCORES = np.array([[1, 2.5, 0], [-3, 0.125, 7]], dtype=np.float32)


def _delimited(mark: str) -> list[bytes]:
    texts = (
        "cat,dog\n1,2\n3,4\n",
        "1,2.5\r\n-3,nan\r\n",
        'id,"a ""b""",c\n"x\ny", 1 ,2\n\n"z",3,1e400\n',
        "\ufeff0,1\r0.5,1\r-inf,inf\r",
        "id,é,🐶\n007,+1.5e-3,.5",
        "id,a,b\nx,1,2\ny,1\n",
    )
    plain = [text.replace(",", mark).encode() for text in texts]
    packed = [gzip.compress(plain[0], 9, mtime=0), pa.Codec("zstd").compress(plain[2], asbytes=True)]
    return [*plain, *packed, b"id\xff,a,b\n\xe9,1,2\n"]


def _lines_of_json() -> list[bytes]:
    return [
        b'{"id":"a","cat":1,"dog":2.5}\n{"dog":-1e-3,"id":null,"cat":0}\n',
        b'[1,2,3]\n\n[1e5,NaN,-Infinity]\n[1,{"a":2}]',
        '{"é\\ud800":1,"\\u0041":[2],"logits":{"b":1,"c":2}}\r\n'.encode(),
        b'{"x":{"y":[1,"]"]},"logits":[1,2]}\n',
    ]


def _lists_of_json() -> list[bytes]:
    rows = [{"id": "]", "cat": 1, "dog": 2.5}, {"id": '"\\', "cat": -1, "dog": 1e300}]
    return [
        json.dumps(rows).encode(),
        json.dumps(rows, indent=1).encode(),
        b"[[1,2],\n[3,4]]",
        b" [ [1, 2] ,[3 ,-0]\n]",
    ]


def _arrays() -> list[bytes]:
    found = []
    for array in (SCORES, np.asfortranarray(SCORES), SCORES[0].astype(">f2"), SCORES.astype("<i8"), SCORES[:0]):
        file = io.BytesIO()
        np.lib.format.write_array(file, array, version=(2, 0) if array.dtype == ">f2" else (1, 0))
        found.append(file.getvalue())
    return found


def _archives() -> list[bytes]:
    found = []
    for save, arrays in (
        (np.savez, {"logits": SCORES}),
        (np.savez_compressed, {"scores": SCORES}),
        (np.savez, {"logits": SCORES, "ids": np.array(["a", "b"])}),
    ):
        file = io.BytesIO()
        save(file, **arrays)
        found.append(file.getvalue())
    return found


def _tensors() -> list[bytes]:
    found = []
    for dtype, array in (("F32", SCORES), ("BF16", SCORES.view("<u2")), ("I64", SCORES.astype("<i8"))):
        header = {"logits": {"dtype": dtype, "shape": array.shape, "data_offsets": [0, array.nbytes]}}
        text = json.dumps(header).encode()
        found.append(len(text).to_bytes(8, "little") + text + array.tobytes())
    return found


def _tables() -> list[Any]:
    lists = pa.FixedSizeListArray.from_arrays(pa.array(SCORES.ravel()), 3)
    return [
        pa.table({"id": ["a", None], "cat": SCORES[:, 0], "dog": SCORES[:, 1]}),
        pa.table({"key": pa.array(["x", "y"]).dictionary_encode(), "logits": SCORES.tolist()}),
        pa.table({"tags": [["a"], []], "when": pa.array([1, 2], pa.timestamp("ms")), "logits": lists}),
        pa.table({"text": pa.array(["a", "b"], pa.large_string()), "cat": [1, 2], "dog": [None, 2.5]}),
    ]


def _parquet() -> list[bytes]:
    found = []
    for table in _tables():
        for options in ({"compression": "none"}, {"row_group_size": 1, "store_schema": False}):
            file = io.BytesIO()
            pa.parquet.write_table(table, file, **options)
            found.append(file.getvalue())
    return found


def _arrow() -> list[bytes]:
    found = []
    for table in _tables():
        for opener in (pa.ipc.new_file, pa.ipc.new_stream):
            for compression in (None, "zstd"):
                file = io.BytesIO()
                with opener(file, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
                    writer.write_table(table, max_chunksize=1)
                found.append(file.getvalue())
    return found


_BY_OTHERS = {
    "csv": lambda: _delimited(","),
    "tsv": lambda: _delimited("\t"),
    "json": _lists_of_json,
    "jsonl": _lines_of_json,
    "npy": _arrays,
    "npz": _archives,
    "safetensors": _tensors,
    "parquet": _parquet,
    "arrow": _arrow,
}
