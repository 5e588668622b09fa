"""CSV and TSV: cut into blocks, read by Arrow, and written through Arrow's casts and joins."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from actcli.errors import DataError, listed, visible
from actcli.formats.blocks import BlockSource
from actcli.formats.column_roles import (
    DECIMAL_COMMA_HINT,
    MOST_COLUMNS,
    Roles,
    assign_roles,
    cannot_be_header,
    check_unique,
    has_decimal_comma,
    is_header,
    names_decisions,
)
from actcli.formats.delimited_decoder import DelimitedDecoder
from actcli.formats.delimited_records import (
    ENCODING_HINT,
    Record,
    RecordParser,
    blank_lines,
    cut,
    is_utf8,
    open_quote,
)
from actcli.formats.text import (
    call_function,
    carried_texts,
    join,
    join_lists,
    numbers,
    offsets_of,
    quoted,
    quoted_all,
    text_array,
    where,
)
from actcli.formats.text_lines import RowNumbers, TextEncoder, TextSink
from actcli.streaming.batch import Batch, Carried, Kind, Layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actcli.formats.registry import ReadOptions
    from actcli.streaming.batch import Column, Source
    from actcli.streaming.input import Input

__all__ = ["CsvSink", "CsvSource", "TsvSink", "TsvSource"]


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
    called: tuple[str, ...]
    """The name of each column."""
    roles: Roles

    def __init__(self, input: Input, options: ReadOptions, *, file: int, like: Source | None) -> None:
        super().__init__(input, file)
        self._parser = RecordParser(input.name, options.delimiter or self.delimiter, options.plain)
        # Columns without names that --classes chooses keep their positions as names.
        self._named = options.classes is not None
        self.begin()
        first = self._record(0)
        if first is None:
            raise DataError(f"{input.name}: has no rows")
        alike = like if isinstance(like, DelimitedSource) else None
        self.has_header, following = self._find_header(first, options, alike)
        self._settle(first, following, options, alike)
        if self.roles.unasked and like is None:
            self.notes.append(f"carried along: {listed([self.called[position] for position in self.roles.unasked])}")
        self.decoder = DelimitedDecoder(self._parser, file, self.called, self.has_header, self.roles, self.layout)

    def _find_header(
        self, first: Record, options: ReadOptions, alike: DelimitedSource | None
    ) -> tuple[bool, Record | None]:
        """Return whether the first record is a header, and the record after it if that was read to decide."""
        header = False if options.plain else options.header
        # A first row that can only be data is used without waiting for a second.
        if header is False or (header is None and cannot_be_header(first.cells)):
            return False, None
        following = self._record(first.end)
        if header is None:
            named = options.predictions in first.cells or (options.decisions and names_decisions(first.cells))
            named = named or (alike is not None and tuple(first.cells) == alike.called)
            try:
                header = named or self._is_header(first, following)
            except DataError as error:
                raise DataError(f"{self.input.name}:{first.line}: {error.message}", hint=error.hint) from None
        return header, following

    def _is_header(self, first: Record, following: Record | None) -> bool:
        """Return whether the first record names the columns, see `is_header`."""
        if following is not None:
            return is_header(first.cells, following.cells)
        delimiter = self._parser.numeric_delimiter(first.cells)
        if delimiter is None:
            return is_header(first.cells, None)
        raise DataError(
            f"the only line is no row of numbers: {listed(first.cells, 4)}",
            hint=f"if its cells are separated otherwise: --delimiter {delimiter}; if it names the columns: --header",
        )

    def _settle(
        self, first: Record, following: Record | None, options: ReadOptions, alike: DelimitedSource | None
    ) -> None:
        """Settle the layout by the first rows, and drop the header from `rest`."""
        width, line = len(first.cells), first.line
        row: list[str] | None = first.cells
        self.row_bytes = first.end
        if self.has_header:
            self._check_header(first.cells, line)
            while following and options.skip and len(following.cells) != width:
                following = self._record(following.end)
            row = following.cells if following else None
            if following is not None:
                line = following.line
                self.row_bytes = following.end - first.end
                self._parser.check_width(following.cells, first.cells, f"{self.input.name}:{line}", has_header=True)
            self.line += self.lines(self.rest[: first.end])
            del self.rest[: first.end]
        self.called = tuple(first.cells) if self.has_header else tuple(map(str, range(width)))
        if alike is not None and self.called == alike.called:
            self.roles = alike.roles
        else:
            self.roles = self._assign(row, line, options, following.cells if following else ())
        self.layout = self._layout()

    def _assign(self, row: list[str] | None, line: int, options: ReadOptions, following: Sequence[str]) -> Roles:
        if options.plain:
            return Roles((), tuple(range(len(self.called))))
        names = self.called if self.has_header else None
        try:
            return assign_roles(
                names,
                row,
                classes=options.classes,
                ids=options.ids,
                truth=options.truth,
                recorded=options.recorded,
                decisions=options.decisions,
                predictions=options.predictions,
                describing=options.describing and self._parser.delimiter_hint(row or ()) is None,
                labels=self._column_of_labels if any(cell in ("0", "1") for cell in row or ()) else None,
            )
        except DataError as error:
            hint = self._parser.delimiter_hint(row or names or []) or error.hint
            # Without a number in the second row, the first row was not taken for a header, and the message shows it.
            if hint is None and any(map(has_decimal_comma, following)):
                hint = DECIMAL_COMMA_HINT
            raise DataError(f"{self.input.name}:{line}: {error.message}", hint=hint) from None

    def _column_of_labels(self, positions: Sequence[int]) -> int | None:
        """Return which of these columns holds labels in the first rows, see `column_of_labels`."""
        from actcli.formats.label_columns import SAMPLE_BYTES, column_of_labels

        records = self._parser.parse(self.sample(SAMPLE_BYTES), self.line)
        return column_of_labels((record.cells for record in records), positions)

    def _check_header(self, cells: Sequence[str], line: int) -> None:
        for cell in cells:
            if not is_utf8(cell):
                raise DataError(
                    f'{self.input.name}:{line}: the name "{visible(cell)}" is not UTF-8', hint=ENCODING_HINT
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
            recorded=self.roles.prefix,
            advised=() if self.roles.advised is None else (("--classes", self.roles.advised),),
        )

    def _record(self, start: int) -> Record | None:
        """Return the first record of `rest` from `start` on; its end is an index into `rest`."""
        searched = start
        while True:
            complete = searched + self.cut(bytes(self.rest[searched:]))
            complete = len(self.rest) if self.ended else complete
            blank = blank_lines(self.rest[searched:complete])
            if blank and self._parser.plain:
                raise self._parser.blank_line(self.line + self.lines(self.rest[:searched]))
            searched += blank
            data = bytes(self.rest[searched:complete])
            line = self.line + self.lines(self.rest[:searched])
            self._check_columns(data, line)
            for record in self._parser.parse(data, line):
                if 0 <= open_quote(data, self._parser.mark) < record.end:
                    raise DataError(f"{self.input.name}:{record.line}: a quote is not closed")
                return record._replace(end=searched + record.end)
            if self.ended:
                return None
            searched = complete  # only blank lines so far
            self.check_length(start)
            self.read_past(len(self.rest))

    def _check_columns(self, data: bytes, line: int) -> None:
        """Refuse a first record with too many cells: their texts would fill the memory."""
        if data.count(self._parser.mark) > MOST_COLUMNS:
            end = data.find(b"\n")
            if data.count(self._parser.mark, 0, end if end >= 0 else len(data)) > MOST_COLUMNS:
                raise DataError(f"{self.input.name}:{line}: more than {MOST_COLUMNS:,} columns")

    def cut(self, data: bytes) -> int:
        """Return the end of the last whole record of `data`; 0 if no record ends in it."""
        return cut(data, self._parser.mark)


class CsvSource(DelimitedSource):
    """Comma-separated values."""


class TsvSource(DelimitedSource):
    """Tab-separated values."""

    delimiter = "\t"


@dataclass(frozen=True)
class DelimitedEncoder(TextEncoder):
    """Turns batches into lines of cells."""

    delimiter: str

    def cells(self, batch: Batch) -> list[Any]:
        """Return the parts of a line: the cells, each with `before_row` or the delimiter before it."""
        cells: list[Any] = []
        for columns in self._runs():
            cells += self._cells_of(columns, batch, self._lead(columns[0]))
        return [self._all_visible(join(cells, ""))] if cells and self._may_be_blank else cells

    def _runs(self) -> Iterator[list[Column]]:
        """Yield the columns one by one, but consecutive columns of numbers together, which is fastest."""
        for _, columns in itertools.groupby(self.columns, _numbers_or_name):
            yield list(columns)

    def _lead(self, column: Column) -> str:
        """Return what comes before the cell of a column."""
        return self.before_row if column is self.columns[0] else self.delimiter

    def _cells_of(self, columns: Sequence[Column], batch: Batch, lead: str) -> list[Any]:
        column = columns[0]
        match column.kind:
            case Kind.ROW:
                return [RowNumbers(lead, batch.row_numbers())]
            case Kind.TEXT | Kind.VALUE | Kind.JSON:
                return [lead, quoted_all(carried_texts(column.kind, batch.data(column)), self.delimiter)]
            case Kind.NUMBER | Kind.MATRIX:
                return [numbers(lead, *map(batch.data, columns), separator=self.delimiter)]
            case Kind.CODE:
                return [self.picked(column, batch.data(column))]
            case Kind.SET:
                sets = batch.data(column)
                texts = join_lists(sets.offsets, self.picked(column, sets.codes), self.label_separator)
                return [lead, quoted_all(texts, self.delimiter)]
            case Kind.RANKING:
                ranks = zip(*(part.T for part in batch.data(column)), strict=True)
                cells = [cell for rank in ranks for cell in (self.delimiter, *self._rank(column, *rank))]
                return [lead, *cells[1:]]
            case _:
                assert_never(column.kind)

    def _rank(self, column: Column, codes: Any, probabilities: Any) -> tuple[Any, Any]:
        """Return the cells of a rank: the label, and the probability with the delimiter before it."""
        return self.picked(column, codes), where(codes >= 0, numbers(self.delimiter, probabilities), self.delimiter)

    def label_texts(self, column: Column) -> Sequence[str]:
        """Return the labels of a column as cells; the labels of a set are joined before they become a cell."""
        if column.kind is Kind.SET:
            return column.labels
        cells = [quoted(label, self.delimiter) for label in column.labels]
        return [*cells, ""] if column.kind is Kind.RANKING else [self._lead(column) + cell for cell in cells]

    @functools.cached_property
    def _may_be_blank(self) -> bool:
        """Whether a line may consist of blanks: a column of numbers always shows something."""
        if len(self.columns) > 1 and not self.delimiter.isspace():
            return False
        return all(map(_may_be_blank, self.columns))

    def _all_visible(self, lines: Any) -> Any:
        """Return lines, each with `before_row` before it, none of which is blank."""
        if np.diff(offsets_of(call_function("ascii_trim_whitespace", [lines]))).all():
            return lines
        return text_array(self.before_row + visible_line(line[1:], self.delimiter) for line in lines.to_pylist())


def visible_line(line: str, delimiter: str) -> str:
    """Return a line; if it is blank, so that readers would pass over it, with its first cell in quotes."""
    if line.strip(" \t"):
        return line
    first, mark, others = line.partition(delimiter)
    return f'"{first}"{mark}{others}'


def _may_be_blank(column: Column) -> bool:
    """Return whether a cell of the column may consist of blanks."""
    match column.kind:
        case Kind.TEXT | Kind.VALUE | Kind.JSON | Kind.SET:
            return True
        case Kind.CODE:
            return not all(map(str.strip, column.labels))
        case Kind.NUMBER | Kind.MATRIX | Kind.RANKING | Kind.ROW:
            return False
        case _:
            assert_never(column.kind)


def _numbers_or_name(column: Column) -> tuple[str, str | None]:
    """Return a key that only consecutive columns of numbers of one dtype share."""
    numeric = column.kind in (Kind.NUMBER, Kind.MATRIX)
    return ("", column.dtype) if numeric else (column.name, column.carried)


class DelimitedSink(TextSink):
    """Writes a table as lines of cells."""

    delimiter = ","

    def make_encoder(self) -> DelimitedEncoder:
        """Return the encoder."""
        return DelimitedEncoder(self.columns, self.options.label_separator, self.before_row, self.delimiter)

    def begin(self) -> str:
        """Return the line of names."""
        names = [quoted(name, self.delimiter) for column in self.columns for name in column.headers]
        return visible_line(self.delimiter.join(names), self.delimiter) + "\n" if names and self.options.header else ""


class CsvSink(DelimitedSink):
    """Comma-separated values."""


class TsvSink(DelimitedSink):
    """Tab-separated values."""

    delimiter = "\t"
