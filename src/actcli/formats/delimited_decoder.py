"""Decoding of delimited text: by Arrow, and record by record where Arrow refuses a block.

The slow parser of the standard library reads only the blocks that Arrow refuses. It knows the line and the column of an
error.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv

from actcli.errors import DataError, visible
from actcli.formats.blocks import BYTE_ORDER_MARK, RowByRow
from actcli.formats.column_roles import DECIMAL_COMMA_HINT, Roles, has_decimal_comma, is_number
from actcli.formats.delimited_records import ENCODING_HINT, RecordParser, is_utf8, open_quote
from actcli.streaming.arrow_calls import call_function, take
from actcli.streaming.batch import Batch, Layout, common_to_chunks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.formats.wide_blocks import ColumnChoice

__all__ = ["DelimitedDecoder"]

_MANY_COLUMNS = 700
"""From so many columns on, a block is read faster as a single column."""

_BLANK_LINE = re.compile(rb"(?:\A|[\r\n])[ \t]*(?:\r\n|(?<!\r)\n|\r)")
_RUNS_OF_BLANKS = re.compile(rb"(?:\A|(?<=[\r\n])) +| +(?=[ \r\n]|\Z)")


class _RecordPlaces(NamedTuple):
    """Says on which line a row begins; the block is parsed again to find out."""

    parser: RecordParser
    data: bytes
    line: int

    def place(self, row: int) -> str:
        """Return the place of a row, for messages."""
        record = next(itertools.islice(self.parser.parse(self.data, self.line), row, None))
        return f"{self.parser.name}:{record.line}"


@common_to_chunks
@dataclass(frozen=True)
class DelimitedDecoder:
    """Decodes blocks of records.

    Parameters
    ----------
    parser
        The slow parser.
    file
        The index of the file among the inputs.
    called
        The name of each column.
    has_header
        Whether the names come from the file.
    roles
        What each column is.
    layout
        The layout of the table.
    """

    parser: RecordParser
    file: int
    called: tuple[str, ...]
    has_header: bool
    roles: Roles
    layout: Layout

    def decode(self, data: bytes, line: int, *, last: bool) -> Batch:
        """Return the rows of a block, see `actcli.formats.blocks.BlockDecoder.decode`."""
        try:
            if last and open_quote(data, self.parser.mark) >= 0:
                raise pa.ArrowInvalid("a quote is not closed")
            if self.parser.plain and _BLANK_LINE.search(data):
                raise pa.ArrowInvalid("a blank line, which Arrow leaves out")
            scores, carried = self._decode_fast(data)
        except pa.ArrowInvalid:
            return self._decode_slowly(data, line)
        names = [column.name for column in self.layout.carried]
        places = _RecordPlaces(self.parser, data, line).place
        return Batch(scores, dict(zip(names, carried, strict=True)), places, self.file)

    def _decode_fast(self, data: bytes) -> tuple[np.ndarray[Any, Any], list[Any]]:
        if self.parser.delimiter == " ":
            if b'"' in data:
                raise pa.ArrowInvalid("Arrow cannot read runs of blanks if quotes may hold some")
            data = _RUNS_OF_BLANKS.sub(b"", data)
        if len(self.called) >= _MANY_COLUMNS:
            return self._decode_wide(data)
        # Arrow drops a byte order mark at the start of any block; here it is part of the first cell.
        data = b"\n" + data if data.startswith(BYTE_ORDER_MARK) else data
        classes = len(self.roles.classes)
        columns = self._parse(data, self._convert_options)
        # One class after the other in memory: Arrow has them so, and so the kernels need them for few classes.
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

    def _decode_wide(self, data: bytes) -> tuple[np.ndarray[Any, Any], list[Any]]:
        """Do the same for a table with many columns."""
        from actcli.formats.wide_blocks import WideBlock

        block = WideBlock(data, self.parser.delimiter, len(self.called))
        classes, carried = self._choices
        carried_texts = block.texts(carried) if carried.width else []
        if not classes.width:
            return np.empty((block.rows, 0)), carried_texts
        scores = block.numbers(classes)
        special = ~np.isfinite(scores)
        if special.any():
            _check_special(block.texts_at(classes, special))
        return scores, carried_texts

    @functools.cached_property
    def _choices(self) -> tuple[ColumnChoice, ColumnChoice]:
        """The classes and the carried columns, as a wide block takes them."""
        from actcli.formats.wide_blocks import ColumnChoice

        return ColumnChoice.at(self.roles.classes), ColumnChoice.at(self.roles.carried)

    def _parse(self, data: bytes, convert_options: Any) -> list[Any]:
        """Return the columns of a block that Arrow can read, one array each."""
        table = pa.csv.read_csv(
            pa.BufferReader(data),
            read_options=pa.csv.ReadOptions(
                use_threads=False, block_size=len(data) + 1, column_names=list(map(str, range(len(self.called))))
            ),
            parse_options=pa.csv.ParseOptions(delimiter=self.parser.delimiter, newlines_in_values=b'"' in data),
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
        """Refuse a block in which Arrow read 1e400 as an infinity or nan(1) as NaN: the slow parser reads it."""
        numbers = np.flatnonzero(special.any(axis=1))
        texts = self._parse(data, _as_types({self.roles.classes[number]: pa.string() for number in numbers}))
        for number, cells in zip(numbers, texts, strict=True):
            _check_special(take(cells, np.flatnonzero(special[number])))

    def _decode_slowly(self, data: bytes, line: int) -> Batch:
        """Read a block row by row, to find the errors of the rows that Arrow refuses."""
        reading = RowByRow(self.parser.name, self.layout)
        open_cell = open_quote(data, self.parser.mark)
        for cells, first, end in self.parser.parse(data, line):
            if 0 <= open_cell < end:
                return reading.batch(self.file, DataError(f"{self.parser.name}:{first}: a quote is not closed"))
            place = reading.begin(first)
            try:
                self.parser.check_width(cells, self.called, place, has_header=self.has_header)
                scores = self._scores(cells, place)
                self._check_carried(cells, place)
            except DataError as error:
                reading.leave_out(error)
            else:
                reading.add(scores, [cells[position] for position in self.roles.carried])
        return reading.batch(self.file)

    def _scores(self, cells: Sequence[str], place: str) -> list[float]:
        try:
            return [
                self._score(cells[position], f'{place}: column "{visible(name)}"', name)
                for name, position in zip(self.layout.classes, self.roles.classes, strict=True)
            ]
        except DataError as error:
            if self.has_header and tuple(cells) == self.called:
                error.hint = "the line is the header again: give the files that were joined one by one: FILE FILE..."
            raise

    def _score(self, cell: str, where: str, name: str) -> float:
        if not is_number(cell):
            found = f'"{visible(cell)}" is not a number' if cell.strip() else "is empty"
            raise DataError(f"{where}: {found}", hint=self._number_hint(cell, name))
        number = float(cell)
        if math.isinf(number) and not _is_special(cell):
            raise DataError(f'{where}: "{visible(cell)}" is too large for float64')
        return number

    def _check_carried(self, cells: Sequence[str], place: str) -> None:
        for position in self.roles.carried:
            if not is_utf8(cells[position]):
                raise DataError(
                    f'{place}: column "{visible(self.called[position])}": "{visible(cells[position])}" is not UTF-8',
                    hint=ENCODING_HINT,
                )

    def _number_hint(self, cell: str, name: str) -> str | None:
        if has_decimal_comma(cell):
            return DECIMAL_COMMA_HINT
        if self.has_header and cell.strip():
            return f"if this column is to be carried along: --id {shlex.quote(visible(name))}"
        return None


def _as_types(types: dict[int, Any]) -> Any:
    """Return options for Arrow to read the columns at these positions, in this order, as these types."""
    named = {str(position): type for position, type in types.items()}
    return pa.csv.ConvertOptions(
        column_types=named, null_values=[], strings_can_be_null=False, include_columns=list(named)
    )


def _check_special(cells: Any) -> None:
    """Refuse a block of which Arrow read some of these texts as infinities or NaN although they are not called so."""
    if not all(map(_is_special, call_function("unique", [cells]).to_pylist())):
        raise pa.ArrowInvalid("a number that is too large, or none")


def _is_special(cell: str) -> bool:
    """Return whether a cell is the name of an infinity or of NaN."""
    return is_number(cell) and not any(map(str.isdigit, cell))
