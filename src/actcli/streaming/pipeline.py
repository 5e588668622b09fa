"""The only loop over chunks: an ordered parallel map with a bounded number of chunks in flight."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from actcli.errors import ActcliError
from actcli.streaming import memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor, Future

    from actcli.errors import DataError
    from actcli.streaming.batch import BadRow, Batch, Chunk, Encoder, Sink, Stage

T = TypeVar("T")

__all__ = ["EncodedChunk", "Work", "find_row", "run"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT_BLOCK = 1 << 24
_KEPT_IN_ALL = 1 << 26

IN_FLIGHT_PER_JOB = 2
"""Chunks that may be under way for each thread: one in work, one waiting, so that none runs dry."""


@dataclass(frozen=True, slots=True)
class EncodedChunk:
    """What comes of a chunk.

    Parameters
    ----------
    encoded
        What the sink's `encode` made.
    rows
        How many rows it holds.
    size
        How many bytes of input they were.
    like_probabilities
        Whether its scores look like probabilities though they were said to be logits.
    faults
        The first of the rows that were wrong and are left out.
    left_out
        How many those are in all.
    fault
        What ends the table after these rows.
    """

    encoded: Any
    rows: int
    size: int
    like_probabilities: bool
    faults: tuple[BadRow, ...]
    left_out: int
    fault: DataError | None


@dataclass(frozen=True, slots=True)
class Work:
    """What is done with one chunk: decode, decide, encode.

    It and the chunks are plain data: they can be pickled, and give the same result in another thread or process.

    Parameters
    ----------
    decide
        The stage between.
    encoder
        Of the sink.
    """

    decide: Stage
    encoder: Encoder

    def __call__(self, placed: tuple[Chunk, int | None]) -> EncodedChunk:
        """Return what comes of a chunk, given with the number of its first row where that is known."""
        chunk, start = placed
        batch = self.decide(chunk.decode())
        batch.start = start
        return _piece(self.encoder.encode(batch), batch, chunk)


def run(
    chunks: Iterable[Chunk | None],
    decide: Stage,
    sink: Sink,
    *,
    jobs: int | None = None,
    watch: Callable[[EncodedChunk], None] | None = None,
) -> None:
    """Take every chunk through decode, decide and encode, in parallel, and give the pieces to `sink` in order.

    Parameters
    ----------
    chunks
        Of a source; None among them says that the next one is yet to arrive, so that all before it must go out first.
    decide
        The stage between.
    sink
        Open; it is not finished here.
    jobs
        Threads; by default as many as there are processors for this process.
    watch
        Called with every piece after the sink has it.

    Raises
    ------
    ActcliError
        The first in the order of the rows. The sink has every piece before it.
    """
    work = Work(decide, getattr(sink, "encoder", sink))

    start = 0
    for piece in _ordered_map(work, _placed(chunks), jobs or _processors()):
        if piece.rows:
            sink.accept(piece.encoded, start)
        start += piece.rows + piece.left_out
        if watch is not None:
            watch(piece)
        if piece.fault is not None:
            raise piece.fault


def find_row(chunks: Iterable[Chunk | None], row: int, *, skip: bool) -> tuple[Batch | None, int]:
    """Return the row of that number as it was read, None if it is left out or not there, and how many were read.

    What comes after it is not looked at: neither waited for nor refused.

    Parameters
    ----------
    chunks
        Of a source.
    row
        From 0.
    skip
        Whether a row before it that cannot be read is passed over, instead of being an error.

    Raises
    ------
    ActcliError
        If the table ends before that row by an error.
    """

    def work(chunk: Chunk) -> EncodedChunk:
        batch = chunk.decode()
        batch = batch if skip else batch.until_fault()
        return _piece(batch, batch, chunk)

    start = 0
    for piece in _ordered_map(work, chunks, _processors()):
        batch: Batch = piece.encoded
        found = (batch.row_numbers() == row - start).nonzero()[0]
        if len(found):
            return batch.only(int(found[0]), start), row
        start += piece.rows + piece.left_out
        if piece.fault is not None:
            raise piece.fault
        if row < start:
            break
    return None, start


def _placed(chunks: Iterable[Chunk | None]) -> Iterator[tuple[Chunk, int | None] | None]:
    """Yield each chunk with the number of its first row, as long as all before it say how many they have."""
    start: int | None = 0
    for chunk in chunks:
        if chunk is None:
            yield None
            continue
        yield chunk, start
        start = None if start is None or chunk.rows is None else start + chunk.rows


def _piece(encoded: Any, batch: Batch, chunk: Chunk) -> EncodedChunk:
    return EncodedChunk(
        encoded,
        len(batch.scores) // batch.lines,
        chunk.size,
        batch.like_probabilities,
        batch.faults,
        batch.left_out,
        batch.fault,
    )


def _ordered_map(work: Callable[[T], EncodedChunk], chunks: Iterable[T | None], jobs: int) -> Iterator[EncodedChunk]:
    """Yield `work(chunk)` for every chunk, in order.

    A chunk that nothing follows, and that nothing is under way before, is worked on right here: a small input never
    starts a thread.
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
                failure = error  # what is under way comes before it
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
    """Return how many processors this process may use; not every system tells more than how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pool(jobs: int) -> Executor:
    from concurrent.futures import ThreadPoolExecutor

    _keep_memory()
    memory.allow(memory.BYTES_PER_JOB * jobs)
    return ThreadPoolExecutor(jobs, thread_name_prefix="actcli")


def _keep_memory() -> None:
    """Have the C library keep the memory that a chunk frees for the next one, which needs as much.

    By default, glibc returns blocks of this size to the system at once: on a virtual machine, getting them anew, page
    by page, costs as much as the arithmetic. Other libraries have no such function, or know by themselves.
    """
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _KEPT_BLOCK)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_IN_ALL)
