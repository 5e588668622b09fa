"""The names of the classes where nothing gives them: the labels that occur in the predictions or in the truth."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.errors import DataError, listed, visible
from actcli.evaluation.class_labels import BITS, IGNORED, Codebook, LabelError, TruthSpec, label_text, whole_number

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["OpenCodebook", "OpenSpec", "ordered_names", "other_label", "stored_again"]

_NAMES_HINT = "--class-names A,B,C names the classes, in the order of their indices"


class OpenCodebook(Codebook):
    """The codes of values whose classes are not known yet: of labels, or of sets of labels.

    Parameters
    ----------
    sets
        Whether a value is a set.
    separator
        The text between the names of a set.
    ignored
        The whole number whose code is `IGNORED`.
    """

    def __init__(self, separator: str, ignored: int | None, *, sets: bool) -> None:
        super().__init__((), separator, ignored=ignored)
        self._sets = sets
        self._found: dict[tuple[str, ...], int] = {}
        self.table: tuple[str, ...] | None = None
        """The names of all classes, if a 0/1 table has named them."""

    @property
    def values(self) -> list[tuple[str, ...]]:
        """The labels of each code."""
        return list(self._found)

    @property
    def counts_from_0(self) -> bool:
        """Whether every whole number stands for the class with this index: here it is a name."""
        return False

    def code(self, value: object) -> int:
        """Return the code of a value, which is a new one for a new value.

        Raises
        ------
        LabelError
            If it is no label, or no set of labels.
        """
        if self._sets:
            return self._new(tuple(dict.fromkeys(self._members(value))))
        name = _name(value)
        return IGNORED if name == str(self._ignored) else self._new((name,))

    def of_number(self, number: int) -> int:
        """Return the code of a whole number."""
        return self.code(number)

    def table_codes(self, bits: Array, classes: tuple[str, ...]) -> Array:
        """Return the codes of the rows of a 0/1 table, shape (N,), whose columns name the classes."""
        self.table = classes
        rows, inverse = np.unique(bits, axis=0, return_inverse=True)
        codes = [self._new(tuple(np.array(classes, dtype=object)[row])) for row in rows]
        return np.array(codes, dtype=np.int64)[inverse.reshape(-1)]

    def _new(self, labels: tuple[str, ...]) -> int:
        return self._found.setdefault(labels, len(self._found))

    def _members(self, value: object) -> list[str]:
        if isinstance(value, dict):
            return [_name(name) for name, bit in value.items() if self.bit(bit)]
        if isinstance(value, list):
            if value and not any(isinstance(item, str) for item in value):
                raise LabelError("numbers stand for classes whose names are not known", _NAMES_HINT)
            return [_name(item) for item in value]
        text = label_text(value)
        self.has_split = True
        return [_name(part) for part in text.split(self._separator)] if text.strip(" \t") else []


class OpenSpec(TruthSpec):
    """The labels of a truth or of predictions before the names of the classes are known: each value has a code."""

    @property
    def open(self) -> bool:
        """Whether the names of the classes are not known yet."""
        return True

    @property
    def sets(self) -> bool:
        """Whether a row has a table of labels: here it has one code."""
        return False

    @cached_property
    def book(self) -> OpenCodebook:
        """The codes of the values."""
        return OpenCodebook(self.separator, self.ignored, sets=super().sets)


def _name(value: object) -> str:
    """Return the name of a label: 2, "2.0" and " 2" are the same."""
    text = str(value) if isinstance(value, bool | np.bool_) else label_text(value)
    bare = text.strip(" \t")
    if not bare:
        raise LabelError("is empty")
    number = whole_number(bare)
    return bare if number is None else str(number)


def ordered_names(predicted: Iterable[tuple[str, ...]], true: Iterable[tuple[str, ...]], where: str) -> tuple[str, ...]:
    """Return the names of the classes in order: as numbers if all are whole numbers, else by their characters.

    Parameters
    ----------
    predicted, true
        The labels of each value that occurs in the predictions, and in the truth.
    where
        What messages call the input.

    Raises
    ------
    DataError
        If the predictions are numbers and the truth is not, or the reverse; if two names differ only in case; or if
        there is no label.
    """
    sides = [{name for labels in values for name in labels} for values in (predicted, true)]
    numbers = [{name for name in side if whole_number(name) is not None} for side in sides]
    if all(sides) and any(len(numbers[one]) == len(sides[one]) and not numbers[1 - one] for one in (0, 1)):
        examples = [f'"{visible(min(side))}"' for side in sides]
        raise DataError(
            f"{where}: the predictions are {examples[0]} and the like, the truth is {examples[1]} and the like: names "
            "on one side, numbers on the other",
            hint=_NAMES_HINT,
        )
    names = sides[0] | sides[1]
    if not names:
        raise DataError(f"{where}: no label occurs in the predictions or the truth")
    folded: dict[str, str] = {}
    for name in sorted(names):
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            raise DataError(
                f'{where}: the labels "{visible(other)}" and "{visible(name)}" differ only in upper and lower case',
                hint="write them alike; if these are two classes: --class-names A,B,C",
            )
    if all(whole_number(name) is not None for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names))


def other_label(positive: str | None, values: Iterable[tuple[str, ...]]) -> str | None:
    """Return the label that occurs beside the positive class, numbers and truth values aside; None if there is none.

    Raises
    ------
    DataError
        If there are several.
    """
    names = {name for labels in values for name in labels}
    others = sorted(name for name in names - {positive, *BITS} if whole_number(name) is None)
    if len(others) > 1:
        raise DataError(
            f'there are more labels than two: beside "{visible(positive or "")}" {listed(others, 4)}',
            hint="for more than two classes: --task softmax",
        )
    return others[0] if others else None


def stored_again(codes: Array, values: list[tuple[str, ...]], spec: TruthSpec) -> Array:
    """Return labels that an `OpenSpec` gave codes, shape (N,), as those of known classes.

    Parameters
    ----------
    codes
        Of the values, or `IGNORED`.
    values
        The labels of each value.
    spec
        The classes.

    Returns
    -------
    array
        Codes, shape (N,), int64, or a table, shape (N, C), bool.
    """
    if spec.sets:
        bits = np.zeros((len(values), len(spec.classes)), dtype=np.bool_)
        for row, labels in enumerate(values):
            bits[row, [spec.book.code(label) for label in labels]] = True
        return np.asarray(bits[codes])
    table = np.array([*(spec.book.code(label) for (label,) in values), IGNORED], dtype=np.int64)
    return np.asarray(table[codes])
