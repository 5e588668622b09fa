"""JSON, one list of rows, and JSON Lines, one row per line. A row is an object or, in an input, a list of numbers.

JSON has no infinities. In an output, infinite logits and log-probabilities become null, and where actcli wrote them,
null is read as -inf again. An input may hold them as ``NaN``, ``Infinity`` and ``-Infinity``, as Python writes them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, assert_never

import numpy as np
import pyarrow as pa

from actcli.errors import DataError, UsageError, listed, visible
from actcli.formats.blocks import BlockSource, TextBlockChunk
from actcli.formats.column_roles import Roles, assign_roles, check_unique, select
from actcli.formats.json_decoder import JsonDecoder, RowShape
from actcli.formats.json_records import JsonLines, JsonList, JsonNumber, UnreadableError, json_text, shown
from actcli.formats.text import (
    has_any,
    join,
    join_lists,
    join_rows,
    numbers,
    pick,
    text_array,
    texts_of,
    where,
)
from actcli.formats.text_lines import RowNumbers, TextEncoder, TextSink
from actcli.streaming.batch import Carried, Kind, Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from actcli.formats.registry import ReadOptions
    from actcli.streaming.batch import Batch, Chunk, Column, Source, TopK
    from actcli.streaming.input import Input

__all__ = ["JsonSink", "JsonSource", "JsonlSink", "JsonlSource"]

_SCALAR = re.compile(rb'("(?:[^"\\]|\\.)*+"|[^\s,\[\]{}"]++)', re.DOTALL)
_LONGEST_LIST = 1 << 28
"""The most bytes of a list of values without brackets of their own, which is read at once."""

_ESCAPED = b'"\\' + bytes(range(32))
"""The characters that JSON escapes."""

_MASK = JsonNumber("-Infinity")
"""What null stands for in scores that actcli wrote."""

_SCORES_OF = {
    "logits": "logits",
    "probabilities": "probabilities",
    "log-probabilities": "log_probabilities",
}
"""The key of the scores within a row, as actcli writes it, by the value of ``--from``."""


class JsonlSource(BlockSource):
    """One row per line.

    Parameters
    ----------
    input
        The open file.
    options
        How to read it.
    file
        Its index among the inputs.
    like
        The first input, if this is a further one.

    Raises
    ------
    DataError
        If the first row does not settle the layout.
    """

    parser_type: ClassVar[type[JsonLines]] = JsonLines

    def __init__(self, input: Input, options: ReadOptions, *, file: int, like: Source | None) -> None:
        super().__init__(input, file)
        self._parser = self.parser_type(input.name)
        self._skips = options.skip
        self._plain = options.plain
        self._wrapped = False
        self.begin()
        first = self._first_row()
        if first is None:
            raise DataError(f"{input.name}: has no rows, so nothing says what the classes are")
        line, row = first
        self.layout, shape = self._settle(row, f"{input.name}:{line}", options, like)
        self.decoder = JsonDecoder(self._parser, file, shape, self.layout, self._wrapped)

    def cut(self, data: bytes) -> int:
        """Return the end of the last whole row of `data`; 0 if no row ends in it."""
        return self._parser.cut(data)

    @staticmethod
    def lines(data: bytes | bytearray) -> int:
        """Return how many line ends there are in `data`: JSON counts a carriage return as a blank."""
        return data.count(b"\n")

    def _first_row(self) -> tuple[int, Any] | None:
        """Return the line and the value of the first row, which stays in `rest`."""
        while True:
            end = len(self.rest) if self.ended else self.cut(bytes(self.rest))
            for line, value in self._parser.parse(bytes(self.rest[:end]), self.line):
                if isinstance(value, UnreadableError) or (isinstance(value, DataError) and not self._skips):
                    raise value
                if not isinstance(value, DataError):
                    return line, value
            if self.ended:
                return None
            self.check_length()
            self.read_past(len(self.rest))

    # The layout

    def _settle(
        self, row: Any, place: str, options: ReadOptions, like: Source | None, *, nested: bool = False
    ) -> tuple[Layout, RowShape]:
        """Return the layout and the shape of the rows, given the first row or, nested, its scores."""
        if options.plain:
            return _settle_plain(row)
        if isinstance(row, list):
            return _settle_list(row, place, options)
        if not isinstance(row, dict):
            raise DataError(f"{place}: {shown(row)} is no row; a row is an object or a list of numbers")
        if options.predictions is not None:
            return self._settle_object(row, place, options, like, nested=False)
        name, probabilities = _SCORES_OF[options.origin], _SCORES_OF["probabilities"]
        recorded = options.recorded and options.classes is None and isinstance(row.get(probabilities), (dict, list))
        recorded = recorded and (name == probabilities or name not in row)
        name = probabilities if recorded else name
        if isinstance(row.get(name), (dict, list)):
            layout, shape = self._settle_nested(row, name, place, options, like)
            return replace(layout, recorded="" if recorded else None), shape
        for other in _SCORES_OF.values():
            if isinstance(row.get(other), (dict, list)):
                origin = next(key for key, value in _SCORES_OF.items() if value == other)
                if options.describing:
                    layout, shape = self._settle_nested(row, other, place, options, like)
                    return replace(layout, advised=(("--from", origin),)), shape
                raise DataError(
                    f'{place}: there are no "{name}", but "{other}"', hint=f"to read those: --from {origin}"
                )
        return self._settle_object(row, place, options, like, nested=nested)

    def _settle_nested(
        self, row: dict[str, Any], name: str, place: str, options: ReadOptions, like: Source | None
    ) -> tuple[Layout, RowShape]:
        """Return the layout and the shape of rows that hold their scores under the key `name`."""
        masked = isinstance(row[name], dict) and _is_written(row, name)
        scores = {key: _MASK if value is None else value for key, value in row[name].items()} if masked else row[name]
        inner, shape = self._settle(scores, place, options, like, nested=True)
        others = [key for key in row if key != name]
        asked = [*options.ids, *([] if options.truth is None else [options.truth])]
        for key in asked:
            if key not in others:
                raise DataError(
                    f"{place}: there is no {visible(key)!r} to carry along", hint=f"there is {listed(others)}"
                )
        self._note([key for key in others if key not in asked], like)
        along = tuple(Carried(key, Kind.JSON) for key in others)
        return Layout(inner.classes, along, inner.dtype), replace(
            shape, scores_of=name, others=frozenset(others), masked=masked
        )

    def _settle_object(
        self, row: dict[str, Any], place: str, options: ReadOptions, like: Source | None, *, nested: bool
    ) -> tuple[Layout, RowShape]:
        names = list(row)
        labels = partial(self._column_of_labels, names)
        roles = Roles(_nested_classes(row, place, options), ()) if nested else _roles(row, place, options, labels)
        classes = tuple(names[position] for position in roles.classes)
        check_unique(classes, place)
        if not classes and not options.describing:
            return _settle_plain(row)
        carried = [names[position] for position in roles.carried]
        if not nested:
            self._note([names[position] for position in roles.unasked], like)
        along = tuple(Carried(key, Kind.JSON) for key in carried)
        advised = () if roles.advised is None else (("--classes", roles.advised),)
        layout = Layout(classes, along, np.dtype(np.float64), recorded=roles.prefix, advised=advised)
        return layout, RowShape(classes, others=frozenset(carried), keys=frozenset(names))

    def _column_of_labels(self, names: Sequence[str], positions: Sequence[int]) -> int | None:
        """Return which of these keys holds labels in the first rows, see `column_of_labels`."""
        from actcli.formats.label_columns import SAMPLE_BYTES, column_of_labels

        values = (value for _, value in self._parser.parse(self.sample(SAMPLE_BYTES), self.line))
        rows = ([str(row.get(name, "")) for name in names] for row in values if isinstance(row, dict))
        return column_of_labels(rows, positions)

    def _note(self, unasked: Sequence[str], like: Source | None) -> None:
        if unasked and like is None:
            self.notes.append(f"carried along: {listed(unasked)}")


def _is_written(row: dict[str, Any], name: str) -> bool:
    """Return whether actcli wrote the scores of a row, which are an object with that name.

    It alone has log-probabilities in this form. Logits in this form are common, so what actcli decided must be there.
    """
    if name == _SCORES_OF["log-probabilities"]:
        return True
    decided = (_SCORES_OF["probabilities"], _SCORES_OF["log-probabilities"])
    return name == _SCORES_OF["logits"] and any(isinstance(row.get(key), dict) for key in decided)


def _settle_plain(row: Any) -> tuple[Layout, RowShape]:
    """Carry all columns; a row that is no object has one value, without a name."""
    bare = not isinstance(row, dict)
    names = [""] if bare else list(row)
    layout = Layout((), tuple(Carried(name, Kind.JSON) for name in names), np.dtype(np.float64))
    return layout, RowShape(keys=frozenset(names), bare=bare)


def _settle_list(row: list[Any], place: str, options: ReadOptions) -> tuple[Layout, RowShape]:
    if not row:
        raise DataError(f"{place}: the list is empty, so there are no classes")
    chosen = tuple(range(len(row)))
    if options.classes is not None:
        chosen, _ = select(options.classes, list(map(str, chosen)), chosen)
        if not chosen:
            raise UsageError(f"--classes: {visible(options.classes)!r} leaves no class")
    layout = Layout(tuple(map(str, chosen)), (), np.dtype(np.float64))
    return layout, RowShape(tuple(chosen), width=len(row))


def _roles(
    row: dict[str, Any], place: str, options: ReadOptions, labels: Callable[[Sequence[int]], int | None]
) -> Roles:
    """Return what each key of a row is."""
    cells = [value if isinstance(value, JsonNumber) else json_text(value) for value in row.values()]
    try:
        return assign_roles(
            list(row),
            cells,
            classes=options.classes,
            ids=options.ids,
            truth=options.truth,
            recorded=options.recorded,
            decisions=options.decisions,
            predictions=options.predictions,
            describing=options.describing,
            found=lambda position: f": {visible(cells[position])} is not a number",
            labels=labels if "0" in cells or "1" in cells else None,
        )
    except DataError as error:
        raise DataError(f"{place}: {error.message}", hint=error.hint) from None


def _nested_classes(row: dict[str, Any], place: str, options: ReadOptions) -> tuple[int, ...]:
    """Return the positions of the classes in an object that holds nothing but scores."""
    names = list(row)
    chosen = tuple(range(len(names)))
    if options.classes is not None:
        chosen, _ = select(options.classes, names, chosen)
    if not chosen:
        raise DataError(f"{place}: there are no classes")
    wrong = [names[position] for position in chosen if not isinstance(row[names[position]], JsonNumber)]
    if wrong:
        raise DataError(
            f"{place}: {listed(wrong)} among the scores is no number",
            hint="a masked class is written -Infinity"
            if any(row[names[position]] is None for position in chosen)
            else None,
        )
    return chosen


class JsonSource(JsonlSource):
    """One list of rows.

    The bracket that opens the list is replaced by a comma, so that a comma comes before every row.
    """

    parser_type = JsonList
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
        """Put brackets around each value of a list of texts or numbers, so that the end of a row can be found."""
        while not self.ended:
            self._fill()
            if len(self.rest) > _LONGEST_LIST:
                raise DataError(
                    f"{self.input.name}: is a list of more than {_LONGEST_LIST >> 20} MiB",
                    hint="write a value a line, as JSON Lines",
                )
        self._wrapped = True
        self.rest = bytearray(_SCALAR.sub(rb"[\1]", bytes(self.rest)))

    def chunks(self, output_bytes: int) -> Iterator[Chunk | None]:
        """Cut the input into blocks of whole rows; the last block must close the list."""
        closed = False
        for chunk in super().chunks(output_bytes):
            closed = isinstance(chunk, TextBlockChunk) and chunk.last
            yield chunk
        if not closed:
            raise DataError(f"{self.input.name}:{self.line}: the list of rows is not closed")

    def _skip_blanks(self, start: int) -> int:
        """Return the index in `rest` of the first character from `start` on that is not blank."""
        while not (stripped := self.rest[start:].lstrip()) and not self.ended:
            self._fill()
            self.check_length()
        return len(self.rest) - len(stripped)


@dataclass(frozen=True)
class JsonEncoder(TextEncoder):
    """Turns batches into JSON objects."""

    def extra_bytes(self, column: Column) -> int:
        """Return how many bytes the keys of a column take in each row."""
        return len(column.name) + (sum(map(len, column.labels)) if column.kind is Kind.MATRIX else 0)

    def cells(self, batch: Batch) -> list[Any]:
        """Return the parts of an object."""
        parts: list[Any] = []
        for column in self.columns:
            name = column.name if column.carried is None else column.headers[0]
            parts += [("," if parts else self.before_row + "{") + _quoted(name), *self._value(column, batch)]
        if not parts:
            parts = [pick([self.before_row + "{"], np.zeros(len(batch), dtype=np.int64))]
        return [*parts, "}"]

    def _value(self, column: Column, batch: Batch) -> list[Any]:
        """Return the parts of a value, from the colon on."""
        match column.kind:
            case Kind.ROW:
                return [RowNumbers(":", batch.row_numbers())]
            case Kind.TEXT:
                return [":", _quoted_all(batch.data(column))]
            case Kind.JSON:
                return [":", batch.data(column)]
            case Kind.VALUE:
                return [":", _typed(batch.data(column))]
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
            case _:
                assert_never(column.kind)

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


class JsonlSink(TextSink):
    """One row per line."""

    def make_encoder(self) -> JsonEncoder:
        """Return the encoder."""
        return JsonEncoder(self.columns, self.options.label_separator, self.before_row)


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


def _typed(values: Any) -> Any:
    """Return an Arrow array as JSON texts: numbers and booleans as such, other types as texts, null as null."""
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_boolean(values.type):
        # The texts of null, nan, inf and -inf are empty or hold an n, as no number and no boolean does.
        return text_array("null" if not text or "n" in text else text for text in texts_of(values).to_pylist())
    texts = _quoted_all(texts_of(values))
    return where(np.array(values.is_valid().to_pylist(), dtype=np.bool_), texts, "null")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _quoted_all(texts: Any) -> Any:
    if has_any(texts, _ESCAPED):
        return text_array(map(_quoted, texts.to_pylist()))
    return join(['"', texts, '"'], "")
