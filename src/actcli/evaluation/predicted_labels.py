"""Predicted labels without probabilities: which columns hold them, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from actcli.errors import DataError, UsageError, listed, visible
from actcli.evaluation.carried_columns import decoded, exclusive_codes, label_array, placed
from actcli.evaluation.class_labels import LabelError, code_array, set_array
from actcli.formats.column_roles import select
from actcli.streaming.batch import TopK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from actcli.evaluation.class_labels import TruthSpec
    from actcli.streaming.batch import Batch, Kind, Layout
    from actcli.tasks import Task

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Form", "PredictedLabels", "PredictionColumns", "check_top_k", "prediction_columns"]

_PREFIX = "is_"


class Form(Enum):
    """What the columns of predictions hold."""

    LABELS = "labels"
    """A label, or a set of labels."""
    INDICES = "indices"
    """The index of a class, or a set of these."""
    RANKED = "ranked"
    """The best labels, a column each."""
    RANKINGS = "rankings"
    """The best labels in one column: a list of objects with the label of each."""
    BITS = "bits"
    """0 or 1 for each class, a column each."""
    ARRAY = "array"
    """An array without names: a column of indices, or 0 or 1 for each class."""


@dataclass(frozen=True, slots=True)
class PredictionColumns:
    """The columns of predictions.

    Parameters
    ----------
    form
        What they hold.
    names
        Their names; for an array, the numbers of its columns.
    """

    form: Form
    names: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The names of the classes, where there is a column for each of them; else None."""
        if self.form is Form.ARRAY:
            return self.names if len(self.names) > 1 else None
        if self.form is not Form.BITS:
            return None
        prefixed = all(name.startswith(_PREFIX) and name != _PREFIX for name in self.names)
        return tuple(name.removeprefix(_PREFIX) if prefixed else name for name in self.names)


def prediction_columns(layout: Layout, pattern: str | None, taken: Sequence[str], *, sets: bool) -> PredictionColumns:
    """Return the columns of predictions.

    Parameters
    ----------
    layout
        Of an input without scores, or of an array.
    pattern
        Which columns the user names, see `actcli.formats.column_roles.select`; None leaves the choice to their names.
    taken
        Names of columns that hold something else.
    sets
        Whether a row may have several labels.

    Raises
    ------
    UsageError
        If there are no such columns, or too many.
    DataError
        If no name says which columns hold predictions.
    """
    array = bool(layout.classes)
    names = list(layout.classes) if array else [each.name for each in layout.carried]
    if pattern is not None:
        positions, _ = select(pattern, names, range(len(names)), "--prediction-column")
        chosen = tuple(names[position] for position in positions)
        if both := [name for name in chosen if name in taken]:
            raise UsageError(f"--prediction-column: {listed(both)} is named by --id or --truth-column too")
        if not chosen:
            raise UsageError(f"--prediction-column: {visible(pattern)!r} leaves no column")
        return _named(chosen, array=array)
    names = [name for name in names if name not in taken]
    usual = ("labels", "indices", "multihot") if sets else ("label", "label_1", "top_k", "index")
    found = next((name for name in usual if name in names), None)
    if found == "label_1":
        ranked = [name for number in range(len(names)) if (name := f"label_{number + 1}") in names]
        return PredictionColumns(Form.RANKED, tuple(ranked))
    if found == "top_k":
        return PredictionColumns(Form.RANKINGS, (found,))
    if found is not None:
        return _named((found,), array=False)
    bits = tuple(name for name in names if name.startswith(_PREFIX))
    if bits:
        # The 0 and 1 of a single column are the indices of two classes.
        return PredictionColumns(Form.BITS if sets or len(bits) > 1 else Form.LABELS, bits)
    other = next((name for name in ("label", "labels") if name in names), None)
    if other is not None:
        raise DataError(
            f'the column "{other}" holds {"one label a row" if sets else "sets of labels"}',
            hint=f"say which task it is: --task {'softmax' if sets else 'multilabel'}",
        )
    raise DataError(
        f"no column holds predictions: there is {listed(names)}", hint="say which one does: --prediction-column NAME"
    )


def _named(names: tuple[str, ...], *, array: bool) -> PredictionColumns:
    if array:
        return PredictionColumns(Form.ARRAY, names)
    if len(names) > 1:
        return PredictionColumns(Form.BITS, names)
    return PredictionColumns(Form.INDICES if names[0] in ("index", "indices") else Form.LABELS, names)


@dataclass(frozen=True, slots=True)
class PredictedLabels:
    """The predictions of a batch, as plain data.

    Parameters
    ----------
    spec
        Which labels there are; the names of the classes are their indices where the columns hold these.
    columns
        The columns that hold them; those of 0 and 1 in the order of the classes.
    layout
        Of the input.
    withheld
        The text in place of a withheld label, unless a class has that name. None if no label is withheld.
    skip
        Whether bad rows are left out.
    top_k
        How many of the best labels are wanted; None is only the best.
    """

    spec: TruthSpec
    columns: PredictionColumns
    layout: Layout
    withheld: str | None
    skip: bool = False
    top_k: int | None = None

    def decide(self, batch: Batch) -> Batch:
        """Return the batch with its decisions: "index" or "multihot", and "top_k" if it is wanted.

        Raises
        ------
        DataError
            If a value is no prediction.
        """
        batch = batch if self.skip else batch.until_fault()
        values: dict[str, Any] = {"multihot" if self.spec.sets else "index": self._decisions(batch)}
        if self.top_k is not None:
            codes = self._ranked(batch, self.top_k)
            values["top_k"] = TopK(codes, np.full(codes.shape, np.nan))
        return batch.without_scores(values=values)

    def _decisions(self, batch: Batch) -> Array:
        """Return codes, shape (N,), -1 for a withheld label; or for label sets a table, (N, C), bool."""
        names = self.columns.names
        match self.columns.form:
            case Form.LABELS | Form.INDICES:
                if self.spec.sets:
                    kind = self._kind(names[0])
                    return label_array(self.spec, batch, names[0], kind, shown=names[0], decode=self._set)
                return self._codes(batch, names[0])
            case Form.RANKED | Form.RANKINGS:
                return self._ranked(batch, 1)[:, 0]
            case Form.BITS:
                return self._of_bits(batch, np.stack([self._bits(batch, name) for name in names], axis=1))
            case Form.ARRAY:
                return self._of_array(batch)
            case _:
                assert_never(self.columns.form)

    def _codes(self, batch: Batch, name: str) -> Array:
        return exclusive_codes(batch, name, self._kind(name), self._code, shown=name)

    def _set(self, value: object) -> list[int]:
        return self.spec.book.codes(self._as_names(value))

    def _as_names(self, value: object) -> object:
        """Return a list of indices as the names that classes have where the columns hold indices."""
        return list(map(str, value)) if self.columns.form is Form.INDICES and isinstance(value, list) else value

    def _code(self, value: object) -> int:
        book, value = self.spec.book, self._as_names(value)
        return -1 if str(value) == self.withheld and value not in book else book.code(value)

    def _ranked(self, batch: Batch, count: int) -> Array:
        """Return the codes of the best labels of each row, shape (N, count); -1 is a withheld label."""
        names = self.columns.names
        if self.columns.form is Form.RANKED:
            return np.stack([self._codes(batch, name) for name in names[:count]], axis=1)
        decode = partial(self._rank_codes, count)
        codes, lists = decoded(batch, names[0], self._kind(names[0]), decode, shown=names[0])
        return np.array(lists, dtype=np.int64).reshape(-1, count)[codes]

    def _rank_codes(self, count: int, value: object) -> list[int]:
        """Return the codes of the best labels in a list of objects."""
        ranks = value if isinstance(value, list) else []
        labels = [rank.get("label") for rank in ranks if isinstance(rank, dict)]
        if len(labels) < count:
            raise LabelError(f"holds {len(labels)} labels, not {count}")
        return [self._code(label) for label in labels[:count]]

    def _bits(self, batch: Batch, name: str) -> Array:
        codes, found = decoded(batch, name, self._kind(name), self.spec.book.bit, shown=name)
        return np.array(found, dtype=np.bool_)[codes]

    def _of_bits(self, batch: Batch, bits: Array) -> Array:
        """Return a 0/1 table; for exclusive classes as codes, -1 for a row of zeros."""
        if self.spec.sets:
            return bits
        several = np.flatnonzero(bits.sum(axis=1) > 1)
        if len(several):
            row = int(several[0])
            place = batch.place(int(batch.row_numbers()[row]))
            raise DataError(f"{place}: {int(bits[row].sum())} classes are 1, but a row has one label")
        return np.where(bits.any(axis=1), bits.argmax(axis=1), -1)

    def _of_array(self, batch: Batch) -> Array:
        values = batch.scores[:, [self.layout.classes.index(name) for name in self.columns.names]]
        try:
            if values.shape[1] > 1 or self.spec.sets:
                return self._of_bits(batch, set_array(values, self.columns.names))
            kept = values[:, 0] != -1 if self.withheld is not None else np.ones(len(values), dtype=np.bool_)
            codes = np.full(len(values), -1)
            codes[kept] = code_array(values[kept, 0], self.spec.classes, self.spec.book)
        except LabelError as error:
            raise DataError(placed(batch, str(error)), hint=error.hint) from None
        return codes

    def _kind(self, name: str) -> Kind:
        return next(each.kind for each in self.layout.carried if each.name == name)


def check_top_k(columns: PredictionColumns, top_k: int | None, task: Task) -> None:
    """Refuse a number of best labels that the columns do not hold.

    Raises
    ------
    UsageError
        If they do not hold so many.
    """
    if top_k is None:
        return
    if columns.form is Form.RANKINGS or (columns.form is Form.RANKED and len(columns.names) >= top_k):
        return
    held = len(columns.names) if columns.form is Form.RANKED else 1
    raise UsageError(
        f"--top-k {top_k}: the input holds {'the best label' if held == 1 else f'the {held} best labels'} of each row",
        hint=f"write more of them: actcli {task} --top-k {top_k}",
    )
