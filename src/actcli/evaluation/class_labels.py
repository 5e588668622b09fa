"""Labels as people and files write them, and the codes that stand for them: names, indices, sets, 0/1 tables.

The code of a class is its index. A value that is both a name and an index is the name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from actcli.errors import listed, visible
from actcli.formats.column_roles import is_number
from actcli.tasks import YES_OR_NO, Task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Codebook", "LabelError", "TruthSpec", "code_array", "set_array"]

_WHOLE = re.compile(r"([+-]?\d{1,18})(?:\.0*)?", re.ASCII)
_MOST_SHOWN = 6


class LabelError(ValueError):
    """A value that is not a label.

    Parameters
    ----------
    message
        What was found.
    hint
        What to do about it.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Codebook:
    """The codes of the classes.

    Parameters
    ----------
    classes
        The names of the classes, in order.
    separator
        The text between the names of a set.
    """

    def __init__(self, classes: Sequence[str], separator: str = "|") -> None:
        self.classes = tuple(classes)
        self._separator = separator
        self.has_split = False
        """Whether the separator has been looked for in a text."""
        self._codes = {name: code for code, name in enumerate(classes)}

    def __contains__(self, name: object) -> bool:
        return name in self._codes

    def code(self, value: object) -> int:
        """Return the code of a class, given by its name or its index, as a text or a whole number.

        Raises
        ------
        LabelError
            If it is neither.
        """
        text = _text(value)
        for name in (text, text.strip(" \t")):
            if name in self._codes:
                return self._codes[name]
        whole = _WHOLE.fullmatch(text.strip(" \t"))
        if whole is not None:
            return self.of_number(int(whole[1]))
        if not text.strip(" \t"):
            raise LabelError("is empty")
        raise LabelError(f'"{visible(text)}" is no class', self.meant(text))

    def of_number(self, number: int) -> int:
        """Return the code of the class that a whole number stands for: the class of that name, else of that index.

        Raises
        ------
        LabelError
            If there is none.
        """
        code = self._codes.get(str(number))
        return self.index(number) if code is None else code

    def codes(self, value: object) -> list[int]:
        """Return the codes of a set, given as a list of classes, a list of a 0 or 1 for each class, or a text.

        A text holds names with the separator between them; an empty text is the empty set.

        Raises
        ------
        LabelError
            If it is not a set of classes.
        """
        if isinstance(value, list):
            if value and not any(isinstance(item, str) for item in value):
                return self._codes_of_bits(value)
            return [self.code(item) for item in value]
        text = _text(value)
        self.has_split = True
        if text in self._codes:
            return [self._codes[text]]
        return [self.code(part) for part in text.split(self._separator)] if text.strip(" \t") else []

    def _codes_of_bits(self, values: list[Any]) -> list[int]:
        if len(values) != len(self.classes):
            count = "a number" if len(values) == 1 else f"{len(values)} numbers"
            raise LabelError(f"{count}, but there are {len(self.classes)} classes")
        return [code for code, value in enumerate(values) if self.bit(value)]

    @staticmethod
    def bit(value: object) -> bool:
        """Return whether a cell of a 0/1 table is 1.

        Raises
        ------
        LabelError
            If it is neither 0 nor 1.
        """
        if isinstance(value, bool | np.bool_):
            return bool(value)
        text = _text(value).strip(" \t")
        number = float(text) if is_number(text) else float("nan")
        if number not in (0.0, 1.0):
            raise LabelError(f'"{visible(text)}" is neither 0 nor 1' if text else "is empty")
        return number == 1

    def index(self, index: int) -> int:
        """Return the code of the class with this index, which is the index itself.

        Raises
        ------
        LabelError
            If there is none.
        """
        count = len(self.classes)
        if index < 0:
            raise LabelError(f"the index {index} is negative", f"the {count} classes count from 0")
        if index >= count:
            from_one = "; if these count from 1, subtract 1 or write the names" if index == count else ""
            raise LabelError(
                f"the index {index} is out of range",
                f"the {count} classes count from 0 to {count - 1}{from_one}",
            )
        return index

    @cached_property
    def _folded(self) -> dict[str, str]:
        """The first class of each name without upper and lower case."""
        return {name.casefold(): name for name in reversed(self.classes)}

    def meant(self, text: str) -> str:
        """Return a hint for a name that is not a class: the name that may be meant, or the first names there are."""
        alike = self._folded.get(text.strip().casefold())
        if alike is not None:
            return f'upper and lower case count: there is "{visible(alike)}"'
        named = "; --positive and --negative name them" if self.classes == YES_OR_NO else ""
        return f"there is {listed(self.classes, _MOST_SHOWN)}{named}"


@dataclass(frozen=True)
class TruthSpec:
    """Which labels the truth may hold.

    Parameters
    ----------
    task
        What is decided of a row.
    classes
        The names of the classes, in the order of the decisions: (negative, positive) for binary.
    separator
        The text between the labels of a set.
    """

    task: Task
    classes: tuple[str, ...]
    separator: str = "|"

    @property
    def sets(self) -> bool:
        """Whether any number of classes may be true of a row."""
        match self.task:
            case Task.MULTILABEL:
                return True
            case Task.SOFTMAX | Task.BINARY:
                return False
            case _:
                assert_never(self.task)

    @cached_property
    def book(self) -> Codebook:
        """The codes of the classes."""
        return Codebook(self.classes, self.separator)

    @cached_property
    def folded_book(self) -> Codebook:
        """The codes of the classes, all in lower case."""
        return Codebook([name.casefold() for name in self.classes], self.separator)


def _text(value: object) -> str:
    """Return a value as the text that a file would have for it."""
    if value is None:
        raise LabelError("is null")
    if isinstance(value, bool | np.bool_):
        raise LabelError(f"{value} is no class")
    if not isinstance(value, str | int | float | np.integer | np.floating):
        raise LabelError(f'"{visible(str(value))}" is no class')
    return str(value)


def code_array(truth: ArrayLike, classes: Sequence[str]) -> Array:
    """Return the codes of exclusive classes, shape (N,), int64.

    Parameters
    ----------
    truth
        Shape (N,): whole numbers, which are indices, or names. Shape (N, C): a 0/1 table with a single 1 in each row.
    classes
        The names of the classes.

    Raises
    ------
    LabelError
        If a value is not a label; the message names the row, from 0.
    """
    array = _array(truth)
    if array.ndim == 2 and array.shape[1] == len(classes) > 1:
        bits = set_array(array, classes)
        single = bits.sum(axis=1) == 1
        if not single.all():
            row = int(np.argmin(single))
            raise LabelError(f"row {row}: {int(bits[row].sum())} classes, but exactly one is right")
        return np.asarray(bits.argmax(axis=1), dtype=np.int64)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise LabelError(f"has the shape {array.shape}, not one class a row, nor 0 or 1 for each of {len(classes)}")
    if array.dtype.kind == "b" and len(classes) == 2:
        return array.astype(np.int64)
    book = Codebook(classes)
    if array.dtype.kind not in "iuf":
        return np.array([_at(row, book.code, value) for row, value in enumerate(array.tolist())], dtype=np.int64)
    whole = np.isfinite(array) & (np.floor(array) == array)
    if not whole.all():
        row = int(np.argmin(whole))
        raise LabelError(f"row {row}: {array[row]} is no class, nor the index of one")
    if any(name != str(code) and _WHOLE.fullmatch(name) for code, name in enumerate(classes)):
        numbers, rows, positions = np.unique(array, return_index=True, return_inverse=True)
        found = [_at(row, book.of_number, int(number)) for row, number in zip(rows, numbers, strict=True)]
        return np.array(found, dtype=np.int64)[positions]
    wrong = ~((array >= 0) & (array < len(classes)))
    if wrong.any():
        row = int(np.argmax(wrong))
        _at(row, book.index, int(array[row]))  # says what is wrong with it
    return array.astype(np.int64)


def set_array(truth: Any, classes: Sequence[str]) -> Array:
    """Return sets of classes as a table, shape (N, C), bool.

    Parameters
    ----------
    truth
        Shape (N, C): 0 and 1, or truth values. Or N sets of names or indices, lists of names, or texts with ``|``
        between names.
    classes
        The names of the classes.

    Raises
    ------
    LabelError
        If a value is not a label; the message names the row, from 0.
    """
    if not isinstance(truth, np.ndarray):
        rows = [row.tolist() if isinstance(row, np.ndarray) else row for row in truth]
        if any(isinstance(row, str | set | frozenset) or any(isinstance(item, str) for item in row) for row in rows):
            return _set_rows(rows, classes)
    array = _array(truth)
    if array.ndim != 2 or array.shape[1] != len(classes):
        raise LabelError(f"has the shape {array.shape}, not 0 or 1 for each of {len(classes)} classes")
    if array.dtype.kind == "b":
        return array
    wrong = ~((array == 0) | (array == 1))
    if wrong.any():
        row, code = divmod(int(np.argmax(wrong)), array.shape[1])
        raise LabelError(f'row {row}: column "{visible(classes[code])}": {array[row, code]} is neither 0 nor 1')
    return np.asarray(array == 1)


def _set_rows(rows: Sequence[Any], classes: Sequence[str]) -> Array:
    book = Codebook(classes)
    bits = np.zeros((len(rows), len(classes)), dtype=np.bool_)
    for number, row in enumerate(rows):
        if isinstance(row, set | frozenset):
            bits[number, [_at(number, book.code, label) for label in row]] = True
        else:
            bits[number, _at(number, book.codes, row if isinstance(row, str) else list(row))] = True
    return bits


def _array(truth: ArrayLike) -> Array:
    try:
        array = np.asarray(truth)
    except ValueError:
        raise LabelError("is no array: its rows differ in length") from None
    if array.dtype.kind not in "biufUTO":
        raise LabelError(f"holds {array.dtype}, neither names nor numbers")
    return array


def _at(row: int, decode: Any, value: object) -> Any:
    try:
        return decode(value)
    except LabelError as error:
        raise LabelError(f"row {row}: {error}", error.hint) from None
