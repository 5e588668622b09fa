"""CSV and TSV: read by Arrow, block by block; written through Arrow's casts and joins.

A block is cut after the last line end that is outside quotes, without parsing. What Arrow refuses is read again, that
one block only, by the standard library's slower parser, which knows the line and the column to name.
"""

from __future__ import annotations

import csv
import functools
import io
import itertools
import math
import re
import shlex
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from actcli.errors import DataError, listed, visible
from actcli.formats import blocks
from actcli.formats.blocks import BYTE_ORDER_MARK, BlockSource, RowByRow
from actcli.formats.column_roles import (
    DECIMAL_COMMA_HINT,
    MOST_COLUMNS,
    RECORDED,
    Roles,
    assign_roles,
    cannot_be_header,
    check_unique,
    has_decimal_comma,
    is_header,
    is_number,
)
from actcli.formats.text import (
    TextSink,
    call_function,
    from_numpy,
    join,
    join_lists,
    numbers,
    offsets_of,
    plain,
    quoted,
    quoted_all,
    texts_of,
    where,
)
from actcli.streaming.batch import Batch, Carried, Kind, Layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.formats import ReadOptions
    from actcli.streaming.batch import Column, Source
    from actcli.streaming.input import Input

__all__ = ["CsvSink", "CsvSource", "TsvSink", "TsvSource", "cut"]

_ENCODING_HINT = "convert the file first, for instance: iconv -f LATIN1 -t UTF-8"
_TO_CLOSING_QUOTE = re.compile(rb'[^"]*+(?:""[^"]*+)*+"')
_BLANK_LINE = re.compile(rb"(?:\A|[\r\n])[ \t]*(?:\r\n|(?<!\r)\n|\r)")
_RUNS_OF_BLANKS = re.compile(rb"(?:\A|(?<=[\r\n])) +| +(?=[ \r\n]|\Z)")


class DelimitedSource(BlockSource):
    """A table as lines of cells.

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
        If the first rows do not settle the layout.
    """

    delimiter = ","
    called: list[str]
    roles: Roles

    def __init__(self, input: Input, options: ReadOptions, *, file: int, like: Source | None) -> None:
        super().__init__(input, file)
        # Columns without names that --classes chooses keep their positions as names.
        self._named = options.classes is not None
        self._plain = options.plain
        if options.delimiter:
            self.delimiter = options.delimiter
        self._mark = self.delimiter.encode()
        self._start(options, like)

    def _start(self, options: ReadOptions, like: Source | None) -> None:
        """Settle the layout by the first rows, and leave in `_rest` what follows the header."""
        self.begin()
        first = self._record(0)
        if first is None:
            raise DataError(f"{self.input.name}: has no rows")
        cells, line, end = first
        first_alike = like if isinstance(like, DelimitedSource) else None
        header = False if options.plain else options.header
        # A first row that can only be data is answered without waiting for a second.
        alone = header is False or (header is None and cannot_be_header(cells))
        following = None if alone else self._record(end)
        if alone:
            header = False
        elif header is None:
            try:
                header = (first_alike is not None and cells == first_alike.called) or is_header(
                    cells, following[0] if following else None
                )
            except DataError as error:
                raise DataError(f"{self.input.name}:{line}: {error.message}", hint=error.hint) from None
        self.has_header = header
        self._width = len(cells)
        row: list[str] | None = cells
        self.row_bytes = end
        if header:
            self._check_header(cells, line)
            while following and options.skip and len(following[0]) != self._width:
                following = self._record(following[2])
            row = following[0] if following else None
            if following is not None:
                line = following[1]
                self.row_bytes = following[2] - end
                self._check_width(following[0], f"{self.input.name}:{line}")
            self.line += self.lines(self.rest[:end])
            del self.rest[:end]
        self.called = cells if header else [str(position) for position in range(self._width)]
        if first_alike is not None and self.called == first_alike.called:
            self.roles = first_alike.roles
        else:
            self.roles = self._assign(row, line, options, following[0] if following else ())
        self.layout = self._layout()
        if self.roles.unasked and like is None:
            self.notes.append(f"carried along: {listed([self.called[position] for position in self.roles.unasked])}")

    def _assign(self, row: list[str] | None, line: int, options: ReadOptions, following: Sequence[str]) -> Roles:
        if options.plain:
            return Roles((), tuple(range(self._width)))
        try:
            return assign_roles(
                self.called if self.has_header else None,
                row,
                classes=options.classes,
                ids=options.ids,
                truth=options.truth,
                recorded=options.recorded,
            )
        except DataError as error:
            hint = self._delimiter_hint(self.called if self.has_header else row or []) or error.hint
            # Without a number in the second row the first one was no header, and so is what the message shows.
            if hint is None and any(map(has_decimal_comma, following)):
                hint = DECIMAL_COMMA_HINT
            raise DataError(f"{self.input.name}:{line}: {error.message}", hint=hint) from None

    def _check_header(self, cells: Sequence[str], line: int) -> None:
        for cell in cells:
            if not _is_utf8(cell):
                raise DataError(
                    f'{self.input.name}:{line}: the name "{visible(cell)}" is not UTF-8', hint=_ENCODING_HINT
                )

    def _layout(self) -> Layout:
        carried = [self.called[position] for position in self.roles.carried]
        classes = tuple(self.called[position] for position in self.roles.classes)
        check_unique(classes, self.input.name)
        seen: set[str] = set()
        for name in carried:
            if name in seen:
                raise DataError(f'{self.input.name}: two columns have the same name "{visible(name)}"')
            seen.add(name)
        if not self.has_header and not self._named:
            classes = tuple(str(number) for number in range(len(classes)))
        return Layout(
            classes,
            tuple(Carried(name, Kind.TEXT) for name in carried),
            np.dtype(np.float64),
            recorded=RECORDED if self.roles.recorded else None,
        )

    def _delimiter_hint(self, cells: Sequence[str]) -> str | None:
        if len(cells) != 1:
            return None
        text = cells[0].strip()
        for name, mark in (("semicolon", ";"), ("tab", "\t"), ("comma", ","), ("pipe", "|"), ("space", " ")):
            if mark in text and mark != self.delimiter:
                return f"if its cells are separated otherwise: --delimiter {name}"
        return None

    # Reading

    def _record(self, start: int) -> tuple[list[str], int, int] | None:
        """Return the first record of `_rest` from `start` on: its cells, its line, and where it ends."""
        searched = start
        while True:
            complete = searched + self.cut(bytes(self.rest[searched:]))
            complete = len(self.rest) if self.ended else complete
            blank = _blank_lines(self.rest[searched:complete])
            if blank and self._plain:
                raise self._blank(self.line + self.lines(self.rest[:searched]))
            searched += blank
            data = bytes(self.rest[searched:complete])
            line = self.line + self.lines(self.rest[:searched])
            self._check_columns(data, line)
            for cells, first, end in self._records(data, line):
                if 0 <= _open_quote(data, self._mark) < end:
                    raise DataError(f"{self.input.name}:{first}: a quote is not closed")
                return cells, first, searched + end
            if self.ended:
                return None
            searched = complete  # blank lines until here
            self.check_length(start)
            self.read_past(len(self.rest))

    def _check_columns(self, data: bytes, line: int) -> None:
        """Refuse a first record with so many cells that their texts would fill the memory."""
        if data.count(self._mark) > MOST_COLUMNS:
            end = data.find(b"\n")
            if data.count(self._mark, 0, end if end >= 0 else len(data)) > MOST_COLUMNS:
                raise DataError(f"{self.input.name}:{line}: more than {MOST_COLUMNS:,} columns")

    def _records(self, data: bytes, line: int) -> Iterator[tuple[list[str], int, int]]:
        """Parse the records that are not blank, slowly: the cells of each, its first line, where it ends in `data`.

        Bytes that are not UTF-8 become surrogates.
        """
        end = 0
        text = ""

        def lines() -> Iterator[str]:
            nonlocal end, text
            for raw in io.BytesIO(data) if b"\r" not in data else data.splitlines(keepends=True):
                end += len(raw)
                text = raw.decode("utf-8", "surrogateescape")
                yield text

        csv.field_size_limit(2 * blocks.LONGEST_RECORD)
        by_blanks = self.delimiter == " "
        reader = csv.reader(lines(), delimiter=self.delimiter, skipinitialspace=by_blanks)
        first = line
        for cells in reader:
            record, first = first, line + reader.line_num
            if by_blanks and len(cells) > 1 and not cells[-1]:
                cells.pop()
            blank = (len(cells) <= 1 or self.delimiter in " \t") and not any(cell.strip(" \t") for cell in cells)
            if not blank or '"' in text:
                yield cells, record, end
            elif self._plain:
                raise self._blank(record)

    def _blank(self, line: int) -> DataError:
        return DataError(f"{self.input.name}:{line}: is a blank line", hint='an empty cell is written ""')

    def cut(self, data: bytes) -> int:
        """Return where the last whole record of `data` ends; 0 where none does."""
        return cut(data, self._mark)

    def decode(self, data: bytes, line: int, *, last: bool) -> Batch:
        """Return the rows in `data`, whose first line is number `line` of the file."""
        try:
            if last and _open_quote(data, self._mark) >= 0:
                raise pa.ArrowInvalid("a quote is not closed")
            if self._plain and _BLANK_LINE.search(data):
                raise pa.ArrowInvalid("a blank line, which Arrow leaves out")
            scores, carried = self._decode_fast(data)
        except pa.ArrowInvalid:
            return self._decode_slowly(data, line)

        def place(row: int) -> str:
            _, first, _ = next(itertools.islice(self._records(data, line), row, None))
            return f"{self.input.name}:{first}"

        names = [column.name for column in self.layout.carried]
        return Batch(scores, dict(zip(names, carried, strict=True)), place, self.file)

    def _decode_fast(self, data: bytes) -> tuple[np.ndarray[Any, Any], list[Any]]:
        if self.delimiter == " ":
            if b'"' in data:
                raise pa.ArrowInvalid("Arrow does not know runs of blanks, and quotes may hold some")
            data = _RUNS_OF_BLANKS.sub(b"", data)
        # Arrow drops a byte order mark at the start of any block; here it belongs to the first cell.
        data = b"\n" + data if data.startswith(BYTE_ORDER_MARK) else data
        classes = len(self.roles.classes)
        columns = self._parse(data, self._convert_options)
        # One class after the other in memory: as Arrow has them, and as the kernels want few classes.
        scores = np.empty((classes, len(columns[0])), dtype=np.float64)
        # Arrow's own conversion would import pandas where that is installed.
        parts = [
            np.frombuffer(column.buffers()[1], np.float64, len(column), 8 * column.offset)
            for column in columns[:classes]
        ]
        if parts:
            np.concatenate(parts, out=scores.reshape(-1))
        special = ~np.isfinite(scores)
        if special.any():
            self._check_special(data, special)
        return scores.T, columns[classes:]

    def _parse(self, data: bytes, convert_options: Any) -> list[Any]:
        """Return the columns of a block that Arrow can read, each one array."""
        table = pa.csv.read_csv(
            pa.BufferReader(data),
            read_options=pa.csv.ReadOptions(
                use_threads=False, block_size=len(data) + 1, column_names=list(map(str, range(self._width)))
            ),
            parse_options=pa.csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=b'"' in data),
            convert_options=convert_options,
        )
        return [column.chunk(0) if column.num_chunks == 1 else column.combine_chunks() for column in table.columns]

    @functools.cached_property
    def _convert_options(self) -> Any:
        return _as_types(
            {position: pa.float64() for position in self.roles.classes}
            | {position: pa.string() for position in self.roles.carried}
        )

    def _check_special(self, data: bytes, special: np.ndarray[Any, Any]) -> None:
        """Leave to the slow parser a block in which Arrow took 1e400 for an infinity, or nan(1) for a NaN."""
        numbers = np.flatnonzero(special.any(axis=1))
        texts = self._parse(data, _as_types({self.roles.classes[number]: pa.string() for number in numbers}))
        for number, cells in zip(numbers, texts, strict=True):
            found = cells.take(from_numpy(np.flatnonzero(special[number])))
            if not all(map(_is_special, call_function("unique", [found]).to_pylist())):
                raise pa.ArrowInvalid("a number that is too large, or none")

    def _decode_slowly(self, data: bytes, line: int) -> Batch:
        """Read a block row by row, which tells what is wrong with those that Arrow refuses."""
        reading = RowByRow(self.input.name, self.layout)
        open_quote = _open_quote(data, self._mark)
        for cells, first, end in self._records(data, line):
            if 0 <= open_quote < end:
                return reading.batch(self.file, DataError(f"{self.input.name}:{first}: a quote is not closed"))
            place = reading.begin(first)
            try:
                self._check_width(cells, place)
                scores = [
                    self._number(cells[position], f'{place}: column "{visible(name)}"', name)
                    for name, position in zip(self.layout.classes, self.roles.classes, strict=True)
                ]
                self._check_carried(cells, place)
            except DataError as error:
                reading.leave_out(error)
            else:
                reading.add(scores, [cells[position] for position in self.roles.carried])
        return reading.batch(self.file)

    def _check_width(self, cells: Sequence[str], place: str) -> None:
        if len(cells) != self._width:
            found = f"{len(cells)} cell{'' if len(cells) == 1 else 's'}"
            raise DataError(
                f"{place}: {found}, but the {'header' if self.has_header else 'first row'} has {self._width}",
                hint=self._delimiter_hint(cells),
            )

    def _number(self, cell: str, where: str, name: str) -> float:
        if not is_number(cell):
            found = f'"{visible(cell)}" is not a number' if cell.strip() else "is empty"
            raise DataError(f"{where}: {found}", hint=self._number_hint(cell, name))
        number = float(cell)
        if math.isinf(number) and not _is_special(cell):
            raise DataError(f'{where}: "{visible(cell)}" is too large for float64')
        return number

    def _check_carried(self, cells: Sequence[str], place: str) -> None:
        for position in self.roles.carried:
            if not _is_utf8(cells[position]):
                raise DataError(
                    f'{place}: column "{visible(self.called[position])}": "{visible(cells[position])}" is not UTF-8',
                    hint=_ENCODING_HINT,
                )

    def _number_hint(self, cell: str, name: str) -> str | None:
        if has_decimal_comma(cell):
            return DECIMAL_COMMA_HINT
        if self.has_header and cell.strip():
            return f"if this column is to be carried along: --id {shlex.quote(visible(name))}"
        return None


class CsvSource(DelimitedSource):
    """Comma-separated values."""


class TsvSource(DelimitedSource):
    """Tab-separated values."""

    delimiter = "\t"


def _blank_lines(data: bytearray) -> int:
    """Return how many bytes of blank lines `data` begins with."""
    blank = len(data) - len(data.lstrip(b" \t\r\n"))
    return max(data.rfind(b"\n", 0, blank), data.rfind(b"\r", 0, blank)) + 1


def cut(data: bytes, delimiter: bytes) -> int:
    """Return where the last whole record of `data`, which begins with a record, ends; 0 where none does.

    Inside a quoted cell, a line end is text. A carriage return at the very end may be half of a line end.
    """
    end = max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
    if not end or b'"' not in data:
        return end
    starts, ends = _quoted_cells(data, delimiter)
    if not _in_quotes(np.array([end]), starts, ends)[0]:
        return end
    array = np.frombuffer(data, dtype=np.uint8)
    after = np.flatnonzero((array[:end] == ord("\n")) | (array[:end] == ord("\r"))) + 1
    outside = after[~_in_quotes(after, starts, ends)]
    return int(outside[-1]) if len(outside) else 0


def _in_quotes(
    places: np.ndarray[Any, Any], starts: np.ndarray[Any, Any], ends: np.ndarray[Any, Any]
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which places in a text, each behind some character, are inside a quoted cell."""
    cells = np.searchsorted(starts, places) - 1
    return (cells >= 0) & (ends[cells] >= places) if len(starts) else np.zeros(len(places), dtype=np.bool_)


def _quoted_cells(data: bytes, delimiter: bytes) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return where the quoted cells of `data`, which begins with a record, start and end; one left open ends with it.

    A quote opens a cell only at the very start of that cell; anywhere else outside it is text. So long as every other
    quote does stand where a cell starts, or doubles the one before it, they alternate: that is checked for all at once,
    and only data with stray quotes are walked through.
    """
    array = np.frombuffer(data, dtype=np.uint8)
    quotes = np.flatnonzero(array == ord('"'))
    starts, ends = quotes[::2], quotes[1::2]
    before = array[np.maximum(starts - 1, 0)]
    regular = (starts == 0) | np.isin(before, np.frombuffer(b'"\r\n' + delimiter, dtype=np.uint8))
    if delimiter == b" " or not regular.all():
        starts, ends = _walk(data, delimiter)
    if len(ends) < len(starts):
        ends = np.append(ends, len(data))
    return starts, ends


def _walk(data: bytes, delimiter: bytes) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Find what `_quoted_cells` returns from one cell to the next; a cell left open has no end."""
    blanks = rb" *" if delimiter == b" " else rb""
    first = re.compile(blanks + rb'"')
    further = re.compile(rb"[\r\n" + re.escape(delimiter) + rb"]" + first.pattern)
    starts, ends = [], []
    opening = first.match(data) or further.search(data)
    while opening:
        starts.append(opening.end() - 1)
        closing = _TO_CLOSING_QUOTE.match(data, opening.end())
        if closing is None:
            break
        ends.append(closing.end() - 1)
        opening = further.search(data, closing.end())
    return np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64)


def _open_quote(data: bytes, delimiter: bytes) -> int:
    """Return where in `data`, which begins with a record, a quoted cell begins that does not end; -1 for nowhere."""
    if b'"' not in data:
        return -1
    starts, ends = _quoted_cells(data, delimiter)
    return int(starts[-1]) if len(starts) and ends[-1] == len(data) else -1


def _as_types(types: dict[int, Any]) -> Any:
    """Return the options by which Arrow reads the columns at these positions, in this order, as these types."""
    named = {str(position): type for position, type in types.items()}
    return pa.csv.ConvertOptions(
        column_types=named, null_values=[], strings_can_be_null=False, include_columns=list(named)
    )


def _is_special(cell: str) -> bool:
    """Return whether a cell is an infinity or NaN by its name."""
    return is_number(cell) and not any(map(str.isdigit, cell))


def _is_utf8(text: str) -> bool:
    """Return whether `text` has none of the surrogates that stand for bytes that were not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class DelimitedSink(TextSink):
    """Writes a table as lines of cells."""

    delimiter = ","

    def begin(self) -> str:
        """Return the line of names."""
        names = [quoted(name, self.delimiter) for column in self.columns for name in column.headers]
        return self._visible(self.delimiter.join(names)) + "\n" if names and self.options.header else ""

    def cells(self, batch: Batch, start: int) -> list[Any]:
        """Return the cells of a line, each with what stands before it."""
        cells: list[Any] = []
        for columns in self._runs():
            cells += self._cells_of(columns, batch, start, self._lead(columns[0]))
        return [self._all_visible(join(cells, ""))] if cells and self._may_be_blank else cells

    def _runs(self) -> Iterator[list[Column]]:
        """Yield the columns one by one, but those together that are all numbers: one text for many costs least."""
        for _, columns in itertools.groupby(self.columns, _numbers_or_name):
            yield list(columns)

    def _lead(self, column: Column) -> str:
        """Return what stands before the cell of a column."""
        return self.before_row if column is self.columns[0] else self.delimiter

    def _cells_of(self, columns: Sequence[Column], batch: Batch, start: int, lead: str) -> list[Any]:
        column = columns[0]
        match column.kind:
            case Kind.ROW:
                return [numbers(lead, start + batch.row_numbers())]
            case Kind.TEXT:
                return [lead, quoted_all(batch.data(column), self.delimiter)]
            case Kind.VALUE:
                return [lead, quoted_all(texts_of(batch.data(column)), self.delimiter)]
            case Kind.JSON:
                return [lead, quoted_all(plain(batch.data(column)), self.delimiter)]
            case Kind.NUMBER | Kind.MATRIX:
                return [numbers(lead, *map(batch.data, columns), separator=self.delimiter)]
            case Kind.CODE:
                return [self.picked(column, batch.data(column))]
            case Kind.SET:
                sets = batch.data(column)
                texts = join_lists(sets.offsets, self.picked(column, sets.codes), self.options.label_separator)
                return [lead, quoted_all(texts, self.delimiter)]
            case Kind.RANKING:
                ranks = zip(*(part.T for part in batch.data(column)), strict=True)
                cells = [cell for rank in ranks for cell in (self.delimiter, *self._rank(column, *rank))]
                return [lead, *cells[1:]]

    def _rank(self, column: Column, codes: Any, probabilities: Any) -> tuple[Any, Any]:
        """Return the cells of a rank: the label, and the probability with the delimiter before it."""
        return self.picked(column, codes), where(codes >= 0, numbers(self.delimiter, probabilities), self.delimiter)

    def label_texts(self, column: Column) -> Sequence[str]:
        """Return the labels of a column as cells; those of sets are joined before they become one."""
        if column.kind is Kind.SET:
            return column.labels
        cells = [quoted(label, self.delimiter) for label in column.labels]
        return [*cells, ""] if column.kind is Kind.RANKING else [self._lead(column) + cell for cell in cells]

    @functools.cached_property
    def _may_be_blank(self) -> bool:
        """Whether a line can be one of blanks only: in a column of numbers there is always something to see."""
        if len(self.columns) > 1 and not self.delimiter.isspace():
            return False
        texts = (Kind.TEXT, Kind.VALUE, Kind.JSON, Kind.SET)
        return all(
            column.kind in texts or (column.kind is Kind.CODE and not all(map(str.strip, column.labels)))
            for column in self.columns
        )

    def _all_visible(self, lines: Any) -> Any:
        """Return lines, each with `before_row` before it, of which none is blank."""
        if np.diff(offsets_of(call_function("ascii_trim_whitespace", [lines]))).all():
            return lines
        return pa.array([self.before_row + self._visible(line[1:]) for line in lines.to_pylist()], pa.string())

    def _visible(self, line: str) -> str:
        """Return a line as it is, or where it is blank, and so would count for none, with its first cell in quotes."""
        if line.strip(" \t"):
            return line
        first, delimiter, others = line.partition(self.delimiter)
        return f'"{first}"{delimiter}{others}'


def _numbers_or_name(column: Column) -> tuple[str, str | None]:
    """Return what consecutive columns have in common that are written as one text."""
    numeric = column.kind in (Kind.NUMBER, Kind.MATRIX)
    return ("", column.dtype) if numeric else (column.name, column.carried)


class CsvSink(DelimitedSink):
    """Comma-separated values."""


class TsvSink(DelimitedSink):
    """Tab-separated values."""

    delimiter = "\t"
