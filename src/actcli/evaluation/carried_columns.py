"""Labels and ids in the carried columns of a batch: each distinct value is decoded once."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.errors import DataError, visible
from actcli.evaluation.class_labels import LabelError
from actcli.streaming.batch import Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from actcli.evaluation.class_labels import TruthSpec
    from actcli.streaming.batch import Batch

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["begins_with_number", "decoded", "exclusive_codes", "label_array", "placed"]


def decoded(
    batch: Batch, column: str, kind: Kind, decode: Callable[[Any], Any], *, shown: str | None
) -> tuple[Array, list[Any]]:
    """Return for each row the index of its value, shape (N,), and the distinct values, decoded.

    Parameters
    ----------
    batch
        The rows.
    column, kind
        The name of the column in the batch, and how its data look.
    decode
        Decodes a value: a text, or what a JSON text stands for.
    shown
        The name of the column in messages; None leaves it out.

    Raises
    ------
    DataError
        If `decode` raises a `LabelError`, with the place of the first row that has the value.
    """
    from actcli.formats.text import call_function, texts_of

    values = batch.carried[column]
    texts = texts_of(values) if kind is Kind.VALUE else values
    encoded = call_function("dictionary_encode", [texts])
    indices = encoded.indices
    codes = np.frombuffer(indices.buffers()[1] or b"", dtype=np.int32)[indices.offset :][: len(indices)]
    textual = _is_textual(values, kind)
    found = []
    for number, text in enumerate(encoded.dictionary.to_pylist()):
        try:
            found.append(decode(text if textual else _json_value(text)))
        except LabelError as error:
            place = batch.place(int(batch.row_numbers()[int(np.argmax(codes == number))]))
            where = place if shown is None else f'{place}: column "{visible(shown)}"'
            raise DataError(f"{where}: {error}", hint=error.hint) from None
    return codes, found


def exclusive_codes(batch: Batch, column: str, kind: Kind, decode: Callable[[Any], int], *, shown: str | None) -> Array:
    """Return the code of each row, shape (N,), int64; parameters and errors are those of `decoded`."""
    codes, found = decoded(batch, column, kind, decode, shown=shown)
    return np.array(found, dtype=np.int64)[codes] if found else np.zeros(0, dtype=np.int64)


def label_array(
    spec: TruthSpec,
    batch: Batch,
    column: str,
    kind: Kind,
    *,
    shown: str | None,
    decode: Callable[[Any], list[int]] | None = None,
) -> Array:
    """Return the labels in a carried column: codes, shape (N,), int64, or for label sets a table, (N, C), bool.

    Parameters and errors are those of `decoded`; `spec` says which labels there are, and `decode` decodes a set.
    """
    if not spec.sets:
        return exclusive_codes(batch, column, kind, spec.book.code, shown=shown)
    codes, sets = decoded(batch, column, kind, decode or spec.book.codes, shown=shown)
    bits = np.zeros((len(sets), len(spec.classes)), dtype=np.bool_)
    for row, members in enumerate(sets):
        bits[row, members] = True
    return np.asarray(bits[codes])


def placed(batch: Batch, message: str) -> str:
    """Return a message about a row of the batch, "row 2: ..." from 0, with the place of that row in its file."""
    row, colon, rest = message.partition(": ")
    number = row.removeprefix("row ")
    if colon and number.isdigit():
        return f"{batch.place(int(batch.row_numbers()[int(number)]))}: {rest}"
    return f"{batch.place(0).rpartition(': row')[0]}: {message}"


def begins_with_number(values: Any, kind: Kind) -> bool:
    """Return whether the first value of a carried column is a number, or true or false."""
    from actcli.formats.text import texts_of

    first = values[:1]
    texts = texts_of(first) if kind is Kind.VALUE else first
    return not _is_textual(first, kind) and isinstance(_json_value(texts[0].as_py()), int | float)


def _is_textual(values: Any, kind: Kind) -> bool:
    """Return whether the values of a carried column are texts, not what JSON texts stand for."""
    return kind is Kind.TEXT or (kind is Kind.VALUE and str(values.type) in ("string", "large_string"))


def _json_value(text: str) -> Any:
    """Return what a JSON text stands for: null for an empty text; a text that is not JSON stands for itself."""
    with contextlib.suppress(ValueError):
        return json.loads(text) if text else None
    return text
