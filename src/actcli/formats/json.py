"""JSON, one list of rows, and JSON Lines, a row a line; a row is an object.

Numbers that JSON does not have, the infinities among log-probabilities and logits, become null.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from actcli.batch import Kind
from actcli.formats.text import TextSink, has_any, join, join_lists, join_rows, pick, where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.batch import Batch, Column, Ranking

__all__ = ["JsonSink", "JsonlSink"]

_ESCAPED = b'"\\' + bytes(range(32))


class JsonlSink(TextSink):
    """A row a line."""

    def extra_bytes(self, column: Column) -> int:
        """Return how many bytes the names of a column take in each row."""
        return len(column.name) + (sum(map(len, column.labels)) if column.kind is Kind.MATRIX else 0)

    def cells(self, batch: Batch, start: int) -> list[Any]:
        """Return the parts of an object."""
        parts: list[Any] = []
        for column in self.columns:
            name = column.name if column.carried is None else column.headers[0]
            parts += ["," if parts else "{", _quoted(name), ":", self._value(column, batch, start)]
        parts = parts or ["{"]
        parts[0] = pick([str(parts[0])], np.zeros(len(batch.scores), dtype=np.int64))
        return [*parts, "}"]

    def _value(self, column: Column, batch: Batch, start: int) -> Any:
        match column.kind:
            case Kind.ROW:
                return self.numbers(np.arange(start, start + len(batch.scores)))
            case Kind.TEXT:
                return _quoted_all(batch.data(column))
            case Kind.NUMBER:
                return self._numbers(batch.data(column))
            case Kind.CODE:
                return pick(list(map(_quoted, column.labels)), batch.data(column))
            case Kind.MATRIX:
                return self._object(column.labels, batch.data(column))
            case Kind.SET:
                sets = batch.data(column)
                labels = column.labels if column.dtype else list(map(_quoted, column.labels))
                return join(["[", join_lists(sets.offsets, pick(labels, sets.codes), ","), "]"], "")
            case Kind.RANKING:
                return self._ranks(column.labels, batch.data(column))

    def _numbers(self, values: np.ndarray[Any, Any]) -> Any:
        return where(np.isfinite(values).reshape(-1), self.numbers(values), "null")

    def _object(self, labels: Sequence[str], values: np.ndarray[Any, Any]) -> Any:
        keys = pick([_quoted(label) + ":" for label in labels], np.tile(np.arange(len(labels)), len(values)))
        return join(["{", join_rows(len(labels), join([keys, self._numbers(values)], ""), ","), "}"], "")

    def _ranks(self, labels: Sequence[str], ranking: Ranking) -> Any:
        found = ranking.codes >= 0
        texts = join(
            [
                '{"label":',
                pick(list(map(_quoted, labels)), ranking.codes[found]),
                ',"probability":',
                self._numbers(ranking.probabilities[found]),
                "}",
            ],
            "",
        )
        offsets = np.concatenate([[0], np.cumsum(found.sum(axis=1))])
        return join(["[", join_lists(offsets, texts, ","), "]"], "")


class JsonSink(JsonlSink):
    """One list of rows."""

    before_row = ",\n"
    _written = False

    def begin(self) -> str:
        """Return the beginning of the list."""
        return "["

    def put(self, text: memoryview) -> None:
        """Write objects, the first without the comma before it."""
        self.output.write(text if self._written else text[1:])
        self._written = True

    def end(self) -> str:
        """Return the end of the list."""
        return "\n]\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _quoted_all(texts: Any) -> Any:
    if has_any(texts, _ESCAPED):
        return pa.array(list(map(_quoted, texts.to_pylist())), pa.string())
    return join(['"', texts, '"'], "")
