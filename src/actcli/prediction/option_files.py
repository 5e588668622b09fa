"""Small files that options name: class names, thresholds. Read whole, so their size is limited."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import TYPE_CHECKING, Any

from actcli.errors import ActcliError, DataError, UsageError, visible
from actcli.formats.column_roles import check_unique, is_number, split_list

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["parsed_json", "read_class_names", "read_text", "read_thresholds", "share"]

LARGEST = 1 << 26
"""More bytes than this are no list of names."""


def read_class_names(value: str) -> tuple[tuple[str, ...], str | None]:
    """Return the names that ``--class-names`` gives, and the file that they are from, if they are from one.

    The value is a file, or the names themselves with commas between. A file holds one name a line, a JSON list, a JSON
    object from index to name, or a Hugging Face ``config.json`` with ``id2label``.

    Raises
    ------
    DataError
        If the file cannot be read or does not hold names.
    UsageError
        If the list on the command line has empty names or duplicates.
    """
    if "," in value and not os.path.exists(value):
        names = split_list(value, "--class-names")
        _check_names(names, "--class-names", UsageError)
        return tuple(names), None
    text = read_text(value, "--class-names takes a file, or names with commas between")
    names = _names_in(text, value)
    _check_names(names, visible(value, 200), DataError)
    return tuple(names), value


def read_thresholds(path: str) -> dict[str, float]:
    """Return the threshold of each class that a file names: a JSON object, or CSV with a name and a number a line.

    Raises
    ------
    DataError
        If the file cannot be read, is something else, or names a class twice.
    UsageError
        If a threshold is not a number from 0 to 1.
    """
    text = read_text(path, "--thresholds takes a JSON or CSV file")
    if text.lstrip().startswith(("{", "[")):
        found = parsed_json(text, path)
        if not isinstance(found, dict):
            raise DataError(f"{visible(path, 200)}: is no JSON object from name to threshold")
        return {name: share(value, f"{visible(path, 200)}: {visible(name)}") for name, value in found.items()}
    result: dict[str, float] = {}
    for line, row in _csv_rows(text, path):
        where = f"{visible(path, 200)}:{line}"
        if len(row) != 2:
            raise DataError(f"{where}: {len(row)} cells, not a name and a threshold")
        name, value = row
        if name in result:
            raise DataError(f"{where}: there are two thresholds for {visible(name)!r}")
        result[name] = share(value, f"{where}: {visible(name)}")
    return result


def share(value: object, where: str) -> float:
    """Return a number from 0 to 1, given as a text or a number; `where` begins the message otherwise.

    Raises
    ------
    UsageError
        If it is not one.
    """
    text = value if isinstance(value, str) else repr(value)
    number = float(text) if is_number(text) else float("nan")
    if not 0 <= number <= 1:
        raise UsageError(f"{where}: {visible(text)!r} is not a number from 0 to 1")
    return number


def read_text(path: str, hint: str) -> str:
    """Return the text of a small file.

    Raises
    ------
    DataError
        If it is not there, with this hint, or cannot be read, is large, or is not UTF-8.
    """
    name = visible(path, 200)
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise DataError(f"{name}: no such file", hint=hint) from None
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror}") from None
    if len(data) > LARGEST:
        raise DataError(f"{name}: has more than {LARGEST >> 20} MiB", hint=hint)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{name}: is not UTF-8 text") from None


def parsed_json(text: str, path: str) -> Any:
    """Return what a text of JSON stands for; `path` begins the message otherwise.

    Raises
    ------
    DataError
        If it is not JSON, or an object has the same key twice.
    """
    name = visible(path, 200)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) < len(pairs):
            raise DataError(f"{name}: an object has the same key twice")
        return result

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise DataError(f"{name}:{error.lineno}: is not JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise DataError(f"{name}: is not JSON that can be read: {visible(str(error), 100)}") from None


def _csv_rows(text: str, path: str) -> list[tuple[int, list[str]]]:
    csv.field_size_limit(2 * LARGEST)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise DataError(f"{visible(path, 200)}:{reader.line_num}: is not CSV: {error}") from None
    if rows and [cell.strip() for cell in rows[0][1]] == ["name", "threshold"]:
        del rows[0]
    return rows


def _names_in(text: str, path: str) -> list[str]:
    if not text.lstrip().startswith(("[", "{")):
        return _lines(text)
    try:
        value = parsed_json(text, path)
    except DataError:
        # A list of names may begin with one such as [PAD].
        if path.lower().endswith(".json") or len(_lines(text)) < 2:
            raise
        return _lines(text)
    if isinstance(value, dict):
        value = value.get("id2label", value)
    if isinstance(value, dict):
        expected = [str(index) for index in range(len(value))]
        if set(value) != set(expected):
            raise DataError(f"{visible(path, 200)}: the keys of the object are not the indices 0 to {len(value) - 1}")
        value = [value[index] for index in expected]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise DataError(f"{visible(path, 200)}: holds no list of names")
    return value


def _lines(text: str) -> list[str]:
    """Return the lines of `text` without their ends; LF, CR LF and CR end one, and nothing else does."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if not lines[-1] else lines


def _check_names(names: Sequence[str], where: str, error: type[ActcliError]) -> None:
    if not names:
        raise error(f"{where}: holds no class names")
    check_unique(names, where, error)
