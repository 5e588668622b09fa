"""A file of truths, read whole: in any format, with or without a header, as labels or as a 0/1 table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.errors import DataError, UsageError, listed, visible
from actcli.evaluation.carried_columns import begins_with_number, decoded, label_array
from actcli.evaluation.class_labels import LabelError, code_array, set_array
from actcli.evaluation.truth_columns import FirstLine, choose_columns, first_line, is_label, table_hint
from actcli.evaluation.weights import weight_array
from actcli.formats.column_roles import is_number
from actcli.streaming.batch import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeAlias

    from actcli.evaluation.class_labels import TruthSpec
    from actcli.evaluation.truth_columns import TruthColumns
    from actcli.evaluation.weights import WeightColumn
    from actcli.formats import Inputs
    from actcli.streaming.batch import Batch

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["TruthTable", "read_truth_file"]

_SURPLUS = 1_000_000
"""How many rows more than the input has are read, so that the error can say how many there are."""


@dataclass(frozen=True, slots=True)
class TruthTable:
    """The truths of a file.

    Parameters
    ----------
    name
        What messages call the file.
    identities
        The device and inode numbers of the file.
    notes
        What a user should know about how it was read.
    values
        The truth of each row: codes, shape (N,), int32, or packed bits, shape (N, ceil(C / 8)), uint8.
    first_line
        The first line, where it might be a header.
    join
        The column of the input that it is joined on; None is by position.
    ids
        The ids of its rows, an Arrow array of distinct texts; None if it is joined by position.
    weights
        The weight of each row, shape (N,), float64; None if the file has none.
    """

    name: str
    identities: Sequence[tuple[int, int]]
    notes: tuple[str, ...]
    values: Array
    first_line: FirstLine | None = None
    join: str | None = None
    ids: Any = None
    weights: Array | None = None


def read_truth_file(
    spec: TruthSpec,
    path: str,
    column: str | None,
    carried: Mapping[str, Kind],
    rows: int | None = None,
    weight: WeightColumn | None = None,
) -> TruthTable:
    """Return the truths of a file.

    Parameters
    ----------
    spec
        Which labels there are.
    path
        Of the file.
    column
        The column of labels, or the array of an NPZ file; None leaves the choice to the names.
    carried
        The columns of the input that the truth may be joined on, and how their data look.
    rows
        How many rows the input has, if that is known. A file with far more of them is not read to its end.
    weight
        The column of the weights, if there are any: of this file, unless the input has it.

    Raises
    ------
    DataError
        If the file cannot be read, or holds something that is not a truth.
    UsageError
        If there is no such column, or both the input and the file have that of the weights.
    """
    from actcli.formats import ReadOptions, of_path, open_inputs

    options = ReadOptions(plain=True, one_dimensional="column", origin="truth")
    if of_path(path) == "npz":
        options, column = replace(options, key=column), None
    inputs = open_inputs([path], options)
    try:
        if inputs.layout.classes:
            if weight is not None and not weight.of_input:
                raise _no_weight(inputs.title, weight)
            return _read_array(spec, inputs, column, rows)
        return _ColumnReader(spec, inputs, carried, weight).read(column, rows)
    finally:
        inputs.close()


def _no_weight(file: str, weight: WeightColumn, names: Sequence[str] = ()) -> UsageError:
    """Return the error for a column of weights that neither the input nor the file of truths has."""
    hint = f"the truth has {listed(names)}" if names else None
    return UsageError(f"--weight: neither the input nor {file} has a column {visible(weight.name)!r}", hint=hint)


def _read_array(spec: TruthSpec, inputs: Inputs, column: str | None, rows: int | None) -> TruthTable:
    """Read an array without names: its columns are the classes, in order, or it is one of indices."""
    if column is not None:
        raise UsageError(f"--truth-column: {inputs.title} has no columns with names")
    decode = set_array if spec.sets else code_array
    parts = []
    for batch in _batches(inputs, rows):
        try:
            parts.append(_stored(spec, decode(batch.scores, spec.classes)))
        except LabelError as error:
            raise DataError(_placed(batch, inputs.title, str(error)), hint=error.hint) from None
    return TruthTable(inputs.title, inputs.identities, (), _joined(spec, parts))


class _ColumnReader:
    """Reads a file whose columns have names, or may have."""

    def __init__(
        self, spec: TruthSpec, inputs: Inputs, carried: Mapping[str, Kind], weight: WeightColumn | None
    ) -> None:
        self._spec = spec
        self._inputs = inputs
        self._carried = carried
        self._weight = weight
        self._kinds = {column.name: column.kind for column in inputs.layout.carried}
        self._name = inputs.title
        self._notes: list[str] = []
        self._first_line: FirstLine | None = None

    def read(self, column: str | None, rows: int | None) -> TruthTable:
        """Read all rows."""
        keys = list(self._kinds)
        keyed: dict[str, str] = {}
        columns: TruthColumns | None = None
        parts: list[Array] = []
        ids: list[Any] = []
        weights: list[Array] = []
        for whole in _batches(self._inputs, rows):
            batch = whole
            if columns is None:
                names = keys
                if Kind.TEXT in self._kinds.values():
                    names, batch = self._without_header(keys, whole)
                keyed = dict(zip(names, keys, strict=True))
                columns = self._choose(keyed, column, whole)
            if columns.join is not None:
                from actcli.formats.text import carried_texts

                key = keyed[columns.join]
                ids.append(carried_texts(self._kinds[key], batch.carried[key]))
            if self._weight is not None and not self._weight.of_input:
                key = keyed[self._weight.name]
                weights.append(weight_array(batch, key, self._kinds[key], shown=self._weight.name))
            if columns.labels is None:
                labels = self._table(batch, keyed)
            else:
                key = keyed[columns.labels]
                labels = label_array(self._spec, batch, key, self._kinds[key], shown=columns.labels or None)
            parts.append(_stored(self._spec, labels))
        join = None if columns is None else columns.join
        return TruthTable(
            self._name,
            self._inputs.identities,
            tuple(self._notes),
            _joined(self._spec, parts),
            self._first_line,
            join,
            None if join is None else self._distinct(ids, join),
            np.concatenate([np.zeros(0), *weights]) if self._weight is not None and not self._weight.of_input else None,
        )

    def _without_header(self, keys: Sequence[str], batch: Batch) -> tuple[list[str], Batch]:
        """Return the names of the columns, and the first batch without the line that holds them."""
        spec = self._spec
        cells = [batch.carried[key][0].as_py() for key in keys]
        named = [] if self._weight is None else [self._weight.name]
        line = first_line(cells, spec, [*self._carried, *named])
        if not any(map(is_number, cells)):
            self._first_line = line
        if len(cells) == 1 and not is_label(cells[0], spec) and any(mark in cells[0] for mark in ";\t"):
            raise DataError(
                f'{batch.place(0)}: a single column, "{visible(cells[0])}"',
                hint="commas separate the cells of a .csv file, tabs those of a .tsv file",
            )
        if not line.is_header:
            if len(cells) == 1:
                return [""], batch
            if spec.sets and len(cells) == len(spec.classes) and all(map(is_number, cells)):
                self._notes.append(f"{self._name} has no header: its columns are the classes in their order")
                return list(spec.classes), batch
            raise DataError(
                f"{batch.place(0)}: {len(cells)} columns without a header: nothing says which one holds the truth",
                hint=f"begin the file with their names, for instance: id,label{table_hint(spec)}",
            )
        twice = next((cell for cell, count in Counter(cells).items() if count > 1), None)
        if twice is not None:
            raise DataError(f'{batch.place(0)}: two columns have the same name "{visible(twice)}"')
        return cells, batch.without(np.arange(len(batch)) == 0, lambda row, place: DataError(place))  # noqa: ARG005

    def _choose(self, keyed: Mapping[str, str], column: str | None, batch: Batch) -> TruthColumns:
        names = [name for name in keyed if self._weight is None or name != self._weight.name]
        if self._weight is not None and self._weight.of_input is (len(names) < len(keyed)):
            if not self._weight.of_input:
                raise _no_weight(self._name, self._weight, list(keyed))
            raise UsageError(
                f"--weight: the input and {self._name} both have a column {visible(self._weight.name)!r}",
                hint="leave it out of one of them, or give it another name there",
            )
        if not names:
            raise DataError(f"{self._name}: has no column beside that of the weights, so none holds the truth")
        # A single column with the name of the only class is a table if it holds 0 and 1, else it holds label sets.
        key = keyed[names[0]]
        kind = self._kinds[key]
        return choose_columns(
            names,
            column,
            self._spec,
            self._carried,
            file=self._name,
            place=batch.place(0).rpartition(":")[0] or self._name,
            tabular=len(names) > 1 or begins_with_number(batch.carried[key], kind),
        )

    def _table(self, batch: Batch, keyed: Mapping[str, str]) -> Array:
        """Return the 0/1 table, its columns matched by name; for exclusive classes, as codes."""
        classes = self._spec.classes
        bits = np.empty((len(batch), len(classes)), dtype=np.bool_)
        for code, name in enumerate(classes):
            key = keyed[name]
            codes, found = decoded(batch, key, self._kinds[key], self._spec.book.bit, shown=name)
            bits[:, code] = np.array(found, dtype=np.bool_)[codes]
        if self._spec.sets:
            return bits
        single = bits.sum(axis=1) == 1
        if not single.all():
            row = int(np.argmin(single))
            place = batch.place(int(batch.row_numbers()[row]))
            raise DataError(f"{place}: {int(bits[row].sum())} classes are 1, but exactly one is right")
        return np.asarray(bits.argmax(axis=1))

    def _distinct(self, parts: Sequence[Any], join: str) -> Any:
        """Return the ids of all rows.

        Raises
        ------
        DataError
            If one of them is there twice.
        """
        import pyarrow as pa

        from actcli.formats.text import call_function

        ids = pa.concat_arrays(parts)
        if len(call_function("unique", [ids])) < len(ids):
            seen: dict[str, int] = {}
            for row, id in enumerate(ids.to_pylist(), start=1):
                if id in seen:
                    raise DataError(
                        f'{self._name}: "{visible(join)}" is "{visible(id)}" twice, in rows {seen[id]} and {row}'
                    )
                seen[id] = row
        return ids


def _stored(spec: TruthSpec, labels: Array) -> Array:
    """Return labels in the form in which they are kept: codes, int32, or packed bits."""
    return np.packbits(labels, axis=1) if spec.sets else labels.astype(np.int32)


def _joined(spec: TruthSpec, parts: Sequence[Array]) -> Array:
    empty = np.zeros((0, (len(spec.classes) + 7) // 8), dtype=np.uint8) if spec.sets else np.zeros(0, dtype=np.int32)
    return np.concatenate([empty, *parts])


def _batches(inputs: Inputs, rows: int | None) -> Iterator[Batch]:
    """Yield the batches that have rows; `rows` is how many the input has, if that is known.

    Raises
    ------
    DataError
        At the first row that cannot be read, or when there are far more rows than the input has.
    """
    most = None if rows is None else rows + _SURPLUS
    found = 0
    for chunk in inputs.chunks(0):
        if chunk is None:
            continue
        batch = chunk.decode()
        if batch.faults:
            raise batch.faults[0].error
        found += len(batch)
        if most is not None and found > most:
            raise DataError(f"{inputs.title}: has more than {most:,} rows, but the input has {rows:,}")
        if len(batch):
            yield batch
        if batch.fault is not None:
            raise batch.fault


def _placed(batch: Batch, name: str, message: str) -> str:
    """Return a message about a row of the batch, from 0, with its place in the file."""
    row, colon, rest = message.partition(": ")
    number = row.removeprefix("row ")
    return f"{batch.place(int(number))}: {rest}" if colon and number.isdigit() else f"{name}: {message}"
