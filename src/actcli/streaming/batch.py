"""The record that travels, and what a source, a stage and a sink are.

::

    source.layout              settled first: classes, carried columns, dtype
    source.chunks()            cuts, without looking inside
    chunk.decode() -> Batch    ┐
    decide(Batch) -> Batch     ├ work: pure, one chunk each, in parallel
    sink.encode(Batch)         ┘
    sink.accept(piece)         in order, on the main thread
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    import numpy as np

    from actcli.errors import DataError
    from actcli.streaming.input import Input

    Stage: TypeAlias = Callable[["Batch"], "Batch"]

__all__ = [
    "CHUNK_BYTES",
    "MOST_BAD_ROWS",
    "BadRow",
    "Batch",
    "Carried",
    "Chunk",
    "Column",
    "DecodedChunk",
    "Encoder",
    "Kind",
    "Layout",
    "Sets",
    "Sink",
    "Source",
    "TopK",
    "rows_in_chunk",
]

CHUNK_BYTES = 1 << 20
"""How much input a chunk aims at. A chunk holds at least one row; its size never changes a result."""

MOST_BAD_ROWS = 5
"""Of so many wrong rows it is said what is wrong with them; the others are counted."""

_MANY_COLUMNS = 250
_LONGER = 4


def rows_in_chunk(input_bytes: int, output_bytes: int, columns: int = 1) -> int:
    """Return how many rows a chunk holds, given about how many bytes a row takes on its way in and out.

    Much of what a chunk costs is the same for any number of rows, and some of it for each column: large ones are
    quicker. What bounds them is memory, most of which goes into the output.
    """
    longer = max(1, min(_LONGER, columns // _MANY_COLUMNS))
    most_input, most_output = CHUNK_BYTES * max(1, longer // 2), CHUNK_BYTES * longer
    return max(1, min(most_input // max(1, input_bytes), most_output // max(1, output_bytes)))


class Kind(Enum):
    """What a column holds, and so how a format writes it."""

    TEXT = "text"
    """One text a row, an Arrow string array."""
    VALUE = "value"
    """One value a row, an Arrow array of any type."""
    JSON = "json"
    """One JSON value a row, its text in an Arrow string array."""
    NUMBER = "number"
    """One number a row, shape (N,)."""
    CODE = "code"
    """One text a row out of few: indices into `Column.labels`, shape (N,); -1 is the last label."""
    MATRIX = "matrix"
    """One number for each class, shape (N, C)."""
    SET = "set"
    """Any number of `Column.labels`: `Sets`."""
    RANKING = "ranking"
    """The first K classes and their probabilities: `TopK`."""
    ROW = "row"
    """The row's number from 0, which only the sink knows: no data."""


class Carried(NamedTuple):
    """A column of the input that is no class and comes out unchanged."""

    name: str
    kind: Kind
    type: Any = None
    """Its Arrow type, where it has one of its own."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What is known of a table before its first row is read.

    Parameters
    ----------
    classes
        The name of each column of scores.
    carried
        The other columns.
    dtype
        Of the scores as they are stored.
    rows
        How many there are, where the format says it beforehand.
    recorded
        What stands before the names of the classes, perhaps nothing, where the table is one of probabilities that
        actcli wrote; None for any other.
    """

    classes: tuple[str, ...]
    carried: tuple[Carried, ...]
    dtype: np.dtype[Any]
    rows: int | None = None
    recorded: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One thing that is written for each row.

    Parameters
    ----------
    name
        What it is called in ``--columns`` and in JSON, and the key of its data in `Batch.values`.
    kind
        How its data look.
    headers
        Its names in a format of flat columns: one, except for a matrix and a ranking.
    labels
        The texts that its codes stand for, or the class of each of its numbers.
    carried
        The name of the input's column that it is, which is the key of its data in `Batch.carried`.
    dtype
        Of its numbers where they are whole, such as "int64"; None is the dtype of the computation.
    lines
        How many consecutive lines of the output stand for one row of the input; all columns agree.
    """

    name: str
    kind: Kind
    headers: tuple[str, ...]
    labels: tuple[str, ...] = ()
    carried: str | None = None
    dtype: str | None = None
    lines: int = 1


class Sets(NamedTuple):
    """N sets of indices, end to end: row i holds ``codes[offsets[i]:offsets[i + 1]]``."""

    offsets: np.ndarray[Any, np.dtype[np.int64]]
    codes: np.ndarray[Any, np.dtype[np.int64]]


class TopK(NamedTuple):
    """K classes a row, best first, and their probabilities, each of shape (N, K); index -1 is no class."""

    codes: np.ndarray[Any, np.dtype[np.int64]]
    probabilities: np.ndarray[Any, np.dtype[Any]]


class BadRow(NamedTuple):
    """A row that is wrong: its number within its chunk, from 0, and what is wrong."""

    row: int
    error: DataError


@dataclass(slots=True)
class Batch:
    """The rows of a chunk: what was read and, once it is decided, what came of it.

    Parameters
    ----------
    scores
        Shape (N, C), in the dtype of the file.
    carried
        The data of the carried columns by name, each of length N.
    place
        Where row i of the chunk stands in its file, as a message says it.
    file
        The index of its file among the inputs.
    start
        The number in the table of the first row of the chunk, where that is known before all rows in front are read.
    rows
        Which rows of the chunk these are, from 0, increasing; None is all of them.
    faults
        The first `MOST_BAD_ROWS` of the rows that were wrong and are left out, in order.
    left_out
        How many those are in all.
    fault
        What ends the table after these rows; it is raised when they are through.
    values
        What was decided, by `Column.name`.
    like_probabilities
        Whether the scores, which were said to be logits, look like probabilities.
    lines
        How many consecutive rows here stand for one row of the chunk.
    """

    scores: np.ndarray[Any, np.dtype[Any]]
    carried: Mapping[str, Any]
    place: Callable[[int], str]
    file: int = 0
    start: int | None = None
    rows: np.ndarray[Any, np.dtype[np.int64]] | None = None
    faults: tuple[BadRow, ...] = ()
    left_out: int = 0
    fault: DataError | None = None
    values: dict[str, Any] = field(default_factory=dict)
    like_probabilities: bool = False
    lines: int = 1

    def row_numbers(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return which row of the chunk each row is."""
        import numpy as np

        return np.arange(len(self.scores)) if self.rows is None else self.rows

    def without(self, wrong: np.ndarray[Any, np.dtype[np.bool_]], what: Callable[[int, str], DataError]) -> Batch:
        """Return the rows that are not `wrong`, a mask of shape (N,); `what` says of a row here, and its place, why."""
        numbers = self.row_numbers()
        found = wrong.nonzero()[0]
        faults = [
            BadRow(row, what(index, self.place(row)))
            for index, row in zip(found[:MOST_BAD_ROWS].tolist(), numbers[found[:MOST_BAD_ROWS]].tolist(), strict=True)
        ]
        right = (~wrong).nonzero()[0]
        return replace(
            self,
            scores=self.scores[right],
            carried={name: values.take(right) if len(right) else values[:0] for name, values in self.carried.items()},
            rows=numbers[right],
            faults=tuple(sorted((*self.faults, *faults), key=lambda fault: fault.row)[:MOST_BAD_ROWS]),
            left_out=self.left_out + len(found),
        )

    def until_fault(self) -> Batch:
        """Return the rows before the first wrong one, which ends the table."""
        if not self.faults:
            return self
        row, error = self.faults[0]
        count = int(self.row_numbers().searchsorted(row))
        return replace(
            self,
            scores=self.scores[:count],
            carried={name: values[:count] for name, values in self.carried.items()},
            rows=None,
            faults=(),
            left_out=0,
            fault=error,
        )

    def only(self, index: int, start: int) -> Batch:
        """Return one of these rows by itself, as it was read; the first row of the chunk is number `start`."""
        carried = {name: values[index : index + 1] for name, values in self.carried.items()}
        numbers = self.row_numbers()[index : index + 1] + start
        return Batch(
            self.scores[index : index + 1], carried, lambda row: self.place(row - start), self.file, rows=numbers
        )

    def data(self, column: Column) -> Any:
        """Return the data of `column`, in the form that its kind says."""
        return self.values[column.name] if column.carried is None else self.carried[column.carried]


class Chunk(Protocol):
    """A cut of the input that knows how to become a batch, in any thread."""

    @property
    def size(self) -> int:
        """How many bytes of input it stands for."""

    @property
    def rows(self) -> int | None:
        """How many rows it has, where that is known before it is decoded."""

    def decode(self) -> Batch:
        """Return its rows, and what is wrong with those that cannot be read.

        Raises
        ------
        DataError
            If the input itself cannot be read.
        """


class DecodedChunk:
    """A chunk that is a batch already."""

    rows = None

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.size = 0

    def decode(self) -> Batch:
        """Return it."""
        return self.batch


class Source(Protocol):
    """One input, open."""

    @property
    def layout(self) -> Layout:
        """What is known beforehand."""

    @property
    def size(self) -> int | None:
        """How many bytes its chunks add up to, where that is known."""

    @property
    def notes(self) -> Sequence[str]:
        """What a user should know about how it is read."""

    @property
    def input(self) -> Input:
        """What it reads from: the open file, or something within it."""

    def chunks(self, output_bytes: int) -> Iterator[Chunk | None]:
        """Cut the input; None says that the next chunk is yet to arrive, so what is at hand should go out.

        `output_bytes` is about how much memory a row takes on its way out.
        """


class Encoder(Protocol):
    """The part of a sink that works on one batch at a time: plain data that can be pickled."""

    def encode(self, batch: Batch) -> Any:
        """Turn a batch into what the sink accepts: pure, in any thread or process."""


class Sink(Protocol):
    """Where decided batches end: a file, a table, later a sum or a fit."""

    def open(self, layout: Layout) -> int:
        """Begin, before the first batch; return about how many bytes a row takes on its way out."""

    def accept(self, piece: Any, start: int) -> None:
        """Take the next piece, in order; the first row of its chunk is number `start` of the table, from 0."""

    def finish(self) -> None:
        """End, after the last piece."""
