"""Decoding of JSON rows: each row must look like the first one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actcli.errors import DataError, listed, visible
from actcli.formats.blocks import RowByRow
from actcli.formats.json_records import JsonLines, JsonNumber, UnreadableError, json_text, shown
from actcli.streaming.batch import common_to_chunks

if TYPE_CHECKING:
    from actcli.streaming.batch import Batch, Layout

__all__ = ["JsonDecoder", "RowShape"]


@dataclass(frozen=True, slots=True)
class RowShape:
    """What a row looks like, as the first row settles it.

    Parameters
    ----------
    classes
        The keys of the scores in an object, or their positions in a list.
    scores_of
        The key of the scores within a row; None if the row itself holds them.
    others
        The keys beside the scores.
    keys
        All keys of the object that holds the scores.
    width
        The length of the list that holds the scores; None for an object.
    bare
        Whether a row is a value without a name.
    masked
        Whether null is -inf, as in the scores that actcli writes.
    """

    classes: tuple[Any, ...] = ()
    scores_of: str | None = None
    others: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    width: int | None = None
    bare: bool = False
    masked: bool = False

    def scores(self, row: Any, place: str) -> list[float]:
        """Return the scores of a row.

        Parameters
        ----------
        row
            A JSON value.
        place
            Where it is, for messages.

        Raises
        ------
        DataError
            If it does not look like the first row.
        """
        if self.scores_of is not None:
            if not isinstance(row, dict) or self.scores_of not in row:
                raise DataError(f'{place}: there is no "{self.scores_of}"')
            extra = row.keys() - self.others - {self.scores_of}
            if extra:
                raise DataError(f"{place}: {listed(sorted(extra))} is not in the first row")
            row = row[self.scores_of]
        if self.width is not None:
            if not isinstance(row, list) or len(row) != self.width:
                found = f"{len(row)} numbers" if isinstance(row, list) else shown(row)
                raise DataError(f"{place}: {found}, but the first row has {self.width} numbers in a list")
            cells = [(str(position), row[position]) for position in self.classes]
        else:
            if not isinstance(row, dict):
                raise DataError(f"{place}: {shown(row)} is no object, but the first row is")
            if row.keys() != self.keys:
                missing = [name for name in self.classes if name not in row]
                if missing:
                    raise DataError(f"{place}: there is no {listed(missing, 3)}")
                extra = row.keys() - self.keys
                if extra:
                    raise DataError(f"{place}: {listed(sorted(extra))} is not in the first row")
            cells = [(name, row[name]) for name in self.classes]
        return [
            -math.inf if self.masked and value is None else _score(value, f'{place}: column "{visible(name)}"')
            for name, value in cells
        ]


def _score(value: Any, where: str) -> float:
    if not isinstance(value, JsonNumber):
        hint = "a masked class is written -Infinity" if value is None else None
        raise DataError(f"{where}: {shown(value)} is not a number", hint=hint)
    number = float(value)
    if math.isinf(number) and "I" not in value:
        raise DataError(f'{where}: "{visible(value)}" is too large for float64')
    return number


@common_to_chunks
@dataclass(frozen=True, slots=True)
class JsonDecoder:
    """Decodes blocks of rows.

    Parameters
    ----------
    parser
        Finds the rows in a block.
    file
        The index of the file among the inputs.
    shape
        What a row looks like.
    layout
        The layout of the table.
    wrapped
        Whether brackets were put around each value of a list.
    """

    parser: JsonLines
    file: int
    shape: RowShape
    layout: Layout
    wrapped: bool

    def decode(self, data: bytes, line: int, *, last: bool) -> Batch:
        """Return the rows of a block, see `actcli.formats.blocks.BlockDecoder.decode`."""
        reading = RowByRow(self.parser.name, self.layout)
        names = [column.name for column in self.layout.carried]
        for number, value in self.parser.parse(data, line, last=last):
            if isinstance(value, UnreadableError):
                return reading.batch(self.file, value)
            place = reading.begin(number)
            try:
                if isinstance(value, DataError):
                    raise value
                row = self._as_object(value)
                scores = self.shape.scores(row, place)
            except DataError as error:
                reading.leave_out(error)
            else:
                reading.add(scores, [json_text(row.get(name)) for name in names])
        return reading.batch(self.file)

    def _as_object(self, value: Any) -> Any:
        """Return a row as an object, even if it is a value without a name."""
        if not self.shape.bare:
            return value
        return {"": value[0] if self.wrapped and isinstance(value, list) and len(value) == 1 else value}
