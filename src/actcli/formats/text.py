"""Arrow arrays of texts: made of numbers, labels and carried values, joined, and quoted for CSV.

Formatting numbers costs most. orjson writes each as the shortest text that reads back to the same number, several times
faster than Arrow. It holds Python's global lock meanwhile, and is still faster on many processors.

``pa.array`` of a list and ``pa.scalar`` import pandas where it is installed, which doubles the start-up time. Arrays
and scalars are made by `text_array`, `text_scalar`, `bool_array` and `from_numpy` instead.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np
import orjson
import pyarrow as pa

from actcli.formats.arrow_values import python_values
from actcli.streaming.arrow_calls import CastOptions, call_function, from_numpy, take
from actcli.streaming.batch import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "bool_array",
    "call_function",
    "carried_texts",
    "from_numpy",
    "has_any",
    "join",
    "join_lists",
    "join_rows",
    "numbers",
    "offsets_of",
    "pick",
    "plain",
    "quoted",
    "quoted_all",
    "repeated",
    "text_array",
    "text_scalar",
    "texts_of",
    "where",
]

_LARGEST_TEXTS = (1 << 31) - 1
"""The most bytes of text in an Arrow string array, whose offsets have 32 bits."""


def numbers(lead: str, *columns: np.ndarray[Any, Any], separator: str = ",", null: bool = False) -> Any:
    """Return the texts of numbers as an Arrow array, one for each row.

    Parameters
    ----------
    lead
        The one character before each text.
    columns
        The numbers of each row, side by side: arrays of shape (N,), or (N, C) for C numbers; all of one dtype.
    separator
        The one character between the numbers of a text.
    null
        Whether numbers that are not finite are written as null, as in JSON, instead of nan, inf and -inf.
    """
    rows = len(columns[0])
    tables = [column.reshape(rows, column.size // max(1, rows)) for column in columns]
    width = sum(table.shape[1] for table in tables)
    if not rows * width:
        return text_array([lead] * rows)
    # The 0 in front gives the first number a comma before it, as all others have. The 0 itself is not used.
    flat = np.zeros(1 + rows * width, dtype=tables[0].dtype)
    np.concatenate(tables, axis=1, out=flat[1:].reshape(rows, width))
    data = _with_names(orjson.dumps(flat, option=orjson.OPT_SERIALIZE_NUMPY), flat, null=null)
    del flat
    characters = np.frombuffer(data, np.uint8)
    commas = np.flatnonzero(characters == ord(","))
    starts = np.empty(rows + 1, dtype=np.int32)
    starts[:-1] = commas[::width]
    starts[-1] = len(data) - 1
    if (lead, separator) != (",", ","):
        characters = characters.copy()
        characters[commas] = ord(separator)
        characters[starts[:-1]] = ord(lead)
    return pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(starts), pa.py_buffer(characters)])


def _with_names(data: bytes, values: np.ndarray[Any, Any], *, null: bool) -> bytes:
    """Return a JSON list with nan, inf and -inf where orjson wrote null."""
    if null or np.isfinite(values).all():
        return data
    texts = data[1:-1].split(b",")
    for position in np.flatnonzero(~np.isfinite(values)):
        texts[position] = str(values[position]).encode()
    return b"[" + b",".join(texts) + b"]"


def text_array(texts: Iterable[str | None]) -> Any:
    """Return texts as an Arrow string array; None becomes null."""
    given = list(texts)
    encoded = [b"" if text is None else text.encode() for text in given]
    offsets = np.zeros(len(given) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), out=offsets[1:])
    if offsets[-1] > _LARGEST_TEXTS:
        raise pa.ArrowCapacityError("more than 2 GiB of text in one array")
    valid = None
    if None in given:
        valid = bool_array(np.array([text is not None for text in given])).buffers()[1]
    buffers = [valid, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(given), buffers)


@functools.lru_cache(maxsize=256)
def text_scalar(text: str) -> Any:
    """Return a text as an Arrow scalar."""
    return text_array([text])[0]


def bool_array(values: np.ndarray[Any, Any]) -> Any:
    """Return an array of booleans, shape (N,), as an Arrow array."""
    bits = np.packbits(values, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(bits)])


def join(cells: Sequence[Any], separator: str) -> Any:
    """Join texts row by row; a single string is the same text in every row."""
    if len(cells) == 1:
        return cells[0]
    parts = [text_scalar(cell) if isinstance(cell, str) else cell for cell in cells]
    return call_function("binary_join_element_wise", [*parts, text_scalar(separator)])


def join_lists(offsets: np.ndarray[Any, Any], texts: Any, separator: str) -> Any:
    """Join the texts of each row; row i has the texts from offset i to offset i + 1."""
    lists = pa.ListArray.from_arrays(from_numpy(offsets.astype(np.int32)), texts)
    return call_function("binary_join", [lists, text_scalar(separator)])


def join_rows(width: int, texts: Any, separator: str) -> Any:
    """Join each group of `width` consecutive texts."""
    return join_lists(np.arange(0, len(texts) + 1, width), texts, separator)


def pick(labels: Any, codes: np.ndarray[Any, Any]) -> Any:
    """Return the label of each code as an Arrow array; -1 is the last label."""
    texts = labels if isinstance(labels, pa.Array) else text_array(labels)
    positions = codes.astype(np.int32)
    positions[positions < 0] = len(texts) - 1
    return take(texts, positions)


def repeated(values: Any, times: int) -> Any:
    """Return an Arrow array with each of its values that many times in a row."""
    return take(values, np.repeat(np.arange(len(values)), times))


def where(condition: np.ndarray[Any, Any], texts: Any, otherwise: str) -> Any:
    """Return `texts`, replaced by `otherwise` where the condition is false."""
    if condition.all():
        return texts
    return call_function("if_else", [bool_array(condition), texts, text_scalar(otherwise)])


def offsets_of(texts: Any) -> np.ndarray[Any, Any]:
    """Return the N + 1 offsets of the texts of an Arrow string array into its data buffer."""
    if not len(texts):
        return np.zeros(1, dtype=np.int32)
    # A buffer from a file may be longer than needed.
    return np.frombuffer(texts.buffers()[1], np.int32, len(texts) + 1, 4 * texts.offset)


def has_any(texts: Any, marks: bytes) -> bool:
    """Return whether any of the bytes in `marks` occurs in an array of texts."""
    if texts.buffers()[2] is None:
        return False
    offsets = offsets_of(texts)
    data = memoryview(texts.buffers()[2])[offsets[0] : offsets[-1]].tobytes()
    return any(mark in data for mark in marks)


def carried_texts(kind: Kind, data: Any) -> Any:
    """Return the values of a carried column as texts, as formats without types write them.

    Parameters
    ----------
    kind
        `Kind.TEXT`, `Kind.VALUE` or `Kind.JSON`.
    data
        The values, an Arrow array of the form that the kind says.

    Returns
    -------
    An Arrow string array without nulls.

    Raises
    ------
    ValueError
        If no carried column is of that kind.
    """
    match kind:
        case Kind.TEXT:
            return data
        case Kind.VALUE:
            return texts_of(data)
        case Kind.JSON:
            return plain(data)
        case Kind.NUMBER | Kind.CODE | Kind.MATRIX | Kind.SET | Kind.RANKING | Kind.ROW:
            raise ValueError(f"a carried column is never a {kind.value}")
        case _:
            assert_never(kind)


def plain(texts: Any) -> Any:
    """Return JSON values as texts: a JSON text without its quotes, null as an empty text, other values as JSON."""
    return text_array(map(_unquoted, texts.to_pylist()))


def texts_of(values: Any) -> Any:
    """Return an Arrow array of any type as texts: null as an empty text, types without a text form as JSON."""
    try:
        texts = call_function("cast", [values], CastOptions.safe(pa.string()))
    except (pa.ArrowException, NotImplementedError):
        texts = text_array(None if x is None else json.dumps(x, default=str) for x in python_values(values))
    return call_function("coalesce", [texts, text_scalar("")]) if texts.null_count else texts


def _unquoted(text: str) -> str:
    """Return a JSON value as a text."""
    if text == "null":
        return ""
    return str(json.loads(text)) if text.startswith('"') else text


def quoted(text: str, delimiter: str) -> str:
    """Return `text` as a CSV cell, in quotes only if it needs them."""
    needs = any(mark in text for mark in (delimiter, '"', "\n", "\r"))
    return '"' + text.replace('"', '""') + '"' if needs else text


def quoted_all(texts: Any, delimiter: str) -> Any:
    """Return an Arrow array of texts as CSV cells, each in quotes only if it needs them."""
    if not has_any(texts, delimiter.encode() + b'"\n\r'):
        return texts
    return text_array(quoted(text, delimiter) for text in texts.to_pylist())
