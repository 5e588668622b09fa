"""The loop: order, bounds, what goes out before a wait, and which error wins; in processes that are forked."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from actcli.errors import DataError
from actcli.streaming import pipeline, workers
from actcli.streaming.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from actcli.streaming.batch import Layout

FORKED = pytest.mark.usefixtures("forked")


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork workers for the second chunk, also out of the process of the tests."""
    monkeypatch.setattr(pipeline, "ALONE_BYTES", 0)
    monkeypatch.setattr(workers, "_may_fork", lambda: True)


@dataclass
class Numbered:
    """A chunk of one row that takes its time."""

    number: int
    delay: float = 0.0
    rows: int | None = None
    wrong: bool = False
    left_out: bool = False
    fault: DataError | None = None
    size: int = 1

    def decode(self) -> Batch:
        """Wait, then return a row."""
        time.sleep(self.delay)
        if self.wrong:
            raise DataError(f"row {self.number}")
        batch = Batch(np.full((1, 1), self.number), {}, str, fault=self.fault)
        if self.left_out:
            return batch.without(np.array([True]), lambda _, place: DataError(place))
        return batch


class Row(NamedTuple):
    """A row, and the process that encoded it."""

    number: int
    process: int


class Encoder:
    """Returns the number of the row."""

    def encode(self, batch: Batch) -> Row:
        """Return it with the number of this process."""
        return Row(int(batch.scores[0, 0]) if len(batch) else -1, os.getpid())


class Log:
    """A sink that takes notes."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.starts: list[int] = []
        self.encoder = Encoder()

    @property
    def accepted(self) -> list[int]:
        """The numbers of the rows."""
        return [row.number for row in self.rows]

    @property
    def processes(self) -> set[int]:
        """The processes that encoded the rows."""
        return {row.process for row in self.rows}

    def open(self, layout: Layout) -> int:  # noqa: ARG002
        """Do nothing."""
        return 0

    def accept(self, encoded: Any, start: int) -> None:
        """Note it."""
        self.starts.append(start)
        self.rows.append(encoded)

    def finish(self) -> None:
        """Do nothing."""


def unchanged(batch: Batch) -> Batch:
    """Decide nothing."""
    return batch


@FORKED
def test_pieces_come_in_order_whatever_takes_long() -> None:
    """Early chunks that take longer than late ones are still accepted first; all processes work."""
    log = Log()
    chunks = [Numbered(number, delay=0.02 if number % 3 == 0 else 0.002) for number in range(40)]
    pipeline.run(chunks, unchanged, log, jobs=4)
    assert log.accepted == list(range(40))
    assert len(log.processes) == 4
    assert os.getpid() in log.processes


@FORKED
def test_chunks_in_flight_are_bounded() -> None:
    """However long the input is, only so many chunks were taken from it before a piece was accepted."""
    log = Log()
    ahead: list[int] = []

    def chunks() -> Iterator[Numbered]:
        for number in range(200):
            ahead.append(number - len(log.accepted))
            yield Numbered(number, delay=0.05 if number == 20 else 0)

    jobs = 3
    pipeline.run(chunks(), unchanged, log, jobs=jobs)
    assert max(ahead) <= workers.IN_FLIGHT_PER_JOB * jobs + 1
    assert log.accepted == list(range(200))


@FORKED
def test_everything_goes_out_before_a_wait() -> None:
    """When a source says that the next chunk is yet to arrive, all before it are accepted."""
    log = Log()

    def chunks() -> Iterator[Numbered | None]:
        for number in range(7):
            yield Numbered(number, delay=0.01)
            if number in (0, 3, 5):
                yield None
                assert log.accepted == list(range(number + 1))

    pipeline.run(chunks(), unchanged, log, jobs=2)
    assert log.accepted == list(range(7))
    assert len(log.processes) == 2


def test_a_small_input_starts_no_process() -> None:
    """However many chunks it has."""
    log = Log()
    pipeline.run([Numbered(number) for number in range(9)], unchanged, log, jobs=4)
    assert log.processes == {os.getpid()}


@FORKED
def test_a_single_chunk_starts_no_process() -> None:
    """Nor do chunks that arrive one at a time."""
    log = Log()
    pipeline.run([Numbered(0), None, Numbered(1)], unchanged, log, jobs=4)
    assert log.processes == {os.getpid()}


@FORKED
def test_one_job_is_this_process() -> None:
    """However long the input is."""
    log = Log()
    pipeline.run([Numbered(number) for number in range(20)], unchanged, log, jobs=1)
    assert log.processes == {os.getpid()}
    assert log.accepted == list(range(20))


@FORKED
@pytest.mark.parametrize("wrong", range(9))
def test_the_first_error_wins_and_all_before_it_is_accepted(wrong: int) -> None:
    """Even when a later chunk fails earlier, wherever that is."""
    log = Log()
    chunks = [Numbered(number, delay=0.02 if number == wrong else 0, wrong=number >= wrong) for number in range(12)]
    with pytest.raises(DataError, match=f"^row {wrong}$"):
        pipeline.run(chunks, unchanged, log, jobs=3)
    assert log.accepted == list(range(wrong))


@FORKED
def test_an_error_of_the_source_comes_after_the_rows_before_it() -> None:
    """What was cut before it is still accepted, or fails first."""
    log = Log()

    def chunks() -> Iterator[Numbered]:
        yield from map(Numbered, range(5))
        raise DataError("no more")

    with pytest.raises(DataError, match="no more"):
        pipeline.run(chunks(), unchanged, log, jobs=2)
    assert log.accepted == list(range(5))


@FORKED
def test_the_rows_before_a_fault_are_through_before_it_is_raised() -> None:
    """So that the size of the chunks does not say how many of them are."""
    log = Log()
    fault = DataError("the row below")
    with pytest.raises(DataError, match="the row below"):
        pipeline.run([Numbered(0), Numbered(1, fault=fault), Numbered(2)], unchanged, log, jobs=2)
    assert log.accepted == [0, 1]


@FORKED
def test_rows_that_are_left_out_are_counted() -> None:
    """So that what is numbered by its row keeps its number, and what looks for truth by position finds it."""
    log = Log()
    pipeline.run([Numbered(number, left_out=number in (1, 2, 5)) for number in range(7)], unchanged, log, jobs=2)
    assert log.accepted == log.starts == [0, 3, 4, 6]


class FileLog(Log):
    """A sink of any order, which notes in a file what it accepts, and where."""

    any_order = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def accept(self, encoded: Any, start: int) -> None:
        """Note it in the file."""
        os.write(self.descriptor, f"{encoded.number} {start} {encoded.process == os.getpid()} {os.getpid()}\n".encode())


@FORKED
def test_a_sink_of_any_order_gets_what_has_a_known_place_in_the_process_that_made_it(tmp_path: Path) -> None:
    """Rows behind a chunk that does not say how many rows it has come in order; rows that are left out count."""
    log = FileLog(tmp_path / "log")
    rows = {0: 1, 1: 1, 2: 1, 3: None, 4: 1, 5: 1}
    delays = {0: 0.05}
    chunks = [Numbered(row, delays.get(row, 0), count, left_out=row == 1) for row, count in rows.items()]
    pipeline.run(chunks, unchanged, log, jobs=2)
    lines = [line.split() for line in log.path.read_text().splitlines()]
    assert sorted((number, start) for number, start, _, _ in lines) == [(str(row), str(row)) for row in (0, 2, 3, 4, 5)]
    assert [number for number, *_ in lines][-2:] == ["4", "5"]
    here = str(os.getpid())
    assert all(same == "True" or process == here for _, _, same, process in lines)
    assert any(process != here for *_, process in lines)


@FORKED
@pytest.mark.parametrize("bytes_each", [0, 1, 100_000, 9_000_000])
def test_large_results(bytes_each: int) -> None:
    """Arrays, texts and Arrow's batches come back as they were, also where shared memory must grow for them."""
    import pyarrow as pa

    class Large(Encoder):
        def encode(self, batch: Batch) -> Any:
            number = int(batch.scores[0, 0])
            values = np.arange(bytes_each // 8, dtype=np.int64) + number
            table = pa.RecordBatch.from_arrays([pa.array(values)], names=["x"])
            part = table.slice(bytes_each // 32)
            return number, values, part, part.column(0), str(number) * bytes_each, pa.py_buffer(values.data)

    log = Log()
    log.encoder = Large()
    pipeline.run([Numbered(number) for number in range(6)], unchanged, log, jobs=2)
    for number, row in enumerate(log.rows):
        found, values, table, array, text, buffer = tuple[Any, ...](row)
        expected = np.arange(bytes_each // 8, dtype=np.int64) + number
        assert found == number
        assert values.tolist() == expected.tolist()
        assert table.column(0).to_pylist() == expected[bytes_each // 32 :].tolist()
        assert array.to_pylist() == table.column(0).to_pylist()
        assert text == str(number) * bytes_each
        assert bytes(buffer) == expected.tobytes()


@FORKED
@pytest.mark.parametrize("row", [0, 5, 11])
def test_a_row_is_found(row: int) -> None:
    """By its number, counting rows that are left out; those are passed over or an error."""
    chunks = [Numbered(number, left_out=number == 3) for number in range(12)]
    batch, count = pipeline.find_row(chunks, row, skip=True)
    assert batch is not None
    assert batch.scores.tolist() == [[row]]
    assert count == row
    assert pipeline.find_row(chunks, 3, skip=True) == (None, 4)
    assert pipeline.find_row(chunks, 20, skip=True) == (None, 12)
    with pytest.raises(DataError):
        pipeline.find_row(chunks, 5, skip=False)
