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

__all__ = [
    "BITS",
    "IGNORED",
    "Codebook",
    "LabelError",
    "TruthSpec",
    "code_array",
    "label_text",
    "set_array",
    "whole_number",
]

IGNORED = -1
"""The code of a truth that leaves its row out."""

_WHOLE = re.compile(r"([+-]?\d{1,18})(?:\.0*)?", re.ASCII)
BITS = {"True": 1, "true": 1, "TRUE": 1, "False": 0, "false": 0, "FALSE": 0}
"""The texts that stand for 1 and 0."""
_LARGEST_EXACT = 1 << 53
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
    signed
        Whether -1 and 1 may stand for the first and the second of two classes.
    ignored
        The whole number that stands for no class, also where one has it as its name or index: its code is `IGNORED`.
    """

    def __init__(
        self, classes: Sequence[str], separator: str = "|", *, signed: bool = False, ignored: int | None = None
    ) -> None:
        self.classes = tuple(classes)
        self._separator = separator
        self._signed = signed
        self._ignored = ignored
        self._negatives: set[int] = set()
        self.has_split = False
        """Whether the separator has been looked for in a text."""
        self._codes = {name: code for code, name in enumerate(classes)}

    def __contains__(self, name: object) -> bool:
        return name in self._codes

    @property
    def counts_from_0(self) -> bool:
        """Whether every whole number stands for the class with this index."""
        if self._signed or self._ignored is not None:
            return False
        return all(name == str(code) or whole_number(name) is None for code, name in enumerate(self.classes))

    def code(self, value: object) -> int:
        """Return the code of a class, given by its name or its index, as a text or a whole number.

        True and false stand for the second and the first of two classes, unless classes have these names.

        Raises
        ------
        LabelError
            If it is neither.
        """
        text = str(value) if isinstance(value, bool | np.bool_) else label_text(value)
        bare = text.strip(" \t")
        if self._ignored is not None and whole_number(bare) == self._ignored:
            return IGNORED
        for name in (text, bare, *([text.lower()] if isinstance(value, bool) else [])):
            if name in self._codes:
                return self._codes[name]
        number = whole_number(bare)
        if number is not None:
            return self.of_number(number)
        if bare in BITS and len(self.classes) == len(YES_OR_NO):
            return self.of_number(BITS[bare])
        if not bare:
            raise LabelError("is empty")
        shown = text if isinstance(value, bool | np.bool_) else f'"{visible(text)}"'
        raise LabelError(f"{shown} is no class", self.meant(text))

    def of_number(self, number: int) -> int:
        """Return the code of the class that a whole number stands for: the class of that name, else of that index.

        Raises
        ------
        LabelError
            If there is none, or -1 and 0 both stand for the first of two classes.
        """
        if number == self._ignored:
            return IGNORED
        code = self._codes.get(str(number))
        if code is not None:
            return code
        if self._signed and number in (-1, 0):
            self._negatives.add(number)
            if len(self._negatives) > 1:
                raise LabelError("-1 and 0 are both the negative class", "write the negative class in one way")
            number = 0
        return self.index(number)

    def codes(self, value: object) -> list[int]:
        """Return the codes of a set, given as a list of names, a 0 or 1 for each class, or a text.

        The 0 and 1 are a list, or are keyed by the names of the classes. A text holds names with the separator between
        them; an empty text is the empty set.

        Raises
        ------
        LabelError
            If it is not a set of classes.
        """
        if isinstance(value, dict):
            return [self.code(name) for name, bit in value.items() if self.bit(bit)]
        if isinstance(value, list):
            if value and not any(isinstance(item, str) for item in value):
                return self._codes_of_bits(value)
            return [self.code(item) for item in value]
        text = label_text(value)
        self.has_split = True
        if text in self._codes:
            return [self._codes[text]]
        return [self.code(part) for part in text.split(self._separator)] if text.strip(" \t") else []

    def table_codes(self, bits: Array, classes: tuple[str, ...]) -> Array:
        """Return the codes of the rows of a 0/1 table, shape (N,), whose columns alone name the classes."""
        raise NotImplementedError

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
        text = label_text(value).strip(" \t")
        if text in BITS:
            return bool(BITS[text])
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
            signed = "; if -1 and 1 are the two classes of a binary task: --task binary --positive NAME"
            raise LabelError(
                f"the index {index} is negative",
                f"the {count} classes count from 0{signed if (index, count) == (-1, 2) else ''}",
            )
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
    signed
        Whether -1 and 1 may stand for the negative and the positive class.
    ignored
        The whole number that leaves a row out.
    """

    task: Task
    classes: tuple[str, ...]
    separator: str = "|"
    signed: bool = False
    ignored: int | None = None

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

    @property
    def open(self) -> bool:
        """Whether the names of the classes are not known yet."""
        return False

    @cached_property
    def book(self) -> Codebook:
        """The codes of the classes."""
        return Codebook(self.classes, self.separator, signed=self.signed, ignored=self.ignored)

    @cached_property
    def folded_book(self) -> Codebook:
        """The codes of the classes, all in lower case."""
        names = [name.casefold() for name in self.classes]
        return Codebook(names, self.separator, signed=self.signed, ignored=self.ignored)


def whole_number(text: str) -> int | None:
    """Return the whole number that a text stands for, as 2, 2.0 and 2.000e+00 stand for 2; None if there is none."""
    found = _WHOLE.fullmatch(text)
    if found is not None:
        return int(found[1])
    number = float(text) if is_number(text) else 0.5
    return int(number) if number.is_integer() and abs(number) < _LARGEST_EXACT else None


def label_text(value: object) -> str:
    """Return a value as the text that a file would have for it."""
    if value is None:
        raise LabelError("is null")
    if isinstance(value, bool | np.bool_):
        raise LabelError(f"{value} is no class")
    if not isinstance(value, str | int | float | np.integer | np.floating):
        raise LabelError(f'"{visible(str(value))}" is no class')
    return str(value)


def code_array(truth: ArrayLike, classes: Sequence[str], book: Codebook | None = None) -> Array:
    """Return the codes of exclusive classes, shape (N,), int64.

    Parameters
    ----------
    truth
        Shape (N,): whole numbers, which are indices, or names. Shape (N, C): a 0/1 table with a single 1 in each row.
    classes
        The names of the classes.
    book
        Their codes, where numbers mean more than names and indices.

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
    book = Codebook(classes) if book is None else book
    if array.dtype.kind not in "iuf":
        return np.array([_at(row, book.code, value) for row, value in enumerate(array.tolist())], dtype=np.int64)
    whole = np.isfinite(array) & (np.floor(array) == array)
    if not whole.all():
        row = int(np.argmin(whole))
        raise LabelError(f"row {row}: {array[row]} is no class, nor the index of one")
    if not book.counts_from_0:
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
