"""The true labels of each row: from a column of the input, or from a file that is joined to the rows of the input.

A file of truths is read whole before the first row of the input, and kept: four bytes a row, or a bit for each label,
and the ids where it is joined by them. `settle` returns an object that gives the truth of each batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from actcli.errors import DataError, UsageError, listed, visible
from actcli.evaluation.carried_columns import label_array
from actcli.evaluation.class_labels import TruthSpec
from actcli.evaluation.truth_file import read_truth_file
from actcli.evaluation.weights import WeightColumn, weight_array
from actcli.streaming.batch import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from actcli.streaming.batch import Batch, Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["ArrayTruth", "FileTruth", "NoTruth", "RowTruth", "TrueRows", "Truth", "TruthSpec", "settle"]

_PART_OF_THE_ROWS = "to use a part of the rows, keep only the truth of these rows in the truth file"


class TrueRows(NamedTuple):
    """What is true of rows.

    Parameters
    ----------
    labels
        Codes, shape (N,), int64, or for label sets a table, shape (N, C), bool.
    weights
        How much each row counts, shape (N,), float64, finite and not negative; None if all count once.
    """

    labels: Array
    weights: Array | None = None


class Truth(ABC):
    """The true labels of every row. It can be pickled."""

    notes: Sequence[str] = ()
    """What a user should know about how it was joined."""

    identities: Sequence[tuple[int, int]] = ()
    """The device and inode numbers of the files behind it, none of which may be an output."""

    @abstractmethod
    def take(self, batch: Batch, start: int) -> TrueRows:
        """Return the truth of the rows of a batch.

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
    weight: str | None = None,
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
        The column of the file, or of the input (``--truth-column``), or the array of an NPZ file; it may be None for a
        file.
    taken
        Columns of the input that the truth cannot be joined on: what actcli decided.
    weight
        The column of the weights, of the input or of the file (``--weight``).

    Raises
    ------
    DataError
        If the file cannot be read, or holds something that is not a truth.
    UsageError
        If neither is given, or there is no such column of weights, or two.
    """
    kinds = {carried.name: carried.kind for carried in layout.carried}
    truth: Truth
    if file is None:
        if column is None:
            raise UsageError("nothing says what is right", hint="add --truth FILE, or --truth-column NAME of the input")
        if column not in kinds:
            raise UsageError(f"--truth-column: the input carries no column {visible(column)!r}")
        truth = RowTruth(spec, column, kinds[column])
    else:
        carried = {name: kinds[name] for name in kinds if name not in taken and name != weight}
        source = None if weight is None else WeightColumn(weight, of_input=weight in kinds)
        truth = FileTruth(spec, file, column, carried, layout.rows, source)
    return weighted(truth, layout, weight) if weight in kinds or file is None else truth


def weighted(truth: Truth, layout: Layout, weight: str | None) -> Truth:
    """Return the truth with the weights in a column of the input, if one is named.

    Raises
    ------
    UsageError
        If the input does not carry it.
    """
    if weight is None:
        return truth
    kinds = {carried.name: carried.kind for carried in layout.carried}
    if weight not in kinds:
        hint = f"it carries {listed(list(kinds))}" if kinds else None
        raise UsageError(f"--weight: the input carries no column {visible(weight)!r}", hint=hint)
    return WeightedTruth(truth, weight, kinds[weight])


class WeightedTruth(Truth):
    """A truth with weights in a column of the input.

    Parameters
    ----------
    truth
        The truth.
    column, kind
        The name of the column, and how its data look.
    """

    def __init__(self, truth: Truth, column: str, kind: Kind) -> None:
        self._truth = truth
        self._column = column
        self._kind = kind
        self.notes = truth.notes
        self.identities = truth.identities

    def take(self, batch: Batch, start: int) -> TrueRows:
        """Return the truth of the rows of a batch."""
        found = self._truth.take(batch, start)
        return found._replace(weights=weight_array(batch, self._column, self._kind, shown=self._column))

    def finish(self, rows: int, left_out: int = 0) -> None:
        """Check that no truth is left over."""
        self._truth.finish(rows, left_out)

    def merge(self, other: Self) -> None:
        """Take over which rows another object of the same truth has seen."""
        self._truth.merge(other._truth)


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

    def take(self, batch: Batch, start: int) -> TrueRows:  # noqa: ARG002  the truth is in the row itself
        """Return the truth of the rows of a batch."""
        return TrueRows(label_array(self._spec, batch, self._column, self._kind, shown=self._column))


class NoTruth(Truth):
    """What takes the place of the truth where nobody knows it: the first class, or no label.

    Parameters
    ----------
    spec
        Which labels there are.
    """

    def __init__(self, spec: TruthSpec) -> None:
        self._spec = spec

    def take(self, batch: Batch, start: int) -> TrueRows:  # noqa: ARG002  it is the same for every row
        """Return zeros for the rows of a batch."""
        rows = len(batch.row_numbers())
        if self._spec.sets:
            return TrueRows(np.zeros((rows, len(self._spec.classes)), dtype=np.bool_))
        return TrueRows(np.zeros(rows, dtype=np.int64))


class ArrayTruth(Truth):
    """The truth in an array, joined by position.

    Parameters
    ----------
    values
        Codes, shape (N,), or a table, shape (N, C), bool.
    weights
        Shape (N,), float64; None if all rows count once.
    """

    def __init__(self, values: Array, weights: Array | None = None) -> None:
        self._values = values
        self._weights = weights

    def take(self, batch: Batch, start: int) -> TrueRows:
        """Return the truth of the rows of a batch."""
        numbers = start + batch.row_numbers()
        return TrueRows(self._values[numbers], None if self._weights is None else self._weights[numbers])


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
    weight
        The column of the weights, if there are any.
    """

    def __init__(
        self,
        spec: TruthSpec,
        path: str,
        column: str | None,
        carried: Mapping[str, Kind],
        rows: int | None,
        weight: WeightColumn | None = None,
    ) -> None:
        table = read_truth_file(spec, path, column, carried, rows, weight)
        self._sets = spec.sets
        self._count = len(spec.classes)
        self.name = table.name
        self.identities = table.identities
        self.notes = table.notes
        self._first_line = table.first_line
        self._values = table.values
        self._weights = table.weights
        self._rows = len(table.values)
        self._join = table.join
        self._ids = table.ids
        self._next = 0
        self._positions: dict[str, int] = {}
        self._used = np.zeros(0 if table.join is None else self._rows, dtype=np.bool_)
        self._kind = Kind.TEXT if table.join is None else carried[table.join]
        if table.join is None:
            note = f"{self.name} is joined by position: the input has no column of the same name"
            self.notes = (*table.notes, note)
            if rows is not None and rows != self._rows:
                raise self._miscounted(rows)

    def take(self, batch: Batch, start: int) -> TrueRows:
        """Return the truth of the rows of a batch.

        Raises
        ------
        DataError
            If a row has none, or the same as another.
        """
        numbers = batch.row_numbers()
        if self._join is None:
            positions = start + numbers
            if len(positions) and positions[-1] >= self._rows:
                raise self._miscounted(None)
        else:
            positions = self._joined(batch, numbers, self._join)
        values: Array = self._values[positions]
        weights = None if self._weights is None else self._weights[positions]
        if not self._sets:
            return TrueRows(values.astype(np.int64), weights)
        return TrueRows(np.unpackbits(values, axis=1, count=self._count).view(np.bool_), weights)

    def finish(self, rows: int, left_out: int = 0) -> None:
        """Check that every truth was asked for.

        Raises
        ------
        DataError
            If there are more than rows.
        """
        if self._join is None:
            if rows != self._rows:
                raise self._miscounted(rows)
            return
        unused = np.flatnonzero(~self._used)
        if len(unused) > left_out:
            from actcli.streaming.arrow_calls import take

            names = take(self._ids, unused[:5]).to_pylist()
            raise DataError(
                f"{self.name}: {len(unused):,} of its {self._rows:,} rows {'is' if len(unused) == 1 else 'are'} not in "
                f'the input, by "{visible(self._join)}": {listed(names)}{" ..." if len(unused) > 5 else ""}',
                hint=_PART_OF_THE_ROWS,
            )

    def merge(self, other: Self) -> None:
        """Take over which rows another object of the same truth has seen.

        Raises
        ------
        DataError
            If both have seen the same id.
        """
        twice = np.flatnonzero(self._used & other._used)
        if len(twice):
            from actcli.streaming.arrow_calls import take

            ids = listed(take(self._ids, twice[:5]).to_pylist())
            raise DataError(f'"{visible(self._join or "")}" is the same in two rows of the input: {ids}')
        self._used |= other._used

    def _miscounted(self, rows: int | None) -> DataError:
        """Return the error for an input of `rows` rows; None stands for more than the truth has."""
        hint = None
        if rows is not None and rows < self._rows - 1:
            hint = _PART_OF_THE_ROWS
        elif self._first_line is not None and self._first_line.cells:
            kind = "a header, as it is no class" if self._first_line.is_header else "a truth, as it is a class"
            hint = f"its first line, {listed(self._first_line.cells, 3)}, was taken for {kind}"
        found = "more" if rows is None else f"{rows:,}"
        return DataError(
            f"{self.name}: has {self._rows:,} row{'' if self._rows == 1 else 's'}, but the input has {found}", hint=hint
        )

    def _joined(self, batch: Batch, numbers: Array, join: str) -> Array:
        """Return the position in the file of the truth of each row: as a rule the files are in the same order."""
        from actcli.formats.text import carried_texts

        ids = carried_texts(self._kind, batch.carried[join])
        if self._ids.slice(self._next, len(ids)).equals(ids):
            positions = np.arange(self._next, self._next + len(ids))
        else:
            if not self._positions:
                self._positions = {id: position for position, id in enumerate(self._ids.to_pylist())}
            found = [self._positions.get(id, -1) for id in ids.to_pylist()]
            positions = np.array(found, dtype=np.int64)
        for row, position in enumerate(positions.tolist() if self._is_wrong(positions) else ()):
            where = f'{batch.place(int(numbers[row]))}: "{visible(join)}" is "{visible(ids[row].as_py())}"'
            if position < 0:
                raise DataError(f"{where}, which is not in {self.name}")
            if self._used[position]:
                raise DataError(f"{where}, as it is of another row before")
            self._used[position] = True
        self._used[positions] = True
        self._next = int(positions[-1]) + 1 if len(positions) else self._next
        return positions

    def _is_wrong(self, positions: Array) -> bool:
        """Return whether one of the positions is missing, or was used before."""
        if not len(positions):
            return False
        known = int(positions.min()) >= 0 and not self._used[positions].any()
        return not known or len(np.unique(positions)) < len(positions)
