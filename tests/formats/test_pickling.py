"""Chunks, decoders and encoders of every format are plain data: a fresh process makes the same bytes of them."""

from __future__ import annotations

import contextlib
import os
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import pickling
from actcli.errors import DataError
from actcli.formats import ReadOptions, WriteOptions, named, open_inputs, open_sink
from actcli.streaming.batch import Column, Kind
from actcli.streaming.pipeline import run
from readers import READ, WRITTEN, Memory, opened, valid

if TYPE_CHECKING:
    from pathlib import Path

    from actcli.streaming.batch import Layout


def columns(layout: Layout, sink: str) -> list[Column]:
    """Return a column of every kind that the format can hold."""
    matrix = Column("scores", Kind.MATRIX, layout.classes, layout.classes)
    if sink == "npy":
        return [matrix]
    return [
        Column("row", Kind.ROW, ("row",), dtype="int64"),
        *(Column(name, kind, (name,), carried=name) for name, kind, _ in layout.carried),
        Column("best", Kind.CODE, ("best",), layout.classes),
        Column("score", Kind.NUMBER, ("score",)),
        matrix,
        Column("some", Kind.SET, ("some",), layout.classes),
        *([] if sink == "npz" else [Column("ranking", Kind.RANKING, ("first", "p_first"), layout.classes)]),
    ]


def convert(path: str, source: str, sink: str, *, rows: bool) -> bytes:
    """Read a file, leaving out its bad rows, and write it in another format; return what came before an error."""
    output: Any = Memory()
    with (
        contextlib.suppress(DataError),
        contextlib.closing(open_inputs([path], ReadOptions(source, skip=True))) as inputs,
    ):
        written = [column for column in columns(inputs.layout, sink) if rows or column.kind is not Kind.ROW]
        writer = open_sink(named(sink, writing=True), output, written, WriteOptions())
        layout = replace(inputs.layout, rows=None)
        run(inputs.chunks(writer.open(layout)), pickling.Decide(), writer, jobs=1)
        writer.finish()
    return bytes(output.data)


@pytest.mark.parametrize("source", READ)
def test_a_fresh_process_makes_the_same_bytes(source: str, tmp_path: Path) -> None:
    """Of every valid file of a format, from a file and from a pipe, for every format that is written."""
    files = valid(source)
    with pickling.recorded() as done:
        for number, data in enumerate(files):
            path = tmp_path / str(number)
            path.write_bytes(data)
            rows = number % 2 == 0
            for sink in WRITTEN:
                converted = convert(str(path), source, sink, rows=rows)
                with opened(data, piped=True) as pipe:
                    assert convert(pipe, source, sink, rows=rows) == converted
    pickling.check(done)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_chunk_refers_to_its_file(order: str, tmp_path: Path) -> None:
    """The rows of an array stay in it; a file that has changed is refused."""
    path = tmp_path / "scores.npy"
    scores = np.arange(200_000, dtype=np.float64).reshape(-1, 10)
    np.save(path, np.asarray(scores, order=order))  # type: ignore[call-overload]
    inputs = open_inputs([str(path)], ReadOptions())
    pickled = [pickle.dumps(chunk) for chunk in inputs.chunks(8) if chunk is not None]
    inputs.close()
    assert all(len(one) < 1000 for one in pickled)
    batches = [pickle.loads(one).decode() for one in pickled]
    assert np.array_equal(np.concatenate([batch.scores for batch in batches]), scores)
    assert pickle.loads(pickle.dumps(batches[-1])).place(0) == batches[-1].place(0)
    other = tmp_path / "other.npy"
    np.save(other, scores)
    os.replace(other, path)
    again = pickle.loads(pickled[0])
    again.data.input.close()
    with pytest.raises(DataError, match="has changed"):
        again.decode()


def test_an_error_keeps_its_hint() -> None:
    """Also when it comes from another process."""
    error = pickle.loads(pickle.dumps(DataError("what", hint="how")))
    assert (type(error), str(error), error.message, error.hint) == (DataError, "what", "what", "how")
