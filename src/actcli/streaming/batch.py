"""The record that travels through the program, and the protocols of sources, stages and sinks.

::

    source.layout              settled first: classes, carried columns, dtype
    source.chunks()            cuts the input without parsing it
    chunk.decode() -> Batch    ┐
    decide(Batch) -> Batch     ├ work: pure, one chunk at a time, in parallel
    encoder.encode(Batch)      ┘
    sink.accept(encoded)       in order, on the main thread

Chunks, stages, encoders, batches and what encoders return are plain data: they can be pickled and give the same result
in another process.
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
    "RowPlaces",
    "Sets",
    "Sink",
    "Source",
    "TopK",
    "rows_in_chunk",
]

CHUNK_BYTES = 1 << 20
"""The input bytes that a chunk aims at. A chunk holds at least one row; its size never changes a result."""

MOST_BAD_ROWS = 5
"""The most bad rows of a chunk that are described; further ones are only counted."""

_MANY_COLUMNS = 250
_LONGER = 4


def rows_in_chunk(input_bytes: int, output_bytes: int, columns: int = 1) -> int:
    """Return how many rows a chunk holds.

    Part of the cost of a chunk does not depend on its number of rows, so large chunks are faster. Memory bounds them,
    and the output takes most of it.

    Parameters
    ----------
    input_bytes, output_bytes
        About how many bytes a row takes in the input and in the output.
    columns
        How many scores a row has.
    """
    longer = max(1, min(_LONGER, columns // _MANY_COLUMNS))
    most_input, most_output = CHUNK_BYTES * max(1, longer // 2), CHUNK_BYTES * longer
    return max(1, min(most_input // max(1, input_bytes), most_output // max(1, output_bytes)))


class Kind(Enum):
    """What a column holds. It decides how a format writes the column."""

    TEXT = "text"
    """One text per row: an Arrow string array."""
    VALUE = "value"
    """One value per row: an Arrow array of any type."""
    JSON = "json"
    """One JSON value per row: its text in an Arrow string array."""
    NUMBER = "number"
    """One number per row: shape (N,)."""
    CODE = "code"
    """One of a few texts per row: indices into `Column.labels`, shape (N,); -1 is the last label."""
    MATRIX = "matrix"
    """One number per row and class: shape (N, C)."""
    SET = "set"
    """Any number of `Column.labels` per row: `Sets`."""
    RANKING = "ranking"
    """The K best classes of a row and their probabilities: `TopK`."""
    ROW = "row"
    """The number of the row, from 0. It has no data: only the sink knows the number."""


class Carried(NamedTuple):
    """A column of the input that holds no scores and is written unchanged."""

    name: str
    kind: Kind
    type: Any = None
    """The Arrow type of a `Kind.VALUE` column."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What is known about a table before its first row is read.

    Parameters
    ----------
    classes
        The name of each column of scores.
    carried
        The carried columns.
    dtype
        The dtype of the stored scores.
    rows
        The number of rows, or None if the format does not say it.
    recorded
        The prefix of the class names, possibly empty, in a table of probabilities that actcli wrote. None in any other
        table.
    advised
        The options, with their values, without which a command that decides would not read the table in this way.
    """

    classes: tuple[str, ...]
    carried: tuple[Carried, ...]
    dtype: np.dtype[Any]
    rows: int | None = None
    recorded: str | None = None
    advised: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the output.

    Parameters
    ----------
    name
        Its name in ``--columns`` and in JSON, and the key of its data in `Batch.values`.
    kind
        The form of its data.
    headers
        Its names in a format of flat columns: one name, or several for a matrix or a ranking.
    labels
        The texts that its codes stand for, or the class of each of its numbers.
    carried
        The name of the carried column that it writes, the key of its data in `Batch.carried`. None for other columns.
    dtype
        The dtype of whole numbers, such as "int64". None is the dtype of the computation.
    lines
        The number of consecutive lines of output for each row of the input. All columns agree.
    """

    name: str
    kind: Kind
    headers: tuple[str, ...]
    labels: tuple[str, ...] = ()
    carried: str | None = None
    dtype: str | None = None
    lines: int = 1


class Sets(NamedTuple):
    """N sets of indices, concatenated: row i holds ``codes[offsets[i]:offsets[i + 1]]``."""

    offsets: np.ndarray[Any, np.dtype[np.int64]]
    codes: np.ndarray[Any, np.dtype[np.int64]]


class TopK(NamedTuple):
    """The K best classes of each row and their probabilities, both of shape (N, K). Index -1 means no class."""

    codes: np.ndarray[Any, np.dtype[np.int64]]
    probabilities: np.ndarray[Any, np.dtype[Any]]


class BadRow(NamedTuple):
    """A bad row: its number within its chunk, from 0, and its error."""

    row: int
    error: DataError


class RowPlaces(NamedTuple):
    """Says where a row is in its file by its number: "scores.npy: row 3".

    Parameters
    ----------
    name
        The name of the file in messages.
    first
        The number in the file of row 0, from 0.
    """

    name: str
    first: int = 0

    def place(self, row: int) -> str:
        """Return the place of a row, for messages."""
        return f"{self.name}: row {self.first + row + 1}"


class _ShiftedPlaces(NamedTuple):
    """Says where a row is when its number counts from another row than before."""

    unshifted: Callable[[int], str]
    start: int

    def place(self, row: int) -> str:
        """Return the place of a row, for messages."""
        return self.unshifted(row - self.start)


@dataclass(slots=True, eq=False, repr=False)
class Batch:
    """The rows of a chunk, first as they were read, then with what was decided.

    Its length is its number of rows N.

    Parameters
    ----------
    scores
        Shape (N, C), in the dtype of the file; without rows after `without_scores`.
    carried
        The data of the carried columns by name, each of length N.
    place
        Returns where a row of the chunk is in its file, for messages.
    file
        The index of the file among the inputs.
    rows
        The numbers of these rows within the chunk, from 0, increasing. None means all rows of the chunk.
    faults
        The first `MOST_BAD_ROWS` bad rows, which are left out, in order.
    left_out
        The number of all bad rows.
    fault
        The error that ends the table after these rows. It is raised after they are written.
    values
        What was decided, by `Column.name`.
    like_probabilities
        Whether the scores were declared to be logits but look like probabilities.
    lines
        The number of consecutive rows of this batch for each row of the chunk.
    counted
        What a stage counted over these rows, besides its columns. It must be plain data too.
    length
        N where the scores are gone; None means that `scores` has N rows.
    """

    scores: np.ndarray[Any, np.dtype[Any]]
    carried: Mapping[str, Any]
    place: Callable[[int], str]
    file: int = 0
    rows: np.ndarray[Any, np.dtype[np.int64]] | None = None
    faults: tuple[BadRow, ...] = ()
    left_out: int = 0
    fault: DataError | None = None
    values: dict[str, Any] = field(default_factory=dict)
    like_probabilities: bool = False
    lines: int = 1
    counted: Any = None
    length: int | None = None

    def __len__(self) -> int:
        """Return the number of rows N."""
        return len(self.scores) if self.length is None else self.length

    @property
    def input_rows(self) -> int:
        """The number of rows of the chunk that this batch stands for."""
        return len(self) // self.lines

    def without_scores(self, **changes: Any) -> Batch:
        """Return the batch with other fields changed and its scores given up, which frees their memory."""
        return replace(self, **{"length": len(self), **changes, "scores": self.scores[:0].copy()})

    def row_numbers(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the number of each row within the chunk, shape (N,)."""
        import numpy as np

        return np.arange(len(self)) if self.rows is None else self.rows

    def without(self, wrong: np.ndarray[Any, np.dtype[np.bool_]], what: Callable[[int, str], DataError]) -> Batch:
        """Return the batch without its bad rows.

        Parameters
        ----------
        wrong
            Which rows are bad, shape (N,).
        what
            Returns the error of a row, given its index in this batch and its place.
        """
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
            carried=self._carried_at(right),
            rows=numbers[right],
            faults=tuple(sorted((*self.faults, *faults), key=lambda fault: fault.row)[:MOST_BAD_ROWS]),
            left_out=self.left_out + len(found),
            length=None,
        )

    def at(self, rows: np.ndarray[Any, np.dtype[np.int64]]) -> Batch:
        """Return the decided rows with these indices, without their scores."""
        values = {
            name: TopK(*(part[rows] for part in value)) if isinstance(value, TopK) else value[rows]
            for name, value in self.values.items()
        }
        numbers = self.row_numbers()[rows]
        return self.without_scores(carried=self._carried_at(rows), rows=numbers, values=values, length=len(rows))

    def _carried_at(self, positions: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, Any]:
        """Return the data of the carried columns at these positions."""
        if not self.carried:
            return {}
        from actcli.streaming.arrow_calls import take

        return {name: take(values, positions) for name, values in self.carried.items()}

    def until_fault(self) -> Batch:
        """Return the rows before the first bad row, whose error then ends the table."""
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
            length=None,
        )

    def only(self, index: int, start: int) -> Batch:
        """Return a batch of one of these rows, as it was read; row 0 of the chunk is row `start` of the table."""
        carried = {name: values[index : index + 1] for name, values in self.carried.items()}
        numbers = self.row_numbers()[index : index + 1] + start
        return Batch(
            self.scores[index : index + 1], carried, _ShiftedPlaces(self.place, start).place, self.file, rows=numbers
        )

    def data(self, column: Column) -> Any:
        """Return the data of `column`, in the form of its kind."""
        return self.values[column.name] if column.carried is None else self.carried[column.carried]


class Chunk(Protocol):
    """A piece of the input and what decodes it: plain data that can be pickled."""

    @property
    def size(self) -> int:
        """The number of input bytes."""

    @property
    def rows(self) -> int | None:
        """The number of rows, or None if only decoding tells it."""

    def decode(self) -> Batch:
        """Return the rows; rows that cannot be read are left out and listed in `Batch.faults`.

        Raises
        ------
        DataError
            If the input itself cannot be read.
        """


class DecodedChunk:
    """A chunk that is decoded already."""

    rows = None

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.size = 0

    def decode(self) -> Batch:
        """Return the batch."""
        return self.batch


class Source(Protocol):
    """An open input. It stays in the process that opened it; its chunks do not."""

    @property
    def layout(self) -> Layout:
        """What is known before the first row."""

    @property
    def size(self) -> int | None:
        """The total of the sizes of its chunks, in bytes, or None if it is not known."""

    @property
    def notes(self) -> Sequence[str]:
        """What a user should know about how the input is read."""

    @property
    def input(self) -> Input:
        """The open file, or the part of it, that is read."""

    def chunks(self, output_bytes: int) -> Iterator[Chunk | None]:
        """Cut the input into chunks.

        None means that the next chunk has not arrived yet, so everything before it should be written now.

        Parameters
        ----------
        output_bytes
            About how many bytes of memory a row takes in the output.
        """


class Encoder(Protocol):
    """The part of a sink that works on one batch at a time: plain data that can be pickled."""

    def encode(self, batch: Batch) -> Any:
        """Return what the sink accepts: pure, in any thread or process."""


class Sink(Protocol):
    """The destination of decided batches: a file, a table, a sum or a fit.

    A sink may have an attribute ``any_order``. If it is true, `accept` may be called from any thread and in any order
    for chunks whose first row number is known before they are decoded.
    """

    @property
    def encoder(self) -> Encoder:
        """The encoder, once the sink is open."""

    def open(self, layout: Layout) -> int:
        """Begin, and set the encoder; return about how many bytes a row takes in the output."""

    def accept(self, encoded: Any, start: int) -> None:
        """Take the next encoded batch, in order, on the main thread.

        Parameters
        ----------
        encoded
            What the encoder returned.
        start
            The number in the table, from 0, of the first row of the chunk.
        """

    def finish(self) -> None:
        """End, after the last batch."""
