"""CSV and TSV with many columns, which are read as a single column of cells."""

from __future__ import annotations

import contextlib
import csv
import io
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actcli.formats import ReadOptions
from actcli.formats.wide_blocks import ColumnChoice, WideBlock
from readers import outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDE = "actcli.formats.delimited_decoder._MANY_COLUMNS"
CELLS = st.text(st.sampled_from('ab,;" \n\r'), max_size=6)
FINE = ["0", "-1.5", " 2 ", "1e3", "inf", '"4"']
ODD = ["", " ", "x", '"1,5"', '"', 'a"b', "1e400", "nan(1)", "\ufeff1"]


@contextlib.contextmanager
def never_wide() -> Iterator[None]:
    """Read blocks of any width column by column."""
    with mock.patch(WIDE, 1 << 30):
        yield


@given(
    st.lists(st.lists(st.sampled_from([*FINE, *FINE, *FINE, *ODD]), min_size=3, max_size=4), max_size=5),
    st.lists(st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n", ""]), min_size=6, max_size=6),
    st.sampled_from([",", ";", "\t", " "]),
    st.booleans(),
    st.integers(1, 100),
)
def test_any_block_gives_what_it_gives_column_by_column(
    rows: list[list[str]], ends: list[str], delimiter: str, piped: bool, chunk_bytes: int
) -> None:
    """The rows and the errors, with their lines, are those that the reader of few columns gives."""
    header = delimiter.join(("n", "a", "b"))
    lines = [header, *(delimiter.join(row) for row in rows)]
    data = "".join(line + end for line, end in zip(lines, [ends[0] or "\n", *ends[1:]], strict=False)).encode()
    options = ReadOptions(format="csv", delimiter=delimiter, header=True, ids=("n",), skip=True)
    with never_wide():
        expected = outcome(data, options, chunk_bytes=chunk_bytes, piped=piped)
    with mock.patch(WIDE, 1):
        assert outcome(data, options, chunk_bytes=chunk_bytes, piped=piped) == expected


@given(
    st.integers(1, 5).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1)),
    st.data(),
)
def test_texts_are_those_of_the_csv_module(rows: list[list[str]], data: Any) -> None:
    """Quotes, delimiters and line ends within cells stay, in any choice and order of columns (csv module)."""
    if all(len(row) == 1 for row in rows):
        rows = [[*row, ""] for row in rows]  # one empty cell is a blank line
    chosen = data.draw(st.permutations(range(len(rows[0]))).map(lambda order: order[: max(1, len(order) // 2)]))
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\r\n").writerows(rows)
    block = WideBlock(file.getvalue().encode(), ",", len(rows[0]))
    texts = block.texts(ColumnChoice.at(chosen))
    assert [column.to_pylist() for column in texts] == [[row[position] for row in rows] for position in chosen]


@pytest.mark.parametrize("chosen", [[1], [1, 2, 3], [3, 1], [0, 2, 4], [4, 3, 2, 1, 0], [0, 1, 4]])
def test_numbers_are_those_of_their_columns(chosen: list[int]) -> None:
    """Any choice and order of columns gives the numbers that `float` reads."""
    rows = [[f"{row}.{column}" for column in range(5)] for row in range(3)]
    block = WideBlock("\n".join(map(",".join, rows)).encode(), ",", 5)
    expected = [[float(row[position]) for position in chosen] for row in rows]
    np.testing.assert_array_equal(block.numbers(ColumnChoice.at(chosen)), expected)


@pytest.mark.parametrize("text", ["1,2\n3\n4,5,6\n", "1,2,3\n4,5,6\n", "1,2\n\n3,4\n", "1\n2,3\n4\n", "\n\n"])
def test_lines_of_other_widths_are_refused(text: str) -> None:
    """Also if the number of cells is right in all."""
    with pytest.raises(pa.ArrowInvalid):
        WideBlock(text.encode(), ",", 2)


def test_the_work_grows_with_the_cells_and_not_with_the_columns() -> None:
    """Arrow parses each block twice, the scores and the carried texts, whatever the number of columns is."""
    calls = []
    parse = pyarrow.csv.read_csv

    def counted(*args: Any, **options: Any) -> Any:
        calls.append(len(options["read_options"].column_names))
        return parse(*args, **options)

    for columns in (1_000, 4_000):
        calls.clear()
        names = ",".join(["id", *(f"c{number}" for number in range(columns))])
        row = ",".join(["a", *map(str, range(columns))])
        with mock.patch.object(pyarrow.csv, "read_csv", counted):
            found = outcome(f"{names}\n{row}\n{row}\n".encode(), ReadOptions(format="csv"), sink="csv")
        assert found.error is None
        assert calls == [1, 1]
