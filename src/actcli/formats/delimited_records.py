"""Records of delimited text: where they end, and a slow parser that knows their lines.

A block is cut after the last line end outside quotes, without parsing.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.errors import DataError
from actcli.formats import blocks
from actcli.formats.column_roles import has_decimal_comma, is_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["ENCODING_HINT", "Record", "RecordParser", "blank_lines", "cut", "is_utf8", "open_quote", "outside_quotes"]

ENCODING_HINT = "convert the file first, for instance: iconv -f LATIN1 -t UTF-8"

_DELIMITERS = (("semicolon", ";"), ("tab", "\t"), ("comma", ","), ("pipe", "|"), ("space", " "))

_TO_CLOSING_QUOTE = re.compile(rb'[^"]*+(?:""[^"]*+)*+"')


class Record(NamedTuple):
    """A record: its cells, the line of the file in which it begins, and where it ends in its block."""

    cells: list[str]
    line: int
    end: int


class RecordParser(NamedTuple):
    """Parses records one by one.

    Parameters
    ----------
    name
        The name of the file in messages.
    delimiter
        The character between cells.
    plain
        Whether a blank line is an error.
    """

    name: str
    delimiter: str
    plain: bool

    @property
    def mark(self) -> bytes:
        """The delimiter as a byte."""
        return self.delimiter.encode()

    def parse(self, data: bytes, line: int) -> Iterator[Record]:
        """Yield the records of a block that are not blank; bytes that are not UTF-8 become surrogates.

        Parameters
        ----------
        data
            Whole records.
        line
            The number of the line in which they begin.

        Raises
        ------
        DataError
            If a line is blank and must not be.
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
                yield Record(cells, record, end)
            elif self.plain:
                raise self.blank_line(record)

    def blank_line(self, line: int) -> DataError:
        """Return the error of a blank line."""
        return DataError(f"{self.name}:{line}: is a blank line", hint='an empty cell is written ""')

    def check_width(self, cells: Sequence[str], called: Sequence[str], place: str, *, has_header: bool) -> None:
        """Refuse a record with another number of cells than there are columns; `called` are their names.

        Raises
        ------
        DataError
            If it has more or fewer.
        """
        if len(cells) != len(called):
            found = f"{len(cells)} cell{'' if len(cells) == 1 else 's'}"
            raise DataError(
                f"{place}: {found}, but the {'header' if has_header else 'first row'} has {len(called)}",
                hint=self.delimiter_hint(cells) or (self.delimiter_hint(called) if has_header else None),
            )

    def delimiter_hint(self, cells: Sequence[str]) -> str | None:
        """Return a hint to another delimiter.

        There is one if a record is a row of numbers under that delimiter, or if it has only one cell, which holds it.
        """
        name = self.numeric_delimiter(cells)
        if name is None and len(cells) == 1:
            name = next((name for name, mark in self._others() if mark in cells[0].strip()), None)
        return None if name is None else f"if its cells are separated otherwise: --delimiter {name}"

    def numeric_delimiter(self, cells: Sequence[str]) -> str | None:
        """Return the name of another delimiter under which a record is a row of numbers, after any texts; or None."""
        text = self.delimiter.join(cells)
        for name, mark in self._others():
            parts = text.split() if mark == " " else text.split(mark)
            numeric = [is_number(part) or has_decimal_comma(part) for part in parts]
            if len(parts) < 2 or not any(numeric):
                continue
            first = numeric.index(True)
            if all(numeric[first:]) and not any(self.delimiter in part for part in parts[:first]):
                return name
        return None

    def _others(self) -> list[tuple[str, str]]:
        """Return the names and the characters of the usual delimiters that this file does not have."""
        return [(name, mark) for name, mark in _DELIMITERS if mark != self.delimiter]


def blank_lines(data: bytearray) -> int:
    """Return the length in bytes of the blank lines at the start of `data`."""
    blank = len(data) - len(data.lstrip(b" \t\r\n"))
    return max(data.rfind(b"\n", 0, blank), data.rfind(b"\r", 0, blank)) + 1


def cut(data: bytes, delimiter: bytes) -> int:
    """Return the end of the last whole record of `data`, which begins with a record; 0 if no record ends in it.

    Inside a quoted cell, a line end is text. A carriage return at the very end may be half of a line end.
    """
    line_feed = data.rfind(b"\n")
    end = max(line_feed, data.rfind(b"\r", line_feed + 1, len(data) - 1)) + 1
    if not end or b'"' not in data:
        return end
    starts, ends = _quoted_cells(data, delimiter)
    if not _in_quotes(np.array([end]), starts, ends)[0]:
        return end
    array = np.frombuffer(data, dtype=np.uint8)
    after = np.flatnonzero((array[:end] == ord("\n")) | (array[:end] == ord("\r"))) + 1
    outside = after[~_in_quotes(after, starts, ends)]
    return int(outside[-1]) if len(outside) else 0


def outside_quotes(data: bytes, delimiter: bytes, places: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which positions in `data`, which begins with a record, are outside quoted cells."""
    return ~_in_quotes(places, *_quoted_cells(data, delimiter))


def _in_quotes(
    places: np.ndarray[Any, Any], starts: np.ndarray[Any, Any], ends: np.ndarray[Any, Any]
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which positions in a text are inside a quoted cell."""
    cells = np.searchsorted(starts, places) - 1
    return (cells >= 0) & (ends[cells] >= places) if len(starts) else np.zeros(len(places), dtype=np.bool_)


def _quoted_cells(data: bytes, delimiter: bytes) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the starts and ends of the quoted cells of `data`, which begins with a record.

    A cell that is not closed ends with the data. A quote opens a cell only at the very start of that cell; any other
    quote outside quotes is text. As long as every second quote is at the start of a cell, or doubles the quote before
    it, quotes open and close in turn. This is checked for all at once; only data with stray quotes are walked through.
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
    """Find the starts and ends of quoted cells one by one; a cell that is not closed has no end."""
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


def open_quote(data: bytes, delimiter: bytes) -> int:
    """Return the start of the quoted cell that is not closed, or -1; `data` begins with a record."""
    if b'"' not in data:
        return -1
    starts, ends = _quoted_cells(data, delimiter)
    return int(starts[-1]) if len(starts) and ends[-1] == len(data) else -1


def is_utf8(text: str) -> bool:
    """Return whether `text` is free of the surrogates that replace bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
