"""The only loop over chunks: an ordered parallel map with a bounded number of chunks in flight."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from actcli.errors import ActcliError, DataError
from actcli.streaming import memory
from actcli.streaming.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from actcli.streaming.batch import BadRow, Chunk, Encoder, Sink, Stage
    from actcli.streaming.workers import Workers

__all__ = ["EncodedChunk", "Work", "find_row", "run"]

ALONE_BYTES = 1 << 20
"""The input bytes up to which no workers are started: they would start for longer than they work."""

MOST_HANDED_OVER = 1 << 26
"""The most bytes of a chunk that goes to another process. A larger one is in this one's memory already."""


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
    write
        What has another process write it to its place.
    """

    encoded: Any
    rows: int
    size: int
    like_probabilities: bool
    faults: tuple[BadRow, ...]
    left_out: int
    fault: DataError | None
    accepted: bool = False
    write: Callable[[int], None] | None = None


class Work(NamedTuple):
    """The work on one chunk: decode, decide, encode.

    It is plain data, as chunks are: both can be pickled, and give the same result in another process.

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

    @property
    def size(self) -> int:
        """The number of input bytes."""
        return self.chunk.size


class _Task(NamedTuple):
    """The work on a chunk, and what can be done with the result wherever that is.

    Parameters
    ----------
    work
        The work.
    sink
        The sink; None in a process that has not inherited its open file.
    any_order
        Whether the sink takes what has a known place at once.
    """

    work: Work
    sink: Sink | None
    any_order: bool

    def do(self, placed: _Placed) -> EncodedChunk:
        """Work on a chunk."""
        result = self.work.do(placed.chunk)
        if self.sink is None or not self.any_order or placed.start is None or not result.rows:
            return result
        self.sink.accept(result.encoded, placed.start)
        return result._replace(encoded=None, accepted=True)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the task without the sink."""
        return _Task, (self.work, None, False)

    def write(self, result: EncodedChunk, place: int) -> None:
        """Write a result to its place."""
        sink: Any = self.sink
        sink.write_at(result.encoded, place)


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
        The number of processes that work on chunks, by default the number of processors of this process. With 1, and
        for a small input, this process does it all.
    watch
        Called with every result after the sink has it.

    Raises
    ------
    ActcliError
        The first error in the order of the rows. The sink has all rows before it.
    """
    task = _Task(Work(decide, sink.encoder), sink, getattr(sink, "any_order", False))
    start = 0
    keeps = not getattr(sink, "passes_on", False)
    reserve: Callable[[Any], int | None] | None = getattr(sink, "reserve", None)
    with contextlib.closing(
        _ordered_map(task.do, _placed(chunks), jobs, keeps=keeps, write=task.write if reserve else None)
    ) as results:
        for result in results:
            if result.rows and not result.accepted:
                place = reserve(result.encoded) if reserve and result.write else None
                if result.write is None or place is None:
                    sink.accept(result.encoded, start)
                else:
                    result.write(place)
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
    work = Work(_pass_over if skip else Batch.until_fault, _Counted())
    read: deque[Chunk] = deque()

    def kept() -> Iterator[Chunk | None]:
        """Yield the chunks, and keep them until their rows are counted."""
        for chunk in chunks:
            if chunk is not None:
                read.append(chunk)
            yield chunk

    start = 0
    with contextlib.closing(_ordered_map(work.do, kept(), None, keeps=True)) as results:
        for result in results:
            chunk = read.popleft()
            if row < start + result.rows + result.left_out:
                batch = work.decide(chunk.decode())
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


class _Counted(NamedTuple):
    """An encoder that keeps nothing: the rows are only counted."""

    def encode(self, batch: Batch) -> None:
        """Return None."""


def _placed(chunks: Iterable[Chunk | None]) -> Iterator[_Placed | None]:
    """Yield each chunk with the number of its first row, as long as all before it say how many rows they have."""
    start: int | None = 0
    for chunk in chunks:
        if chunk is None:
            yield None
            continue
        yield _Placed(chunk, start)
        start = None if start is None or chunk.rows is None else start + chunk.rows


def _ordered_map(
    work: Callable[[Any], EncodedChunk],
    chunks: Iterable[Any],
    jobs: int | None,
    *,
    keeps: bool,
    write: Callable[[EncodedChunk, int], None] | None = None,
) -> Generator[EncodedChunk, None, None]:
    """Yield `work(chunk)` for every chunk, in order.

    A small input is worked on in this process, and so is what comes through a pipe a little at a time.

    Parameters
    ----------
    work
        What is done.
    chunks
        The chunks, and None where the next one has not arrived yet.
    jobs
        The number of processes; None is the number of processors.
    keeps
        Whether a result is used after the next one is asked for.
    write
        What writes a result to its place, if a worker can do that.
    """
    jobs = _processors() if jobs is None else jobs
    workers: Workers | None = None
    held: list[Any] = []
    held_bytes = 0
    failure: ActcliError | None = None
    iterator = iter(chunks)
    with contextlib.ExitStack() as stack:
        while True:
            try:
                chunk = next(iterator)
            except StopIteration:
                break
            except ActcliError as error:
                failure = error  # the chunks in flight come before it
                break
            if chunk is not None:
                held.append(chunk)
                held_bytes += chunk.size
            if workers is None and jobs > 1 and len(held) > 1 and held_bytes >= ALONE_BYTES:
                workers = _workers(work, write, jobs, held[0], stack, keeps=keeps)
                jobs = jobs if workers else 1
            if workers is not None:
                for each in held:
                    yield from _taken(workers, all_of_them=False)
                    # Where all workers are busy and nothing is to be written, this process works too.
                    (workers.submit if workers.idle and each.size <= MOST_HANDED_OVER else workers.do)(each)
                if chunk is None:
                    yield from _taken(workers, all_of_them=True)
            elif chunk is None or jobs == 1:
                yield from map(work, held)
            else:
                continue
            held.clear()
            held_bytes = 0
        if workers is not None:
            workers.finish()
            yield from _taken(workers, all_of_them=True)
            workers.settle()
        yield from map(work, held)
        if failure is not None:
            raise failure


def _taken(workers: Workers, *, all_of_them: bool) -> Iterator[EncodedChunk]:
    """Yield the results that are there, and wait for all, or for as many as make room for a further chunk."""
    while workers.ready or workers.full or (all_of_them and len(workers)):
        result = workers.take()
        yield result._replace(write=workers.write) if workers.can_write else result
        workers.give_back()


def _workers(
    work: Callable[[Any], EncodedChunk],
    write: Callable[[EncodedChunk, int], None] | None,
    count: int,
    first: Any,
    stack: contextlib.ExitStack,
    *,
    keeps: bool,
) -> Workers | None:
    """Return workers, which the end of the stack ends; None if the system gives none."""
    from actcli.streaming.workers import Workers

    memory.allow(memory.BYTES_PER_JOB)
    memory.keep()
    try:
        return stack.enter_context(Workers(work, count - 1, first, copy=keeps, write=write))
    except (OSError, DataError):
        return None


def _processors() -> int:
    """Return how many processors this process may use; some systems only tell how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
