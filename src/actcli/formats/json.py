"""JSON, one list of rows, and JSON Lines, a row a line; a row is an object, or in an input a list of numbers.

Numbers that JSON does not have, the infinities among log-probabilities and logits, become null in an output; an input
may have them as ``NaN``, ``Infinity`` and ``-Infinity``, as Python writes them.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from actcli.errors import DataError, UsageError, listed, visible
from actcli.formats.blocks import BlockSource, RowByRow, TextBlockChunk
from actcli.formats.column_roles import RECORDED, Roles, assign_roles, check_unique, select
from actcli.formats.text import TextSink, has_any, join, join_lists, join_rows, numbers, pick, texts_of, where
from actcli.streaming.batch import Carried, Kind, Layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.formats import ReadOptions
    from actcli.streaming.batch import Batch, Chunk, Column, Source, TopK
    from actcli.streaming.input import Input

__all__ = ["JsonSink", "JsonSource", "JsonlSink", "JsonlSource"]

_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_SCALAR = re.compile(rb'("(?:[^"\\]|\\.)*+"|[^\s,\[\]{}"]++)', re.DOTALL)
_LONGEST_LIST = 1 << 28
"""A list of values without brackets of their own is read at once, so it must not be longer than this."""
_ESCAPED = b'"\\' + bytes(range(32))
_DEEPEST = 200
"""Lists and objects within one another: more are refused, long before Python's own limit."""


_SCORES_OF = {
    "logits": "logits",
    "probabilities": "probabilities",
    "log-probabilities": "log_probabilities",
}
"""What the object of scores within a row is called, as actcli itself writes it, by what ``--from`` says."""


class UnreadableError(DataError):
    """What is wrong with a list of rows, so that it cannot be told where the next row begins."""


class _Number(str):
    """A number as it is written, so that it comes out as it went in."""

    __slots__ = ()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has the same key twice")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_Number, parse_int=_Number, parse_constant=_Number)


class JsonlSource(BlockSource):
    """A row a line.

    Parameters
    ----------
    input
        The open file.
    options
        How to read it.
    file
        Its index among the inputs.
    like
        The first input, when this is a further one.

    Raises
    ------
    DataError
        If the first row does not settle the layout.
    """

    def __init__(self, input: Input, options: ReadOptions, *, file: int, like: Source | None) -> None:
        super().__init__(input, file)
        self._scores_of: str | None = None
        self._classes: list[Any] = []
        self._others: frozenset[str] = frozenset()
        self._skips = options.skip
        self._plain = options.plain
        self._bare = False
        self._wrapped = False
        self.begin()
        first = self._first_row()
        if first is None:
            raise DataError(f"{input.name}: has no rows, so nothing says what the classes are")
        line, row = first
        self.layout = self._settle(row, f"{input.name}:{line}", options, like)

    def cut(self, data: bytes) -> int:
        """Return where the last whole line of `data` ends; 0 where none does."""
        return data.rfind(b"\n") + 1

    @staticmethod
    def lines(data: bytes | bytearray) -> int:
        """Return how many line ends there are in `data`: a carriage return is a blank of JSON."""
        return data.count(b"\n")

    def rows(self, data: bytes, line: int, *, last: bool = False) -> Iterator[tuple[int, Any]]:  # noqa: ARG002
        """Yield the line and the value of each row in `data`; a DataError as a value is what is wrong."""
        for number, text in enumerate(data.split(b"\n"), start=line):
            if text.strip():
                yield number, self._value(text, number)

    def _value(self, data: bytes, line: int) -> Any:
        """Return the JSON value in `data`, or the error that it is."""
        try:
            value = _DECODER.decode(data.decode("utf-8"))
            if b"\\ud" in data or b"\\uD" in data:
                _text(value).encode()
            if data.count(b"[") + data.count(b"{") > _DEEPEST and _is_deep(value):
                raise RecursionError
        except UnicodeDecodeError:
            return DataError(f"{self.input.name}:{line}: is not UTF-8")
        except UnicodeEncodeError as error:
            half = visible(error.object[error.start : error.start + 1])
            return DataError(f"{self.input.name}:{line}: {half} is half a character, which no text can hold")
        except json.JSONDecodeError as error:
            found = visible(error.doc[error.pos :], 20)
            where = line + error.doc.count("\n", 0, error.pos)
            return DataError(
                f"{self.input.name}:{where}: is not JSON: {error.msg}" + (f' at "{found}"' if found else " at its end")
            )
        except RecursionError:
            return DataError(f"{self.input.name}:{line}: JSON is nested too deeply")
        except ValueError as error:
            return DataError(f"{self.input.name}:{line}: {error}")
        return value

    def _first_row(self) -> tuple[int, Any] | None:
        """Return the line and the value of the first row, which is left in `rest`."""
        while True:
            end = len(self.rest) if self.ended else self.cut(bytes(self.rest))
            for line, value in self.rows(bytes(self.rest[:end]), self.line):
                if isinstance(value, UnreadableError) or (isinstance(value, DataError) and not self._skips):
                    raise value
                if not isinstance(value, DataError):
                    return line, value
            if self.ended:
                return None
            self.check_length()
            self.read_past(len(self.rest))

    # The layout

    def _settle(self, row: Any, place: str, options: ReadOptions, like: Source | None) -> Layout:
        """Decide by the first row which of its values are scores."""
        if options.plain:
            return self._settle_plain(row)
        if isinstance(row, list):
            return self._settle_list(row, place, options)
        if not isinstance(row, dict):
            raise DataError(f"{place}: {_found(row)} is no row; a row is an object or a list of numbers")
        name, probabilities = _SCORES_OF[options.origin], _SCORES_OF["probabilities"]
        recorded = options.recorded and options.classes is None and isinstance(row.get(probabilities), (dict, list))
        recorded = recorded and (name == probabilities or name not in row)
        name = probabilities if recorded else name
        nested = row.get(name)
        if isinstance(nested, (dict, list)):
            self._scores_of = name
            inner = self._settle(nested, place, options, like)
            others = [key for key in row if key != name]
            asked = [*options.ids, *([] if options.truth is None else [options.truth])]
            for key in asked:
                if key not in others:
                    raise DataError(
                        f"{place}: there is no {visible(key)!r} to carry along", hint=f"there is {listed(others)}"
                    )
            self._others = frozenset(others)
            self._note([key for key in others if key not in asked], like)
            along = tuple(Carried(key, Kind.JSON) for key in others)
            return Layout(inner.classes, along, inner.dtype, recorded="" if recorded else None)
        for other in _SCORES_OF.values():
            if isinstance(row.get(other), (dict, list)):
                origin = next(key for key, value in _SCORES_OF.items() if value == other)
                raise DataError(
                    f'{place}: there are no "{name}", but "{other}"', hint=f"to read those: --from {origin}"
                )
        return self._settle_object(row, place, options, like)

    def _settle_plain(self, row: Any) -> Layout:
        """Carry all along; what is no object is the one value of its row, without a name."""
        self._bare = not isinstance(row, dict)
        names = [""] if self._bare else list(row)
        self._known = frozenset(names)
        return Layout((), tuple(Carried(name, Kind.JSON) for name in names), np.dtype(np.float64))

    def _settle_list(self, row: list[Any], place: str, options: ReadOptions) -> Layout:
        names = [str(position) for position in range(len(row))]
        if not row:
            raise DataError(f"{place}: the list is empty, so there are no classes")
        chosen = range(len(row))
        if options.classes is not None:
            selected, _ = select(options.classes, names, chosen)
            if not selected:
                raise UsageError(f"--classes: {visible(options.classes)!r} leaves no class")
            self._classes = list(selected)
        else:
            self._classes = list(chosen)
        self._width = len(row)
        return Layout(tuple(map(str, self._classes)), (), np.dtype(np.float64))

    def _settle_object(self, row: dict[str, Any], place: str, options: ReadOptions, like: Source | None) -> Layout:
        names = list(row)
        if self._scores_of is not None:
            roles = Roles(self._nested_classes(row, place, options), ())
        else:
            cells = [value if isinstance(value, _Number) else _text(value) for value in row.values()]
            try:
                roles = assign_roles(
                    names,
                    cells,
                    classes=options.classes,
                    ids=options.ids,
                    truth=options.truth,
                    recorded=options.recorded,
                )
            except DataError as error:
                raise DataError(f"{place}: {error.message}", hint=error.hint) from None
        self._classes = [names[position] for position in roles.classes]
        check_unique(self._classes, place)
        carried = [names[position] for position in roles.carried]
        if self._scores_of is None:
            self._others = frozenset(carried)
            self._note([names[position] for position in roles.unasked], like)
        self._known = frozenset(names)
        along = tuple(Carried(key, Kind.JSON) for key in carried)
        found = RECORDED if roles.recorded else None
        return Layout(tuple(self._classes), along, np.dtype(np.float64), recorded=found)

    def _nested_classes(self, row: dict[str, Any], place: str, options: ReadOptions) -> tuple[int, ...]:
        """Return the positions of the classes in an object of scores, in which nothing else stands."""
        names = list(row)
        chosen = tuple(range(len(names)))
        if options.classes is not None:
            chosen, _ = select(options.classes, names, chosen)
        if not chosen:
            raise DataError(f"{place}: there are no classes")
        wrong = [names[position] for position in chosen if not isinstance(row[names[position]], _Number)]
        if wrong:
            raise DataError(f"{place}: {listed(wrong)} among the scores is no number")
        return chosen

    def _note(self, unasked: Sequence[str], like: Source | None) -> None:
        if unasked and like is None:
            self.notes.append(f"carried along: {listed(unasked)}")

    # Decoding

    def decode(self, data: bytes, line: int, *, last: bool) -> Batch:
        """Return the rows in `data`."""
        reading = RowByRow(self.input.name, self.layout)
        names = [column.name for column in self.layout.carried]
        for number, value in self.rows(data, line, last=last):
            if isinstance(value, UnreadableError):
                return reading.batch(self.file, value)
            place = reading.begin(number)
            try:
                if isinstance(value, DataError):
                    raise value
                value = self._as_object(value)  # noqa: PLW2901  a row is an object from here on
                scores = self._scores(value, place)
            except DataError as error:
                reading.leave_out(error)
            else:
                reading.add(scores, [_text(value.get(name)) for name in names])
        return reading.batch(self.file)

    def _as_object(self, value: Any) -> Any:
        """Return a row as an object, also one that is a value without a name."""
        if not self._bare:
            return value
        return {"": value[0] if self._wrapped and isinstance(value, list) and len(value) == 1 else value}

    def _scores(self, row: Any, place: str) -> list[float]:
        """Return the scores of a row, which must be like the first."""
        if self._scores_of is not None:
            if not isinstance(row, dict) or self._scores_of not in row:
                raise DataError(f'{place}: there is no "{self._scores_of}"')
            extra = row.keys() - self._others - {self._scores_of}
            if extra:
                raise DataError(f"{place}: {listed(sorted(extra))} is not in the first row")
            row = row[self._scores_of]
        if self._classes and isinstance(self._classes[0], int):
            if not isinstance(row, list) or len(row) != self._width:
                found = f"{len(row)} numbers" if isinstance(row, list) else _found(row)
                raise DataError(f"{place}: {found}, but the first row has {self._width} numbers in a list")
            cells = [(str(position), row[position]) for position in self._classes]
        else:
            if not isinstance(row, dict):
                raise DataError(f"{place}: {_found(row)} is no object, but the first row is")
            if row.keys() != self._known:
                missing = [name for name in self._classes if name not in row]
                if missing:
                    raise DataError(f"{place}: there is no {listed(missing, 3)}")
                extra = row.keys() - self._known
                if extra:
                    raise DataError(f"{place}: {listed(sorted(extra))} is not in the first row")
            cells = [(name, row[name]) for name in self._classes]
        return [self._score(value, f'{place}: column "{visible(name)}"') for name, value in cells]

    @staticmethod
    def _score(value: Any, where: str) -> float:
        if not isinstance(value, _Number):
            raise DataError(f"{where}: {_found(value)} is not a number")
        number = float(value)
        if math.isinf(number) and "I" not in value:
            raise DataError(f'{where}: "{visible(value)}" is too large for float64')
        return number


class JsonSource(JsonlSource):
    """One list of rows.

    The bracket that opens the list is taken for a comma: so one stands before every row, the first one too.
    """

    row_ends = (b"}", b"]")

    def begin(self) -> None:
        """Read the beginning, up to the bracket that opens the list."""
        super().begin()
        opening = self._skip_blanks(0)
        if self.rest[opening : opening + 1] != b"[":
            found = visible(repr(bytes(self.rest[opening : opening + 8]))[1:])
            raise DataError(
                f"{self.input.name}: is not one list of rows: it begins with {found}",
                hint="if every line is a row: --input-format jsonl; if it holds a list of rows: jq .NAME takes it out",
            )
        if self.rest[self._skip_blanks(opening + 1) :][:1] == b"]":
            raise DataError(f"{self.input.name}: has no rows, so nothing says what the classes are")
        self.rest[opening : opening + 1] = b","
        if self._plain and bytes(self.rest[self._skip_blanks(opening + 1) :][:1]) not in (b"{", b"["):
            self._wrap()

    def _wrap(self) -> None:
        """Put brackets about each value of a list of texts or numbers, which has none to tell where a row ends."""
        while not self.ended:
            self._fill()
            if len(self.rest) > _LONGEST_LIST:
                raise DataError(
                    f"{self.input.name}: is a list of more than {_LONGEST_LIST >> 20} MiB",
                    hint="write a value a line, as JSON Lines",
                )
        self._wrapped = True
        self.rest = bytearray(_SCALAR.sub(rb"[\1]", bytes(self.rest)))

    def cut(self, data: bytes) -> int:
        """Return where the last whole row of `data` ends; 0 where none does."""
        ends = _row_ends(data)
        return int(ends[-1]) if len(ends) else 0

    def chunks(self, output_bytes: int) -> Iterator[Chunk | None]:
        """Cut the input into blocks of whole rows; the last block must close the list."""
        closed = False
        for chunk in super().chunks(output_bytes):
            closed = isinstance(chunk, TextBlockChunk) and chunk.last
            yield chunk
        if not closed:
            raise DataError(f"{self.input.name}:{self.line}: the list of rows is not closed")

    def rows(self, data: bytes, line: int, *, last: bool = False) -> Iterator[tuple[int, Any]]:
        """Yield the line and the value of each row in `data`; a DataError as a value is what is wrong."""
        position = 0
        for end in _row_ends(data).tolist():
            text = data[position:end].lstrip()
            number = line + data.count(b"\n", 0, end - len(text))
            row = text[1:].lstrip()
            if text[:1] != b"," or row[:1] not in (b"{", b"["):
                yield number, self._wrong(text, number)
                return
            number += text.count(b"\n", 0, len(text) - len(row))
            yield number, self._value(row, number)
            position = end
        rest = data[position:].strip()
        if last and rest != b"]":
            number = line + data.count(b"\n", 0, len(data) - len(data[position:].lstrip()))
            yield number, self._wrong(rest, number)

    def _wrong(self, found: bytes, line: int) -> UnreadableError:
        where = f"{self.input.name}:{line}"
        if not found:
            return UnreadableError(f"{where}: the list of rows is not closed")
        if found[:1] == b"," and found[1:].lstrip()[:1] in (b"{", b"["):
            line += found.count(b"\n", 0, len(found) - len(found[1:].lstrip()))
            return UnreadableError(f"{self.input.name}:{line}: the row that begins here is not closed")
        shown = visible(found.decode("utf-8", "replace"), 20)
        return UnreadableError(f'{where}: a row or the end of the list should stand where "{shown}" does')

    def _skip_blanks(self, start: int) -> int:
        """Return where in `rest` the first character from `start` on is that is not blank."""
        while not (stripped := self.rest[start:].lstrip()) and not self.ended:
            self._fill()
            self.check_length()
        return len(self.rest) - len(stripped)


def _row_ends(data: bytes) -> np.ndarray[Any, Any]:
    """Return where the rows of a list end in `data`, which begins between two: where all brackets are closed again.

    Brackets within texts do not count; escapes are blotted out first, so that every quote left begins or ends a text.
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
    """Return whether lists and objects hold one another too often for what walks through them."""
    level = [value]
    for _ in range(_DEEPEST):
        inner = (found for outer in level for found in (outer.values() if isinstance(outer, dict) else outer))
        level = [found for found in inner if isinstance(found, (dict, list))]
        if not level:
            return False
    return True


def _found(value: Any) -> str:
    """Return a JSON value as a message shows it."""
    return visible(_text(value), 40)


def _text(value: Any) -> str:
    """Return the JSON text of a value, its numbers as they were written."""
    if isinstance(value, _Number):
        return "null" if "a" in value or "I" in value else str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(key)}:{_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


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
            parts += [("," if parts else self.before_row + "{") + _quoted(name), *self._value(column, batch, start)]
        if not parts:
            parts = [pick([self.before_row + "{"], np.zeros(len(batch), dtype=np.int64))]
        return [*parts, "}"]

    def _value(self, column: Column, batch: Batch, start: int) -> list[Any]:
        """Return the parts of a value, from the colon on."""
        match column.kind:
            case Kind.ROW:
                return [numbers(":", start + batch.row_numbers())]
            case Kind.TEXT:
                return [":", _quoted_all(batch.data(column))]
            case Kind.JSON:
                return [":", batch.data(column)]
            case Kind.VALUE:
                return [":", self._typed(batch.data(column))]
            case Kind.NUMBER:
                return [numbers(":", batch.data(column), null=True)]
            case Kind.CODE:
                return [":", self.picked(column, batch.data(column))]
            case Kind.MATRIX:
                return [":{", self._object(column, batch.data(column)), "}"]
            case Kind.SET:
                sets = batch.data(column)
                return [":[", join_lists(sets.offsets, self.picked(column, sets.codes), ","), "]"]
            case Kind.RANKING:
                return [":[", self._ranks(column, batch.data(column)), "]"]

    def _typed(self, values: Any) -> Any:
        """Return values of an Arrow type: numbers and truth values as they are, the rest as texts, null as null."""
        if pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_boolean(values.type):
            found = pa.array([text or "null" for text in texts_of(values).to_pylist()], pa.string())
            return pa.array(["null" if "n" in text else text for text in found.to_pylist()], pa.string())
        texts = _quoted_all(texts_of(values))
        return where(np.array(values.is_valid().to_pylist(), dtype=np.bool_), texts, "null")

    def label_texts(self, column: Column) -> Sequence[str]:
        """Return the labels of a column as JSON; numbers stay numbers."""
        return column.labels if column.kind is Kind.SET and column.dtype else list(map(_quoted, column.labels))

    def _object(self, column: Column, values: np.ndarray[Any, Any]) -> Any:
        width = len(column.labels)
        keys = self.picked(column, np.tile(np.arange(width), len(values)))
        flat = np.ascontiguousarray(values).reshape(-1)
        return join_rows(width, join([keys, numbers(":", flat, null=True)], ""), ",")

    def _ranks(self, column: Column, ranking: TopK) -> Any:
        found = ranking.codes >= 0
        texts = join(
            [
                '{"label":',
                self.picked(column, ranking.codes[found]),
                ',"probability"',
                numbers(":", ranking.probabilities[found], null=True),
                "}",
            ],
            "",
        )
        offsets = np.concatenate([[0], np.cumsum(found.sum(axis=1))])
        return join_lists(offsets, texts, ",")


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
