"""Work that is pickled and done again in a fresh process, which must give the same result.

`recorded` records the work on every chunk while something runs, such as a command line; `check` does it again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

import numpy as np
import pyarrow as pa

from actcli.errors import DataError
from actcli.streaming.batch import Batch, Sets, TopK
from actcli.streaming.pipeline import EncodedChunk, Work
from program import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.streaming.batch import Chunk


@dataclass(frozen=True)
class Decide:
    """A stage that makes data for a column of every kind, and leaves out the rows with NaN."""

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with its columns."""
        # Arrays in a file may have the other byte order.
        scores = batch.scores.astype(batch.scores.dtype.newbyteorder("="))
        batch = replace(batch, scores=scores)
        batch = batch.without(np.isnan(batch.scores).any(axis=1), lambda _, place: DataError(place, hint="a hint"))
        order = np.argsort(-batch.scores, axis=1)[:, :1]
        values = {
            "best": order[:, 0],
            "score": batch.scores[:, 0],
            "scores": batch.scores,
            "some": Sets(np.arange(len(batch) + 1), order[:, 0]),
            "ranking": TopK(order, np.take_along_axis(batch.scores, order, axis=1)),
        }
        return batch.without_scores(values=values, counted=len(batch))


class Done(NamedTuple):
    """A piece of work: the pickled work and chunk, and what came of it in this process."""

    pickled: bytes
    result: Any


@contextlib.contextmanager
def recorded() -> Iterator[list[Done]]:
    """Record all work on chunks, for instance while a command line runs in this process."""
    done: list[Done] = []
    call = Work.do

    def work(self: Work, chunk: Chunk) -> EncodedChunk:
        pickled = pickle.dumps((self, chunk))
        result = call(self, chunk)
        done.append(Done(pickled, canonical(result)))
        return result

    with mock.patch.object(Work, "do", work):
        yield done


def check(done: Sequence[Done]) -> None:
    """Do the work again in one fresh process, and compare the results."""
    assert done
    process = subprocess.run(
        [sys.executable, "-W", "error", str(Path(__file__))],
        input=pickle.dumps([one.pickled for one in done]),
        capture_output=True,
        check=False,
        env=environment(PYTHONPATH=str(Path(__file__).parent)),
        timeout=120,
    )
    assert process.returncode == 0, process.stderr.decode()
    again = pickle.loads(process.stdout)
    assert len(again) == len(done)
    for one, other in zip(done, again, strict=True):
        assert one.result == other


def canonical(value: Any) -> Any:
    """Return a value as plain Python objects that are equal exactly if two such values are the same."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: canonical(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return (type(value).__name__, fields)
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, value.tobytes())
    if isinstance(value, pa.Buffer | memoryview):
        return bytes(value)
    if isinstance(value, pa.Array | pa.RecordBatch):
        return (str(value.schema if isinstance(value, pa.RecordBatch) else value.type), repr(value.to_pylist()))
    if isinstance(value, dict):
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    if isinstance(value, BaseException):
        return (type(value).__name__, value.args, canonical(vars(value)))
    return repr(value)


def main() -> None:
    """Do the work that standard input holds, and write the results to standard output."""
    results = []
    for pickled in pickle.load(sys.stdin.buffer):
        work, chunk = pickle.loads(pickled)
        results.append(canonical(work.do(chunk)))
    sys.stdout.buffer.write(pickle.dumps(results))


if __name__ == "__main__":
    main()
