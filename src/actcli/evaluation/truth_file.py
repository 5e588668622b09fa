"""A file of truths, read part by part: in any format, with or without a header, as labels or as a 0/1 table."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.errors import DataError, UsageError, visible
from actcli.evaluation.carried_columns import begins_with_number, decoded, label_array, placed
from actcli.evaluation.class_labels import LabelError, code_array, set_array
from actcli.evaluation.truth_columns import FirstLine, choose_columns, first_line, is_label, table_hint
from actcli.formats.column_roles import is_number
from actcli.streaming.batch import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from actcli.evaluation.class_labels import TruthSpec
    from actcli.evaluation.truth_columns import TruthColumns
    from actcli.formats import Inputs
    from actcli.streaming.batch import Batch

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["TruthFile", "TruthPart", "open_truth_file", "stored", "stored_dtype", "stored_width"]


class TruthPart(NamedTuple):
    """Consecutive truths of a file: codes, shape (N,), or packed bits, shape (N, ceil(C / 8)); and their ids."""

    labels: Array
    ids: Any = None


@dataclass(slots=True)
class TruthFile:
    """An open file of truths. It closes when its parts end, or when nothing refers to it.

    Parameters
    ----------
    name
        What messages call the file.
    identities
        The device and inode numbers of the file.
    parts
        The truths of its rows, as they are read.
    notes
        What a user should know about how it is read.
    first_line
        The first line, where it might be a header.
    join
        The column of the input that it is joined on; None is by position.
    """

    name: str
    identities: Sequence[tuple[int, int]]
    parts: Iterator[TruthPart]
    notes: tuple[str, ...] = ()
    first_line: FirstLine | None = None
    join: str | None = None


def open_truth_file(
    spec: TruthSpec, path: str, column: str | None, carried: Collection[str], key: str | None = None
) -> TruthFile:
    """Open a file of truths, and settle which of its columns hold what.

    Parameters
    ----------
    spec
        Which labels there are.
    path
        Of the file.
    column
        The column of labels; None leaves the choice to the names.
    carried
        The columns of the input that the truth may be joined on.
    key
        The array of a file of several arrays, as NPZ.

    Raises
    ------
    DataError
        If the file cannot be read, or holds something that is not a truth. So does the iterator of its parts.
    UsageError
        If there is no such column, or the file has no arrays with names.
    """
    from actcli.formats import FORMATS, ReadOptions, of_path, open_inputs

    options = ReadOptions(plain=True, one_dimensional="column", origin="truth", key=key)
    format = of_path(path)
    if format is not None and "key" in FORMATS[format].takes:
        if key is not None and column is not None:
            raise UsageError(f"--truth-column: {format} holds arrays, not columns", hint="--truth-key names the array")
        options, column = replace(options, key=key or column), None
    inputs = open_inputs([path], options)
    file = TruthFile(inputs.title, inputs.identities, iter(()))
    try:
        if inputs.layout.classes:
            if column is not None:
                raise UsageError(f"--truth-column: {inputs.title} has no columns with names")
            parts = _array_parts(spec, inputs)
        else:
            parts = _ColumnReader(spec, inputs, carried, file).parts(column)
        # The first rows settle the columns.
        first = next(parts, None)
    except BaseException:
        inputs.close()
        raise
    file.parts = parts if first is None else itertools.chain([first], parts)
    return file


def stored(spec: TruthSpec, labels: Array) -> Array:
    """Return labels in the form in which they are kept: codes, as few bytes as they need, or packed bits."""
    return np.packbits(labels, axis=1) if spec.sets else labels.astype(stored_dtype(spec))


def stored_dtype(spec: TruthSpec) -> np.dtype[Any]:
    """Return the dtype of stored labels."""
    if spec.sets:
        return np.dtype(np.uint8)
    return np.dtype(np.int32) if spec.open else np.promote_types(np.int8, np.min_scalar_type(-len(spec.classes)))


def stored_width(spec: TruthSpec) -> int:
    """Return how many bytes the stored labels of a row take."""
    return stored_dtype(spec).itemsize * ((len(spec.classes) + 7) // 8 if spec.sets else 1)


def _array_parts(spec: TruthSpec, inputs: Inputs) -> Iterator[TruthPart]:
    """Read an array without names: its columns are the classes, in order, or it is one of indices."""
    for batch in _batches(inputs):
        try:
            labels = (
                set_array(batch.scores, spec.classes)
                if spec.sets
                else code_array(batch.scores, spec.classes, spec.book)
            )
        except LabelError as error:
            raise DataError(placed(batch, str(error)), hint=error.hint) from None
        yield TruthPart(stored(spec, labels))


class _ColumnReader:
    """Reads a file whose columns have names, or may have."""

    def __init__(self, spec: TruthSpec, inputs: Inputs, carried: Collection[str], file: TruthFile) -> None:
        self._spec = spec
        self._inputs = inputs
        self._carried = carried
        self._kinds = {column.name: column.kind for column in inputs.layout.carried}
        self._name = inputs.title
        self._file = file

    def parts(self, column: str | None) -> Iterator[TruthPart]:
        """Read all rows; before the first part, complete what is known of the file."""
        keys = list(self._kinds)
        keyed: dict[str, str] = {}
        columns: TruthColumns | None = None
        for whole in _batches(self._inputs):
            batch = whole
            if columns is None:
                names = keys
                if Kind.TEXT in self._kinds.values():
                    names, batch = self._without_header(keys, whole)
                keyed = dict(zip(names, keys, strict=True))
                columns = self._choose(names, column, whole)
                self._file.join = columns.join
            ids = None
            if columns.join is not None:
                from actcli.formats.text import carried_texts

                key = keyed[columns.join]
                ids = carried_texts(self._kinds[key], batch.carried[key])
            if columns.labels is None:
                labels = self._table(batch, keyed, columns.table)
            else:
                key = keyed[columns.labels]
                labels = label_array(self._spec, batch, key, self._kinds[key], shown=columns.labels or None)
            yield TruthPart(stored(self._spec, labels), ids)

    def _without_header(self, keys: Sequence[str], batch: Batch) -> tuple[list[str], Batch]:
        """Return the names of the columns, and the first batch without the line that holds them."""
        spec = self._spec
        cells = [batch.carried[key][0].as_py() for key in keys]
        line = first_line(cells, spec, self._carried)
        if not any(map(is_number, cells)):
            self._file.first_line = line
        if len(cells) == 1 and not is_label(cells[0], spec) and any(mark in cells[0] for mark in ";\t"):
            raise DataError(
                f'{batch.place(0)}: a single column, "{visible(cells[0])}"',
                hint="commas separate the cells of a .csv file, tabs those of a .tsv file",
            )
        if not line.is_header:
            if len(cells) == 1:
                return [""], batch
            if spec.sets and len(cells) == len(spec.classes) and all(map(is_number, cells)):
                note = f"{self._name} has no header: its columns are the classes in their order"
                self._file.notes = (*self._file.notes, note)
                return list(spec.classes), batch
            raise DataError(
                f"{batch.place(0)}: {len(cells)} columns without a header: nothing says which one holds the truth",
                hint=f"begin the file with their names, for instance: id,label{table_hint(spec)}",
            )
        twice = next((cell for cell, count in Counter(cells).items() if count > 1), None)
        if twice is not None:
            raise DataError(f'{batch.place(0)}: two columns have the same name "{visible(twice)}"')
        return cells, batch.without(np.arange(len(batch)) == 0, lambda row, place: DataError(place))  # noqa: ARG005

    def _choose(self, names: Sequence[str], column: str | None, batch: Batch) -> TruthColumns:
        # A single column with the name of the only class is a table if it holds 0 and 1, else it holds label sets.
        key, kind = next(iter(self._kinds.items()))
        return choose_columns(
            names,
            column,
            self._spec,
            self._carried,
            file=self._name,
            place=batch.place(0).rpartition(":")[0] or self._name,
            tabular=len(names) > 1 or begins_with_number(batch.carried[key], kind),
        )

    def _table(self, batch: Batch, keyed: Mapping[str, str], classes: tuple[str, ...]) -> Array:
        """Return the 0/1 table, its columns matched by name; for exclusive classes, as codes."""
        bits = np.empty((len(batch), len(classes)), dtype=np.bool_)
        for code, name in enumerate(classes):
            key = keyed[name]
            codes, found = decoded(batch, key, self._kinds[key], self._spec.book.bit, shown=name)
            bits[:, code] = np.array(found, dtype=np.bool_)[codes]
        if self._spec.sets:
            return bits
        if self._spec.open:
            return self._spec.book.table_codes(bits, classes)
        single = bits.sum(axis=1) == 1
        if not single.all():
            row = int(np.argmin(single))
            place = batch.place(int(batch.row_numbers()[row]))
            raise DataError(f"{place}: {int(bits[row].sum())} classes are 1, but exactly one is right")
        return np.asarray(bits.argmax(axis=1))


def _batches(inputs: Inputs) -> Iterator[Batch]:
    """Yield the batches that have rows, then close the file.

    Raises
    ------
    DataError
        At the first row that cannot be read.
    """
    with contextlib.closing(inputs):
        for chunk in inputs.chunks(0):
            if chunk is None:
                continue
            batch = chunk.decode()
            if batch.faults:
                raise batch.faults[0].error
            if len(batch):
                yield batch
            if batch.fault is not None:
                raise batch.fault
