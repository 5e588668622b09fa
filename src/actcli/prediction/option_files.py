"""The small files that options name: class names, thresholds, policies. They are read whole, so size is limited."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from typing import TYPE_CHECKING, Any

from actcli.errors import ActcliError, DataError, UsageError, visible
from actcli.formats.column_roles import check_unique, split_list

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "csv_rows",
    "decoded",
    "parsed_json",
    "read_bytes",
    "read_class_names",
    "read_text",
    "read_thresholds",
    "share",
]

LARGEST = 1 << 26
"""The most bytes of such a file."""

_DECIMAL = frozenset("0123456789+-.eE \t")
"""The characters of a decimal number."""


def read_class_names(value: str) -> tuple[tuple[str, ...], str | None]:
    """Return the names that ``--class-names`` gives, and the path of their file; None if there is no file.

    The value is a path, or the names themselves with commas between. A file holds one name a line, a JSON list, a JSON
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
        If the file cannot be read, is something else, is empty, or names a class twice.
    UsageError
        If a threshold is not a number from 0 to 1.
    """
    text = read_text(path, "--thresholds takes a JSON or CSV file")
    found = _json_thresholds(text, path) if text.lstrip().startswith(("{", "[")) else _csv_thresholds(text, path)
    if not found:
        raise DataError(
            f"{visible(path, 200)}: holds no thresholds", hint="a threshold is a name and a number from 0 to 1"
        )
    return found


def _json_thresholds(text: str, path: str) -> dict[str, float]:
    found = parsed_json(text, path)
    if not isinstance(found, dict):
        raise DataError(f"{visible(path, 200)}: is no JSON object from name to threshold")
    return {name: share(value, f"{visible(path, 200)}: {visible(name)}") for name, value in found.items()}


def _csv_thresholds(text: str, path: str) -> dict[str, float]:
    result: dict[str, float] = {}
    for line, row in csv_rows(text, path, ("name", "threshold")):
        where = f"{visible(path, 200)}:{line}"
        if len(row) != 2:
            raise DataError(f"{where}: {len(row)} cells, not a name and a threshold")
        name, value = row
        if name in result:
            raise DataError(f"{where}: there are two thresholds for {visible(name)!r}")
        result[name] = share(value, f"{where}: {visible(name)}")
    return result


def share(value: object, where: str) -> float:
    """Return a number from 0 to 1 from its text or from a number; `where` begins the message of an error.

    Raises
    ------
    UsageError
        If it is something else.
    """
    text = value if isinstance(value, str) else repr(value)
    # float() also takes 1_0, nan and digits of other scripts.
    if _DECIMAL.issuperset(text):
        with contextlib.suppress(ValueError):
            if 0 <= (number := float(text)) <= 1:
                return number
    raise UsageError(f"{where}: {visible(text)!r} is not a number from 0 to 1")


def read_text(path: str, hint: str) -> str:
    """Return the text of a small file.

    Raises
    ------
    DataError
        If it is not there (with `hint`), cannot be read, is too large, or is not UTF-8.
    """
    return decoded(read_bytes(path, hint), path)


def read_bytes(path: str, hint: str) -> bytes:
    """Return the content of a small file.

    Raises
    ------
    DataError
        If it is not there (with `hint`), cannot be read, or is too large.
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
    return data


def decoded(data: bytes, path: str) -> str:
    """Return the text of the file at `path`, which holds `data`.

    Raises
    ------
    DataError
        If it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{visible(path, 200)}: is not UTF-8 text") from None


def parsed_json(text: str, path: str) -> Any:
    """Return the value of a JSON text; `path` begins the message of an error.

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


def csv_rows(text: str, path: str, header: tuple[str, ...] | None = None) -> list[tuple[int, list[str]]]:
    """Return the rows of a CSV text, each with the number of its last line, without a first row that reads `header`.

    Blank lines are skipped.

    Raises
    ------
    DataError
        If it is not CSV.
    """
    csv.field_size_limit(2 * LARGEST)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if row and (len(row) > 1 or row[0].strip())]
    except csv.Error as error:
        raise DataError(f"{visible(path, 200)}:{reader.line_num}: is not CSV: {error}") from None
    if header is not None and rows and tuple(cell.strip() for cell in rows[0][1]) == header:
        del rows[0]
    return rows


def _names_in(text: str, path: str) -> list[str]:
    if not text.lstrip().startswith(("[", "{")):
        return _lines(text)
    try:
        value = parsed_json(text, path)
    except DataError:
        # The first name of a list may look like JSON: [PAD].
        if path.lower().endswith(".json") or len(_lines(text)) < 2:
            raise
        return _lines(text)
    if isinstance(value, dict):
        if "label2id" in value and "id2label" not in value:
            value = _inverted(value["label2id"], path)
        value = value.get("id2label", value)
    if isinstance(value, dict):
        expected = [str(index) for index in range(len(value))]
        if set(value) != set(expected):
            raise DataError(f"{visible(path, 200)}: the keys of the object are not the indices 0 to {len(value) - 1}")
        value = [value[index] for index in expected]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise DataError(f"{visible(path, 200)}: holds no list of names")
    return value


def _inverted(indices: Any, path: str) -> dict[str, str]:
    """Return the name of each index, given the index of each name."""
    where = visible(path, 200)
    numbers = list(indices.values()) if isinstance(indices, dict) else [None]
    if any(isinstance(number, bool) or not isinstance(number, int) for number in numbers):
        raise DataError(f"{where}: label2id is no object from name to index")
    names = {str(number): name for name, number in indices.items()}
    if len(names) < len(indices):
        raise DataError(f"{where}: label2id has two names with the same index")
    return names


def _lines(text: str) -> list[str]:
    """Return the lines of `text` without their ends, which are LF, CR LF and CR only."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if not lines[-1] else lines


def _check_names(names: Sequence[str], where: str, error: type[ActcliError]) -> None:
    if not names:
        raise error(f"{where}: holds no class names")
    check_unique(names, where, error)
