"""Rows of JSON: where they end, the values that they hold, and what is wrong with them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.errors import DataError, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["JsonLines", "JsonList", "JsonNumber", "UnreadableError", "json_text", "shown"]

_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_DEEPEST = 200
"""The most lists and objects within one another. This is far below Python's own limit."""


class UnreadableError(DataError):
    """An error in a list of rows after which the start of the next row is not known."""


class JsonNumber(str):
    """A number in the form in which it was written, so that it is written in the same form."""

    __slots__ = ()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has the same key twice")
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=JsonNumber, parse_int=JsonNumber, parse_constant=JsonNumber
)


@dataclass(frozen=True, slots=True)
class JsonLines:
    """Rows of JSON Lines.

    Parameters
    ----------
    name
        The name of the file in messages.
    """

    name: str

    def cut(self, data: bytes) -> int:
        """Return the end of the last whole row of `data`; 0 if no row ends in it."""
        return data.rfind(b"\n") + 1

    def parse(self, data: bytes, line: int, *, last: bool = False) -> Iterator[tuple[int, Any]]:  # noqa: ARG002
        """Yield the line and the value of each row in `data`; the value of a bad row is its DataError."""
        for number, text in enumerate(data.split(b"\n"), start=line):
            if text.strip():
                yield number, self.value(text, number)

    def value(self, data: bytes, line: int) -> Any:
        """Return the JSON value in `data`, or its error."""
        try:
            value = _DECODER.decode(data.decode("utf-8"))
            if b"\\ud" in data or b"\\uD" in data:
                json_text(value).encode()
            if data.count(b"[") + data.count(b"{") > _DEEPEST and _is_deep(value):
                raise RecursionError
        except UnicodeDecodeError:
            return DataError(f"{self.name}:{line}: is not UTF-8")
        except UnicodeEncodeError as error:
            half = visible(error.object[error.start : error.start + 1])
            return DataError(f"{self.name}:{line}: {half} is half a character, which no text can hold")
        except json.JSONDecodeError as error:
            found = visible(error.doc[error.pos :], 20)
            where = line + error.doc.count("\n", 0, error.pos)
            return DataError(
                f"{self.name}:{where}: is not JSON: {error.msg}" + (f' at "{found}"' if found else " at its end")
            )
        except RecursionError:
            return DataError(f"{self.name}:{line}: JSON is nested too deeply")
        except ValueError as error:
            return DataError(f"{self.name}:{line}: {error}")
        return value


@dataclass(frozen=True, slots=True)
class JsonList(JsonLines):
    """Rows of one list, each with a comma before it: the bracket that opens the list counts as a comma."""

    def cut(self, data: bytes) -> int:
        """Return the end of the last whole row of `data`; 0 if no row ends in it."""
        ends = _row_ends(data)
        return int(ends[-1]) if len(ends) else 0

    def parse(self, data: bytes, line: int, *, last: bool = False) -> Iterator[tuple[int, Any]]:
        """Yield the line and the value of each row in `data`; the value of a bad row is its DataError."""
        position = 0
        for end in _row_ends(data).tolist():
            text = data[position:end].lstrip()
            number = line + data.count(b"\n", 0, end - len(text))
            row = text[1:].lstrip()
            if text[:1] != b"," or row[:1] not in (b"{", b"["):
                yield number, self._wrong(text, number)
                return
            number += text.count(b"\n", 0, len(text) - len(row))
            yield number, self.value(row, number)
            position = end
        rest = data[position:].strip()
        if last and rest != b"]":
            number = line + data.count(b"\n", 0, len(data) - len(data[position:].lstrip()))
            yield number, self._wrong(rest, number)

    def _wrong(self, found: bytes, line: int) -> UnreadableError:
        where = f"{self.name}:{line}"
        if not found:
            return UnreadableError(f"{where}: the list of rows is not closed")
        if found[:1] == b"," and found[1:].lstrip()[:1] in (b"{", b"["):
            line += found.count(b"\n", 0, len(found) - len(found[1:].lstrip()))
            return UnreadableError(f"{self.name}:{line}: the row that begins here is not closed")
        text = visible(found.decode("utf-8", "replace"), 20)
        return UnreadableError(f'{where}: a row or the end of the list should stand where "{text}" does')


def _row_ends(data: bytes) -> np.ndarray[Any, Any]:
    """Return where the rows of a list end in `data`, which begins between two rows: where all brackets are closed.

    Brackets within texts do not count. Escapes are removed first, so that every other quote begins or ends a text.
    """
    array = np.frombuffer(_ESCAPE.sub(b"__", data) if b"\\" in data else data, dtype=np.uint8)
    outside = np.cumsum(array == ord('"')) % 2 == 0
    closing = outside & ((array == ord("}")) | (array == ord("]")))
    opening = outside & ((array == ord("{")) | (array == ord("[")))
    depth = np.cumsum(opening.astype(np.int64) - closing)
    past = np.flatnonzero(depth < 0)
    ends = np.flatnonzero(closing & (depth == 0)) + 1
    return ends[ends <= past[0]] if len(past) else ends


def _is_deep(value: Any) -> bool:
    """Return whether lists and objects are nested too deeply for recursive functions."""
    level = [value]
    for _ in range(_DEEPEST):
        inner = (found for outer in level for found in (outer.values() if isinstance(outer, dict) else outer))
        level = [found for found in inner if isinstance(found, (dict, list))]
        if not level:
            return False
    return True


def shown(value: Any) -> str:
    """Return a JSON value as a message shows it."""
    return visible(json_text(value), 40)


def json_text(value: Any) -> str:
    """Return the JSON text of a value, its numbers as they were written."""
    if isinstance(value, JsonNumber):
        return "null" if "a" in value or "I" in value else str(value)
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{json_text(inner)}" for key, inner in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(json_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
