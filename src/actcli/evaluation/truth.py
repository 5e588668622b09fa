"""The true labels of each row: from a column of the input, or from a file that is joined to the rows of the input.

A file of truths is kept as codes, mostly a byte a row, or as a bit for each label. Where it is joined by ids, it is
read whole before the first row of the input, and the ids are kept too. Where it is joined by position, no more of it is
read than the input has rows. `settle` returns an object that gives the truth of each batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self, assert_never

import numpy as np

from actcli.errors import DataError, UsageError, listed, visible
from actcli.evaluation.carried_columns import label_array
from actcli.evaluation.class_labels import IGNORED, TruthSpec
from actcli.evaluation.truth_file import open_truth_file, stored, stored_dtype, stored_width
from actcli.evaluation.truth_ids import TruthIds
from actcli.tasks import Join

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeAlias

    from actcli.evaluation.truth_file import TruthPart
    from actcli.streaming.batch import Batch, Kind, Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["ArrayTruth", "FileTruth", "NoTruth", "RowTruth", "Truth", "TruthSpec", "settle"]


_PART_OF_THE_ROWS = "to use a part of the rows, keep only the truth of these rows in the truth file"
_FURTHER_TRUTHS = f"{_PART_OF_THE_ROWS}, or ignore the others: --join left"
SURPLUS = 1_000_000
"""How many rows more than the input has are read, so that the error can say how many there are."""


class Truth(ABC):
    """The true labels of every row. It can be pickled."""

    notes: Sequence[str] = ()
    """What a user should know about how it was joined."""

    identities: Sequence[tuple[int, int]] = ()
    """The device and inode numbers of the files behind it, none of which may be an output."""

    @abstractmethod
    def take(self, batch: Batch, start: int) -> Array:
        """Return the truth of the rows of a batch: codes, shape (N,), int64, or for label sets a table, (N, C), bool.

        Parameters
        ----------
        batch
            The rows. Batches come in the order of the input.
        start
            The number in the input of the first row of the chunk.

        Raises
        ------
        DataError
            If a row has no truth, or a wrong one.
        """

    def match(self, batch: Batch, start: int) -> tuple[Array | None, Array]:
        """Return which rows of a batch count, and the truth of these rows.

        Parameters and errors are those of `take`.

        Returns
        -------
        rows
            The indices of the rows that count, in order; None if all do.
        truth
            What `take` returns, of these rows.
        """
        return None, self.take(batch, start)

    def scan(self, batch: Batch, start: int) -> None:  # noqa: B027  most know their classes
        """Look at the truth of the rows of a batch, to learn the names of the classes; `start` is that of `take`."""

    def with_classes(self, spec: TruthSpec) -> Truth:
        """Return the same truth once the names of the classes are known, see `actcli.evaluation.inferred_classes`."""
        raise NotImplementedError

    def finish(self, rows: int, left_out: int = 0) -> None:  # noqa: B027  most have nothing to check
        """Check at the end that no truth is left over; `left_out` of the `rows` of the input were wrong.

        Raises
        ------
        DataError
            If there are more truths than rows.
        """

    def merge(self, other: Self) -> None:  # noqa: B027  most keep nothing of the rows
        """Take over which rows another object of the same truth has seen.

        Raises
        ------
        DataError
            If both have seen the same id.
        """


def settle(
    spec: TruthSpec,
    layout: Layout,
    *,
    file: str | None,
    column: str | None,
    taken: Sequence[str] = (),
    key: str | None = None,
    join: Join = Join.EXACT,
) -> Truth:
    """Return the truth, before the first row.

    Parameters
    ----------
    spec
        Which labels there are.
    layout
        Of the input, as it was read.
    file
        The file of truths (``--truth``); None if a column of the input holds them.
    column
        The column of the file, or of the input (``--truth-column``); it may be None for a file.
    taken
        Columns of the input that the truth cannot be joined on: what actcli decided.
    key
        The array of an NPZ file (``--truth-key``).
    join
        Which rows of the input and of the file must have each other.

    Raises
    ------
    DataError
        If the file cannot be read, or holds something that is not a truth.
    UsageError
        If neither is given, or an option does not fit.
    """
    if file is None:
        if key is not None or join is not Join.EXACT:
            raise UsageError(f"{'--join' if key is None else '--truth-key'} is for a file of truths: --truth FILE")
        if column is None:
            raise UsageError("nothing says what is right", hint="add --truth FILE, or --truth-column NAME of the input")
        kinds = {carried.name: carried.kind for carried in layout.carried}
        if column not in kinds:
            raise UsageError(f"--truth-column: the input carries no column {visible(column)!r}")
        return RowTruth(spec, column, kinds[column])
    carried = {other.name: other.kind for other in layout.carried if other.name not in taken}
    return FileTruth(spec, file, column, carried, layout.rows, key=key, join=join)


class RowTruth(Truth):
    """The truth in a column of the input.

    Parameters
    ----------
    spec
        Which labels there are.
    column, kind
        The name of the column, and how its data look.
    """

    def __init__(self, spec: TruthSpec, column: str, kind: Kind) -> None:
        self._spec = spec
        self._column = column
        self._kind = kind
        self._ignored = 0

    def scan(self, batch: Batch, start: int) -> None:
        """Look at the truth of the rows of a batch."""
        self.take(batch, start)

    def with_classes(self, spec: TruthSpec) -> RowTruth:
        """Return the same truth once the names of the classes are known."""
        return RowTruth(spec, self._column, self._kind)

    def take(self, batch: Batch, start: int) -> Array:  # noqa: ARG002  the truth is in the row itself
        """Return the truth of the rows of a batch."""
        return label_array(self._spec, batch, self._column, self._kind, shown=self._column)

    def match(self, batch: Batch, start: int) -> tuple[Array | None, Array]:
        """Return which rows of a batch count, and the truth of these rows."""
        truth = self.take(batch, start)
        if self._spec.ignored is None:
            return None, truth
        rows = np.flatnonzero(truth != IGNORED)
        self._ignored += len(truth) - len(rows)
        return rows, truth[rows]

    def finish(self, rows: int, left_out: int = 0) -> None:  # noqa: ARG002  each row has its truth
        """Note how many rows the ignored truth leaves out."""
        self.notes = _ignored_notes(self._spec, self._ignored)

    def merge(self, other: Self) -> None:
        """Add up the rows that are left out."""
        self._ignored += other._ignored


def _ignored_notes(spec: TruthSpec, count: int) -> list[str]:
    if spec.ignored is None:
        return []
    rows = "1 row is" if count == 1 else f"{count:,} rows are"
    return [f"--ignore-index {spec.ignored}: {rows} left out"]


class NoTruth(Truth):
    """What takes the place of the truth where nobody knows it: the first class, or no label.

    Parameters
    ----------
    spec
        Which labels there are.
    """

    def __init__(self, spec: TruthSpec) -> None:
        self._spec = spec

    def take(self, batch: Batch, start: int) -> Array:  # noqa: ARG002  it is the same for every row
        """Return zeros for the rows of a batch."""
        rows = len(batch.row_numbers())
        if self._spec.sets:
            return np.zeros((rows, len(self._spec.classes)), dtype=np.bool_)
        return np.zeros(rows, dtype=np.int64)


class ArrayTruth(Truth):
    """The truth in an array, joined by position.

    Parameters
    ----------
    values
        Codes, shape (N,), or a table, shape (N, C), bool.
    """

    def __init__(self, values: Array) -> None:
        self._values = values

    def take(self, batch: Batch, start: int) -> Array:
        """Return the truth of the rows of a batch."""
        return np.asarray(self._values[start + batch.row_numbers()])


class FileTruth(Truth):
    """The truth in a file of its own, joined by id or by position.

    Parameters
    ----------
    spec
        Which labels there are.
    path
        Of the file.
    column
        Which of its columns; None leaves that to their names.
    carried
        The columns of the input that it may be joined on, and how their data look.
    rows
        How many rows the input has, if that is known.
    key
        The array of an NPZ file.
    join
        Which rows of the input and of the file must have each other.
    """

    def __init__(
        self,
        spec: TruthSpec,
        path: str,
        column: str | None,
        carried: Mapping[str, Kind],
        rows: int | None,
        *,
        key: str | None = None,
        join: Join = Join.EXACT,
    ) -> None:
        file = open_truth_file(spec, path, column, list(carried), key)
        self._spec = spec
        self.name = file.name
        self.identities = file.identities
        self._first_line = file.first_line
        self._parts: Iterator[TruthPart] | None = file.parts
        self._values = bytearray()
        self._width = stored_width(spec)
        self._join = join
        self._found = 0
        self._ignored = 0
        self.notes: tuple[str, ...] = file.notes
        self._ids: TruthIds | None = None
        if file.join is not None:
            self._ids = TruthIds(self.name, file.join, carried[file.join])
            most = None if rows is None or join is not Join.EXACT else rows + SURPLUS
            self._read(most)
            if most is not None and self.rows > most:
                raise self._miscounted(rows)
            self._ids.end(self.rows)
        elif join is not Join.EXACT:
            raise UsageError(
                f"--join {join}: the input and {self.name} have no column of the same name to match their rows by",
                hint="--id NAME carries a column of the input along",
            )
        else:
            self.notes += (f"{self.name} is joined by position: the input has no column of the same name",)
            if rows is not None:
                self._read(rows + SURPLUS)
                if rows != self.rows:
                    raise self._miscounted(rows)

    @property
    def rows(self) -> int:
        """How many rows of the file have been read."""
        return len(self._values) // self._width

    def scan(self, batch: Batch, start: int) -> None:
        """Read the file as far as the rows of the input go."""
        if self._ids is None:
            self._read(start + len(batch) + batch.left_out + SURPLUS)

    def with_classes(self, spec: TruthSpec) -> FileTruth:
        """Return this object, once the names of the classes are known and the input has been scanned."""
        from actcli.evaluation.inferred_classes import OpenCodebook, stored_again

        self._parts = None
        book = self._spec.book
        assert isinstance(book, OpenCodebook)
        labels = stored_again(np.frombuffer(self._values, dtype=stored_dtype(self._spec)), book.values, spec)
        self._spec = spec
        self._width = stored_width(spec)
        self._values = bytearray(stored(spec, labels).tobytes())
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: everything that is in the file."""
        self._read(None)
        return self.__dict__

    def take(self, batch: Batch, start: int) -> Array:
        """Return the truth of the rows of a batch.

        Raises
        ------
        DataError
            If a row has none, or the same as another.
        """
        if self._ids is None:
            positions = start + batch.row_numbers()
            if len(positions) and not self._has(int(positions[-1])):
                raise self._miscounted(None)
        else:
            positions = self._ids.positions(batch, every=self._join is not Join.INNER)
        return self._at(positions)

    def match(self, batch: Batch, start: int) -> tuple[Array | None, Array]:
        """Return which rows of a batch count, and the truth of these rows."""
        if self._ids is None or self._join is not Join.INNER:
            rows, truth = None, self.take(batch, start)
        else:
            positions = self._ids.positions(batch, every=False)
            rows = np.flatnonzero(positions >= 0)
            truth = self._at(positions[rows])
        self._found += len(truth)
        if self._spec.ignored is None:
            return rows, truth
        counted = np.flatnonzero(truth != IGNORED)
        self._ignored += len(truth) - len(counted)
        return counted if rows is None else rows[counted], truth[counted]

    def finish(self, rows: int, left_out: int = 0) -> None:
        """Check that every truth was asked for, if it must be, and note how many rows are left out.

        Raises
        ------
        DataError
            If there are more than rows.
        """
        if self._ids is None:
            self._read(rows + SURPLUS)
            if rows != self.rows:
                raise self._miscounted(rows)
        elif self._join is Join.EXACT:
            self._ids.refuse_unused(left_out, hint=_FURTHER_TRUTHS)
        else:
            self.notes += (self._joined_note(rows),)
        self.notes += tuple(_ignored_notes(self._spec, self._ignored))

    def _joined_note(self, rows: int) -> str:
        match self._join:
            case Join.LEFT | Join.EXACT:
                unused = self.rows - self._found
                return f"--join left: {rows:,} rows are used; {unused:,} of {self.rows:,} truths are of no row"
            case Join.INNER:
                return (
                    f"--join inner: {self._found:,} rows are used, of {rows:,} of the input and "
                    f"{self.rows:,} of {self.name}"
                )
            case _:
                assert_never(self._join)

    def merge(self, other: Self) -> None:
        """Take over which rows another object of the same truth has seen.

        Raises
        ------
        DataError
            If both have seen the same id.
        """
        if self._ids is not None and other._ids is not None:
            self._ids.merge(other._ids)
        self._found += other._found
        self._ignored += other._ignored

    def _read(self, most: int | None) -> None:
        """Read on until more than `most` rows are there, or all are; None reads all."""
        while self._parts is not None and (most is None or self.rows <= most):
            part = next(self._parts, None)
            if part is None:
                self._parts = None
                return
            self._values += part.labels.tobytes()
            if self._ids is not None:
                self._ids.append(part.ids)

    def _has(self, position: int) -> bool:
        """Return whether the file has a row with this number, from 0."""
        if position >= self.rows:
            self._read(position)
        return position < self.rows

    def _at(self, positions: Array) -> Array:
        """Return the truth in these rows of the file."""
        values = np.frombuffer(self._values, dtype=stored_dtype(self._spec))
        if not self._spec.sets:
            return np.asarray(values[positions], dtype=np.int64)
        bits = values.reshape(-1, self._width)[positions]
        return np.unpackbits(bits, axis=1, count=len(self._spec.classes)).view(np.bool_)

    def _miscounted(self, rows: int | None) -> DataError:
        """Return the error for an input of `rows` rows; None stands for more than the truth has."""
        hint = None
        if rows is not None and rows < self.rows - 1:
            hint = _PART_OF_THE_ROWS
        elif self._first_line is not None and self._first_line.cells:
            kind = "a header, as it is no class" if self._first_line.is_header else "a truth, as it is a class"
            hint = f"its first line, {listed(self._first_line.cells, 3)}, was taken for {kind}"
        found = "more" if rows is None else f"{rows:,}"
        has = f"{self.rows:,} row{'' if self.rows == 1 else 's'}"
        if rows is not None and self.rows > rows + SURPLUS:
            has = f"more than {rows + SURPLUS:,} rows"
        return DataError(f"{self.name}: has {has}, but the input has {found}", hint=hint)
