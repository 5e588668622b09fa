"""The only loop over chunks: an ordered parallel map with a bounded number of chunks in flight."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from actcli.errors import ActcliError
from actcli.streaming import memory
from actcli.streaming.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor, Future

    from actcli.errors import DataError
    from actcli.streaming.batch import BadRow, Chunk, Encoder, Sink, Stage

T = TypeVar("T")

__all__ = ["EncodedChunk", "Work", "find_row", "run"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT_BLOCK = 1 << 24
_KEPT_IN_ALL = 1 << 26

IN_FLIGHT_PER_JOB = 2
"""The most chunks in flight for each thread: one in work and one waiting, so that no thread is idle."""


class EncodedChunk(NamedTuple):
    """The result of the work on a chunk.

    Parameters
    ----------
    encoded
        What the encoder of the sink returned.
    rows
        The number of rows of the input in it.
    size
        The number of bytes of input.
    like_probabilities
        Whether the scores were declared to be logits but look like probabilities.
    faults
        The first of the bad rows, which are left out.
    left_out
        The number of all bad rows.
    fault
        The error that ends the table after these rows.
    accepted
        Whether the sink has it already.
    """

    encoded: Any
    rows: int
    size: int
    like_probabilities: bool
    faults: tuple[BadRow, ...]
    left_out: int
    fault: DataError | None
    accepted: bool = False


class Work(NamedTuple):
    """The work on one chunk: decode, decide, encode.

    It is plain data, as chunks are: both can be pickled, and give the same result in another thread or process.

    Parameters
    ----------
    decide
        The stage between the source and the sink.
    encoder
        The encoder of the sink.
    """

    decide: Stage
    encoder: Encoder

    def do(self, chunk: Chunk) -> EncodedChunk:
        """Return the result for a chunk."""
        batch = self.decide(chunk.decode())
        return EncodedChunk(
            self.encoder.encode(batch),
            batch.input_rows,
            chunk.size,
            batch.like_probabilities,
            batch.faults,
            batch.left_out,
            batch.fault,
        )


class _Placed(NamedTuple):
    """A chunk, and the number in the table of its first row, if that is known before the chunk is decoded."""

    chunk: Chunk
    start: int | None


def run(
    chunks: Iterable[Chunk | None],
    decide: Stage,
    sink: Sink,
    *,
    jobs: int | None = None,
    watch: Callable[[EncodedChunk], None] | None = None,
) -> None:
    """Decode, decide and encode every chunk, in parallel, and give the results to `sink` in order.

    Parameters
    ----------
    chunks
        The chunks of a source. None means that the next one has not arrived yet, so everything before it is written
        first.
    decide
        The stage between the source and the sink.
    sink
        An open sink; it is not finished here.
    jobs
        The number of threads, by default the number of processors of this process.
    watch
        Called with every result after the sink has it.

    Raises
    ------
    ActcliError
        The first error in the order of the rows. The sink has all rows before it.
    """
    work = Work(decide, sink.encoder)
    any_order = getattr(sink, "any_order", False)

    def work_in_place(placed: _Placed) -> EncodedChunk:
        """Work on a chunk; give the result to the sink at once if its order does not matter."""
        result = work.do(placed.chunk)
        if not any_order or placed.start is None or not result.rows:
            return result
        sink.accept(result.encoded, placed.start)
        return result._replace(encoded=None, accepted=True)

    start = 0
    for result in _ordered_map(work_in_place, _placed(chunks), jobs or _processors()):
        if result.rows and not result.accepted:
            sink.accept(result.encoded, start)
        start += result.rows + result.left_out
        if watch is not None:
            watch(result)
        if result.fault is not None:
            raise result.fault


def find_row(chunks: Iterable[Chunk | None], row: int, *, skip: bool) -> tuple[Batch | None, int]:
    """Return a single row as it was read, and how many rows were read.

    The row is None if it is left out or does not exist. Rows after it are not read: the search neither waits for them
    nor fails because of them.

    Parameters
    ----------
    chunks
        The chunks of a source.
    row
        The number of the row, from 0.
    skip
        Whether rows that cannot be read are passed over. Otherwise the first of them is an error.

    Raises
    ------
    ActcliError
        If an error ends the table before that row.
    """
    work = Work(_pass_over if skip else Batch.until_fault, _Whole())
    start = 0
    for result in _ordered_map(work.do, chunks, _processors()):
        batch: Batch = result.encoded
        found = (batch.row_numbers() == row - start).nonzero()[0]
        if len(found):
            return batch.only(int(found[0]), start), row
        start += result.rows + result.left_out
        if result.fault is not None:
            raise result.fault
        if row < start:
            break
    return None, start


def _pass_over(batch: Batch) -> Batch:
    """Return the batch as it is: its bad rows are left out already."""
    return batch


class _Whole(NamedTuple):
    """An encoder that changes nothing."""

    def encode(self, batch: Batch) -> Batch:
        """Return the batch."""
        return batch


def _placed(chunks: Iterable[Chunk | None]) -> Iterator[_Placed | None]:
    """Yield each chunk with the number of its first row, as long as all before it say how many rows they have."""
    start: int | None = 0
    for chunk in chunks:
        if chunk is None:
            yield None
            continue
        yield _Placed(chunk, start)
        start = None if start is None or chunk.rows is None else start + chunk.rows


def _ordered_map(work: Callable[[T], EncodedChunk], chunks: Iterable[T | None], jobs: int) -> Iterator[EncodedChunk]:
    """Yield `work(chunk)` for every chunk, in order.

    A single chunk, with none in flight before it and none after it, is worked on in this thread: a small input does not
    start other threads.
    """
    pool: Executor | None = None
    pending: deque[Future[EncodedChunk]] = deque()
    alone: T | None = None
    failure: ActcliError | None = None
    iterator = iter(chunks)
    try:
        while True:
            try:
                chunk = next(iterator)
            except StopIteration:
                break
            except ActcliError as error:
                failure = error  # the chunks in flight come before it
                break
            if alone is not None and chunk is not None:
                pool = pool or _pool(jobs)
                pending.append(pool.submit(work, alone))
                alone = None
            alone = chunk or alone
            while pending and (pending[0].done() or len(pending) >= IN_FLIGHT_PER_JOB * jobs or chunk is None):
                yield pending.popleft().result()
            if chunk is None and alone is not None:
                yield work(alone)
                alone = None
        while pending:
            yield pending.popleft().result()
        if alone is not None:
            yield work(alone)
        if failure is not None:
            raise failure
    finally:
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


def _processors() -> int:
    """Return how many processors this process may use; some systems only tell how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pool(jobs: int) -> Executor:
    from concurrent.futures import ThreadPoolExecutor

    _keep_memory()
    memory.allow(memory.BYTES_PER_JOB * jobs)
    return ThreadPoolExecutor(jobs, thread_name_prefix="actcli")


def _keep_memory() -> None:
    """Make the C library keep the memory that a chunk frees, for the next chunk.

    By default, glibc returns blocks of this size to the system at once. On a virtual machine, getting them again page
    by page costs as much as the arithmetic. Other C libraries have no such function or do not need it.
    """
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _KEPT_BLOCK)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_IN_ALL)
