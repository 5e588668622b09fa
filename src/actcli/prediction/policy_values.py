"""A JSON value that is checked while it is read, and the errors of a document that is no policy.

Each error is one line: the path in the document, what was found, and what is allowed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from actcli.errors import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

T = TypeVar("T", bound=str)

__all__ = ["ContradictionError", "MalformedError", "Value", "by_label", "check_names", "check_utf8"]


class MalformedError(ValueError):
    """A document that the JSON schema refuses too."""


class ContradictionError(ValueError):
    """A document whose parts do not fit together, which a JSON schema cannot say."""


@dataclass(frozen=True, slots=True)
class Value:
    """A JSON value and its path in the document; each method returns the value if it is what the method names."""

    value: Any
    path: tuple[str | int, ...] = ()

    def malformed(self, says: str) -> MalformedError:
        """Return the error of a value that the schema refuses too."""
        return MalformedError(self._located(says))

    def contradiction(self, says: str) -> ContradictionError:
        """Return the error of a value that does not fit the others."""
        return ContradictionError(self._located(says))

    def _located(self, says: str) -> str:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{visible(part)}" for part in self.path)
        return f"{where.removeprefix('.')}: {says}" if where else says

    @property
    def shown(self) -> str:
        """The value as messages show it."""
        return visible(repr(self.value) if isinstance(self.value, str) else str(self.value), 40)

    def members(self) -> dict[str, Any]:
        """Return the members of an object as they are."""
        if not isinstance(self.value, dict):
            raise self.malformed(f"{self.shown} is no object")
        return self.value

    def object(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Value]:
        """Return the members of an object that has these keys and no others."""
        members = self.members()
        known = (*required, *optional)
        for key in members:
            if key not in known:
                raise Value(None, (*self.path, key)).malformed(f"is no known key; the keys are {', '.join(known)}")
        for key in required:
            if key not in members:
                raise self.malformed(f"has no {visible(key)!r}")
        return {key: Value(value, (*self.path, key)) for key, value in members.items()}

    def named(self) -> Iterator[tuple[str, Value]]:
        """Yield the members of an object with any keys."""
        for key, value in self.members().items():
            yield key, Value(value, (*self.path, key))

    def items(self, least: int = 0, most: float = math.inf) -> list[Value]:
        """Return the items of an array of at least `least` and at most `most` items."""
        if not isinstance(self.value, list):
            raise self.malformed(f"{self.shown} is no array")
        count = len(self.value)
        found = f"{count} item{'' if count == 1 else 's'}"
        if count < least:
            raise self.malformed(f"{found}, fewer than {least}")
        if count > most:
            raise self.malformed(f"{found}, more than {most}")
        return [Value(value, (*self.path, number)) for number, value in enumerate(self.value)]

    def unique_texts(self) -> tuple[str, ...]:
        """Return the items of an array of one or more texts, none of them empty, each once."""
        found: dict[str, None] = {}
        for item in self.items(least=1):
            text = item.text()
            if not text:
                raise item.malformed("is empty")
            if text in found:
                raise self.malformed(f"{visible(repr(text))} is there twice")
            found[text] = None
        return tuple(found)

    def text(self) -> str:
        """Return a text."""
        if not isinstance(self.value, str):
            raise self.malformed(f"{self.shown} is no string")
        check_utf8(self.value, self)
        return self.value

    def choice(self, options: Sequence[T]) -> T:
        """Return the one of `options` that the value is."""
        for option in options:
            if self.value == option and isinstance(self.value, str):
                return option
        raise self.malformed(f"{self.shown} is none of {', '.join(options)}")

    def choice_of(self, key: str, options: Sequence[T]) -> T:
        """Return the member of an object that says which other keys it has."""
        members = self.members()
        if key not in members:
            raise self.malformed(f"has no {key!r}")
        return Value(members[key], (*self.path, key)).choice(options)

    def number(self, kind: str = "number") -> float:
        """Return a finite number; `kind` is what messages call it."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self.malformed(f"{self.shown} is no {kind}")
        try:
            number = float(self.value)
        except OverflowError:
            raise self.contradiction(f"{self.shown} is too large") from None
        if not math.isfinite(number):
            raise self.malformed(f"{self.shown} is no {kind}")
        return number

    def between(self, least: float, most: float) -> float:
        """Return a number from `least` to `most`, both included."""
        number = self.number()
        if number < least:
            raise self.malformed(f"{self.shown} is below {least:g}")
        if number > most:
            raise self.malformed(f"{self.shown} is above {most:g}")
        return number

    def inside(self, least: float, most: float = math.inf) -> float:
        """Return a number above `least` and below `most`."""
        number = self.number()
        if number <= least:
            raise self.malformed(f"{self.shown} is not above {least:g}")
        if number >= most:
            raise self.malformed(f"{self.shown} is not below {most:g}")
        return number

    def integer(self, least: int) -> int:
        """Return a whole number of any size; 2.0 is one too."""
        value = self.value
        if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, float) and value.is_integer())):
            raise self.malformed(f"{self.shown} is no integer")
        if value < least:
            raise self.malformed(f"{self.shown} is below {least}")
        return int(value)

    def count(self) -> int | float:
        """Return a number of rows as it is written, or the sum of their weights."""
        number = self.number()
        if number < 0:
            raise self.malformed(f"{self.shown} is below 0")
        return int(self.value) if isinstance(self.value, int) else number

    def number_or_null(self) -> float | None:
        """Return a finite number, or None for null."""
        return None if self.value is None else self.number("number or null")


def check_utf8(text: str, at: Value) -> None:
    """Refuse a text that cannot be written.

    Raises
    ------
    ContradictionError
        If it is no UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise at.contradiction(f"{visible(text)!r} is not UTF-8 text") from None


def check_names(value: Value, names: Iterable[str], labels: Sequence[str]) -> None:
    """Refuse names that are none of `labels`.

    Raises
    ------
    ContradictionError
        If there is one.
    """
    known = set(labels)
    for name in names:
        if name not in known:
            what = "the positive class" if len(labels) == 1 else "a class"
            raise value.contradiction(f"{visible(name)!r} is not {what}")


def by_label(value: Value, found: Mapping[str, Any], labels: Sequence[str]) -> tuple[Any, ...]:
    """Return the parameters of all labels, in their order.

    Raises
    ------
    ContradictionError
        If a name is no label, or a label has none.
    """
    check_names(value, found, labels)
    for label in labels:
        if label not in found:
            raise value.contradiction(f"there is none for {visible(label)!r}")
    return tuple(found[label] for label in labels)
