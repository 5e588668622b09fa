"""The loop: order, bounds, what goes out before a wait, and which error wins."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from actcli.errors import DataError
from actcli.streaming import pipeline
from actcli.streaming.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actcli.streaming.batch import Layout


class Numbered:
    """A chunk of one row that takes its time."""

    size = 1

    def __init__(self, number: int, log: Log, delay: float = 0.0, rows: int | None = None) -> None:
        self.number = number
        self.rows = rows
        self.log = log
        self.delay = delay

    def decode(self) -> Batch:
        """Wait, then return a row."""
        with self.log.lock:
            self.log.working += 1
            self.log.most = max(self.log.most, self.log.working)
        time.sleep(self.delay)
        with self.log.lock:
            self.log.working -= 1
        if self.number in self.log.wrong:
            raise DataError(f"row {self.number}")
        batch = Batch(np.full((1, 1), self.number), {}, str)
        if self.number in self.log.left_out:
            return batch.without(np.array([True]), lambda _, place: DataError(place))
        return batch


class Log:
    """A sink that takes notes, and what the chunks leave."""

    def __init__(self, wrong: tuple[int, ...] = (), left_out: tuple[int, ...] = ()) -> None:
        self.lock = threading.Lock()
        self.wrong = wrong
        self.left_out = left_out
        self.working = 0
        self.most = 0
        self.accepted: list[int] = []
        self.starts: list[int] = []
        self.any_order = False
        self.threads: set[int] = set()
        self.accepting: set[int] = set()

    def open(self, layout: Layout) -> int:  # noqa: ARG002
        """Do nothing."""
        return 0

    @property
    def encoder(self) -> Log:
        """Itself: it counts what its threads do."""
        return self

    def encode(self, batch: Batch) -> int:
        """Return the number of the row."""
        self.threads.add(threading.get_ident())
        return int(batch.scores[0, 0]) if len(batch) else -1

    def accept(self, piece: Any, start: int) -> None:
        """Note it."""
        self.accepting.add(threading.get_ident())
        self.starts.append(start)
        self.accepted.append(piece)

    def finish(self) -> None:
        """Do nothing."""


def unchanged(batch: Batch) -> Batch:
    """Decide nothing."""
    return batch


def test_pieces_come_in_order_whatever_takes_long() -> None:
    """Early chunks that take longer than late ones are still accepted first."""
    log = Log()
    chunks = [Numbered(number, log, delay=0.02 if number % 3 == 0 else 0) for number in range(30)]
    pipeline.run(chunks, unchanged, log, jobs=4)
    assert log.accepted == list(range(30))


def test_chunks_in_flight_are_bounded() -> None:
    """However long the input is, only so many chunks were taken from it before a piece was accepted."""
    log = Log()
    ahead: list[int] = []

    def chunks() -> Iterator[Numbered]:
        for number in range(200):
            ahead.append(number - len(log.accepted))
            yield Numbered(number, log)

    jobs = 3
    pipeline.run(chunks(), unchanged, log, jobs=jobs)
    assert max(ahead) <= pipeline.IN_FLIGHT_PER_JOB * jobs + 1
    assert log.most <= jobs


def test_everything_goes_out_before_a_wait() -> None:
    """When a source says that the next chunk is yet to arrive, all before it are accepted."""
    log = Log()

    def chunks() -> Iterator[Numbered | None]:
        for number in range(5):
            yield Numbered(number, log, delay=0.01)
            if number in (0, 3):
                yield None
                assert log.accepted == list(range(number + 1))

    pipeline.run(chunks(), unchanged, log, jobs=2)
    assert log.accepted == list(range(5))


def test_a_single_chunk_starts_no_thread() -> None:
    """Nor do chunks that arrive one at a time."""
    log = Log()
    pipeline.run([Numbered(0, log), None, Numbered(1, log)], unchanged, log, jobs=4)
    assert log.threads == {threading.get_ident()}


def test_the_first_error_wins_and_all_before_it_is_accepted() -> None:
    """Even when a later chunk fails earlier."""
    log = Log(wrong=(5, 6))
    chunks = [Numbered(number, log, delay=0.05 if number == 5 else 0) for number in range(9)]
    with pytest.raises(DataError, match="row 5"):
        pipeline.run(chunks, unchanged, log, jobs=4)
    assert log.accepted == list(range(5))


def test_an_error_of_the_source_comes_after_the_rows_before_it() -> None:
    """What was cut before it is still accepted, or fails first."""
    log = Log()

    def chunks() -> Iterator[Numbered]:
        yield Numbered(0, log)
        yield Numbered(1, log)
        raise DataError("no more")

    with pytest.raises(DataError, match="no more"):
        pipeline.run(chunks(), unchanged, log, jobs=2)
    assert log.accepted == [0, 1]


def test_the_rows_before_a_fault_are_through_before_it_is_raised() -> None:
    """So that the size of the chunks does not say how many of them are."""

    class Faulty(Numbered):
        def decode(self) -> Batch:
            batch = super().decode()
            batch.fault = DataError("the row below")
            return batch

    log = Log()
    with pytest.raises(DataError, match="the row below"):
        pipeline.run([Numbered(0, log), Faulty(1, log), Numbered(2, log)], unchanged, log, jobs=2)
    assert log.accepted == [0, 1]


def test_rows_that_are_left_out_are_counted() -> None:
    """So that what is numbered by its row keeps its number, and what looks for truth by position finds it."""
    log = Log(left_out=(1, 2, 5))
    pipeline.run([Numbered(number, log) for number in range(7)], lambda batch: batch, log, jobs=2)
    assert log.accepted == log.starts == [0, 3, 4, 6]


def test_a_sink_of_any_order_gets_what_has_a_known_place_from_the_thread_that_made_it() -> None:
    """Rows behind a chunk that does not say how many rows it has come in order; rows that are left out count."""
    log = Log(left_out=(1,))
    log.any_order = True
    rows = {0: 1, 1: 1, 2: 1, 3: None, 4: 1, 5: 1}
    chunks = [Numbered(number, log, 0.02 if number == 0 else 0, count) for number, count in rows.items()]
    pipeline.run(chunks, unchanged, log, jobs=2)
    assert sorted(log.starts) == sorted(log.accepted) == [0, 2, 3, 4, 5]
    assert dict(zip(log.accepted, log.starts, strict=True)) == {number: number for number in (0, 2, 3, 4, 5)}
    assert log.accepted != [0, 2, 3, 4, 5]
    assert log.accepted[-2:] == [4, 5]
    assert log.accepting > {threading.get_ident()}


def test_one_job_works_on_one_chunk_at_a_time() -> None:
    """However many there are."""
    log = Log()
    pipeline.run([Numbered(number, log, delay=0.001) for number in range(20)], unchanged, log, jobs=1)
    assert log.most == 1
    assert log.accepted == list(range(20))
