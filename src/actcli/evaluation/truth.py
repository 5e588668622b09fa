"""What is right of each row: read from a file or from a column of the input, and joined to the rows of the input.

A file of truths is read whole before the first row of the input, and kept: four bytes a row, or a bit for each label,
and the ids where it is joined by them. `settle` returns an object that gives the truth of each batch.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.errors import DataError, UsageError, listed, visible
from actcli.evaluation.class_labels import Codebook, LabelError, code_array, set_array
from actcli.formats.column_roles import is_number
from actcli.streaming.batch import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Protocol, TypeAlias

    from actcli.streaming.batch import Batch, Carried, Layout

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

    class Truth(Protocol):
        """The truth of every row, as codes of shape (N,), int64, or for multilabel as a table of shape (N, C), bool."""

        @property
        def notes(self) -> Sequence[str]:
            """What a user should know about how it was joined."""

        @property
        def identities(self) -> Sequence[tuple[int, int]]:
            """Those of the files behind it, none of which may be an output."""

        def take(self, batch: Batch, start: int) -> Array:
            """Return the truth of the rows of `batch`, whose chunk begins at row `start` of the input: in order."""

        def finish(self, rows: int, left_out: int = 0) -> None:
            """Check, at the end, that nothing is left over; `left_out` of the `rows` of the input were wrong."""


__all__ = ["FileTruth", "NoTruth", "RecordedPredictions", "RowTruth", "TruthSpec", "decoded", "settle"]

_PREFERRED = ("label", "labels", "truth", "target")
_INDEX_NAMES = frozenset({"", "id", "index", "Unnamed: 0"})


@dataclass(frozen=True, slots=True)
class TruthSpec:
    """What the truth must answer.

    Parameters
    ----------
    task
        "softmax", "multilabel" or "binary".
    classes
        Their names, in the order of the decisions: (negative, positive) for binary.
    separator
        What stands between the labels of a set in a text.
    """

    task: str
    classes: tuple[str, ...]
    separator: str = "|"

    @property
    def sets(self) -> bool:
        """Whether any number of classes is right."""
        return self.task == "multilabel"

    @property
    def book(self) -> Codebook:
        """The codes of the classes."""
        return Codebook(self.classes, self.separator)


def settle(
    question: TruthSpec, layout: Layout, *, file: str | None, column: str | None, taken: Sequence[str] = ()
) -> Truth:
    """Return the truth, before the first row.

    Parameters
    ----------
    question
        What it must answer.
    layout
        Of the input, as it was read.
    file
        Of truths (``--truth``); None if a column of the input holds them.
    column
        The column of the file, or of the input (``--truth-column``), or the array of an NPZ file; it may be None for a
        file.
    taken
        Columns of the input that cannot be what the truth is joined on: what actcli decided.

    Raises
    ------
    DataError
        If the file cannot be read, or holds something that is no truth.
    UsageError
        If neither is given.
    """
    if file is None:
        if column is None:
            raise UsageError("nothing says what is right", hint="add --truth FILE, or --truth-column NAME of the input")
        kinds = {carried.name: carried.kind for carried in layout.carried}
        if column not in kinds:
            raise UsageError(f"--truth-column: the input carries no column {visible(column)!r}")
        return RowTruth(question, column, kinds[column])
    carried = {other.name: other.kind for other in layout.carried if other.name not in taken}
    return FileTruth(question, file, column, carried, layout.rows)


class RowTruth:
    """The truth in a column of the input.

    Parameters
    ----------
    question
        What it answers.
    column, kind
        The name of the column, and how its data look.
    """

    def __init__(self, question: TruthSpec, column: str, kind: Kind) -> None:
        self.notes: Sequence[str] = ()
        self._question = question
        self._book = question.book
        self._column = column
        self._kind = kind

    @property
    def identities(self) -> Sequence[tuple[int, int]]:
        """Those of the input, which are refused as an output anyway."""
        return ()

    def take(self, batch: Batch, start: int) -> Array:  # noqa: ARG002  it stands beside the row
        """Return the truth of the rows of `batch`."""
        return _answers(self._question, self._book, batch, self._column, self._kind, shown=self._column)

    def finish(self, rows: int, left_out: int = 0) -> None:
        """Do nothing: there is one for each row."""


class RecordedPredictions:
    """The decisions that a table which actcli wrote holds itself.

    Parameters
    ----------
    question
        Which classes there are.
    column, kind
        The name of the column of labels, and how its data look.
    withheld
        What stands in place of a label that was withheld, where no class is called so.
    """

    def __init__(self, question: TruthSpec, column: str, kind: Kind, withheld: str) -> None:
        self._question = question
        self._book = question.book
        self._column = column
        self._kind = kind
        self._withheld = withheld

    def __call__(self, batch: Batch) -> Array:
        """Return the decisions for the rows of `batch`: codes, -1 where a label was withheld, or a table."""
        if self._question.sets:
            return _answers(self._question, self._book, batch, self._column, self._kind, shown=self._column)
        codes, found = decoded(batch, self._column, self._kind, self._code, shown=self._column)
        return np.array(found, dtype=np.int64)[codes] if found else np.zeros(0, dtype=np.int64)

    def _code(self, value: object) -> int:
        return -1 if value == self._withheld and value not in self._book else self._book.code(value)


class NoTruth:
    """What stands for the truth where nobody knows it: nothing is right."""

    notes: Sequence[str] = ()
    identities: Sequence[tuple[int, int]] = ()

    def __init__(self, question: TruthSpec) -> None:
        self._question = question

    def take(self, batch: Batch, start: int) -> Array:  # noqa: ARG002  it is the same of every row
        """Return the first class, or no label, for each row of `batch`."""
        rows = len(batch.row_numbers())
        if self._question.sets:
            return np.zeros((rows, len(self._question.classes)), dtype=np.bool_)
        return np.zeros(rows, dtype=np.int64)

    def finish(self, rows: int, left_out: int = 0) -> None:
        """Do nothing."""


class FileTruth:
    """The truth in a file of its own.

    Parameters
    ----------
    question
        What it answers.
    path
        Of the file.
    column
        Which of its columns; None leaves that to their names.
    carried
        The columns of the input that it may be joined on, and how their data look.
    rows
        How many rows the input has, if that is known.
    """

    def __init__(
        self, question: TruthSpec, path: str, column: str | None, carried: Mapping[str, Kind], rows: int | None
    ) -> None:
        self._sets = question.sets
        self._count = len(question.classes)
        reader = _Reader(question, path, column, carried)
        self.name = reader.name
        self.identities = reader.identities
        self.notes: list[str] = list(reader.notes)
        self._first = reader.first
        self._has_header = reader.has_header
        self._values = reader.values()
        self._rows = len(self._values)
        self._join = reader.join
        self._ids = reader.ids()
        self._next = 0
        self._positions: dict[str, int] = {}
        self._used = np.zeros(self._rows if self._join is not None else 0, dtype=np.bool_)
        self._kind = Kind.TEXT if self._join is None else carried[self._join]
        if self._join is None:
            self.notes.append(f"{self.name} is joined by position: the input has no column of the same name")
            if rows is not None and rows != self._rows:
                raise self._miscounted(f"{rows:,}")

    def take(self, batch: Batch, start: int) -> Array:
        """Return the truth of the rows of `batch`.

        Raises
        ------
        DataError
            If a row has none, or the same as another.
        """
        numbers = batch.row_numbers()
        if self._join is None:
            positions = start + numbers
            if len(positions) and positions[-1] >= self._rows:
                raise self._miscounted("more")
        else:
            positions = self._joined(batch, numbers)
        values: Array = self._values[positions]
        if not self._sets:
            return values.astype(np.int64)
        return np.unpackbits(values, axis=1, count=self._count).view(np.bool_)

    def finish(self, rows: int, left_out: int = 0) -> None:
        """Check that every truth was asked for.

        Raises
        ------
        DataError
            If there are more than rows.
        """
        if self._join is None:
            if rows != self._rows:
                raise self._miscounted(f"{rows:,}")
            return
        unused = np.flatnonzero(~self._used)
        if len(unused) > left_out:
            names = self._ids.take(unused[:5]).to_pylist()
            raise DataError(
                f"{self.name}: {len(unused):,} of its {self._rows:,} rows {'is' if len(unused) == 1 else 'are'} not in "
                f'the input, by "{visible(self._join)}": {listed(names)}{" ..." if len(unused) > 5 else ""}'
            )

    def _miscounted(self, found: str) -> DataError:
        hint = None
        if self._first:
            kind = "a header, as it is no class" if self._has_header else "a truth, as it is a class"
            hint = f"its first line, {listed(self._first, 3)}, was taken for {kind}"
        return DataError(
            f"{self.name}: has {self._rows:,} row{'' if self._rows == 1 else 's'}, but the input has {found}", hint=hint
        )

    def _joined(self, batch: Batch, numbers: Array) -> Array:
        """Return where the truth of each row stands: as a rule the files are in the same order."""
        assert self._join is not None
        ids = _texts(batch, self._join, self._kind)
        if self._ids.slice(self._next, len(ids)).equals(ids):
            positions = np.arange(self._next, self._next + len(ids))
        else:
            if not self._positions:
                self._positions = {id: position for position, id in enumerate(self._ids.to_pylist())}
            found = [self._positions.get(id, -1) for id in ids.to_pylist()]
            positions = np.array(found, dtype=np.int64)
        for row, position in enumerate(positions.tolist() if self._repeats(positions) else ()):
            where = f'{batch.place(int(numbers[row]))}: "{visible(self._join)}" is "{visible(ids[row].as_py())}"'
            if position < 0:
                raise DataError(f"{where}, which is not in {self.name}")
            if self._used[position]:
                raise DataError(f"{where}, as it is of another row before")
            self._used[position] = True
        self._used[positions] = True
        self._next = int(positions[-1]) + 1 if len(positions) else self._next
        return positions

    def _repeats(self, positions: Array) -> bool:
        """Return whether one of these is nowhere, or was there before."""
        if not len(positions):
            return False
        known = int(positions.min()) >= 0 and not self._used[positions].any()
        return not known or len(np.unique(positions)) < len(positions)


class _Reader:
    """Reads a file of truths.

    Attributes
    ----------
    name
        What messages call the file.
    first
        The cells of the first line, where they might be a header.
    has_header
        Whether they were taken for one.
    join
        The column of the input on which it is joined; None is by position.
    """

    def __init__(self, question: TruthSpec, path: str, column: str | None, carried: Mapping[str, Kind]) -> None:
        from actcli.formats import ReadOptions, of_path, open_inputs

        self._question = question
        self._book = question.book
        self.notes: list[str] = []
        self.first: list[str] = []
        self.has_header = False
        self.join: str | None = None
        self._ids: list[Any] = []
        self._parts: list[Array] = []
        options = ReadOptions(plain=True, one_dimensional="column", origin="truth")
        if of_path(path) == "npz":
            options, column = replace(options, key=column), None
        inputs = open_inputs([path], options)
        try:
            self.name = inputs.title
            self.identities = inputs.identities
            self._layout = inputs.layout
            batches = (chunk.decode() for chunk in inputs.chunks(0) if chunk is not None)
            if self._layout.classes:
                self._read_array(batches, column)
            else:
                self._read_columns(batches, column, carried)
        finally:
            inputs.close()

    def values(self) -> Array:
        """Return the truth of each row: codes, int32, or packed bits."""
        if self._question.sets:
            width = (len(self._question.classes) + 7) // 8
            return np.concatenate([np.zeros((0, width), dtype=np.uint8), *self._parts])
        return np.concatenate([np.zeros(0, dtype=np.int32), *self._parts])

    def ids(self) -> Any:
        """Return the ids of the rows, none of which may be there twice."""
        if self.join is None:
            return None
        import pyarrow as pa

        from actcli.formats.text import call_function

        ids = pa.concat_arrays(self._ids) if self._ids else pa.array([], pa.string())
        if len(call_function("unique", [ids])) < len(ids):
            seen: dict[str, int] = {}
            for row, id in enumerate(ids.to_pylist(), start=1):
                if id in seen:
                    raise DataError(
                        f'{self.name}: "{visible(self.join)}" is "{visible(id)}" twice, in rows {seen[id]} and {row}'
                    )
                seen[id] = row
        return ids

    def _keep(self, values: Array) -> None:
        self._parts.append(np.packbits(values, axis=1) if self._question.sets else values.astype(np.int32))

    def _read_array(self, batches: Iterator[Batch], column: str | None) -> None:
        """Read an array without names: its columns are the classes, in order, or it is one of indices."""
        if column is not None:
            raise UsageError(f"--truth-column: {self.name} has no columns with names")
        decode = set_array if self._question.sets else code_array
        for batch in _unspoilt(batches):
            try:
                self._keep(decode(batch.scores, self._question.classes))
            except LabelError as error:
                raise DataError(_placed(batch, self.name, str(error)), hint=error.hint) from None

    def _read_columns(self, batches: Iterator[Batch], column: str | None, carried: Mapping[str, Kind]) -> None:
        kinds = {other.name: other.kind for other in self._layout.carried}
        keys = list(kinds)
        names: list[str] = []
        for number, whole in enumerate(_unspoilt(batches)):
            batch = whole
            if number == 0:
                names = keys
                if Kind.TEXT in kinds.values():
                    names, batch = self._without_header(keys, whole, carried)
                self._choose(names, column, carried, whole)
            keyed = dict(zip(names, keys, strict=True))
            if self.join is not None:
                self._ids.append(_texts(batch, keyed[self.join], kinds[keyed[self.join]]))
            if self._table:
                self._keep(self._bits(batch, kinds, keyed))
            else:
                key = keyed[self._column]
                self._keep(_answers(self._question, self._book, batch, key, kinds[key], shown=self._column or None))

    # Text has no types, and perhaps a header

    def _without_header(
        self, keys: Sequence[str], batch: Batch, carried: Mapping[str, Kind]
    ) -> tuple[list[str], Batch]:
        """Return the names of the columns, and the first batch without the line that they are from."""
        cells = [batch.carried[key][0].as_py() for key in keys]
        self.first = [] if any(map(is_number, cells)) else cells
        self.has_header = self._is_header(cells, carried)
        if len(cells) == 1 and not self._is_answer(cells[0]) and any(mark in cells[0] for mark in ";\t"):
            raise DataError(
                f'{batch.place(0)}: a single column, "{visible(cells[0])}"',
                hint="commas separate the cells of a .csv file, tabs those of a .tsv file",
            )
        if not self.has_header:
            if len(cells) == 1:
                return [""], batch
            if self._question.sets and len(cells) == len(self._question.classes) and all(map(is_number, cells)):
                self.notes.append(f"{self.name} has no header: its columns are the classes in their order")
                return list(self._question.classes), batch
            raise DataError(
                f"{batch.place(0)}: {len(cells)} columns without a header: nothing says which one holds the truth",
                hint=f"begin the file with their names, for instance: id,label{self._of_a_table()}",
            )
        for cell in cells:
            if cells.count(cell) > 1:
                raise DataError(f'{batch.place(0)}: two columns have the same name "{visible(cell)}"')
        return cells, batch.without(np.arange(len(batch)) == 0, lambda row, place: DataError(place))  # noqa: ARG005

    def _is_header(self, cells: Sequence[str], carried: Mapping[str, Kind]) -> bool:
        """Return whether the first line names the columns: of a single one, only what is no class does."""
        if any(map(is_number, cells)):
            return False
        if len(cells) == 1:
            return not self._is_answer(cells[0])
        if any(cell in carried or cell in _PREFERRED or cell in _INDEX_NAMES for cell in cells):
            return True
        named = [cell in self._book for cell in cells]
        return all(named) or not any(map(self._is_answer, cells))

    def _is_answer(self, cell: str) -> bool:
        """Return whether a cell is the truth of a row, were it not for upper and lower case."""
        folded = Codebook([name.casefold() for name in self._question.classes], self._question.separator)
        try:
            _ = folded.codes(cell.casefold()) if self._question.sets else folded.code(cell.casefold())
        except LabelError:
            return False
        return True

    # Which column is which

    def _choose(self, names: Sequence[str], column: str | None, carried: Mapping[str, Kind], batch: Batch) -> None:
        """Settle `_column`, `_table` and `join`."""
        classes = self._question.classes
        # A single column that is called as the only class is a table if it holds 0 and 1, else it holds label sets.
        tabular = len(names) > 1 or _begins_with_number(batch, self._layout.carried[0])
        self._table = column is None and tabular and all(name in names for name in classes)
        self._column = ""
        joinable = [name for name in carried if name in names]
        if self._table:
            joinable = [name for name in joinable if name not in classes]
            self._refuse_others([name for name in names if name not in classes and name not in joinable], batch)
        else:
            self._column = self._only(names, joinable, column)
            joinable = [name for name in joinable if name != self._column]
        self.join = "id" if "id" in joinable else next(iter(joinable), None)

    def _refuse_others(self, others: Sequence[str], batch: Batch) -> None:
        for name in others:
            if name not in _INDEX_NAMES:
                hint = self._book.meant(name)
                raise DataError(f'{_first_place(batch, self.name)}: column "{visible(name)}" is no class', hint=hint)

    def _only(self, names: Sequence[str], joinable: Sequence[str], column: str | None) -> str:
        """Return the one column that holds the truth."""
        if column is not None:
            if column not in names:
                raise UsageError(
                    f"--truth-column: {self.name} has no column {visible(column)!r}", hint=f"it has {listed(names)}"
                )
            return column
        left = [name for name in names if name not in joinable]
        for candidates in (left, [name for name in left if name not in _INDEX_NAMES]):
            if len(candidates) == 1:
                return candidates[0]
        preferred = [name for name in names if name in _PREFERRED]
        if len(preferred) == 1 and not (self._question.sets and set(left) & set(self._question.classes)):
            return preferred[0]
        missing = [name for name in self._question.classes if name not in names]
        if self._question.sets and len(missing) < len(self._question.classes):
            raise DataError(f"{self.name}: there is no column for {listed(missing, 4)}")
        raise DataError(
            f"{self.name}: has {len(names)} columns, {listed(names, 6)}: which one holds the truth?",
            hint=f"say it with --truth-column NAME{self._of_a_table()}",
        )

    def _of_a_table(self) -> str:
        """Return the end of a hint that says how the columns of a 0/1 table are called, where there can be one."""
        return f"; a 0/1 table has the columns {listed(self._question.classes, 4)}" if self._question.sets else ""

    def _bits(self, batch: Batch, kinds: Mapping[str, Kind], keyed: Mapping[str, str]) -> Array:
        """Return the 0/1 table, its columns matched by name; for exclusive classes, as codes."""
        classes = self._question.classes
        bits = np.empty((len(batch), len(classes)), dtype=np.bool_)
        for code, name in enumerate(classes):
            key = keyed[name]
            codes, found = decoded(batch, key, kinds[key], self._book.bit, shown=name)
            bits[:, code] = np.array(found, dtype=np.bool_)[codes]
        if self._question.sets:
            return bits
        single = bits.sum(axis=1) == 1
        if not single.all():
            row = int(np.argmin(single))
            place = batch.place(int(batch.row_numbers()[row]))
            raise DataError(f"{place}: {int(bits[row].sum())} classes are 1, but exactly one is right")
        return np.asarray(bits.argmax(axis=1))


def decoded(
    batch: Batch, column: str, kind: Kind, decode: Callable[[Any], Any], *, shown: str | None
) -> tuple[Array, list[Any]]:
    """Return for each row of a carried column an index, and what `decode` makes of the value that it stands for.

    Parameters
    ----------
    batch
        The rows.
    column, kind
        The name of the column in the batch, and how its data look.
    decode
        Called once for each value that differs from those before.
    shown
        What a message calls the column; None leaves it out.

    Raises
    ------
    DataError
        If `decode` raises a `LabelError`, with the place of the first row that has the value.
    """
    from actcli.formats.text import call_function, texts_of

    values = batch.carried[column]
    texts = texts_of(values) if kind is Kind.VALUE else values
    encoded = call_function("dictionary_encode", [texts])
    indices = encoded.indices
    codes = np.frombuffer(indices.buffers()[1] or b"", dtype=np.int32)[indices.offset :][: len(indices)]
    textual = _is_textual(values, kind)
    found = []
    for number, text in enumerate(encoded.dictionary.to_pylist()):
        try:
            found.append(decode(text if textual else _value(text)))
        except LabelError as error:
            place = batch.place(int(batch.row_numbers()[int(np.argmax(codes == number))]))
            where = place if shown is None else f'{place}: column "{visible(shown)}"'
            raise DataError(f"{where}: {error}", hint=error.hint) from None
    return codes, found


def _is_textual(values: Any, kind: Kind) -> bool:
    """Return whether the values of a carried column are texts, not what texts stand for."""
    return kind is Kind.TEXT or (kind is Kind.VALUE and str(values.type) in ("string", "large_string"))


def _begins_with_number(batch: Batch, column: Carried) -> bool:
    """Return whether the first value of a carried column is a number, or true or false."""
    from actcli.formats.text import texts_of

    values = batch.carried[column.name][:1]
    texts = texts_of(values) if column.kind is Kind.VALUE else values
    return not _is_textual(values, column.kind) and isinstance(_value(texts[0].as_py()), int | float)


def _answers(question: TruthSpec, book: Codebook, batch: Batch, column: str, kind: Kind, *, shown: str | None) -> Array:
    """Return the truth in a carried column: codes, or a table."""
    if not question.sets:
        codes, found = decoded(batch, column, kind, book.code, shown=shown)
        return np.array(found, dtype=np.int64)[codes] if found else np.zeros(0, dtype=np.int64)
    codes, sets = decoded(batch, column, kind, book.codes, shown=shown)
    bits = np.zeros((len(sets), len(question.classes)), dtype=np.bool_)
    for row, members in enumerate(sets):
        bits[row, members] = True
    return np.asarray(bits[codes])


def _value(text: str) -> Any:
    """Return what a JSON text stands for; nothing is null, and what is no JSON is itself."""
    with contextlib.suppress(ValueError):
        return json.loads(text) if text else None
    return text


def _texts(batch: Batch, column: str, kind: Kind) -> Any:
    """Return a carried column as texts, so that ids of different formats can be compared."""
    from actcli.formats.text import plain, texts_of

    values = batch.carried[column]
    if kind is Kind.JSON:
        return plain(values)
    return texts_of(values) if kind is Kind.VALUE else values


def _unspoilt(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield what was read, as long as nothing is wrong with it."""
    for batch in batches:
        if batch.faults:
            raise batch.faults[0].error
        if len(batch):
            yield batch
        if batch.fault is not None:
            raise batch.fault


def _placed(batch: Batch, name: str, message: str) -> str:
    """Return a message about a row of the batch, from 0, with its place in the file."""
    row, colon, rest = message.partition(": ")
    number = row.removeprefix("row ")
    return f"{batch.place(int(number))}: {rest}" if colon and number.isdigit() else f"{name}: {message}"


def _first_place(batch: Batch, name: str) -> str:
    return name if not len(batch) else batch.place(0).rpartition(":")[0] or name
